"""Voices: hits of which each ends where the next begins, as on an instrument that plays one note at a time.

A hit of a bass or a melody shares a voice with the others of its line; `cut` asks for the same, and `choke`
has whole parts share one. What rings on is remembered from bar to bar, so a hit ends the one before it across
bar lines and sections, and wherever swing and chance have put the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ...script.piece import Piece, Play
from ..fades import CUT_FADE_FRAMES
from ..plan import Fade, Placement, Stop

ONE_AT_A_TIME = frozenset(("bass", "melody"))
"""The roles of which a line's hits never ring into each other."""


def choked(piece: Piece) -> Mapping[str, str]:
    """By part and by other names after `choke`, the name of the voice that they share."""
    joined: dict[str, str] = {}
    lines = (line for section in piece.sections for line in section.lines)
    for line in lines:
        if isinstance(line, Play) and line.choke is not None:
            one, other = (_root(joined, name) for name in (line.part, line.choke))
            joined.setdefault(one, one)
            joined[other] = joined[one]
    return {name: _root(joined, name) for name in joined}


def _root(joined: Mapping[str, str], name: str) -> str:
    while joined.get(name, name) != name:
        name = joined[name]
    return name


def voice_of(line: Play, place: int, role: str, choked: Mapping[str, str]) -> str | None:
    """The voice of a line's hits; None where they ring into each other. `role`: of what is struck."""
    if line.part in choked:
        return f"choke {choked[line.part]}"
    return f"{line.part} {place}" if line.cut or role in ONE_AT_A_TIME else None


@dataclass(frozen=True, slots=True)
class Cut:
    """The hits of a voice once each gives way to the next: new ones as they are placed, and earlier stops."""

    placed: tuple[Placement, ...]
    stopped: tuple[tuple[Placement, Stop], ...]
    ringing: tuple[Placement, ...]


def cut_short(
    before: Sequence[Placement], coming: Sequence[Placement], upto: int, bars: Callable[[int], Fraction]
) -> Cut:
    """End each hit where the next one begins, its fade before that; one that would only fade never sounds.

    `before`: those placed already. `upto`: the frame before which nothing begins any more. `bars`: of frames.
    """
    known = {each.id for each in before}
    placed, stopped, ringing = list[Placement](), list[tuple[Placement, Stop]](), list[Placement]()
    order = sorted([*before, *coming], key=lambda each: each.start_frame)
    following = [each.start_frame for each in order[1:]]
    for hit, end in zip(order, [*following, None], strict=True):
        ended = hit
        if end is not None and end < hit.end_frame:
            fade = Fade(CUT_FADE_FRAMES)
            ended = replace(hit, end_frame=end, fade_out=fade, bars=bars(end - hit.start_frame))
            if hit.id in known:
                stopped.append((hit, Stop(hit.id, end, fade)))
            if end - hit.start_frame <= fade.frames:
                # Of two that begin at once, the later line's is heard.
                continue
        if hit.id not in known:
            placed.append(ended)
        if ended.end_frame > upto:
            ringing.append(ended)
    return Cut(tuple(placed), tuple(stopped), tuple(ringing))
