"""What the modifiers of a `play` line say of its hits: their time, level and length, and what ends them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .. import piece
from ..problems import short
from ..text import tree
from ..words import MOST_SLICES, MOST_WANDER_SECONDS
from .places import Home, beat_of, reached
from .scope import Scope
from .units import Slot, length, number, written

HIT_WORDS = frozenset(
    (
        "swing",
        "humanise",
        "steps",
        "loose",
        "late",
        "each hit new",
        "cut",
        "choke",
        "length",
        "ending",
        "slice",
    )
)
MOST_STEPS_IN_BAR = 96
_OF_A_PATTERN = frozenset(("at", "for", "swing", "steps", "humanise", "late", "each hit new", "notes"))
"""Modifiers that say when the hits of a pattern fall, or which recordings they are."""
_STEPS = Slot("steps", (), (1, MOST_STEPS_IN_BAR), plain=True, whole=True)
_SLICE = Slot("slice", (), (1, MOST_SLICES), f"1 to {MOST_SLICES}", plain=True, whole=True)
_NUMBERS: Mapping[str, tuple[str, Slot, type[float] | type[int]]] = {
    "swing": (
        "swing",
        Slot("swing", ("",), (Fraction(1, 2), Fraction(3, 4)), "50% (straight) to 75%"),
        float,
    ),
    "humanise": ("humanise_seconds", Slot("humanise", ("s",), (0, MOST_WANDER_SECONDS), "0 to 50 ms"), float),
    "late": ("late_seconds", Slot("late", ("s",), (0, MOST_WANDER_SECONDS), "0 to 50 ms"), float),
    "loose": ("loose_db", Slot("loose", ("dB",), (0, 24), "0 to 24 dB"), float),
    "steps": ("steps_in_bar", _STEPS, int),
    "slice": ("slice", _SLICE, int),
}
"""By its word, the field of a number, what it may be, and its type."""
_MOST_PARTS = 96
_BAR = Slot("ending at bar", plain=True, whole=True)


Values = dict[str, Any]
"""Those that modifiers give, by the names of the fields of a `Play` or a `Pulse`, which has the defaults."""


def take_up(scope: Scope, modifier: tree.Modifier, part: tree.Name, values: Values) -> None:
    """Note what a modifier of hits says, all but `ending`; one with a mistake, once noted, is left out."""

    def put(name: str, found: object) -> None:
        if found is not None:
            values[name] = found

    match modifier:
        case tree.AmountClause(word=word):
            name, slot, kind = _NUMBERS[word]
            found = number(scope, modifier.amount, slot)
            put(name, None if found is None else kind(found))
        case tree.Flag(word=word):
            values["cut" if word == "cut" else "each_hit_new"] = True
        case tree.NameClause():
            put("choke", _choked(scope, modifier.name, part))
        case tree.LengthClause():
            put("length", _length(scope, modifier.length))
        case _:
            raise AssertionError(modifier)


def _choked(scope: Scope, name: tree.Name, part: tree.Name) -> str | None:
    """The name with which a part shares one voice: a part's, or one that another part says too."""
    if scope.chokes.get(name.text, set()) - {part.text} or scope.known("part", name):
        return name.text
    return None


def _length(scope: Scope, said: tree.Quantity | tree.NoteValue) -> piece.Length | piece.NoteValue | None:
    if isinstance(said, tree.Quantity):
        return length(scope, said, "length")
    whole = said.count.denominator == said.parts.denominator == 1
    if whole and 1 <= said.count <= _MOST_PARTS and 1 <= said.parts <= _MOST_PARTS:
        return piece.NoteValue(said.count / said.parts)
    message = f"this is no note: both numbers go from 1 to {_MOST_PARTS}"
    scope.say("E028", said.span, message, "such as: length 1/8 note")
    return None


