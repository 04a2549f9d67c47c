"""The money of a settlement: its income, what it takes back, and the amounts that it divides.

`treasury.py` derives it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..entries.entries import Source
from .periods import Period
from .terms import InForce
from .windows import PlacementWindow


@dataclass(frozen=True, slots=True)
class IncomeItem:
    """Income, or a correction of the entry `corrects`, in micro-units, as a statement's file has it."""

    index: int
    period: str
    amount: int
    reference: str
    """What the income's recorder wrote, or why it is corrected."""
    corrects: int | None = None


@dataclass(frozen=True, slots=True)
class IncomeLine:
    """Income from one source: `gross` came in, and `for_holders` of it goes to holders. Micro-units.

    `late_of`: the period that had been settled when it came, None for the settlement's own income. Late
    income may be negative, where an earlier entry was too high. `for_holders` is the growth of the holders'
    share of all income of the period and source, so the number of corrections does not change it.
    """

    source: Source
    late_of: str | None
    gross: int
    for_holders: int
    holders_ppm: int
    items: tuple[IncomeItem, ...]
    """They sum to `gross`."""


@dataclass(frozen=True, slots=True)
class DividedIncome:
    """An amount in micro-units, the period of its income, and the placements by which it is divided.

    `terms`: of that period; they divide each stem's amount into master and publishing.
    """

    period: Period
    terms: InForce
    amount: int
    windows: tuple[PlacementWindow, ...]


@dataclass(frozen=True, slots=True)
class Funds:
    """What a settlement that reads entries 0 to `last` divides. Micro-units; none is negative.

    `gross - deducted - taken_back + not_given - carried_in + carried_out == for_holders`. `divided_income`:
    the settlement's own, then that of settled periods, in the order of their settlements.
    """

    period: Period
    currency: str
    last: int
    terms: InForce
    income: tuple[IncomeLine, ...]
    not_given: int
    """The part of `taken_back` that had stayed unallocated."""
    carried_in: int
    """Left over from earlier settlements, which could not take it back."""
    carried_out: int
    """Left over to the next settlement, for this one cannot take it back either."""
    divided_income: tuple[DividedIncome, ...]

    @property
    def for_holders(self) -> int:
        """The sum that is divided."""
        return sum(each.amount for each in self.divided_income)

    @property
    def gross(self) -> int:
        """All income above 0."""
        return sum(line.gross for line in self.income if line.gross > 0)

    @property
    def deducted(self) -> int:
        """The part of `gross` that the terms keep back."""
        return sum(line.gross - line.for_holders for line in self.income if line.gross > 0)

    @property
    def taken_back(self) -> int:
        """By how much corrections lowered the holders' share of periods that were settled before."""
        return -sum(line.for_holders for line in self.income if line.gross < 0)


@dataclass(frozen=True, slots=True)
class LateMoney:
    """Late money that waits for the next settlement in a currency, in micro-units."""

    currency: str
    gross: int
    """The late income, before the terms keep a part of it back."""
    late: int
    """The part of it that goes to holders."""
    taken_back: int
    """What the next settlement must take back, because settled periods are worth less than was given."""
