"""Doubts about a correct script: names that nothing uses, words that change nothing, and what never happens.

They are noted only in scripts without a mistake, since nobody knows what a broken statement would have used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from ..expression import draws
from ..piece import Bring, Hold, HoldPart, LineWindow, Piece, Play, Section, Solo, Span, Vary
from ..problems import short
from ..text.tree import AmountClause, FilterClause, LineStatement, Quantity
from ..words import UNITS
from .form import always
from .limits import steps_in_a_bar
from .scope import Scope
from .unreachable_moves import warn_of_unreachable_moves

_UNUSED = {
    "dial": ("nothing depends on dial", "let a line or a move depend on it, or leave it out"),
    "bus": ("nothing is sent to bus", "send a line there, such as: to {} 30%"),
    "sting": ("nothing fires sting", 'let an event do so, such as: on cue "go": sting {}'),
}


def warn_of_unused(scope: Scope, piece: Piece) -> None:
    """Note the doubts about a piece whose script has no mistake."""
    _unused(scope)
    brought = {line.part for section in piece.sections for line in section.lines if isinstance(line, Bring)}
    whole = _Whole(
        piece.meter,
        brought,
        {move.through for move in piece.moves if move.through is not None},
        {
            line.span: line
            for section in scope.sections.values()
            for line in section.lines
            if isinstance(line, LineStatement)
        },
    )
    for section in piece.sections:
        _section(scope, whole, section)
    for event in piece.events:
        part = event.action.part if isinstance(event.action, HoldPart) else None
        if part is not None and part not in brought:
            _holds_nothing(scope, part, event.span)
    warn_of_unreachable_moves(scope, piece)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What the lines of a section depend on. `fills`: the parts that moves go through."""

    meter: tuple[int, int]
    brought: Collection[str]
    fills: Collection[str]
    statements: Mapping[Span, LineStatement]


def _unused(scope: Scope) -> None:
    for kind, known in (("dial", scope.dials), ("bus", scope.buses), ("sting", scope.stings)):
        message, hint = _UNUSED[kind]
        for name, statement in known.items():
            if statement is not None and (kind, name) not in scope.used:
                scope.say("W009", statement.name.span, f'{message} "{short(name)}"', hint.format(short(name)))


def _section(scope: Scope, whole: _Whole, section: Section) -> None:
    begun = {line.part for line in section.lines if isinstance(line, Bring | Play)} | set(whole.fills)
    here = begun | {line.part for line in section.lines if isinstance(line, Hold)}
    absent = f"does not sound in section {short(section.name)}"
    first: dict[str, int] = {}
    for line in section.lines:
        before = first.setdefault(line.text, line.span.line)
        if before != line.span.line and not isinstance(line, Bring | Play) and not _by_chance(line.window):
            scope.say("W008", line.span, f"line {before} already says this", "keep one of them")
            continue
        match line:
            case Vary() if line.part not in begun:
                scope.say("W008", line.span, f"nothing is varied: {short(line.part)} {absent}")
            case Vary():
                _vary(scope, line, section)
            case Solo() if line.part not in here:
                message = f"everything rests: {short(line.part)}, which is to sound alone, {absent}"
                scope.say("W010", line.span, message)
            case Hold() if line.part not in whole.brought:
                _holds_nothing(scope, line.part, line.span)
            case Bring() | Play():
                duck = line.effects.duck
                if duck is not None and duck.under == line.part:
                    scope.say("W008", line.span, f"{short(line.part)} cannot make room for itself")
                elif duck is not None and duck.under not in here:
                    scope.say("W008", line.span, f"nothing is ducked: {short(duck.under)} {absent}")
                if isinstance(line, Bring):
                    _fades(scope, line, section, whole)
                elif line.part not in whole.fills:
                    _pattern(scope, line, section, whole)
            case _:
                pass
    _covered(scope, [x for x in section.lines if isinstance(x, Bring) and x.part not in whole.fills])


