"""How well tonal sounds agree, bar by bar, from their chroma: one key has many chords.

A pair of pitch classes is worth what listeners find of its interval: Huron's index of dyadic consonance
("Interval-Class Content in Equally Tempered Pitch-Class Sets", Music Perception 11(3), 1994), with the
unison worth as much as the best of his intervals, the fifth. The agreement of two sounds in a bar is the
mean of that over their pitch classes, weighted by how much of each class is in them: 0.9 for a triad with
itself, 0.7 with its relative, 0.4 with the dominant, 0.1 for noise, -0.5 for a triad a tritone away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

CLASH = -0.15
"""Agreement under which two sounds clash."""
AGREEMENT_STEEPNESS = 3.0
"""Weight is e to this times the agreement: 14 for the same chords, 1.3 for noise."""
CHORDS_STEEPNESS = 12.0
"""The same where the script names chords. Real loops in a key differ by 0.1, then a factor of 3.3."""
MOST_BARS = 64
"""How many bars are looked at; what is longer is taken to go on as it began."""

_BY_INTERVAL = np.array(
    [1.240, -1.428, -0.582, 0.594, 0.386, 1.240, -0.453, 1.240, 0.386, 0.594, -0.582, -1.428]
)
CONSONANCE = _BY_INTERVAL[(np.arange(12)[:, None] - np.arange(12)[None, :]) % 12]


_Float = TypeVar("_Float", np.float32, np.float64)


@dataclass(frozen=True)
class TonalPart:
    """A tonal part that sounds. `chroma`: (bars, 12), as it sounds; `bar`: the row that is heard now."""

    name: str
    title: str
    chroma: NDArray[np.float64]
    bar: int

    @cached_property
    def ahead(self) -> NDArray[np.float64]:
        """The chroma from the bar that is heard now on: (bars, 12)."""
        return np.concatenate((self.chroma[self.bar :], self.chroma[: self.bar]))


class Chords:
    """The sum of tonal parts from now on, for cycles of any number of bars."""

    def __init__(self, parts: Sequence[TonalPart]) -> None:
        self._parts = parts
        self._period = math.lcm(*(len(part.chroma) for part in parts))
        self.together = self._over(self._period) if self._period <= MOST_BARS else None
        """The sum of the parts' chroma until all have come round, (bars, 12); None if that takes too long."""

    def _over(self, bars: int) -> NDArray[np.float64]:
        together = np.zeros((bars, 12))
        for part in self._parts:
            own = len(part.chroma)
            whole = bars // own * own
            together[:whole].reshape(-1, own, 12)[:] += part.ahead
            together[whole:] += part.ahead[: bars - whole]
        return together

    def in_cycle(self, bars: int) -> NDArray[np.float64]:
        """The mean for each bar of a cycle of `bars`, (bars, 12), over its recurrences until all parts have
        come round.
        """
        period = math.lcm(bars, self._period)
        if period > MOST_BARS or self.together is None:
            together = self._over(max(bars, MOST_BARS // bars * bars))
        else:
            together = np.tile(self.together, (period // self._period, 1))
        folded: NDArray[np.float64] = together.reshape(-1, bars, 12).mean(axis=0) / len(self._parts)
        return folded

    def values(self, bars: int, joins_at: int = 0) -> NDArray[np.float64]:
        """The worth of each pitch class in each bar of a stem of `bars` beside them: (bars, 12).

        `joins_at`: the bar of the stem, from 0, that is heard first.
        """
        cycle = self.in_cycle(bars)
        values: NDArray[np.float64] = (np.roll(cycle, joins_at, axis=0) if joins_at else cycle) @ CONSONANCE
        return values / bars


def agreements(chroma: NDArray[np.floating], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Agreement of stems, (stems,), from their `chroma` as they would sound, (stems, bars, 12).

    `values`: of `Chords.values`. Summed in the same order however many stems there are, as a product
    of matrices would not be: a stem's agreement must not depend on who else is asked about.
    """
    result: NDArray[np.float64] = np.einsum("sbp,bp->s", chroma.astype(np.float64), values)
    return result


def agreement(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """How well two sounds agree that begin together, -0.5 to 0.9, from the chroma of each, (bars, 12)."""
    beside = Chords([TonalPart("", "", np.asarray(other, np.float64), 0)])
    return float(agreements(np.asarray(one)[None], beside.values(len(one)))[0])


def by_bar(chroma: NDArray[_Float], bars: float) -> NDArray[_Float]:
    """Chroma by a session's bars, (..., bars, 12), from as many rows as the vault found, (..., rows, 12).

    A stem that is read in half or double time has more or fewer bars than rows, as one of a meter other than
    4/4 has: each bar gets the mean of the rows it covers. `bars`: its length; where that is not whole, the
    stem is never twice at the same place of a bar, and one bar of its mean is given.
    """
    rows = chroma.shape[-2]
    if bars == rows:
        return chroma
    whole = int(bars) if bars == int(bars) and bars >= 1 else 1
    edges = np.arange(whole + 1) * (rows / whole)
    low, high = edges[:-1, None], edges[1:, None]
    row = np.arange(rows)
    covered = np.clip(np.minimum(high, row + 1) - np.maximum(low, row), 0, None) * (whole / rows)
    result: NDArray[_Float] = np.matmul(covered.astype(chroma.dtype), chroma)
    return result
