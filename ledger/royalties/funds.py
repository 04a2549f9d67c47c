"""The money that a settlement divides, and by what: from the books alone.

1. Income counts whose currency is the settlement's and whose own period lies inside the period, as corrected.
   Income and corrections that came too late for the settlement of their period count as well, once.
2. Of each source, what the terms keep back is rounded down; the rest goes to holders. The terms are those in
   force at the start of the period that the income is settled with (`terms.in_force`; without any,
   `terms.DEFAULT`); what came late goes by the terms of its own period.
3. What came in goes into pools, one for each period that it is of. The settlement's own pool is divided by
   what was heard in its period, and by what came too late for the settlements of earlier ones (`windows.py`).
   A pool of late income is divided by all that was heard in the period that it is of.
4. What corrections of a settled period take back comes out of the settlement's own pool. What is more than
   that has is carried over, and comes out of the next settlement's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..entries import WHOLE_PPM, Correction, Income, Source
from .books import Books
from .errors import NothingToSettle
from .money import LARGEST, decimal_text
from .periods import Period
from .terms import InForce, in_force
from .windows import Window, windows_of


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
    income may be negative, where an earlier entry was too high.
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

    `gross - deducted - taken_back - carried_in + carried_out == pool`. `pools`: the settlement's own, then
    one for each settled period that income came in for, in the order of their settlements.
    """

    period: Period
    currency: str
    last: int
    terms: InForce
    income: tuple[IncomeLine, ...]
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
        """What holders were given before and should not have been."""
        return -sum(line.pool for line in self.income if line.gross < 0)


def funds_of(books: Books, period: Period, currency: str, last: int) -> Funds:
    """The money that a settlement of `period` divides, as entries 0 to `last` have it.

    Raises NothingToSettle if there is none, some reaches beyond the period, or it is more than one settlement
    can hold.
    """
    lines = _income(books, period, currency, last)
    if not lines:
        raise NothingToSettle(
            f"there is no income in {currency} for {period.text}; record it with 'stemloom royalty income'"
        )
    carried = _carried(books, currency, last)
    own, late, back = _sums(lines)
    left = own - back - carried
    terms = in_force(books.terms, period, last)
    earlier = {settled.text: (settled, entry) for _, settled, entry in books.settled_before(currency, last)}
    pools = [Pool(period, terms, max(0, left), windows_of(books, period, currency, last))]
    for of, amount in late.items():
        settled, entry = earlier[of]
        held = in_force(books.terms, settled, entry.last)
        pools.append(Pool(settled, held, amount, (Window(settled, -1, last),)))
    funds = Funds(
        period=period,
        currency=currency,
        last=last,
        terms=terms,
        income=tuple(lines),
        carried_in=carried,
        carried_out=max(0, -left),
        pools=tuple(pools),
    )
    if funds.gross > LARGEST:
        raise NothingToSettle(
            f"the income of {period.text} sums to {decimal_text(funds.gross)} {currency}, more than one "
            f"settlement can hold, which is {decimal_text(LARGEST)}; settle shorter periods"
        )
    return funds


@dataclass(frozen=True, slots=True)
class Waiting:
    """Late money that the next settlement in a currency will have, in micro-units."""

    currency: str
    gross: int
    """Income of settled periods, before what the terms keep back."""
    late: int
    """What of it goes to holders."""
    taken_back: int
    """What corrections take back, and what settlements carried over of it."""


def waiting(books: Books, last: int) -> tuple[Waiting, ...]:
    """By currency, of entries 0 to `last`; only where there is any."""
    found = []
    for currency in sorted({entry.currency for _, _, entry in books.settlements}):
        lines = _late(books, currency, last)
        _, late, back = _sums(lines)
        back += _carried(books, currency, last)
        gross = sum(line.gross for line in lines if line.gross > 0)
        if gross or back:
            found.append(Waiting(currency, gross, sum(late.values()), back))
    return tuple(found)


def _income(books: Books, period: Period, currency: str, last: int) -> list[IncomeLine]:
    """The settlement's own income by source, then what came late."""
    own: list[tuple[Income, Item]] = []
    for index, of, entry in books.income:
        if entry.currency != currency or index > last or not of.overlaps(period):
            continue
        if period.covers(of):
            own += [(entry, item) for item in _items(books, index, entry, -1, last)]
        elif books.money(index, entry.amount, last):
            raise NothingToSettle(
                f"income at entry {index} is for {entry.period}, which reaches beyond {period.text}; settle "
                f"{entry.period} or a longer period, or correct it to 0 with 'stemloom royalty correct' and "
                "record it anew"
            )
    return _by_source(own, None, in_force(books.terms, period, last)) + _late(books, currency, last)


def _late(books: Books, currency: str, last: int) -> list[IncomeLine]:
    """What came of settled periods since the settlement before."""
    earlier = books.settled_before(currency, last)
    counted = max((entry.last for _, _, entry in earlier), default=-1)
    found: list[IncomeLine] = []
    for _, settled, settlement in earlier:
        late = [
            (entry, item)
            for index, of, entry in books.income
            if entry.currency == currency and index <= last and settled.covers(of)
            for item in _items(books, index, entry, counted, last)
        ]
        found += _by_source(late, settled.text, in_force(books.terms, settled, settlement.last))
    return found


def _sums(lines: Iterable[IncomeLine]) -> tuple[int, dict[str, int], int]:
    """Of the pool: what is the settlement's own, what came late by period, and what is taken back."""
    own, periods = 0, dict[str, int]()
    for line in lines:
        if line.late_of is None:
            own += line.pool
        else:
            periods[line.late_of] = periods.get(line.late_of, 0) + line.pool
    late = {of: amount for of, amount in periods.items() if amount > 0}
    return own, late, -sum(amount for amount in periods.values() if amount < 0)


def _carried(books: Books, currency: str, last: int) -> int:
    """What the settlements among entries 0 to `last` were to take back and could not."""
    carried = 0
    for index, settled, entry in books.settled_before(currency, last):
        if index not in books.carried:
            own, _, back = _sums(_income(books, settled, currency, entry.last))
            books.carried[index] = max(0, carried + back - own)
        carried = books.carried[index]
    return carried


def _items(books: Books, index: int, entry: Income, above: int, last: int) -> list[Item]:
    """An income and its corrections, of the entries after `above` up to `last`."""
    found = [Item(index, entry.period, entry.amount, entry.reference)] if index > above else []
    each: Correction
    for at, each in books.corrections.get(index, ()):
        if above < at <= last:
            found.append(Item(at, entry.period, each.amount, each.reason, index))
    return found


def _by_source(items: Iterable[tuple[Income, Item]], late_of: str | None, terms: InForce) -> list[IncomeLine]:
    by_source: dict[Source, list[Item]] = {}
    for entry, item in items:
        by_source.setdefault(entry.source, []).append(item)
    lines = []
    for source, each in sorted(by_source.items()):
        gross = sum(item.amount for item in each)
        ppm = terms.pool_ppm(source)
        lines.append(IncomeLine(source, late_of, gross, _pool(gross, ppm), ppm, tuple(each)))
    return lines


def _pool(gross: int, ppm: int) -> int:
    """What of income goes to holders: what is kept back is rounded down, and what is taken back as well."""
    kept = abs(gross) * (WHOLE_PPM - ppm) // WHOLE_PPM
    return gross - kept if gross >= 0 else gross + kept
