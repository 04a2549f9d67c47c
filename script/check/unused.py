"""Doubts about a correct script: names that nothing uses, words that change nothing, and what never happens.

They are noted only in scripts without a mistake, since nobody knows what a broken statement would have used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from ..expression import draws
from ..piece import (
    Bring,
    Drop,
    Hold,
    HoldPart,
    LineWindow,
    Piece,
    Play,
    Pulse,
    Renew,
    Section,
    Solo,
    Span,
    Vary,
)
from ..pitch import Progression
from ..problems import short
from ..text.tree import AmountClause, FilterClause, GlideClause, Gliding, LineStatement, Quantity, SendClause
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
        piece.chords,
        {span for section in piece.sections for span in _ducked_under(section)},
    )
    for section in piece.sections:
        _section(scope, replace(whole, meter=section.meter or piece.meter), section)
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
    fills: set[str]
    statements: Mapping[Span, LineStatement]
    chords: Progression | None
    keys: Collection[Span]
    """The triggers under which something ducks, in their section or in one that is `as` it."""


def _unused(scope: Scope) -> None:
    for kind, known in (("dial", scope.dials), ("bus", scope.buses), ("sting", scope.stings)):
        message, hint = _UNUSED[kind]
        for name, statement in known.items():
            if statement is not None and (kind, name) not in scope.used:
                scope.say("W009", statement.name.span, f'{message} "{short(name)}"', hint.format(short(name)))


def _section(scope: Scope, whole: _Whole, section: Section) -> None:
    begun = {line.part for line in section.lines if isinstance(line, Bring | Play)} | set(whole.fills)
    here = begun | {part for line in section.lines if isinstance(line, Hold | Pulse) for part in line.parts}
    absent = f"does not sound in section {short(section.name)}"
    first: dict[str, int] = {}
    own = [line for line in section.lines if line.section == section.name]
    for line in own:
        before = first.setdefault(line.text, line.span.line)
        if (
            before != line.span.line
            and not isinstance(line, Bring | Play | Pulse)
            and not _by_chance(line.window)
        ):
            scope.say("W008", line.span, f"line {before} already says this", "keep one of them")
            continue
        match line:
            case Vary() | Renew() if not begun.issuperset(line.parts):
                part = next(part for part in line.parts if part not in begun)
                scope.say("W008", line.span, f"nothing is varied: {short(part)} {absent}")
            case Vary() if any(_always_new(section, part) for part in line.parts):
                part = next(part for part in line.parts if _always_new(section, part))
                scope.say("W008", line.span, f"each hit of {short(part)} is a new one already")
            case Vary():
                _vary(scope, line, section)
            case Solo() if here.isdisjoint(line.parts):
                message = f"everything rests: {short(line.part)}, which is to sound alone, {absent}"
                scope.say("W010", line.span, message)
            case Drop():
                _silence(scope, line, section, here - whole.fills)
            case Hold():
                for part in line.parts:
                    if part not in whole.brought:
                        _holds_nothing(scope, part, line.span)
            case Bring() | Play():
                for part in _under(line):
                    if part == line.part:
                        scope.say("W008", line.span, f"{short(line.part)} cannot make room for itself")
                    elif part not in here:
                        scope.say("W008", line.span, f"nothing is ducked: {short(part)} {absent}")
                if isinstance(line, Bring):
                    _fades(scope, line, section, whole)
                elif line.part not in whole.fills:
                    _pattern(scope, line, section, whole)
            case Pulse():
                if line.span not in whole.keys:
                    message = f"nothing ducks under {short(line.part)}, and a trigger is heard by nobody"
                    hint = f"duck a line of the section, such as: duck 9 dB under {short(line.part)}"
                    scope.say("W053", line.span, message, hint)
                _pattern(scope, line, section, whole)
            case _:
                pass
    _covered(scope, [x for x in own if isinstance(x, Bring) and x.part not in whole.fills])


def _under(line: Bring | Play) -> tuple[str, ...]:
    """The parts for which a line makes room."""
    return () if line.effects.duck is None else line.effects.duck.under


def _ducked_under(section: Section) -> list[Span]:
    """The triggers of a section under which something of it ducks."""
    under = {part for line in section.lines if isinstance(line, Bring | Play) for part in _under(line)}
    return [line.span for line in section.lines if isinstance(line, Pulse) and line.part in under]


def _always_new(section: Section, part: str) -> bool:
    """Whether all that begins of a part in a section takes another recording for each hit."""
    lines = [line for line in section.lines if isinstance(line, Bring | Play) and line.part == part]
    return bool(lines) and all(isinstance(line, Play) and line.each_hit_new for line in lines)


def _by_chance(window: LineWindow) -> bool:
    """Whether two lines of the same text may do different things."""
    drawn = window.when is not None and draws(window.when)
    return drawn or window.chance is not None or window.one_in is not None


def _silence(scope: Scope, line: Drop, section: Section, here: Collection[str]) -> None:
    """Note a `drop` that leaves nothing that sounds."""
    if here and set(here) <= set(line.parts) and not _by_chance(line.window):
        parts = " and ".join(map(short, line.parts))
        verb = "are" if line.also else "is"
        message = (
            f"nothing sounds while {parts} {verb} dropped: section {short(section.name)} has no other part"
        )
        hint = "`drop` takes a part out; one that comes in there needs a line, such as: bring more from beats"
        scope.say("W033", line.span, message, hint)


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
            case GlideClause(number=Gliding(over=Quantity() as length)):
                what = "glide"
            case SendClause(number=Gliding(over=Quantity() as length)):
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
    end, lasts = Fraction(section.lengths[-1] * beats), window.length(beats)
    return start, end if lasts is None else min(end, start + lasts)


def _pattern(scope: Scope, line: Play | Pulse, section: Section, whole: _Whole) -> None:
    """Note patterns that are never heard, or never to their end."""
    statement = whole.statements[line.span]
    if statement.pattern is None:
        return
    place, count = statement.pattern.span, len(line.steps)
    in_a_bar = steps_in_a_bar(line, whole.meter)
    per_beat = Fraction(in_a_bar, whole.meter[0]) if line.steps_in_bar else Fraction(16, whole.meter[1])
    start, end = (ceil(beat * per_beat) for beat in _beats(line.window, section, whole.meter[0]))
    longest = section.lengths[-1] * in_a_bar
    if not any(line.steps[step % count].chance for step in range(start, min(end, start + count))):
        scope.say("W010", place, "no hit of this pattern falls while its line is active")
    elif isinstance(line, Play) and _unchorded(line, section, whole):
        message = f"no hit of this pattern sounds: there is no chord in section {short(section.name)}"
        scope.say("W010", place, message)
    elif any(step.chance for step in line.steps[longest:]):
        message = f"section {short(section.name)} ends before this pattern is over"
        scope.say(
            "W006",
            place,
            f"{message} (it has at most {longest} {'steps' if line.steps_in_bar else 'sixteenths'})",
        )


def _unchorded(line: Play, section: Section, whole: _Whole) -> bool:
    """Whether a line follows the chords of a section that has none."""
    chords = section.chords or whole.chords
    follows = line.notes is not None and line.notes.follow != "degrees"
    return follows and (chords is None or not any(chords.chords))


def _surely(scope: Scope, window: LineWindow) -> bool:
    """Whether nothing but its time decides whether a line is active."""
    return always(scope, window.when) and window.chance in (None, 1) and window.one_in in (None, 1)


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
        elif window.for_beats is None and window.every_bars is None and _surely(scope, window):
            over.append((start, end, line.span.line))
