"""Limits on the work of one bar, so that no script makes the music late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import ceil

from .. import piece, words
from ..expression import steps
from ..problems import short
from .scope import Scope

_STEPS = "a number or a dial is one step, and a `random` is eight"
_SOLO = 12
"""The cost of a `solo`, in steps, for each part that it may silence."""
_CHOICE = 20
"""The cost of another recording for a hit."""
_PART_IT = "split it into several sections"


def refuse_large_sections(scope: Scope, draft: piece.Piece) -> None:
    """Note the sections with a bar that takes too long to compose."""
    stings = _stings(draft.events)
    for section in draft.sections:
        name = f"section {short(section.name)}"
        lines = len(section.lines) + len(section.ramps)
        if lines > words.MOST_LINES:
            message = f"{name} has {lines:,} lines; at most {words.MOST_LINES} are allowed"
            scope.say("E047", section.span, message, _PART_IT)
            continue
        begin, bar = _most(_beginnings(section, (section.meter or draft.meter)[0]))
        begin += stings
        if begin > words.MOST_BEGINNINGS:
            what = "loops, patterns and stings" if stings else "loops and patterns"
            message = f"{begin:,} {what} may begin in bar {bar} of {name}"
            hint = f"{_PART_IT}; a line that starts within a bar counts for every part that it begins"
            if section.ramps:
                hint += ", and a loop that a ramp moves counts twice"
            scope.say("E047", section.span, f"{message}; at most {words.MOST_BEGINNINGS} are allowed", hint)
        fall, bar = _most(_hits(section, section.meter or draft.meter))
        if fall > words.MOST_HITS:
            message = f"{fall:,} hits may fall in bar {bar} of {name}; at most {words.MOST_HITS} are allowed"
            scope.say("E047", section.span, message, "let fewer patterns play at a time")
        taken, bar = _most(_calculation(section, section.meter or draft.meter))
        if taken > words.MOST_STEPS:
            message = f"the lines of {name} take {taken:,} steps of calculation in bar {bar}"
            hint = f"{_STEPS}; those of a pattern count for each hit, and a `solo` for each part"
            if any(isinstance(line, piece.Play) and line.each_hit_new for line in section.lines):
                hint = (
                    f"{_STEPS}; those of a pattern count for each hit, and `each hit new` is {_CHOICE} more"
                )
            scope.say("E047", section.span, f"{message}; at most {words.MOST_STEPS:,} are allowed", hint)


def refuse_many(scope: Scope, draft: piece.Piece) -> None:
    """Note the kinds of statement of which there are too many to evaluate in a bar."""
    buses, moves, events = tuple(draft.buses.values()), draft.moves, draft.events
    for pool in draft.pools.values():
        name = f"pool {short(pool.name)}"
        count = len(pool.weights)
        taken = sum(steps(weight.when) for weight in pool.weights if weight.when is not None)
        if count > words.MOST_WEIGHTS:
            message = f"{name} has {count} weights; at most {words.MOST_WEIGHTS} are allowed"
            scope.say("E048", pool.span, message, "make two pools of it")
        elif taken > words.MOST_WEIGHT_STEPS:
            message = f"the weights of {name} take {taken} steps of calculation"
            scope.say("E048", pool.span, f"{message}; at most {words.MOST_WEIGHT_STEPS} are allowed", _STEPS)
    if len(buses) > words.MOST_BUSES:
        message = f"there are {len(buses)} buses; at most {words.MOST_BUSES} are allowed"
        scope.say("E048", buses[words.MOST_BUSES].span, message)
    if len(events) > words.MOST_EVENTS:
        message = f"there are {len(events):,} events; at most {words.MOST_EVENTS} are allowed"
        scope.say("E048", events[words.MOST_EVENTS].span, message)
    else:
        _calculated(
            scope, "the events take", [(event, _event_steps(event, draft.stings)) for event in events]
        )
    if len(moves) > words.MOST_MOVES:
        message = f"there are {len(moves):,} moves; at most {words.MOST_MOVES:,} are allowed"
        scope.say("E048", moves[words.MOST_MOVES].span, message)
        return
    onward: dict[str | None, list[piece.Move]] = {}
    for move in moves:
        onward.setdefault(move.origin, []).append(move)
    from_any = onward.pop(None, [])
    for origin, own in [(None, []), *onward.items()]:
        name = "any section" if origin is None else f"section {short(origin)}"
        leading = [*from_any, *own]
        if len(leading) > words.MOST_MOVES_FROM:
            message = f"{len(leading):,} moves lead on from {name}"
            if own and from_any:
                message += ", including those of `any`"
            scope.say("E048", leading[-1].span, f"{message}; at most {words.MOST_MOVES_FROM} are allowed")
            if origin is None:
                return
        else:
            # The end of a section is looked at twice: a bar ahead as well, for a move through a fill.
            asked = [(move, 2 * steps(move.when)) for move in leading if move.when is not None]
            _calculated(scope, f"the moves from {name} take", asked)


def _calculated(scope: Scope, what: str, taken: Sequence[tuple[piece.Move | piece.Event, int]]) -> None:
    """Note the last of `taken` if all together take too many steps."""
    total = sum(steps for _, steps in taken)
    if total > words.MOST_STEPS:
        message = f"{what} {total:,} steps of calculation in a bar; at most {words.MOST_STEPS:,} are allowed"
        scope.say("E048", taken[-1][0].span, message, _STEPS)


def hits_in_a_bar(pattern: Sequence[piece.Step], steps_in_a_bar: int) -> int:
    """The greatest number of hits of a pattern in one bar: it repeats across the bar lines."""
    if not pattern:
        return 0
    sounding = [step.chance > 0 for step in pattern]
    whole, rest = divmod(steps_in_a_bar, len(sounding))
    window = most = sum(sounding[:rest])
    for first in range(len(sounding)):
        window += sounding[(first + rest) % len(sounding)] - sounding[first]
        most = max(most, window)
    return whole * sum(sounding) + most


def steps_in_a_bar(line: piece.Play | piece.Pulse, meter: tuple[int, int]) -> int:
    """Steps of a line's pattern in a bar: sixteenths, unless it says how many."""
    return line.steps_in_bar or meter[0] * 16 // meter[1]


