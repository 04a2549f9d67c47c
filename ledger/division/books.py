"""The entries that money depends on, but for the placements, gathered from a ledger in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from ..entries.entries import (
    Consent,
    Correction,
    Entry,
    Holder,
    Income,
    Key,
    Payout,
    Placement,
    Removal,
    Settlement,
    Share,
    Splits,
    Standing,
    Stem,
    Terms,
)
from ..errors import VerificationFailed
from .errors import BadPeriod
from .periods import Period

Entries = Iterable[tuple[int, Entry]]
"""Entries of a ledger with their indices, in order from 0."""

Read = Callable[[], Entries]
"""Starts a new pass over the same entries."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """Who owns what of one stem, and since when: an entry that sets its splits."""

    index: int
    time: str
    master: tuple[Share, ...]
    publishing: tuple[Share, ...]


@dataclass(slots=True)
class Books:
    """All entries of the ledger but placements and sessions, each with its index, in the log's order."""

    size: int = 0
    holders: dict[str, tuple[int, Holder]] = field(default_factory=dict)
    stems: dict[str, tuple[int, Stem]] = field(default_factory=dict)
    splits: dict[str, list[Indexed]] = field(default_factory=dict)
    """Per stem id: first what it entered the vault with, then each change."""
    consents: dict[str, list[tuple[int, Consent]]] = field(default_factory=dict)
    """Per stem id."""
    standing: dict[tuple[str, str], tuple[int, Standing]] = field(default_factory=dict)
    """By holder and use: consents for stems to come."""
    entered: dict[str, list[tuple[int, dict[str, tuple[int, Standing]]]]] = field(default_factory=dict)
    """By stem, each time that it entered, by which entry: the standing consents then, by use."""
    terms: list[tuple[int, Terms]] = field(default_factory=list)
    income: list[tuple[int, Period, Income]] = field(default_factory=list)
    settlements: list[tuple[int, Period, Settlement]] = field(default_factory=list)
    payouts: list[tuple[int, Payout]] = field(default_factory=list)
    corrections: dict[int, list[tuple[int, Correction]]] = field(default_factory=dict)
    """By index of the income or payout."""
    comings: dict[str, list[tuple[int, Stem | Removal]]] = field(default_factory=dict)
    """By stem id: when it entered the vault and was taken out of it, in turns."""
    days: dict[str, int] = field(default_factory=dict)
    """By day, `YYYY-MM-DD`: the first placement that starts on it and has a millisecond."""

    def consented(
        self, stem: str, last: int
    ) -> tuple[dict[str, tuple[int, Standing]], list[tuple[int, Consent]]]:
        """The standing consents that a stem entered under the last time, by use, and its own since then."""
        entered = [each for each in self.entered.get(stem, ()) if each[0] <= last]
        index, standing = entered[-1] if entered else (-1, {})
        own = [each for each in self.consents.get(stem, ()) if index < each[0] <= last]
        return standing, own

    def first_heard(self, period: Period, last: int) -> int | None:
        """The first placement that has a millisecond and starts in a period, among entries 0 to `last`."""
        first_day, last_day = period.first_day.isoformat(), period.last_day.isoformat()
        found = (first for day, first in self.days.items() if first_day <= day <= last_day and first <= last)
        return min(found, default=None)

    def settled_before(self, currency: str, last: int) -> list[tuple[int, Period, Settlement]]:
        """The settlements in a currency among entries 0 to `last`."""
        return [each for each in self.settlements if each[0] <= last and each[2].currency == currency]

    def splits_of(self, stem: str, last: int) -> list[Indexed]:
        """Who owned what of a stem, among entries 0 to `last`, in the order in which it took effect.

        The first are those that it entered the vault with, which hold from its beginning; the others each
        from its time on, and of one time the one that was written later. Empty for a stem that did not enter.
        """
        entered = self.stems.get(stem)
        if entered is None or entered[0] > last:
            return []
        known = [splits for splits in self.splits[stem] if splits.index <= last]
        return sorted(known, key=lambda splits: (splits.index != entered[0], splits.time, splits.index))

    def splits_before(self, stem: str, end: str, last: int) -> Indexed:
        """The splits of `stem` that were in force just before the time `end`, among entries 0 to `last`.

        Raises VerificationFailed for a stem that did not enter the vault by `last`.
        """
        first, *later = self.splits_of(stem, last) or _never_entered(stem, last)
        return next((splits for splits in reversed(later) if splits.time < end), first)

    def splits_entry(self, stem: str, index: int) -> Indexed:
        """The splits of `stem` that the entry `index` set. Raises VerificationFailed if there are none."""
        for splits in self.splits.get(stem, ()):
            if splits.index == index:
                return splits
        return _never_entered(stem, -1)[0]

    def money(self, index: int, amount: int, last: int) -> int:
        """An income or a payout as corrected by entries up to `last`. Micro-units."""
        return amount + sum(each.amount for at, each in self.corrections.get(index, ()) if at <= last)


def _never_entered(stem: str, last: int) -> list[Indexed]:
    entry = f" up to {last}" if last >= 0 else ""
    raise VerificationFailed(f"stem {stem} was placed, but no entry{entry} brings it into the vault")


def gather(entries: Entries) -> Books:
    """Read `entries` once. Raises VerificationFailed where an income or settlement entry names no period."""
    books = Books()
    index = -1
    for index, entry in entries:
        if type(entry) is Placement:
            if entry.ms:
                books.days.setdefault(entry.start[:10], index)
            continue
        match entry:
            case Holder():
                books.holders.setdefault(entry.holder, (index, entry))
            case Key() if entry.holder in books.holders:
                joined, holder = books.holders[entry.holder]
                kept = msgspec.structs.replace(holder, custody=entry.custody)
                books.holders[entry.holder] = joined, kept
            case Standing():
                for use in entry.uses:
                    books.standing.pop((entry.holder, use), None)
                    if entry.action == "grant":
                        books.standing[entry.holder, use] = index, entry
            case Stem():
                books.stems.setdefault(entry.stem, (index, entry))
                standing = {
                    use: (at, grant)
                    for (holder, use), (at, grant) in books.standing.items()
                    if holder == entry.holder and (grant.until is None or entry.time < grant.until)
                }
                books.entered.setdefault(entry.stem, []).append((index, standing))
                books.comings.setdefault(entry.stem, []).append((index, entry))
                _add_splits(books, index, entry)
            case Splits():
                _add_splits(books, index, entry)
            case Consent():
                books.consents.setdefault(entry.stem, []).append((index, entry))
            case Terms():
                books.terms.append((index, entry))
            case Income():
                books.income.append((index, _period(index, entry), entry))
            case Settlement():
                books.settlements.append((index, _period(index, entry), entry))
            case Payout():
                books.payouts.append((index, entry))
            case Correction():
                books.corrections.setdefault(entry.corrects, []).append((index, entry))
            case Removal():
                books.comings.setdefault(entry.stem, []).append((index, entry))
    books.size = index + 1
    return books


def _add_splits(books: Books, index: int, entry: Stem | Splits) -> None:
    books.splits.setdefault(entry.stem, []).append(Indexed(index, entry.time, entry.master, entry.publishing))


def _period(index: int, entry: Income | Settlement) -> Period:
    try:
        return Period.parse(entry.period)
    except BadPeriod as error:
        raise VerificationFailed(f"entry {index}: {error}") from error
