"""The header of a script: the name of the piece, its uses, and the settings of the whole piece."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from ...ground.pitch import NOTES
from ...ground.uses import USES
from ..piece import Answer, Dial, DialEffect, Key, Span
from ..pitch import Progression
from ..problems import did_you_mean
from ..text import tree
from ..words import MOST_SECTIONS, UNITS
from .chords import progression_of
from .events import answers_of
from .scope import Scope, needs_text
from .units import Slot, ends, number

TEMPO = Slot("tempo", ("bpm",), (20, 400), "20 to 400 bpm", plain=True)
_BEATS = Slot("meter", (), (1, 32), plain=True, whole=True)
_NOTE = Slot("meter", plain=True, whole=True)
_NOTES = (1, 2, 4, 8, 16)
_NUMBERS = {
    "seed": Slot("seed", (), (0, 2**53 - 1), "0 to 2^53 - 1", plain=True, whole=True),
    "loudness": Slot("loudness", ("LUFS",), (-36, -6), "-36 to -6 LUFS"),
    "ceiling": Slot("ceiling", ("dB", "dBTP"), (-20, 0), "-20 to 0 dBTP"),
    "share": Slot("share cap", ("",), (0, 1), "1% to 100%"),
}


@dataclass(slots=True)
class Header:
    """The header's settings, with their defaults.

    The default tempo is any from 60 to 180 bpm. Without `keys` the engine takes the key with most candidates.
    A `seed` of `None` is derived from the name. `beats`: of a bar; `None` if the meter has a mistake.
    """

    name: str = ""
    uses: tuple[str, ...] = ()
    tempo_bpm: tuple[Fraction, Fraction] = (Fraction(60), Fraction(180))
    meter: tuple[int, int] = (4, 4)
    beats: int | None = 4
    keys: tuple[Key, ...] = ()
    seed: int | None = None
    loudness_lufs: float | None = -14.0
    ceiling_dbtp: float = -1.0
    author: str | None = None
    version: str | None = None
    credit: str | None = None
    share_cap: float | None = None
    share_cap_place: Span | None = None
    if_withdrawn: tuple[Answer, ...] = ("rest",)
    chords: Progression | None = None
    loudness_span: Span | None = None
    rides: bool = False


def header_of(scope: Scope, script: tree.Script, use: str | None) -> Header:
    """The header, with its mistakes noted. If a `use` is given, the piece must be for it."""
    header = Header()
    seen: dict[str, Span] = {}
    unseen = False
    for statement in script.statements:
        match statement:
            case tree.PieceStatement():
                if _first(scope, seen, "piece", statement.span):
                    needs_text(scope, statement.name, "piece")
                    header.name = statement.name.text
                    header.uses = _uses(scope, statement, use)
            case tree.TempoStatement():
                if _first(scope, seen, "tempo", statement.span):
                    header.tempo_bpm = ends(scope, statement.range, TEMPO) or header.tempo_bpm
            case tree.MeterStatement():
                if _first(scope, seen, "meter", statement.span):
                    meter = meter_of(scope, statement)
                    header.meter = meter or header.meter
                    header.beats = meter[0] if meter else None
            case tree.KeysStatement():
                if _first(scope, seen, "key", statement.span):
                    header.keys = keys_of(scope, statement.keys)
            case tree.NumberStatement():
                if _first(scope, seen, statement.word, statement.span):
                    _set_number(scope, statement, header)
            case tree.LoudnessOff():
                if _first(scope, seen, "loudness", statement.span):
                    header.loudness_lufs = None
            case tree.TextStatement(word=word, said=said):
                needs_text(scope, tree.Name(said, span=statement.span), word)
                if _first(scope, seen, word, statement.span):
                    setattr(header, word, said)
            case tree.ChordsStatement():
                if _first(scope, seen, "chords", statement.span):
                    header.chords = progression_of(scope, statement)
            case tree.WithdrawnStatement():
                if _first(scope, seen, "if", statement.span):
                    header.if_withdrawn = answers_of(scope, statement)
            case tree.Broken(word=word, span=span):
                # If the first word is lost, or a line was continued, any statement may be hidden in it.
                lost = word is None or span.end_line > span.line
                unseen = unseen or lost
                if word == "piece":
                    seen.setdefault(word, span)
                if lost or word == "meter":
                    header.beats = None
            case _:
                pass
    _required(scope, script, piece="piece" in seen, unseen=unseen)
    return header


def _first(scope: Scope, seen: dict[str, Span], word: str, span: Span) -> bool:
    if word not in seen:
        seen[word] = span
        return True
    scope.say(
        "E024", span, f"`{word}` appears twice; the first is in line {seen[word].line}", "keep one of them"
    )
    return False


def _required(scope: Scope, script: tree.Script, *, piece: bool, unseen: bool) -> None:
    """Note what is missing. `unseen`: it may be in a statement that cannot be read."""
    start = Span(1, 1, 1, 1)
    if not piece and not unseen:
        scope.say("E020", start, "this script has no piece", 'begin with: piece "Name" for stream')
    sections = [s for s in script.statements if isinstance(s, tree.SectionStatement)]
    if not sections and not unseen:
        scope.say("E022", start, "this script has no section", "add one, such as: section walk 8 bars")
    if len(sections) > MOST_SECTIONS:
        place = sections[MOST_SECTIONS].span
        scope.say(
            "E017", place, f"there are {len(sections):,} sections; at most {MOST_SECTIONS:,} are allowed"
        )


def _uses(scope: Scope, statement: tree.PieceStatement, use: str | None) -> tuple[str, ...]:
    if not statement.uses:
        scope.say(
            "E021",
            statement.span,
            "the piece does not say what it is for",
            f'write: piece "{statement.name.text}" for stream (uses: {", ".join(USES)})',
        )
        return ()
    found: list[str] = []
    for name in statement.uses:
        if name.text not in USES:
            hint = did_you_mean(name.text, USES) or f"uses are {', '.join(USES)}"
            scope.say("E025", name.span, f'unknown use "{name.text}"', hint)
        elif name.text in found:
            scope.say("E023", name.span, f'use "{name.text}" is named already', "name each use once")
        else:
            found.append(name.text)
    if use is not None and use not in found:
        scope.say(
            "E026",
            statement.span,
            f'this piece is not for "{use}"',
            f"it is for {', '.join(found) or 'nothing yet'}; choose one of these, or change the script",
        )
    return tuple(found)


def meter_of(scope: Scope, statement: tree.MeterStatement | tree.OwnMeter) -> tuple[int, int] | None:
    beats = number(scope, statement.beats, _BEATS)
    note = number(scope, statement.note, _NOTE)
    if note is not None and note not in _NOTES:
        message = f"`meter` has no note value 1/{note}"
        scope.say("E028", statement.note.span, message, f"one of {', '.join(map(str, _NOTES))}")
        return None
    return None if beats is None or note is None else (int(beats), int(note))


def _set_number(scope: Scope, statement: tree.NumberStatement, header: Header) -> None:
    slot = _NUMBERS[statement.word]
    found = number(scope, statement.amount, slot)
    if found is None:
        return
    match statement.word:
        case "seed":
            header.seed = int(found)
        case "loudness":
            header.loudness_lufs, header.loudness_span = float(found), statement.span
            header.rides = isinstance(statement, tree.LoudnessStatement) and statement.rides
        case "ceiling":
            header.ceiling_dbtp = float(found)
        case _ if found * 100 < 1:
            scope.say("E028", statement.amount.span, f"`share cap` is out of bounds: {slot.shown}")
        case _:
            if found == 1:
                scope.say("W008", statement.amount.span, "a share cap of 100% limits nobody", "such as: 30%")
            header.share_cap, header.share_cap_place = float(found), statement.amount.span


def keys_of(scope: Scope, names: Iterable[object]) -> tuple[Key, ...]:
    """The keys that are named, without those that have a mistake."""
    found: list[Key] = []
    for name in names:
        key = key_of(scope, name) if isinstance(name, tree.KeyName) else None
        if key is None:
            continue
        assert isinstance(name, tree.KeyName)
        if key in found:
            scope.say("E038", name.span, f"{key.name} appears twice here", "keep one of them")
        else:
            found.append(key)
    return tuple(found)


def key_of(scope: Scope, name: tree.KeyName) -> Key | None:
    """The key that is named, or `None` with a mistake noted."""
    tonic = NOTES.get(name.tonic.text)
    if tonic is None:
        hint = did_you_mean(name.tonic.text, NOTES) if len(name.tonic.text) < 3 else None
        message = f'"{name.tonic.text}" is not a note'
        scope.say("E035", name.tonic.span, message, hint or "such as: D minor, F# major, Bb minor")
        return None
    return Key(tonic, name.mode)


def dial_of(scope: Scope, statement: tree.DialStatement) -> Dial | None:
    """The dial that a statement defines, or `None` with a mistake noted."""
    name = statement.name.text
    place = f"dial {name}"
    unit = statement.range.hi.unit
    slot = Slot(place, (UNITS[unit][0],) if unit else (), plain=unit is None)
    found = ends(scope, statement.range, slot)
    if found is None:
        return None
    lo, hi = found
    if lo == hi:
        scope.say("E027", statement.range.span, f"`{place}` cannot turn: both ends of its range are the same")
        return None
    given = statement.default
    if given.unit is None and unit is not None:
        given = replace(given, unit=unit)
    default = number(scope, given, slot)
    if default is None:
        return None
    if not lo <= default <= hi:
        scope.say("E028", given.span, f"the default of `{place}` is outside its range")
        return None
    effect = _EFFECTS.get(statement.effect.text)
    if effect is None:
        message = f"a dial does not take effect at the next {statement.effect.text}"
        scope.say("E029", statement.effect.span, message, "write `now`, or `at next` beat, bar or section")
        return None
    return Dial(name, float(lo), float(hi), float(default), effect, statement.span)


_EFFECTS: dict[str, DialEffect] = {
    "now": "now",
    "beat": "next beat",
    "bar": "next bar",
    "section": "next section",
}