def _hits_of(line: piece.Play | piece.Pulse, meter: tuple[int, int]) -> int:
    """The greatest number of a line's hits in one bar."""
    return (
        1
        if isinstance(line, piece.Play) and line.ending is not None
        else hits_in_a_bar(line.steps, steps_in_a_bar(line, meter))
    )


Changes = Counter[int]
"""For each bar of a section, from 0, the change of a count at its start."""


def _bars(line: piece.Line, section: piece.Section, beats: int) -> tuple[int, int]:
    """The bars of a section, from 0 and the last exclusive, in which a line may be active."""
    first, longest = line.window.at_bar - 1, section.lengths[-1]
    end = None if _again(line, section) else _end(line.window, beats)
    return first, longest if end is None else min(longest, ceil(end / beats))


def _end(window: piece.LineWindow, beats: int) -> Fraction | None:
    """The beat of its section at which a line ends for the first time; `None` at the section's end."""
    lasts = window.length(beats)
    return None if lasts is None else (window.at_bar - 1) * beats + window.at_beat - 1 + lasts


def _again(line: piece.Line, section: piece.Section) -> bool:
    """Whether a line may be active more than once."""
    return line.window.every_bars is not None or bool(section.taken.get(line.section))


def _over(changes: Changes, first: int, last: int, count: int = 1) -> None:
    changes[first] += count
    changes[last] -= count


def _beginnings(section: piece.Section, beats: int) -> Changes:
    """Sounds that may begin: a brought part does so at each bar line and wherever a line divides its bar."""
    changes: Changes = Counter()
    at_work: dict[str, list[tuple[int, int]]] = {}
    cuts: set[tuple[str | None, tuple[int, int], Fraction]] = set()
    for line in section.lines:
        if isinstance(line, piece.Play | piece.Pulse):
            _over(changes, *_bars(line, section, beats))
        elif isinstance(line, piece.Bring | piece.Hold):
            at_work.setdefault(line.part, []).append(_bars(line, section, beats))
        if not isinstance(line, piece.Play | piece.Pulse | piece.Vary | piece.Renew):
            cuts.update(_cuts(line, section, beats))
    for ramp in section.ramps:
        # All that sounds goes on as something else where the tempo begins to move, and after it.
        if ramp.at_beat != 1:
            cuts.add((None, (ramp.at_bar - 1, ramp.at_bar), ramp.at_beat - 1))
    ramps = [_ramp_bars(ramp, beats) for ramp in section.ramps]
    for spans in at_work.values():
        done = 0
        for first, last in sorted(spans):
            if last > done:
                first = max(first, done)
                _over(changes, first, last)
                # Laying a loop along a ramp is as much work again.
                for begun, over in ramps:
                    if max(first, begun) < min(last, over):
                        _over(changes, max(first, begun), min(last, over))
                done = last
    for part, bars, _ in cuts:
        # A solo divides the bars of everything that sounds.
        _over(changes, *bars, len(at_work) if part is None else part in at_work)
    return changes


