"""The division of a period's income: from the books and the milliseconds to each holder's amount. Pure.

1. Income counts whose currency is the settlement's and whose own period lies inside the period.
2. Of each source, what the terms keep back is rounded down; the rest is the pool. The terms are those in
   force at the period's start (`terms.in_force`; without any, `terms.DEFAULT`).
3. The pool is divided over the stems by the ms of their placements that start in the period, all tiers and
   uses alike. If nothing was heard, all of it stays unallocated.
4. A stem's amount is parted into master and publishing by the terms, and each side over the shares that were
   last set before the end of the period. Shares that change within a period thus hold for the whole of it.
   A side without shares belongs to the holder who brought the stem in.

Each division is by `divide.largest_remainder`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import canonical
from ..entries import WHOLE_PPM, Income, SettledHolder, SettledStem, Settlement, Share, Source
from ..errors import VerificationFailed
from .books import Books, Read, gather
from .divide import largest_remainder
from .errors import NothingToSettle
from .money import LARGEST, decimal_text
from .periods import Period
from .terms import InForce, in_force
from .usage import Milliseconds, Tally


@dataclass(frozen=True, slots=True)
class Part:
    """What one party's share of one side of a stem comes to, in micro-units."""

    holder: str
    ppm: int
    amount: int


@dataclass(frozen=True, slots=True)
class DividedStem:
    """One stem's part of the pool. `master` and `publishing` sum to `amount`; `splits` is their entry."""

    stem: str
    ms: int
    amount: int
    splits: int
    master: tuple[Part, ...]
    publishing: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class IncomeLine:
    """A source's income of the period: what came in, and what of it goes to holders. Micro-units."""

    source: Source
    gross: int
    pool: int
    entries: tuple[tuple[int, Income], ...]
    """The income that sums to `gross`, each with its index."""


@dataclass(frozen=True, slots=True)
class Division:
    """A period divided. Stems and holders are sorted by id; every sum is exact.

    `sum(stem.amount) + unallocated == pool`, and the holders' amounts sum to the stems'.
    """

    period: Period
    currency: str
    last: int
    terms: InForce
    income: tuple[IncomeLine, ...]
    gross: int
    pool: int
    total_ms: int
    unallocated: int
    stems: tuple[DividedStem, ...]

    @property
    def settled_stems(self) -> list[SettledStem]:
        """The list whose digest the settlement entry holds."""
        return [SettledStem(stem=each.stem, ms=each.ms, amount=each.amount) for each in self.stems]

    @property
    def settled_holders(self) -> list[SettledHolder]:
        """Each holder's master and publishing amounts over all stems; the list whose digest is settled."""
        sums: dict[str, list[int]] = {}
        for stem in self.stems:
            for side, parts in enumerate((stem.master, stem.publishing)):
                for part in parts:
                    sums.setdefault(part.holder, [0, 0])[side] += part.amount
        return [
            SettledHolder(holder=holder, master=master, publishing=publishing)
            for holder, (master, publishing) in sorted(sums.items())
        ]

    def of(self, holder: str) -> int:
        """What the division gives to `holder`, master and publishing together."""
        return sum(
            part.amount
            for stem in self.stems
            for part in (*stem.master, *stem.publishing)
            if part.holder == holder
        )

    def unheard(self, books: Books, stem: str) -> DividedStem:
        """The shares of a stem that was not heard in the period, each of nothing."""
        return _divide_stem(books, stem, 0, 0, self.terms.terms.master_ppm, self.period, self.last)

    def differences(self, entry: Settlement) -> list[str]:
        """What `entry` says otherwise than this division, one sentence each."""
        sums = (
            ("gross", self.gross, entry.gross),
            ("pool", self.pool, entry.pool),
            ("total_ms", self.total_ms, entry.total_ms),
            ("unallocated", self.unallocated, entry.unallocated),
        )
        digests = (
            ("stems", canonical.digest(self.settled_stems), entry.stems),
            ("holders", canonical.digest(self.settled_holders), entry.holders),
        )
        return [
            f"{name} is {settled}, but the ledger gives {derived}"
            for name, derived, settled in sums
            if derived != settled
        ] + [
            f"{name} and their amounts are not those that were settled: their digest differs"
            for name, derived, settled in digests
            if derived != settled
        ]


