"""Limits on the work of one bar, so that no script makes the music late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .. import piece, words
from ..expression import steps
from ..problems import short
from .scope import Scope

_STEPS = "a number or a dial is one step, and a `random` is eight"
_SOLO = 12
"""The cost of a `solo`, in steps, for each part that it may silence."""
_PART_IT = "split it into several sections"


def refuse_large_sections(scope: Scope, draft: piece.Piece) -> None:
    """Note the sections with a bar that takes too long to compose."""
    stings = _stings(draft.events)
    for section in draft.sections:
        name = f"section {short(section.name)}"
        if len(section.lines) > words.MOST_LINES:
            message = f"{name} has {len(section.lines):,} lines; at most {words.MOST_LINES} are allowed"
            scope.say("E047", section.span, message, _PART_IT)
            continue
        begin, bar = _most(_beginnings(section))
        begin += stings
        if begin > words.MOST_BEGINNINGS:
            what = "loops, patterns and stings" if stings else "loops and patterns"
            message = f"{begin:,} {what} may begin in bar {bar} of {name}"
            hint = f"{_PART_IT}; a line that starts within a bar counts for every part that it begins"
            scope.say("E047", section.span, f"{message}; at most {words.MOST_BEGINNINGS} are allowed", hint)
        fall, bar = _most(_hits(section, draft.meter))
        if fall > words.MOST_HITS:
            message = f"{fall:,} hits may fall in bar {bar} of {name}; at most {words.MOST_HITS} are allowed"
            scope.say("E047", section.span, message, "let fewer patterns play at a time")
        taken, bar = _most(_calculation(section, draft.meter))
        if taken > words.MOST_STEPS:
            message = f"the lines of {name} take {taken:,} steps of calculation in bar {bar}"
            hint = f"{_STEPS}; those of a pattern count for each hit, and a `solo` for each part"
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


def steps_in_a_bar(meter: tuple[int, int]) -> int:
    """Sixteenths in a bar."""
    return meter[0] * 16 // meter[1]


Changes = Counter[int]
"""For each bar of a section, from 0, the change of a count at its start."""


def _bars(line: piece.Line, section: piece.Section) -> tuple[int, int]:
    """The bars of a section, from 0 and the last exclusive, in which a line may be active."""
    window, longest = line.window, section.lengths[-1]
    first = window.at_bar - 1
    if window.for_bars is None:
        return first, longest
    return first, min(longest, first + window.for_bars + (window.at_beat != 1))


def _over(changes: Changes, first: int, last: int, count: int = 1) -> None:
    changes[first] += count
    changes[last] -= count


def _beginnings(section: piece.Section) -> Changes:
    """Sounds that may begin: a brought part does so at each bar line and wherever a line divides its bar."""
    changes: Changes = Counter()
    at_work: dict[str, list[tuple[int, int]]] = {}
    cuts: set[tuple[str | None, int, object]] = set()
    for line in section.lines:
        if isinstance(line, piece.Play):
            _over(changes, *_bars(line, section))
        elif isinstance(line, piece.Bring | piece.Hold):
            at_work.setdefault(line.part, []).append(_bars(line, section))
        if not isinstance(line, piece.Play | piece.Vary) and line.window.at_beat != 1:
            part, window = None if isinstance(line, piece.Solo) else line.part, line.window
            cuts.add((part, window.at_bar - 1, window.at_beat))
            if window.for_bars is not None:
                cuts.add((part, window.at_bar - 1 + window.for_bars, window.at_beat))
    for spans in at_work.values():
        done = 0
        for first, last in sorted(spans):
            if last > done:
                _over(changes, max(first, done), last)
                done = last
    for part, bar, _ in cuts:
        # A solo divides the bars of everything that sounds.
        _over(changes, bar, bar + 1, len(at_work) if part is None else part in at_work)
    return changes


def _hits(section: piece.Section, meter: tuple[int, int]) -> Changes:
    changes: Changes = Counter()
    for line in section.lines:
        if isinstance(line, piece.Play):
            _over(changes, *_bars(line, section), hits_in_a_bar(line.steps, steps_in_a_bar(meter)))
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
        _over(changes, *_bars(line, section), _line_steps(line, parts, steps_in_a_bar(meter)))
    return changes


def _line_steps(line: piece.Line, parts: int, bar: int) -> int:
    asked = 0 if line.window.when is None else steps(line.window.when)
    if isinstance(line, piece.Solo):
        # Every other part asks whether it is silenced.
        return (asked + _SOLO) * parts
    if isinstance(line, piece.Play):
        return asked + _mix_steps(line) * hits_in_a_bar(line.steps, bar)
    return asked + _mix_steps(line) if isinstance(line, piece.Bring) else asked


def _mix_steps(sound: piece.Bring | piece.Play | piece.Sting) -> int:
    found = [sound.gain, sound.pan, *(send.amount for send in sound.effects.sends)]
    found += [hz for filter in sound.effects.filters for hz in (filter.hz, filter.to_hz) if hz is not None]
    if sound.effects.duck is not None:
        found.append(sound.effects.duck.depth_db)
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
