"""The entries on which the division of money depends, except placements, gathered in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from ..entries import entries
from ..entries.rights import Rights
from ..errors import VerificationFailed
from .errors import BadPeriod
from .periods import Period

Entries = Iterable[tuple[int, entries.Entry]]
"""Entries of a ledger with their indices, in order from 0."""

Read = Callable[[], Entries]
"""Starts a new pass over the same entries."""


@dataclass(slots=True)
class Books:
    """The entries that the division of money needs, each with its index, in the log's order."""

    size: int = 0
    holders: dict[str, tuple[int, entries.Holder]] = field(default_factory=dict)
    stems: dict[str, tuple[int, entries.Stem]] = field(default_factory=dict)
    """As their holders declared them last; the index is that of the stem's first entry."""
    rights: Rights = field(default_factory=Rights)
    terms: list[tuple[int, entries.Terms]] = field(default_factory=list)
    income: list[tuple[int, Period, entries.Income]] = field(default_factory=list)
    settlements: list[tuple[int, Period, entries.Settlement]] = field(default_factory=list)
    payouts: list[tuple[int, entries.Payout]] = field(default_factory=list)
    corrections: dict[int, list[tuple[int, entries.Correction]]] = field(default_factory=dict)
    """By index of the income or payout that they correct."""
    days: dict[str, int] = field(default_factory=dict)
    """By day, `YYYY-MM-DD`: the first placement that starts on it and has at least a millisecond."""

    def first_heard(self, period: Period, last: int) -> int | None:
        """The first placement in a period that has a millisecond, among entries 0 to `last`."""
        first_day, last_day = period.first_day.isoformat(), period.last_day.isoformat()
        found = (first for day, first in self.days.items() if first_day <= day <= last_day and first <= last)
        return min(found, default=None)

    def settled_before(self, currency: str, last: int) -> list[tuple[int, Period, entries.Settlement]]:
        """The settlements in a currency, among entries 0 to `last`."""
        return [each for each in self.settlements if each[0] <= last and each[2].currency == currency]

    def money(self, index: int, amount: int, last: int) -> int:
        """The amount of an income or payout with its corrections up to entry `last`, in micro-units."""
        return amount + sum(each.amount for at, each in self.corrections.get(index, ()) if at <= last)


def gather(numbered: Entries) -> Books:
    """Read the entries once. Raises VerificationFailed if an income or settlement names an invalid period."""
    books = Books()
    index = -1
    for index, entry in numbered:
        if type(entry) is entries.Placement:
            if entry.ms:
                books.days.setdefault(entry.start[:10], index)
            continue
        books.rights.take(index, entry)
        match entry:
            case entries.Holder():
                books.holders.setdefault(entry.holder, (index, entry))
            case entries.Key() if entry.holder in books.holders:
                joined, holder = books.holders[entry.holder]
                kept = msgspec.structs.replace(holder, custody=entry.custody)
                books.holders[entry.holder] = joined, kept
            case entries.Stem():
                books.stems.setdefault(entry.stem, (index, entry))
            case entries.Declaration() if entry.stem in books.stems:
                entered, stem = books.stems[entry.stem]
                named = {name: getattr(entry, name) for name in ("title", "role", "shape", "isrc", "iswc")}
                books.stems[entry.stem] = entered, msgspec.structs.replace(stem, **named)
            case entries.Terms():
                books.terms.append((index, entry))
            case entries.Income():
                books.income.append((index, _period(index, entry), entry))
            case entries.Settlement():
                books.settlements.append((index, _period(index, entry), entry))
            case entries.Payout():
                books.payouts.append((index, entry))
            case entries.Correction():
                books.corrections.setdefault(entry.corrects, []).append((index, entry))
    books.size = index + 1
    return books


def _period(index: int, entry: entries.Income | entries.Settlement) -> Period:
    try:
        return Period.parse(entry.period)
    except BadPeriod as error:
        raise VerificationFailed(f"entry {index}: {error}") from error
