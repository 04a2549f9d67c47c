"""What an edit of a line that sounds asks for: other numbers, or a placement of its own."""

from __future__ import annotations

from dataclasses import replace

from ...script.piece import Bring, Span
from .score import Score

_ANYWHERE = Span(1, 1, 1, 1)


def needs_new_placement(was: Bring, now: Bring, old: Score, new: Score, *, resized: bool) -> bool:
    """Whether more has changed than gain, pan and the numbers of effects, which a ramp can move.

    `resized`: whether the section has another length.
    """
    if _sound(was) != _sound(now) or _other_buses(was, now, old, new):
        return True
    gliding = any(each.over is not None for each in now.effects.filters)
    # Its filter would glide once more from the beginning, which is worse than to end as it was to.
    return not gliding and (resized or _end(was) != _end(now))


def _sound(line: Bring) -> object:
    """What a placement has from its start to its end."""
    effects = line.effects
    filters = [(each.kind, each.to_hz is None, each.over, each.curve) for each in effects.filters]
    ducked = effects.duck.under if effects.duck is not None else None
    glides = [(each.what, each.over, each.curve, each.at_bar, each.at_beat) for each in effects.glides]
    has_some = bool(effects.sends or effects.duck or effects.filters or effects.via or glides)
    return line.reverse, line.time, filters, ducked, has_some, glides, effects.via


def _end(line: Bring) -> object:
    """When and how a line leaves."""
    window = line.window
    return line.out_over, replace(window, when=None, chance=None, one_in=None) if window.ends else None


def _other_buses(was: Bring, now: Bring, old: Score, new: Score) -> bool:
    """Whether a bus to which both send is another one now: what sounds would go on into the old one."""
    both = _buses(was) & _buses(now)
    buses = ((old.piece.buses[name], new.piece.buses[name]) for name in both)
    return any(replace(a, span=_ANYWHERE) != replace(b, span=_ANYWHERE) for a, b in buses)


def _buses(line: Bring) -> set[str]:
    """The buses to which a line sends."""
    glides = (each.what.removeprefix("to ") for each in line.effects.glides if each.what.startswith("to "))
    return {*(send.bus for send in line.effects.sends), *glides, *filter(None, [line.effects.via])}
