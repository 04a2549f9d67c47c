"""Finds the tempo of a loop from its sound alone: by how its onsets repeat within its length.

A loop goes round, so its onset strength is correlated with itself in a circle, and only divisions of its
length count: the beats of whole bars lie there. The correlation shows whether the bars divide by powers of
two, by threes, fives or sevens. It does not show the octave of the tempo, as a pulse of 160 may be played at
80: that is the one nearest to common tempi, judged from the finest pulse.

Accuracy: `docs/measured.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_TEMPO, MOST_TEMPO = 55.0, 215.0
"""The range of tempi, in bpm, that are detected."""
MOST_BARS = 64
USUAL_TEMPO, TEMPO_SPREAD = 118.0, 0.6
"""Common tempi: a bell over the logarithm of the tempo, its width in octaves."""
PULSES = {0.25: 0.3, 0.5: 0.4, 1.0: 0.5, 2.0: 1.0, 4.0: 0.8, 8.0: 0.4}
"""The likelihood of each number of finest pulses in a beat."""
LEAST_PULSE = 0.12
"""The least correlation of a pulse, which must also reach a fifth of the strongest."""
WHOLE_BARS = 0.15
"""The factor by which divisions of bars into two, four or eight are likelier than others."""
CLEAR = 0.25
"""A correlation this high cannot come from another tempo's pulse."""
DISTINCT = 0.4
"""A declared tempo is wrong if its pulse is weaker than this part of the clearest pulse."""
SHORTEST_PULSE = 0.12
"""Seconds; onsets that are closer are alike because sounds last."""

_HOP_SECONDS = 0.005
_WINDOW = 1024
_BANDS = 24


@dataclass(frozen=True, slots=True)
class Tempo:
    """The detected tempo of a loop.

    `bpm`; `beats`: in the loop, bars of four; `confidence`: 0 to 1, of the division into bars, not of the
    octave.
    """

    bpm: float
    beats: int
    confidence: float


class Rhythm:
    """How the onsets of a loop, float32 (channels, frames) at `rate` Hz, repeat within its length."""

    def __init__(self, samples: NDArray[np.float32], rate: int) -> None:
        self.seconds = samples.shape[1] / rate
        strength = onset_strength(samples, rate)
        strength = strength - strength.mean() if len(strength) else strength
        power = np.abs(np.fft.rfft(strength)) ** 2 if len(strength) else np.zeros(1)
        alike = np.fft.irfft(power, len(strength)) if len(strength) > 1 else np.zeros(1)
        self._alike = alike / alike[0] if alike[0] > 0 else np.zeros_like(alike)

    def alike(self, seconds: float) -> float:
        """The correlation of the loop's onsets with themselves so much later, -1 to 1."""
        place = seconds / self.seconds * len(self._alike)
        below = int(place)
        share = place - below
        first, second = self._alike[below % len(self._alike)], self._alike[(below + 1) % len(self._alike)]
        return float((1 - share) * first + share * second)

    def pulse(self, bpm: float) -> float:
        """The strongest of half a beat, a beat, two and four, as far as the loop is longer."""
        beat = 60 / bpm
        lags = [beat * each for each in (0.5, 1, 2, 4) if SHORTEST_PULSE <= beat * each < 0.99 * self.seconds]
        return max((self.alike(lag) for lag in lags), default=0.0)

    def tempo(self) -> Tempo | None:
        """The tempo; `None` if the loop is too short for a bar."""
        bars = [
            count
            for count in range(1, MOST_BARS + 1)
            if LEAST_TEMPO <= 240 * count / self.seconds <= MOST_TEMPO
        ]
        if not bars:
            return None
        heard: dict[int, float] = {}
        for count in bars:
            kind = _odd_part(count)
            heard[kind] = max(heard.get(kind, -1.0), self.pulse(240 * count / self.seconds))
        chosen = max(heard, key=lambda kind: (heard[kind] + WHOLE_BARS * (kind == 1), -kind))
        others = max((strength for kind, strength in heard.items() if kind != chosen), default=0.0)
        among = [count for count in bars if _odd_part(count) == chosen]
        count = self._octave(among)
        confidence = min(max((heard[chosen] - max(others, 0.0)) / 0.4, 0.0), 1.0)
        return Tempo(240 * count / self.seconds, 4 * count, round(confidence, 2))

    def agrees(self, bpm: float) -> bool:
        """Whether no other tempo than this one and its octaves is clearly stronger."""
        other = self.tempo()
        clearest = 0.0 if other is None else self.pulse(other.bpm)
        own = max(self.pulse(bpm * octave) for octave in (0.5, 1.0, 2.0))
        return clearest < CLEAR or own >= DISTINCT * clearest

    def _octave(self, among: list[int]) -> int:
        """Of numbers of bars that differ by powers of two, the one whose tempo the finest pulse suggests."""
        finest = self._finest(among[0])
        return max(
            among, key=lambda count: (_usual(240 * count / self.seconds) * _fits(count, finest), -count)
        )

    def _finest(self, bars: int) -> float | None:
        """The finest pulse, in pulses a loop; `None` if there is none."""
        counts = [bars * 2.0**power for power in range(-2, 7)]
        lags = {count: self.seconds / (4 * count) for count in counts}
        strengths = {
            4 * count: self.alike(lag) for count, lag in lags.items() if 0.09 <= lag < 0.99 * self.seconds
        }
        least = max(LEAST_PULSE, 0.2 * max(strengths.values(), default=0.0))
        return max((count for count, strength in strengths.items() if strength >= least), default=None)


def _usual(bpm: float) -> float:
    return float(np.exp(-0.5 * (np.log2(bpm / USUAL_TEMPO) / TEMPO_SPREAD) ** 2))


def _fits(bars: int, finest: float | None) -> float:
    return 1.0 if finest is None else PULSES.get(finest / (4 * bars), 0.1)


def _odd_part(count: int) -> int:
    while count % 2 == 0:
        count //= 2
    return count


def onset_strength(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """The rise of the spectrum at each 5 ms; the loop's start follows its end: (steps,).

    Half-wave rectified flux of the logarithm of 24 bands, as in Dixon (2006), "Onset detection revisited".
    """
    mono = samples.mean(axis=0, dtype=np.float64)
    hop = max(round(rate * _HOP_SECONDS), 1)
    window = _WINDOW * max(round(rate / 48_000), 1)
    around = np.concatenate([mono, np.resize(mono, window)])
    rows = np.lib.stride_tricks.sliding_window_view(around, window)[::hop][: len(mono) // hop]
    if not len(rows):
        return np.zeros(0)
    edges = np.unique(np.geomspace(2, window // 2, _BANDS).astype(int))
    hann = np.hanning(window)
    bands = np.empty((len(rows), len(edges) - 1))
    for first in range(0, len(rows), 256):
        spectra = np.abs(np.fft.rfft(rows[first : first + 256] * hann, axis=1))
        bands[first : first + 256] = np.add.reduceat(spectra, edges, axis=1)[:, :-1]
    loud = np.log1p(100 * bands / max(float(bands.max()), 1e-12))
    rise: NDArray[np.float64] = np.maximum(loud - np.roll(loud, 1, axis=0), 0).sum(axis=1)
    return rise