def ending_of(scope: Scope, said: tree.Ending, home: Home) -> piece.BarBeat | None:
    """Where a hit ends, at the latest at its section's end."""
    bar, beat = number(scope, said.bar, _BAR), beat_of(scope, said.beat, home) or Fraction(1)
    if bar is None:
        return None
    if bar < 1 or (bar == 1 and beat == 1):
        message = f"nothing can end at bar {written(said.bar)}: {home.name} begins at bar 1"
        scope.say("E034", said.bar.span, message, "the first place is bar 1 beat 2")
        return None
    if home.lengths is not None:
        # The bar after the last is the section's end.
        latest, end = bar if beat > 1 else bar - 1, f"its end is bar {home.lengths[-1] + 1}"
        if not reached(scope, said.bar, home, latest, end):
            return None
    return piece.BarBeat(int(bar), beat)


def pattern_or_ending(scope: Scope, line: tree.LineStatement) -> bool:
    """Whether a `play` has either a pattern or an `ending`, and nothing that its kind cannot have."""
    assert line.pool is not None
    ending = any(isinstance(modifier, tree.Ending) for modifier in line.modifiers)
    if line.pattern is None and not ending:
        place = line.pool.span
        hint = 'such as: play hats from spark "x.x. x.xx", or one hit: ending at bar 9'
        scope.say("E078", place, "this `play` has no pattern", hint)
        return False
    if not ending:
        return True
    if line.pattern is not None:
        message = "a hit that ends somewhere is one, and has no pattern"
        scope.say("E078", line.pattern.span, message, "leave out the pattern, or `ending`")
        return False
    odd = [modifier for modifier in line.modifiers if modifier.word in _OF_A_PATTERN]
    for modifier in odd:
        message = f"`{modifier.word}` does not fit `ending`: its one hit begins as early as it has to"
        scope.say("E039", modifier.span, message)
    return not odd


def slice_fits(scope: Scope, line: tree.LineStatement) -> None:
    """Note a `slice` where the pool of a `play` is not cut into slices."""
    assert line.pool is not None
    pool = scope.pools[line.pool.text]
    if pool is None or pool.shape == "slices":
        return
    for modifier in line.modifiers:
        if modifier.word == "slice":
            message = f"`slice` does not fit pool {short(line.pool.text)}, which holds whole {pool.shape}"
            scope.say("E039", modifier.span, message, f"pool {short(line.pool.text)} = slices ...")


def refuse_odd_swing(scope: Scope, draft: piece.Piece) -> None:
    """Note swing over steps of which two are no eighth: nobody could say what it moves."""
    for section in draft.sections:
        meter = section.meter or draft.meter
        sixteenths = Fraction(meter[0] * 16, meter[1])
        for line in section.lines:
            if not isinstance(line, piece.Play | piece.Pulse) or line.swing == 0.5:
                continue
            if line.steps_in_bar not in (None, sixteenths):
                place = _place(scope, section, line, "swing")
                message = f"swing moves every second sixteenth, and a bar has {line.steps_in_bar} steps here"
                scope.say("E077", place, message, "leave out `swing`, or `steps`")


def doubt_chokes_in_circles(scope: Scope, draft: piece.Piece) -> None:
    """Note a `choke` between what shares one voice already, as other lines say."""
    joined: dict[str, str] = {}
    said: set[tuple[str, str]] = set()

    def voice(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    played = {
        line.part for section in draft.sections for line in section.lines if isinstance(line, piece.Play)
    }
    for section in draft.sections:
        for line in section.lines:
            if not isinstance(line, piece.Play) or line.choke is None or line.choke == line.part:
                continue
            one, other = voice(line.part), voice(line.choke)
            if line.choke not in played and not scope.chokes.get(line.choke, set()) - {line.part}:
                message = f"`choke` ends hits, and {short(line.choke)} is brought as a loop"
                scope.say("W008", _place(scope, section, line, "choke"), message)
            elif one != other:
                joined[one] = other
            elif (line.part, line.choke) not in said:
                message = f"{short(line.part)} and {short(line.choke)} share one voice already"
                scope.say("W008", _place(scope, section, line, "choke"), message, "leave this out")
            said.add((line.part, line.choke))


def _place(scope: Scope, section: piece.Section, line: piece.Line, word: str) -> piece.Span:
    """Where a modifier of a line stands."""
    lines = scope.sections[section.name].lines
    statement = next((each for each in lines if each.span == line.span), None)
    modifiers = statement.modifiers if isinstance(statement, tree.LineStatement) else ()
    return next((each.span for each in modifiers if each.word == word), line.span)