def _by_chance(window: LineWindow) -> bool:
    """Whether two lines of the same text may do different things."""
    drawn = window.when is not None and draws(window.when)
    return drawn or window.chance is not None or window.one_in is not None


def _holds_nothing(scope: Scope, part: str, place: Span) -> None:
    scope.say("W008", place, f"`hold` keeps loops, but {short(part)} is played and nothing brings it")


def _vary(scope: Scope, line: Vary, section: Section) -> None:
    first, longest = line.window.at_bar - 1, section.lengths[-1]
    last = longest if line.window.for_bars is None else min(longest, first + line.window.for_bars)
    after = max(first, 1)
    if -(-after // line.every_bars) * line.every_bars >= last:
        multiple = f"no multiple of {line.every_bars} bars falls while this is active"
        hint = "bars are counted from the section's start, and nothing changes at its end"
        scope.say("W010", line.span, f"{short(line.part)} is never varied: {multiple}", hint)


def _fades(scope: Scope, line: Bring, section: Section, whole: _Whole) -> None:
    """Note fades and glides that are longer than their line can be."""
    beats = whole.meter[0]
    start, end = _beats(line.window, section, beats)
    for modifier in whole.statements[line.span].modifiers:
        match modifier:
            case AmountClause(word="over" | "out over", amount=length):
                what = "fade"
            case FilterClause(over=Quantity() as length):
                what = "glide"
            case _:
                continue
        kind = UNITS[length.unit][0] if length.unit else ""
        lasts = length.value * beats if kind == "bars" else length.value
        if kind in ("bars", "beats") and lasts > end - start:
            bars = float((end - start) / beats)
            message = f"this {what} is longer than its line, which lasts {bars:g} bars at most"
            scope.say("W006", modifier.span, message)


def _beats(window: LineWindow, section: Section, beats: int) -> tuple[Fraction, Fraction]:
    """The first and last beat at which a line is active, if its section is drawn longest."""
    start = (window.at_bar - 1) * beats + window.at_beat - 1
    end = Fraction(section.lengths[-1] * beats)
    return start, end if window.for_bars is None else min(end, start + window.for_bars * beats)


def _pattern(scope: Scope, line: Play, section: Section, whole: _Whole) -> None:
    """Note patterns that are never heard, or never to their end."""
    statement = whole.statements[line.span]
    assert statement.pattern is not None
    place, count = statement.pattern.span, len(line.steps)
    per_beat = Fraction(16, whole.meter[1])
    start, end = (ceil(beat * per_beat) for beat in _beats(line.window, section, whole.meter[0]))
    longest = section.lengths[-1] * steps_in_a_bar(whole.meter)
    if not any(line.steps[step % count].chance for step in range(start, min(end, start + count))):
        scope.say("W010", place, "no hit of this pattern falls while its line is active")
    elif any(step.chance for step in line.steps[longest:]):
        message = f"section {short(section.name)} ends before this pattern is over"
        scope.say("W006", place, f"{message} (it has at most {longest} sixteenths)")


def _covered(scope: Scope, lines: Sequence[Bring]) -> None:
    """Note the brings that are never heard: of the active lines of a part only the last one sounds."""
    later: dict[str, list[tuple[tuple[int, Fraction], tuple[float, Fraction], int]]] = {}
    for line in reversed(lines):
        window = line.window
        start = window.at_bar, window.at_beat
        end = (float("inf") if window.for_bars is None else window.at_bar + window.for_bars), window.at_beat
        over = later.setdefault(line.part, [])
        cover = next((number for first, last, number in over if first <= start and last >= end), None)
        if cover is not None:
            message = f"this is never heard: the `bring` in line {cover} always takes its place"
            scope.say("W010", line.span, message, "give one of them a time or a condition")
        elif always(scope, window.when) and (window.chance in (None, 1)) and window.one_in in (None, 1):
            over.append((start, end, line.span.line))
