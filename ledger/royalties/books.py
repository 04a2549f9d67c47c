"""The entries that money depends on, gathered from a ledger in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from ..entries import (
    Consent,
    Entry,
    Holder,
    Income,
    Key,
    Placement,
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
from .usage import Tally, router

Entries = Iterable[tuple[int, Entry]]
"""Entries of a ledger with their indices, in order from 0."""

Read = Callable[[], Entries]
"""Starts a new pass over the same entries."""

Kind = TypeVar("Kind", Holder, Stem, Splits, Consent, Terms, Income, Settlement)


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
    entered: dict[str, dict[str, tuple[int, Standing]]] = field(default_factory=dict)
    """By stem and use: the standing consents under which it entered."""
    terms: list[tuple[int, Terms]] = field(default_factory=list)
    income: list[tuple[int, Period, Income]] = field(default_factory=list)
    settlements: list[tuple[int, Period, Settlement]] = field(default_factory=list)

    def splits_at(self, stem: str, end: str, last: int) -> Indexed:
        """The splits of `stem` that took effect last before the time `end`, among entries 0 to `last`.

        Later is by time, then by index. Splits with which a stem entered the vault hold from its beginning,
        whatever `end` is. Raises VerificationFailed for a stem that did not enter the vault by `last`.
        """
        known = [splits for splits in self.splits.get(stem, ()) if splits.index <= last]
        if not known or stem not in self.stems or self.stems[stem][0] > last:
            raise VerificationFailed(
                f"stem {stem} was placed, but no entry up to {last} brings it into the vault"
            )
        entered = self.stems[stem][0]
        in_force = [splits for splits in known if splits.index == entered or splits.time < end]
        return max(in_force, key=lambda splits: (splits.index != entered, splits.time, splits.index))


def gather(entries: Entries, tallies: Sequence[Tally] = ()) -> Books:
    """Read `entries` once: the books of them, and every placement handed to the `tallies` it belongs to.

    Raises VerificationFailed where an income or settlement entry names no period.
    """
    books = Books()
    route = router(tallies) if tallies else None
    index = -1
    for index, entry in entries:
        if type(entry) is Placement:
            if route is not None:
                route(index, entry)
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
                books.entered.setdefault(
                    entry.stem,
                    {
                        use: (at, grant)
                        for (holder, use), (at, grant) in books.standing.items()
                        if holder == entry.holder and (grant.until is None or entry.time < grant.until)
                    },
                )
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
    books.size = index + 1
    return books


def _add_splits(books: Books, index: int, entry: Stem | Splits) -> None:
    books.splits.setdefault(entry.stem, []).append(Indexed(index, entry.time, entry.master, entry.publishing))


def _period(index: int, entry: Income | Settlement) -> Period:
    try:
        return Period.parse(entry.period)
    except BadPeriod as error:
        raise VerificationFailed(f"entry {index}: {error}") from error