def _ramp_bars(ramp: piece.TempoRamp, beats: int) -> tuple[int, int]:
    """The bars, from 0 and the last exclusive, through which a ramp goes."""
    return ramp.at_bar - 1, ceil(ramp.beats(beats)[1] / beats)


def _cuts(
    line: piece.Line, section: piece.Section, beats: int
) -> Iterator[tuple[str | None, tuple[int, int], Fraction]]:
    """Where a line divides bars: a part, `None` for each that sounds; the bars; and the beat in them."""
    window, end = line.window, _end(line.window, beats)
    for part in (None,) if isinstance(line, piece.Solo) else line.parts:
        for bar, beat in ((window.at_bar - 1, window.at_beat - 1), divmod(end or Fraction(0), beats)):
            if beat:
                again = _again(line, section)
                yield part, _bars(line, section, beats) if again else (bar, bar + 1), beat


def _hits(section: piece.Section, meter: tuple[int, int]) -> Changes:
    changes: Changes = Counter()
    for line in section.lines:
        if isinstance(line, piece.Play | piece.Pulse):
            _over(changes, *_bars(line, section, meter[0]), _hits_of(line, meter))
    return changes


def _most(changes: Changes) -> tuple[int, int]:
    """The greatest count and the first bar with it, from 1."""
    count, most, at = 0, 0, 0
    for bar in sorted(changes):
        count += changes[bar]
        if count > most:
            most, at = count, bar
    return most, at + 1


def _calculation(section: piece.Section, meter: tuple[int, int]) -> Changes:
    """Steps of calculation that the lines of a section take."""
    changes: Changes = Counter()
    parts = len(
        {line.part for line in section.lines if isinstance(line, piece.Bring | piece.Hold | piece.Play)}
    )
    for line in section.lines:
        _over(changes, *_bars(line, section, meter[0]), _line_steps(line, parts, meter))
    return changes


def _line_steps(line: piece.Line, parts: int, meter: tuple[int, int]) -> int:
    asked = 0 if line.window.when is None else steps(line.window.when)
    if isinstance(line, piece.Solo):
        # Every other part asks whether it is silenced.
        return (asked + _SOLO) * parts
    if isinstance(line, piece.Play):
        choosing = _CHOICE if line.each_hit_new else 0
        return asked + (_mix_steps(line) + choosing) * _hits_of(line, meter)
    if isinstance(line, piece.Bring):
        return asked + _mix_steps(line)
    return asked + _effect_steps(line.effects) if isinstance(line, piece.Hold) else asked


def _mix_steps(sound: piece.Bring | piece.Play | piece.Sting) -> int:
    return steps(sound.gain) + steps(sound.pan) + _effect_steps(sound.effects)


def _effect_steps(effects: piece.Effects) -> int:
    found = [send.amount for send in effects.sends]
    found += [hz for filter in effects.filters for hz in (filter.hz, filter.to_hz) if hz is not None]
    found += [end for glide in effects.glides for end in (glide.value, glide.to) if end is not None]
    if effects.duck is not None:
        found += [effects.duck.depth_db, effects.duck.back_seconds]
    return sum(steps(expression) for expression in found)


def _stings(events: Iterable[piece.Event]) -> int:
    """The greatest number of stings in one bar: those of time and conditions, and those of one gesture."""
    by_gesture: Counter[tuple[str, str | None]] = Counter()
    timed = 0
    for event in events:
        if isinstance(event.action, piece.FireSting):
            if event.trigger.kind in ("when", "after", "every"):
                timed += 1
            else:
                by_gesture[event.trigger.kind, event.trigger.name] += 1
    return timed + max(by_gesture.values(), default=0)


def _event_steps(event: piece.Event, stings: dict[str, piece.Sting]) -> int:
    taken = 0 if event.trigger.when is None else steps(event.trigger.when)
    action = event.action
    if isinstance(action, piece.SetDial):
        taken += steps(action.value)
    elif isinstance(action, piece.FireSting) and action.sting in stings:
        taken += _mix_steps(stings[action.sting])
    return taken
