"""The notes of hits: by how many semitones each hit of a pattern is shifted, and which stems can be.

A hit whose key is known has that key's note as its root. It is shifted as a tape is, from its root to the
nearest note of the name that is wanted, and from there by the octaves that are written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...ground.pitch import TONICS
from ...script.piece import Key, Play
from ...script.pitch import Chord, Notes
from ...vault.records import Stem
from .chords import lasts, progression
from .form import Visit
from .score import Score

Note = tuple[int, int]
"""A pitch class, 0 for C, and the semitones above it."""
UNPLAYABLE = "it plays no notes: its root is not known, or its grant does not allow `pitch`"


def key_in_force(score: Score, visit: Visit) -> Key | None:
    """The key whose degrees are counted in this occurrence of a section."""
    return score.key


@dataclass(frozen=True)
class PlayedNotes:
    """The notes of a line's hits. `step_beats`: how long a step of its pattern is.

    `since_beats`: how long after the section's start step 0 is, which begins each round of a line.
    """

    score: Score
    visit: Visit
    line: Play
    notes: Notes
    step_beats: Fraction
    since_beats: Fraction = Fraction(0)

    def note(self, number: int) -> Note | None:
        """The note at a step, counted from 0; None for a rest."""
        notes = self.notes
        if notes.follow == "degrees":
            key = self._key
            degree = notes.degrees[self._hits_before(number) % len(notes.degrees)]
            return None if degree is None or key is None else (key.tonic, degree.above(key.mode))
        chords, (parts, since, lasts) = self._chords, self._parts
        # In whole numbers: there may be 500 hits in a bar.
        place = (number * parts + since) // lasts
        chord = chords[place % len(chords)] if chords else None
        if chord is None:
            return None
        if notes.follow == "root":
            return chord.bass, 0
        # An arpeggio begins with each chord: the first hit in it is its lowest tone.
        passed = self._hits_before(number) - self._hits_before(max(0, -((since - place * lasts) // parts)))
        return chord.bass, chord.tones[passed % (len(chord.above) + 1)]

    @cached_property
    def _key(self) -> Key | None:
        return key_in_force(self.score, self.visit)

    @cached_property
    def _chords(self) -> tuple[Chord | None, ...]:
        found = progression(self.score, self.visit)
        return () if found is None else found.chords

    @cached_property
    def _parts(self) -> tuple[int, int, int]:
        """In parts of which all three are whole numbers: a step, the time before step 0, and a chord."""
        found = progression(self.score, self.visit)
        chord = Fraction(1) if found is None else lasts(found, self.score.clock) / self.step_beats
        since = self.since_beats / self.step_beats
        parts = math.lcm(chord.denominator, since.denominator)
        return parts, int(since * parts), int(chord * parts)

    def _hits_before(self, number: int) -> int:
        """Steps with a hit before a step, since the section's start, whether it is struck or not."""
        hits = self._hits
        rounds, rest = divmod(number, len(hits) - 1)
        return rounds * hits[-1] + hits[rest]

    @cached_property
    def _hits(self) -> list[int]:
        """Steps with a hit before each step of the pattern, and in all of it."""
        found = [0]
        for step in self.line.steps:
            found.append(found[-1] + (step.chance > 0))
        return found


def shift_to(note: Note, stem: Stem) -> int:
    """Semitones by which a hit is shifted to a note; of two shifts that are equally far, down."""
    tone, above = note
    return (tone - root_of(stem) + 6) % 12 - 6 + above


def root_of(stem: Stem) -> int:
    """The pitch class of a hit whose key is known, 0 for C."""
    assert stem.key is not None
    return TONICS.index(stem.key.rsplit(" ", 1)[0])


def unplayable(score: Score, pool: str) -> NDArray[np.bool_]:
    """Which stems of a pool cannot be played at notes."""
    return rootless(score, pool) | ~repitched(score, pool)


def rootless(score: Score, pool: str) -> NDArray[np.bool_]:
    """Which stems of a pool have no known root."""
    among = score.pools[pool]
    found: NDArray[np.bool_] = among.columns.rootless[among.places]
    return found


def repitched(score: Score, pool: str) -> NDArray[np.bool_]:
    """Which stems of a pool may be played at notes: their grants allow it."""
    among = score.pools[pool]
    found: NDArray[np.bool_] = among.vault.allowing(score.use, "pitch")[among.places]
    return found
