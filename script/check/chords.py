"""Chords: their names, and how long each of them lasts."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal

from ...ground.pitch import NOTES, QUALITIES
from ...ground.typo import nearest
from ..pitch import Chord, Progression
from ..problems import short
from ..text.tree import ChordName, ChordsStatement
from ..words import MOST_BARS, UNITS
from .scope import Scope
from .units import Slot, number

NO_CHORD = "none"
_WRITTEN = re.compile(r"([A-G][#b]?)(\w*)")
_MEANT = {
    "M": "maj", "major": "maj", "min": "m", "minor": "m", "M7": "maj7", "min7": "m7", "mM7": "mmaj7",
    "ma7": "maj7", "mi7": "m7", "sus": "sus4", "dom7": "7", "M9": "maj9", "min9": "m9", "min6": "m6",
    "hdim": "m7b5", "2": "add9", "o": "dim", "o7": "dim7", "aug7": "aug",
}  # fmt: skip
"""Other common names of qualities."""
_BARS: Literal["bars", "beats"] = "bars"
_BEATS: Literal["bars", "beats"] = "beats"
_EACH = Slot("each", ("bars", "beats"), (1, MOST_BARS), f"1 to {MOST_BARS:,} bars or beats", whole=True)


def progression_of(scope: Scope, statement: ChordsStatement) -> Progression | None:
    """The chords that a statement names, or `None` with its mistakes noted."""
    found = [_chord(scope, each) for each in statement.chords]
    lasts, unit = Fraction(1), _BARS
    if statement.each is not None:
        given = number(scope, statement.each, _EACH)
        if given is None:
            return None
        lasts, unit = given, _BEATS if UNITS[str(statement.each.unit)][0] == "beats" else _BARS
    if not all(found):
        return None
    return Progression(tuple(chord for chords in found for chord in chords), lasts, unit)


def _chord(scope: Scope, written: ChordName) -> tuple[Chord | None, ...]:
    """The one chord of that name, `None` for none; nothing with a mistake noted."""
    name, bass = written.name.text, written.bass
    if name == NO_CHORD and bass is None:
        return (None,)
    match = _WRITTEN.fullmatch(name)
    if match is None or match[2] not in QUALITIES:
        hint = _meant(name) if match is None else _nearest(*match.groups())
        scope.say("E088", written.name.span, f'"{short(name)}" is not a chord', hint)
        return ()
    root, tones = NOTES[match[1]], QUALITIES[match[2]]
    if bass is None:
        return (Chord(name, root, tones[1:]),)
    lowest = NOTES.get(bass.text)
    if lowest is None:
        hint = f"the bass of a chord is a note, such as: {name}/A"
        scope.say("E088", bass.span, f'"{short(bass.text)}" is not a note', hint)
        return ()
    above = {(root + tone - lowest) % 12 for tone in tones} - {0}
    return (Chord(f"{name}/{bass.text}", lowest, tuple(sorted(above))),)


def _nearest(root: str, quality: str) -> str:
    """The advice for a quality that there is not."""
    meant = _MEANT.get(quality) or nearest(quality[:40], QUALITIES)
    if meant:
        return f'did you mean "{root}{meant}"?'
    return f"after the root comes one of {', '.join(filter(None, QUALITIES))}, or nothing"


def _meant(name: str) -> str:
    """The advice for what does not begin with a note."""
    upper = name[:1].upper() + name[1:]
    match = _WRITTEN.fullmatch(upper)
    if match is not None and match[2] in QUALITIES:
        return f'did you mean "{upper}"?'
    return "such as: F#m, Bbmaj7, F/A, or none for no chord"
