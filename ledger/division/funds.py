"""The money that a settlement divides: what came in, what is taken back, and the pools it goes into.

How it comes about is in `treasury.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..entries.entries import Source
from .periods import Period
from .terms import InForce
from .windows import Window


@dataclass(frozen=True, slots=True)
class Item:
    """Money that an entry says came in, or that it was to be more or less (`corrects`). Micro-units."""

    index: int
    period: str
    amount: int
    text: str
    """The income's reference, or why it is corrected."""
    corrects: int | None = None


@dataclass(frozen=True, slots=True)
class IncomeLine:
    """Income from a source: what came in, and what of it goes to holders at `pool_ppm`. Micro-units.

    `late_of`: the period that had been settled when it came, None for the settlement's own income. Late
    income may be negative, where an earlier entry was too high. `pool` is by how much the holders' share of
    all income of the period and source grew, so it does not depend on how often it was corrected.
    """

    source: Source
    late_of: str | None
    gross: int
    pool: int
    pool_ppm: int
    items: tuple[Item, ...]
    """They sum to `gross`."""


@dataclass(frozen=True, slots=True)
class Pool:
    """An amount in micro-units, the period that it is income of, and the placements that it is divided by.

    `terms`: of that period; they part what each stem gets into master and publishing.
    """

    period: Period
    terms: InForce
    amount: int
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Funds:
    """What a settlement that reads entries 0 to `last` divides. Micro-units; none is negative.

    `gross - deducted - taken_back + not_given - carried_in + carried_out == pool`. `pools`: the settlement's
    own, then those of settled periods, in the order of their settlements.
    """

    period: Period
    currency: str
    last: int
    terms: InForce
    income: tuple[IncomeLine, ...]
    not_given: int
    """What of `taken_back` nobody had been given."""
    carried_in: int
    """What earlier settlements could not take back."""
    carried_out: int
    """What this one could not take back either."""
    pools: tuple[Pool, ...]

    @property
    def pool(self) -> int:
        """What holders are given."""
        return sum(each.amount for each in self.pools)

    @property
    def gross(self) -> int:
        """What came in."""
        return sum(line.gross for line in self.income if line.gross > 0)

    @property
    def deducted(self) -> int:
        """What the terms keep back of it."""
        return sum(line.gross - line.pool for line in self.income if line.gross > 0)

    @property
    def taken_back(self) -> int:
        """What the shares of sources fell by in periods that were settled before."""
        return -sum(line.pool for line in self.income if line.gross < 0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Late money that the next settlement in a currency will have, in micro-units."""

    currency: str
    gross: int
    """What came in for settled periods, before what the terms keep back."""
    late: int
    """What of it goes to holders."""
    taken_back: int
    """What it will lack: what was given for settled periods and they are not worth, so far as it is due."""