def divide_period(
    books: Books, period: Period, currency: str, last: int, heard: Mapping[str, int]
) -> Division:
    """Divide the income of `period` in `currency`, as entries 0 to `last` have it, by the ms of each stem.

    Income belongs to the period if its own period lies inside. `heard`: ms per stem id. Raises
    NothingToSettle if there is no income or it reaches beyond the period, VerificationFailed for a stem
    that is not in the ledger or whose shares are not whole.
    """
    terms = in_force(books.terms, period, last)
    income = _income(books, period, currency, last, terms)
    gross, pool = sum(line.gross for line in income), sum(line.pool for line in income)
    if gross > LARGEST:
        raise NothingToSettle(
            f"the income of {period.text} sums to {decimal_text(gross)} {currency}, more than one settlement "
            f"can hold, which is {decimal_text(LARGEST)}; settle shorter periods"
        )
    ids = sorted(heard)
    total_ms = sum(heard.values())
    unallocated = 0 if total_ms else pool
    amounts = largest_remainder(pool - unallocated, [heard[stem] for stem in ids], ids)
    return Division(
        period=period,
        currency=currency,
        last=last,
        terms=terms,
        income=income,
        gross=gross,
        pool=pool,
        total_ms=total_ms,
        unallocated=unallocated,
        stems=tuple(
            _divide_stem(books, stem, heard[stem], amount, terms.terms.master_ppm, period, last)
            for stem, amount in zip(ids, amounts, strict=True)
        ),
    )


def _income(books: Books, period: Period, currency: str, last: int, terms: InForce) -> tuple[IncomeLine, ...]:
    found: dict[Source, list[tuple[int, Income]]] = {}
    for index, of, entry in books.income:
        if index > last or entry.currency != currency or not of.overlaps(period):
            continue
        if not period.covers(of):
            raise NothingToSettle(
                f"income at entry {index} is for {entry.period}, which reaches beyond {period.text}; "
                f"settle {entry.period} or a longer period"
            )
        found.setdefault(entry.source, []).append((index, entry))
    if not found:
        raise NothingToSettle(
            f"there is no income in {currency} for {period.text}; record it with 'stemloom royalty income'"
        )
    gross = {source: sum(entry.amount for _, entry in entries) for source, entries in found.items()}
    pool = terms.pool_of(gross)
    return tuple(
        IncomeLine(source, gross[source], pool[source], tuple(found[source])) for source in sorted(found)
    )


def _divide_stem(
    books: Books, stem: str, ms: int, amount: int, master_ppm: int, period: Period, last: int
) -> DividedStem:
    splits = books.splits_at(stem, period.end, last)
    owner = books.stems[stem][1].holder
    master, publishing = largest_remainder(
        amount, (master_ppm, WHOLE_PPM - master_ppm), ("master", "publishing")
    )
    return DividedStem(
        stem=stem,
        ms=ms,
        amount=amount,
        splits=splits.index,
        master=_divide_side(stem, "master", splits.index, master, splits.master, owner),
        publishing=_divide_side(stem, "publishing", splits.index, publishing, splits.publishing, owner),
    )


def _divide_side(
    stem: str, side: str, index: int, amount: int, shares: Sequence[Share], owner: str
) -> tuple[Part, ...]:
    """One side of a stem over its shares; without shares it is its holder's alone."""
    ppm: dict[str, int] = {}
    for share in shares:
        ppm[share.holder] = ppm.get(share.holder, 0) + share.ppm
    if not ppm:
        ppm[owner] = WHOLE_PPM
    if sum(ppm.values()) != WHOLE_PPM:
        raise VerificationFailed(
            f"entry {index}: the {side} shares of {stem} sum to {sum(ppm.values())} parts per million, "
            f"not {WHOLE_PPM}"
        )
    holders = sorted(ppm)
    parts = largest_remainder(amount, [ppm[holder] for holder in holders], holders)
    return tuple(Part(holder, ppm[holder], part) for holder, part in zip(holders, parts, strict=True))


def rederive(
    read: Read, settlements: Sequence[tuple[Period, Settlement]], tallies: Sequence[Tally] = ()
) -> tuple[Books, list[Division]]:
    """Divide settled periods again from the entries alone, each as of its own `last`, in one pass.

    More `tallies` may go along in the same pass. Raises VerificationFailed if a division is not, to the
    last micro-unit, what was settled.
    """
    heard = [Milliseconds(period, entry.last) for period, entry in settlements]
    books = gather(read(), [*heard, *tallies])
    divisions = []
    for (period, entry), milliseconds in zip(settlements, heard, strict=True):
        does_not = f"the settlement of {entry.period} in {entry.currency} does not follow from the ledger: "
        see = "; see 'stemloom ledger verify'"
        try:
            division = divide_period(books, period, entry.currency, entry.last, milliseconds.by_stem)
        except NothingToSettle as error:
            raise VerificationFailed(f"{does_not}{error}{see}") from error
        if problems := division.differences(entry):
            raise VerificationFailed(f"{does_not}{problems[0]}{see}")
        divisions.append(division)
    return books, divisions
