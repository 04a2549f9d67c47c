"""What a script says of pitch: chords and their order, and the notes of a pattern's hits."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from ..ground.pitch import NOTES, TONICS

FARTHEST_ST = 18
"""How far a degree may lie from the key's note, in semitones either way.

A hit is brought to the nearest of the key's notes first, by 6 at most, so that it is shifted by 24 at most.
"""
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord under its written `name`. `bass`: its lowest note, 0 for C to 11 for B.

    `above`: its other tones, in semitones above the bass, from low to high.
    """

    name: str
    bass: int
    above: tuple[int, ...]

    @property
    def tones(self) -> tuple[int, ...]:
        """All tones above the bass, itself the first: the order in which `notes chord` plays them."""
        return 0, *self.above

    def moved(self, semitones: int) -> Chord:
        """The same chord so many semitones higher."""

        def note(found: re.Match[str]) -> str:
            return found[1] + TONICS[(NOTES[found[2]] + semitones) % 12]

        name = re.sub(r"(^|/)([A-G][#b]?)", note, self.name)
        return replace(self, name=name, bass=(self.bass + semitones) % 12)


@dataclass(frozen=True, slots=True)
class Progression:
    """Chords that follow each other from a section's start, again and again; None where there is none.

    `each`: how long a chord lasts, in `unit`.
    """

    chords: tuple[Chord | None, ...]
    each: Fraction = Fraction(1)
    unit: Literal["bars", "beats"] = "bars"

    @property
    def name(self) -> str:
        """Its chords as they are written."""
        return ", ".join("none" if chord is None else chord.name for chord in self.chords)

    def moved(self, semitones: int) -> Progression:
        """The same chords so many semitones higher."""
        chords = tuple(None if chord is None else chord.moved(semitones) for chord in self.chords)
        return replace(self, chords=chords)


@dataclass(frozen=True, slots=True)
class Degree:
    """A degree of the key. `step`: 0 for its note to 6. `sign`: -1 for flat, 1 for sharp."""

    step: int
    sign: Literal[-1, 0, 1]
    octave: int

    def above(self, mode: Literal["major", "minor"]) -> int:
        """Semitones above the key's note.

        A degree is a note of the key's own scale, and a sharp one lies a semitone above that. A flat one lies
        a semitone below the degree of the major scale in minor too, as `b3` and `b7` are said of both.
        """
        scale = MINOR if mode == "minor" and self.sign >= 0 else MAJOR
        return scale[self.step] + self.sign + 12 * self.octave


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of a pattern's hits, one after the other and again.

    `follow`: the root of the chord in force, its tones from low to high, or the `degrees`; None leaves its
    hit out.
    """

    follow: Literal["root", "chord", "degrees"]
    degrees: tuple[Degree | None, ...] = ()
