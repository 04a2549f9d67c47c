"""Fits the stems of a song: from bar 1 on, whole bars at the song's exact tempo, and a tail kept apart.

A stem of a song is never stretched to its bars: its beats stay where they were played. What it has after the
last bar, such as reverb, is its tail; one that ends sooner is filled up with silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import Refused
from ..records import REST_FRAMES
from .declared import MOST_BEATS, Terms, beats_in_bar
from .decode import SILENT_PEAK, Sound
from .ends import Cut, conformed
from .engine_format import Grid, fit
from .onsets import onsets

NO_TEMPO = "a song has its exact tempo: add --bpm, such as --bpm 93.5"
EXACT_SECONDS = Fraction(5, 1000)
"""How far the length of a file may be off whole bars that it stands for."""
MOST_TAIL_SECONDS = 20
"""A longer end after the bars of the shortest stems is music, and no tail."""
_SEARCHED_SECONDS = 60
_BESIDE_SECONDS, _LEAST_BESIDE = 6, 10**-1.5
"""A hit comes within 15 dB of the loudest of the seconds before it."""
_ECHOES_SECONDS = 4
"""So long after the last bar of whole stems, what is struck in others may be an echo."""
_EARLY_SECONDS = 0.03
"""A hit that comes so little before a bar line belongs to the bar after it."""


@dataclass(frozen=True, slots=True)
class SongExtent:
    """How long a stem of a song is, and where its last hit begins; 0 for one without hits."""

    seconds: Fraction
    last_onset: float


def extent_of(sound: Sound) -> SongExtent:
    """The extent of a stem; its last hit is looked for in its last minute."""
    rate = sound.rate
    searched = sound.samples[:, -_SEARCHED_SECONDS * rate :]
    # Onsets are those of a loop: silence parts its end from its beginning.
    padded = np.pad(searched, ((0, 0), (rate // 10, rate // 10)))
    marks = np.array(onsets(padded), np.int64)
    sums = np.cumsum(np.pad((padded.astype(np.float64) ** 2).sum(axis=0), (1, rate // 10)))
    levels = sums[marks + rate // 33] - sums[marks]
    last = 0.0
    for mark, level in zip(marks.tolist(), levels.tolist(), strict=True):
        # A delay's last echoes and the grain of reverb are softer than what was struck before them.
        before = levels[(marks <= mark) & (marks > mark - _BESIDE_SECONDS * rate)]
        if level > _LEAST_BESIDE * before.max():
            last = (sound.frames - searched.shape[1] + max(mark - rate // 10, 0)) / rate
    return SongExtent(Fraction(sound.frames, rate), last)


def song_grid(terms: Terms, sound: Sound) -> Grid:
    """The tempo and beats of a stem of a song. Raises `Refused` without a tempo."""
    if terms.bpm is None:
        raise Refused(NO_TEMPO)
    bar = beats_in_bar(terms.meter)
    return terms.bpm, terms.beats or bar * bars_of_song([extent_of(sound)], terms.bpm, bar)


def bars_of_song(extents: Sequence[SongExtent], bpm: Fraction, beats_in_bar: int) -> int:
    """The bars of a song from the extents of its stems.

    A stem whose file is whole bars long tells, the longest of those first; else the last hit of all is in the
    last bar. Where nothing is struck near the end, they are all whole bars that there are.
    """
    bar = 60 * beats_in_bar / bpm
    longest = max(each.seconds for each in extents)
    counts = [(max(round(each.seconds / bar), 1), each.seconds) for each in extents]
    whole = [bars for bars, seconds in counts if abs(seconds - bars * bar) <= EXACT_SECONDS]
    last = max(each.last_onset for each in extents)
    end = max(whole, default=0) * bar
    if whole and last <= end + _ECHOES_SECONDS and longest - end <= MOST_TAIL_SECONDS:
        bars = max(whole)
    elif longest - Fraction(last) <= MOST_TAIL_SECONDS:
        bars = int((last + _EARLY_SECONDS) / float(bar)) + 1
    else:
        bars = max(int(longest // bar), 1)
    if bars * beats_in_bar > MOST_BEATS:
        raise Refused(f"a song has at most {MOST_BEATS} beats, and this one {bars * beats_in_bar}")
    return bars


def fit_song(sound: Sound, body_frames: int) -> NDArray[np.float32]:
    """A stem at the engine's rate: its bars, its tail to its last sound, and `REST_FRAMES` of silence."""
    samples = fit(sound, None)
    tail = samples[:, body_frames:]
    loud = np.flatnonzero((np.abs(tail) >= SILENT_PEAK).any(axis=0))
    end = body_frames + (int(loud[-1]) + 1 if loud.size else 0)
    samples = samples[:, :end]
    return np.pad(samples, ((0, 0), (0, end - samples.shape[1] + REST_FRAMES)))


def fitted(sound: Sound, shape: str, frames: int | None, cut: Cut | None = None) -> NDArray[np.float32]:
    """The sound in the engine's form. `frames`: of its beats, if it has some. `cut`: of a loop's ends."""
    if shape == "song":
        assert frames is not None, "a song has a tempo"
        return fit_song(sound, frames)
    return conformed(sound, frames, cut)
