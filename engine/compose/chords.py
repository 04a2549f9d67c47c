"""The chords of a section: which is in force at a beat, and their chroma, as that of a part that sounds."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...ground.pitch import QUALITIES, TONICS
from ...script.pitch import Chord, Progression
from ..clock import BarClock
from .form import Visit
from .harmony import MOST_BARS, TonalPart
from .score import Score

NO_CHORD = "none"
LEAST_TRIAD = 0.5
"""How much of a bar's chroma lies in a triad, at the least, for the bar to have its name; of noise, 0.25."""


def progression(score: Score, visit: Visit) -> Progression | None:
    """The chords in force: those of the section, else the piece's, as far up as its key is."""
    section, chords = visit.section, score.piece.chords
    return section.chords or (chords.moved(section.key_up_st) if chords and section.key_up_st else chords)


def as_part(score: Score, visit: Visit, bar: int) -> TonalPart | None:
    """The chords as a tonal part that is at `bar` of the section; None where there are none."""
    chords = progression(score, visit)
    if chords is None or not any(chords.chords):
        return None
    chroma = chroma_of(chords, score.clock)
    return TonalPart("the chords", chords.name, chroma, bar % len(chroma))


def chroma_of(chords: Progression, clock: BarClock) -> NDArray[np.float64]:
    """The chroma of the chords, (bars, 12), until they come round at a bar line, at most `MOST_BARS`.

    Each tone weighs the same. A bar of several chords is their mean by time, and a beat without one is empty.
    """
    return _chroma(chords.chords, lasts(chords, clock) / clock.beats_per_bar)


@lru_cache(maxsize=256)
def _chroma(chords: tuple[Chord | None, ...], bars: Fraction) -> NDArray[np.float64]:
    """`bars`: how many a chord lasts."""
    chroma = np.zeros((min((bars * len(chords)).numerator, MOST_BARS), 12))
    for bar, row in enumerate(chroma):
        at = Fraction(bar)
        while at < bar + 1:
            number = at // bars
            chord, until = chords[number % len(chords)], min((number + 1) * bars, Fraction(bar + 1))
            if chord is not None:
                tones = [(chord.bass + tone) % 12 for tone in chord.tones]
                row[tones] += float(until - at) / len(tones)
            at = until
    chroma.flags.writeable = False
    return chroma


def chord_names(chroma: Sequence[Sequence[float]] | NDArray[np.floating]) -> list[str]:
    """The name of the best triad of each bar of a stem, from its `chroma`, (bars, 12); `none` without one."""
    rows = np.asarray(chroma, np.float64).reshape(-1, 12)
    found = []
    for row, share in zip(rows, rows @ _TRIADS.T, strict=True):
        # Two triads that share two tones are told apart by their roots.
        best = int(np.argmax(share + row[_ROOTS] * 0.1))
        total = row.sum()
        found.append(_NAMES[best] if total > 0 and share[best] >= LEAST_TRIAD * total else NO_CHORD)
    return found


def lasts(chords: Progression, clock: BarClock) -> Fraction:
    """How many beats a chord lasts."""
    return chords.each * (clock.beats_per_bar if chords.unit == "bars" else clock.meter_beat)


_NAMES = [tonic + quality for quality in ("", "m") for tonic in TONICS]
_ROOTS = np.array([root for _ in ("", "m") for root in range(12)])
_TRIADS = np.zeros((24, 12))
for _number, _quality in enumerate(("", "m")):
    for _root in range(12):
        _TRIADS[12 * _number + _root, [(_root + tone) % 12 for tone in QUALITIES[_quality]]] = 1.0
