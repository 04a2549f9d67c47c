"""Finds the finest even pulse of a recording's onsets: exact where a machine played them.

Unlike the tempo of `rhythm.py` it does not take the recording for whole bars, so it tells a loop that has a
tail, or silence in front, from one at another tempo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE
from .decode import Sound
from .engine_format import fit
from .onsets import onsets

LEAST_ONSETS = 4
MOST_STRAY = 0.008
"""Seconds that nine in ten onsets of a pulse lie off it at most."""
IN_A_BEAT = (1, 2, 3, 4, 6, 8, 12, 16)
"""The numbers of pulses in a beat, and of beats in a pulse."""
_LONGEST, _SHORTEST = 4.0, 0.08
_SEARCHED_SECONDS, _SEARCHED_ONSETS = 20.0, 128
_SURE = 6.0
"""The least logarithm of the odds against a pulse by chance."""
_EDGE = ENGINE_RATE // 10


@dataclass(frozen=True, slots=True)
class Pulse:
    """An even pulse: its period, and how far nine in ten onsets lie off it at most, in seconds."""

    seconds: float
    stray: float

    def beat(self, near: float) -> float:
        """The length of a beat of whole pulses, or of a whole part of one, that is nearest to `near`."""
        ratios = [float(n) for n in IN_A_BEAT] + [1 / n for n in IN_A_BEAT[1:]]
        return min((self.seconds * ratio for ratio in ratios), key=lambda beat: abs(np.log(beat / near)))

    def beats(self) -> list[float]:
        """The lengths that a beat may have."""
        return [self.seconds * ratio for ratio in (*IN_A_BEAT, *(1 / n for n in IN_A_BEAT[1:]))]


class Onsets:
    """The onsets of a sound, in seconds from its begin."""

    def __init__(self, sound: Sound) -> None:
        self._sound = sound

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        # Onsets are those of an endless loop: silence parts the end from the beginning.
        around = np.pad(fit(self._sound, None), ((0, 0), (_EDGE, _EDGE)))
        found = np.array(onsets(around), dtype=np.float64) - _EDGE
        return np.unique(np.maximum(found[found < around.shape[1] - 2 * _EDGE], 0.0)) / ENGINE_RATE

    @cached_property
    def pulse(self) -> Pulse | None:
        """The longest even pulse on which the onsets surely lie; `None` if there is none."""
        times = self.seconds
        times = times[times <= times[0] + _SEARCHED_SECONDS][:_SEARCHED_ONSETS] if len(times) else times
        if len(times) < LEAST_ONSETS:
            return None
        span = float(times[-1] - times[0])
        count = int(np.log(_LONGEST / _SHORTEST) / (0.002 / span)) + 2
        periods = np.geomspace(_LONGEST, _SHORTEST, count)
        strays = np.concatenate([_strays(times, part) for part in np.array_split(periods, count // 512 + 1)])
        odds = (len(times) - 1) * np.log(periods / (2 * strays + 0.002)) - np.log(count)
        good = np.flatnonzero((strays <= np.minimum(MOST_STRAY, periods / 12)) & (odds > _SURE))
        if not len(good):
            return None
        # Of neighbours the best; the first is a little too long.
        near = good[periods[good] > periods[good[0]] * (1 - 2 * MOST_STRAY / span)]
        return _refined(self.seconds, float(periods[near[np.argmin(strays[near])]]))


def _strays(times: NDArray[np.float64], periods: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far nine in ten of the times lie off a grid of each period at most, its phase the best."""
    turns = times[None, :] / periods[:, None]
    angles = (2 * np.pi * (turns % 1)).astype(np.float32)
    phase = np.arctan2(np.sin(angles).sum(axis=1), np.cos(angles).sum(axis=1)).astype(np.float64) / (
        2 * np.pi
    )
    off = np.abs((turns - phase[:, None] + 0.5) % 1 - 0.5)
    strays: NDArray[np.float64] = np.quantile(off, 0.9, axis=1, method="higher") * periods
    return strays


def _refined(times: NDArray[np.float64], period: float) -> Pulse:
    """The period by least squares over the onsets that lie on it, more of them as it becomes exact."""
    off = np.zeros(len(times))
    for upto in (_SEARCHED_SECONDS, np.inf):
        here = times[times <= times[0] + upto]
        phase = np.angle(np.exp(2j * np.pi * here / period).mean()) * period / (2 * np.pi)
        number = np.round((here - phase) / period)
        off = np.abs(here - phase - number * period)
        kept = off <= max(2 * MOST_STRAY, float(np.median(off)))
        if len(np.unique(number[kept])) >= 2:
            period = float(np.polyfit(number[kept], here[kept], 1)[0])
    return Pulse(period, float(np.quantile(off, 0.9)))
