"""The division of a period's income: from the books and the milliseconds to each holder's amount. Pure.

1. Income counts whose currency is the settlement's and whose own period lies inside the period, as corrected.
   Income and corrections that came too late for the settlement of their period count as well, once.
2. Of each source, what the terms keep back is rounded down; the rest is the pool. The terms are those in
   force at the start of the period that the income is settled with (`terms.in_force`; without any,
   `terms.DEFAULT`); what came late goes by the terms of its own period.
3. The pool is divided over the stems by the ms of their placements that start in the period, all tiers and
   uses alike, and of placements that came too late for the settlement of theirs (`windows.py`). If nothing
   was heard, all of it stays unallocated.
4. A stem's amount is parted over its lines by their ms: a line is what was heard in one period under the same
   splits. A placement goes by the splits that were in force when it started.
5. A line's amount is parted into master and publishing by the terms, and each side over its shares. A side
   without shares belongs to the holder who brought the stem in.

Each division is by `divide.largest_remainder`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .. import canonical
from ..entries import WHOLE_PPM, Correction, Income, SettledHolder, SettledStem, Settlement, Share, Source
from ..errors import VerificationFailed
from .books import Books
from .divide import largest_remainder
from .errors import NothingToSettle
from .money import LARGEST, decimal_text
from .periods import Period
from .terms import InForce, in_force
from .usage import Heard, Usage
from .windows import windows_of


@dataclass(frozen=True, slots=True)
class Part:
    """What one party's share of one side of a stem comes to, in micro-units."""

    holder: str
    ppm: int
    amount: int


@dataclass(frozen=True, slots=True)
class Line:
    """What a stem earned with what was heard in `period` under the splits of the entry `splits`.

    `period` is another one than the settlement's where it came late. `master` and `publishing` sum to
    `amount`.
    """

    period: str
    splits: int
    ms: int
    placements: int
    amount: int
    master: tuple[Part, ...]
    publishing: tuple[Part, ...]

    def of(self, holder: str) -> tuple[int, int]:
        """What of it is a holder's: master, publishing."""
        return (
            sum(part.amount for part in self.master if part.holder == holder),
            sum(part.amount for part in self.publishing if part.holder == holder),
        )


@dataclass(frozen=True, slots=True)
class DividedStem:
    """One stem's part of the pool: `lines` sum to `ms` and `amount`."""

    stem: str
    ms: int
    amount: int
    lines: tuple[Line, ...]


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
    def late_ms(self) -> int:
        """What of `total_ms` came too late for the settlement of its own period."""
        return sum(line.ms for each in self.stems for line in each.lines if line.period != self.period.text)

    @property
    def settled_stems(self) -> list[SettledStem]:
        """The list whose digest the settlement entry holds."""
        return [SettledStem(stem=each.stem, ms=each.ms, amount=each.amount) for each in self.stems]

    @property
    def settled_holders(self) -> list[SettledHolder]:
        """Each holder's master and publishing amounts over all stems; the list whose digest is settled."""
        sums: dict[str, list[int]] = {}
        for stem in self.stems:
            for line in stem.lines:
                for side, parts in enumerate((line.master, line.publishing)):
                    for part in parts:
                        sums.setdefault(part.holder, [0, 0])[side] += part.amount
        return [
            SettledHolder(holder=holder, master=master, publishing=publishing)
            for holder, (master, publishing) in sorted(sums.items())
        ]

    def of(self, holder: str) -> int:
        """What the division gives to `holder`, master and publishing together."""
        return sum(sum(line.of(holder)) for stem in self.stems for line in stem.lines)

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
    books: Books,
    period: Period,
    currency: str,
    last: int,
    heard: Sequence[Heard],
    parted: Callable[[int], Mapping[str, int]] | None = None,
) -> Division:
    """Divide the income of `period` in `currency`, as entries 0 to `last` have it.

    `heard`: what its windows (`windows_of`) hold. `parted`: another rule than that of milliseconds, to see
    what it would do (`simulate.py`): how it parts an amount over the stems. Raises NothingToSettle if there
    is no income, it reaches beyond the period, or corrections take more than came in; VerificationFailed
    for a stem that is not in the ledger or whose shares are not whole.
    """
    terms = in_force(books.terms, period, last)
    income = income_of(books, period, currency, last)
    gross, pool = sum(line.gross for line in income), sum(line.pool for line in income)
    if gross < 0 or pool < 0:
        raise NothingToSettle(
            f"corrections of earlier periods take {decimal_text(-min(gross, pool))} {currency} more than "
            "came "
            f"in for {period.text}; settle a longer period, or one with more income"
        )
    if gross > LARGEST:
        raise NothingToSettle(
            f"the income of {period.text} sums to {decimal_text(gross)} {currency}, more than one settlement "
            f"can hold, which is {decimal_text(LARGEST)}; settle shorter periods"
        )
    lines: dict[str, list[Heard]] = {}
    for each in heard:
        lines.setdefault(each.stem, []).append(each)
    ids = sorted(lines)
    ms = [sum(each.ms for each in lines[stem]) for stem in ids]
    total_ms = sum(ms)
    unallocated = 0 if total_ms else pool
    if parted is None:
        amounts = largest_remainder(pool - unallocated, ms, ids)
    else:
        given = parted(pool - unallocated)
        amounts = [given.get(stem, 0) for stem in ids]
        assert sum(amounts) == pool - unallocated
    master_ppm = terms.terms.master_ppm
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
            DividedStem(stem, of_stem, amount, _lines(books, lines[stem], amount, master_ppm))
            for stem, of_stem, amount in zip(ids, ms, amounts, strict=True)
        ),
    )


