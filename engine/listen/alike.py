"""How alike the bars of a mix are, and which stretches say again what was said.

A bar is told by the amplitude of each semitone in each sixteenth of its length, K-weighted. Two bars differ
by the power of what differs over the power of what they are: -6 dB is a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..plan import Bar
from .heard import Heard
from .spectra import SEMITONES, STEP, k_weights

SLOTS = 16
ALIKE_DB = -6.0
"""Under it two bars are alike."""
REPEATED_BARS = 8
PERIODS = (1, 2, 4, 8)
SHORT = 2
"""What lasts no longer counts from its first time on."""
FLOOR_DB = -60.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bars each of which says again what the bar `period` before it said.

    `first`, `last`: places in the bars of the mix. `difference_db`: the greatest.
    """

    first: int
    last: int
    period: int
    difference_db: float

    @property
    def bars(self) -> int:
        return self.last - self.first + 1


def differences(heard: Heard) -> NDArray[np.float64]:
    """How far each two bars differ, in dB: (bars, bars)."""
    told = np.sqrt(_slots(heard) * k_weights(SEMITONES)).reshape(len(heard.bars), -1)
    power = (told**2).sum(axis=1)
    differing = np.maximum(power[:, None] + power[None, :] - 2 * (told @ told.T), 0)
    mean = (power[:, None] + power[None, :]) / 2
    return np.asarray(10 * np.log10(np.maximum(differing / np.maximum(mean, 1e-12), 10 ** (FLOOR_DB / 10))))


def _slots(heard: Heard) -> NDArray[np.float64]:
    """The power of each semitone in each sixteenth of each bar: (bars, slots, semitones)."""
    steps = heard.semitones
    below = np.zeros((len(steps) + 1, steps.shape[1]))
    np.cumsum(steps, axis=0, dtype=np.float64, out=below[1:])
    edges = np.array([np.linspace(bar.start_frame, bar.end_frame, SLOTS + 1) for bar in heard.bars])
    # A step is about the frame of its number, and reaches half a step to either side.
    at = np.clip(edges / STEP + 0.5, 0, len(steps))
    whole = np.minimum(at.astype(np.intp), max(len(steps) - 1, 0))
    part = (at - whole)[..., None]
    upto = below[whole] * (1 - part) + below[np.minimum(whole + 1, len(steps))] * part
    return np.asarray(np.maximum(np.diff(upto, axis=1), 0.0))


def stretches(bars: Sequence[Bar], difference_db: NDArray[np.float64]) -> list[Stretch]:
    """The stretches of at least eight bars within one visit of a section that are alike, in their order.

    Of those that overlap the longest is told, and of equal ones that with the shortest period.
    """
    found: list[Stretch] = []
    begins = [place - bar.section_bar for place, bar in enumerate(bars)]
    for period in PERIODS:
        run: list[int] = []
        for place in range(len(bars) + 1):
            same = place < len(bars) and place - period >= max(begins[place], 0)
            if same and difference_db[place, place - period] < ALIKE_DB:
                if run and begins[run[-1]] != begins[place]:
                    found += _told(run, period, difference_db)
                    run = []
                run.append(place)
            else:
                found += _told(run, period, difference_db)
                run = []
    kept: list[Stretch] = []
    for each in sorted(found, key=lambda s: (-s.bars, s.period)):
        if all(each.last < other.first or each.first > other.last for other in kept):
            kept.append(each)
    return sorted(kept, key=lambda s: s.first)


def _told(run: Sequence[int], period: int, difference_db: NDArray[np.float64]) -> list[Stretch]:
    # Eight equal bars are seven that are like the one before; four bars may be said twice.
    first = run[0] - (period if period <= SHORT else 0) if run else 0
    if not run or run[-1] - first + 1 < REPEATED_BARS:
        return []
    greatest = max(float(difference_db[place, place - period]) for place in run)
    return [Stretch(first, run[-1], period, greatest)]
