"""Which parts hide others: what of a part lies so far under all others, in its own band and moment.

Of a sound that lies 6 dB under others within a third of an octave little is left for an ear. That a loud
band hides those above it, and a loud moment what comes just after it, is left out: what is told is too little
rather than too much.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .spectra import K_WEIGHTS, THIRDS, Powers

HIDES_DB, STRUCK_DB = 6.0, 6.0
"""How far under others a sound is hidden; and how much further if it is struck, as a sound of 25 ms lies so
far under what it was in the mean of a window of 100 ms."""
MIDDLE = 0.8
"""How much of what is hidden lies between the frequencies that are told."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """How much of a part is hidden, 0 to 1 of its K-weighted power, by whom mostly, and between which
    frequencies."""

    share: float
    by: str | None = None
    low_hz: float = 0.0
    high_hz: float = 0.0


class Masking:
    """The parts of one stretch of a mix, by name: what hides whom."""

    def __init__(self, parts: Mapping[str, Powers], struck: Collection[str] = ()) -> None:
        """`struck`: those of the parts that are hits."""
        self._struck = struck
        self._parts = {part: powers.sum(axis=1, dtype=np.float64) for part, powers in parts.items()}
        self._all = sum(self._parts.values(), np.zeros(1))

    def hidden(self, part: str) -> Hidden:
        """How much of a part is hidden, and by whom."""
        under = self._under(part)
        weights = self._parts[part] * K_WEIGHTS * (under >= self.hides_db(part))
        lost, whole = float(weights.sum()), float((self._parts[part] * K_WEIGHTS).sum())
        if lost == 0:
            return Hidden(0.0)
        others = self._others(part)
        shares = {
            other: float((weights * powers / np.maximum(others, 1e-30)).sum()) / lost
            for other, powers in self._parts.items()
            if other != part
        }
        by = max(shares, key=lambda other: shares[other])
        along = np.cumsum(weights.sum(axis=0)) / lost
        low, high = np.searchsorted(along, ((1 - MIDDLE) / 2, (1 + MIDDLE) / 2))
        edge = 2 ** (1 / 6)
        return Hidden(
            lost / whole,
            by,
            float(THIRDS[low] / edge),
            float(THIRDS[min(high, len(THIRDS) - 1)] * edge),
        )

    def needed_db(self, part: str, share: float, most_db: int) -> int | None:
        """The least whole gain with which at most this share of a part is hidden; None beyond the most."""
        under, weights = self._under(part), self._parts[part] * K_WEIGHTS
        for gain in range(1, most_db + 1):
            if float(weights[under - gain >= self.hides_db(part)].sum()) <= share * float(weights.sum()):
                return gain
        return None

    def hides_db(self, part: str) -> float:
        """How far under all others what is hidden of a part lies at the least."""
        return HIDES_DB + STRUCK_DB * (part in self._struck)

    def _others(self, part: str) -> NDArray[np.float64]:
        return np.asarray(np.maximum(self._all - self._parts[part], 0.0))

    def _under(self, part: str) -> NDArray[np.float64]:
        """How far a part lies under all others, in dB, by step and band."""
        own = np.maximum(self._parts[part], 1e-20)
        return np.asarray(10 * np.log10(np.maximum(self._others(part), 1e-20) / own))