def income_of(books: Books, period: Period, currency: str, last: int) -> tuple[IncomeLine, ...]:
    """The income that the settlement of `period` divides: its own by source, then what came late.

    Raises NothingToSettle if there is none, or some reaches beyond the period.
    """
    of_currency = [each for each in books.income if each[2].currency == currency and each[0] <= last]
    own: list[tuple[Income, Item]] = []
    for index, of, entry in of_currency:
        if of.overlaps(period):
            if not period.covers(of):
                raise NothingToSettle(
                    f"income at entry {index} is for {entry.period}, which reaches beyond {period.text}; "
                    f"settle {entry.period} or a longer period"
                )
            own += [(entry, item) for item in _items(books, index, entry, -1, last)]
    found = _by_source(own, None, in_force(books.terms, period, last))
    earlier = books.settled_before(currency, last)
    counted = max((entry.last for _, _, entry in earlier), default=-1)
    for _, settled, settlement in earlier:
        late = [
            (entry, item)
            for index, of, entry in of_currency
            if settled.covers(of)
            for item in _items(books, index, entry, counted, last)
        ]
        terms = in_force(books.terms, settled, settlement.last)
        found += _by_source(late, settled.text, terms)
    if not found:
        raise NothingToSettle(
            f"there is no income in {currency} for {period.text}; record it with 'stemloom royalty income'"
        )
    return tuple(found)


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


def _lines(books: Books, heard: Sequence[Heard], amount: int, master_ppm: int) -> tuple[Line, ...]:
    """A stem's amount over what was heard of it."""
    keys = [f"{Period.parse(each.period).start} {each.splits:020d}" for each in heard]
    # By another rule a stem may earn with no whole millisecond heard.
    weights = [each.ms for each in heard] if any(each.ms for each in heard) else [1] * len(heard)
    parts = largest_remainder(amount, weights, keys)
    return tuple(
        _line(books, each, part, master_ppm)
        for _, each, part in sorted(zip(keys, heard, parts, strict=True), key=lambda line: line[0])
    )


def _line(books: Books, heard: Heard, amount: int, master_ppm: int) -> Line:
    splits = books.splits_entry(heard.stem, heard.splits)
    owner = books.stems[heard.stem][1].holder
    sides = largest_remainder(amount, (master_ppm, WHOLE_PPM - master_ppm), ("master", "publishing"))
    master, publishing = (
        _divide_side(heard.stem, side, splits.index, of_side, shares, owner)
        for side, of_side, shares in zip(
            ("master", "publishing"), sides, (splits.master, splits.publishing), strict=True
        )
    )
    return Line(heard.period, splits.index, heard.ms, heard.placements, amount, master, publishing)


def unheard(books: Books, stem: str, division: Division) -> DividedStem:
    """A stem that was not heard in the period: its shares at the period's end, each of nothing."""
    splits = books.splits_before(stem, division.period.end, division.last)
    nothing = Heard(stem, division.period.text, splits.index, 0, 0)
    return DividedStem(stem, 0, 0, (_line(books, nothing, 0, division.terms.terms.master_ppm),))


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


def rederive(usage: Usage, settlements: Sequence[tuple[Period, Settlement]]) -> list[Division]:
    """Divide settled periods again, each as of its own `last`.

    Raises VerificationFailed if a division is not, to the last micro-unit, what was settled.
    """
    books = usage.books
    questions = [windows_of(books, period, entry.currency, entry.last) for period, entry in settlements]
    divisions = []
    for (period, entry), heard in zip(settlements, usage.heard(questions), strict=True):
        does_not = f"the settlement of {entry.period} in {entry.currency} does not follow from the ledger: "
        see = "; see 'stemloom ledger verify'"
        try:
            division = divide_period(books, period, entry.currency, entry.last, heard)
        except NothingToSettle as error:
            raise VerificationFailed(f"{does_not}{error}{see}") from error
        if problems := division.differences(entry):
            raise VerificationFailed(f"{does_not}{problems[0]}{see}")
        divisions.append(division)
    return divisions
