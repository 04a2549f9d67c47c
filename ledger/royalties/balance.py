"""Each holder's balance in each currency: the amounts of settlements, less payouts.

Also the time in play of settled periods that no settlement counts yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..division.books import Books
from ..division.division import rederive
from ..division.errors import NotAHolder
from ..division.money import LARGEST, coin
from ..division.periods import Period
from ..division.terms import in_force
from ..division.treasury import Treasury
from ..division.usage import Usage


@dataclass(frozen=True, slots=True)
class Payment:
    """A payout, or a correction of the payout `corrects`, in micro-units, as a statement's file has it."""

    index: int
    time: str
    amount: int
    reference: str
    corrects: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A holder's account in one currency, in micro-units.

    `accrued + adjusted == master + publishing`, and less `paid` that is `closing`. `adjusted`: earned by
    entries that came too late for the settlement of their period. `frozen`: the part of `closing` that stems
    earned which are withdrawn now; payouts take the rest first. `payable`: the part of `closing` that can be
    paid out in the currency's coins, 0 below the threshold.
    """

    holder: str
    currency: str
    settlements: int
    """How many settlements gave this holder something."""
    master: int
    publishing: int
    accrued: int
    adjusted: int
    paid: int
    frozen: int
    closing: int
    payable: int


@dataclass(frozen=True, slots=True)
class HeardSince:
    """Time in play of a settled period that is in no settlement yet. `settlement`: the entry's index."""

    period: str
    currency: str
    settlement: int
    ms: int


def heard_since(usage: Usage, size: int) -> tuple[HeardSince, ...]:
    """For each settlement, in the ledger's order, the ms that the next one will count as late.

    `size`: of the ledger.
    """
    settlements, treasury = usage.books.settlements, Treasury(usage.books)
    questions = [[treasury.uncounted(of, entry.currency, size - 1)] for _, of, entry in settlements]
    return tuple(
        HeardSince(entry.period, entry.currency, index, sum(each.ms for each in heard))
        for (index, _, entry), heard in zip(settlements, usage.time_in_play(questions), strict=True)
    )


def balances(usage: Usage, size: int, today: str, holder: str | None = None) -> tuple[Balance, ...]:
    """Every holder's balance in every settled currency, by holder, then currency; or one holder's alone.

    Derived from the placements again. `size`: of the ledger; `today`: a day, `YYYY-MM-DD`, whose threshold
    says what is payable. Raises NotAHolder for an id that is not in the
    ledger, and VerificationFailed if a settlement does not follow from its entries.
    """
    books = usage.books
    if holder is not None:
        check_holder(books, holder)
    divisions = rederive(usage, [(period, entry) for _, period, entry in books.settlements])
    currencies = sorted({division.currency for division in divisions})
    gone = {stem for stem in books.stems if books.rights.withdrawn(stem, size - 1)}
    sums = {(who, currency): _Sums() for who in books.holders for currency in currencies}
    for division in divisions:
        gave = set()
        for stem in division.stems:
            for line in stem.lines:
                late = line.period != division.period.text
                for side, parts in enumerate((line.master, line.publishing)):
                    for part in parts:
                        account = sums.setdefault((part.holder, division.currency), _Sums())
                        account.sides[side] += part.amount
                        account.adjusted += part.amount if late else 0
                        account.frozen += part.amount if stem.stem in gone else 0
                        if part.amount:
                            gave.add(part.holder)
        for who in gave:
            sums[who, division.currency].settlements += 1
    least = threshold(books, today, size)
    return tuple(
        _balance(books, who, currency, account, size, least)
        for (who, currency), account in sorted(sums.items(), key=lambda each: each[0])
        if holder in (None, who)
    )


def check_holder(books: Books, holder: str) -> None:
    """Raise NotAHolder for an id that is not in the ledger."""
    if holder not in books.holders:
        raise NotAHolder(f"the ledger has no holder {holder}; see 'stemloom vault holder list'")


class _Sums:
    def __init__(self) -> None:
        self.sides = [0, 0]
        self.adjusted = self.frozen = self.settlements = 0


def _balance(books: Books, who: str, currency: str, account: _Sums, size: int, least: int) -> Balance:
    earned = sum(account.sides)
    paid = sum(each.amount for each in payments(books, who, currency, -1, size - 1))
    return Balance(
        who,
        currency,
        account.settlements,
        account.sides[0],
        account.sides[1],
        earned - account.adjusted,
        account.adjusted,
        paid,
        frozen_part(account.frozen, earned - paid),
        earned - paid,
        payable(earned - paid, currency, least),
    )


def payments(books: Books, holder: str, currency: str, above: int, last: int) -> list[Payment]:
    """A holder's payouts and corrections of them, among the entries after `above` up to `last`."""
    found = []
    for index, entry in books.payouts:
        if entry.holder != holder or entry.currency != currency:
            continue
        if above < index <= last:
            found.append(Payment(index, entry.time, entry.amount, entry.reference))
        for at, each in books.corrections.get(index, ()):
            if above < at <= last:
                found.append(Payment(at, each.time, each.amount, each.reason, index))
    return sorted(found, key=lambda each: each.index)


def threshold(books: Books, today: str, size: int) -> int:
    """The least amount that is paid out on a day, `YYYY-MM-DD`, in micro-units of any currency."""
    return in_force(books, Period.parse(f"{today}..{today}"), size - 1).terms.threshold


def payable(closing: int, currency: str, least: int) -> int:
    """The part of a balance that can be paid out: whole coins, from the threshold on, at most `LARGEST`."""
    some = min(max(closing, 0), LARGEST)
    whole = some - some % coin(currency)
    return whole if closing >= least else 0


def frozen_part(frozen: int, closing: int) -> int:
    """The frozen part of a balance, where withdrawn stems earned `frozen`: the rest is paid first."""
    return max(0, min(frozen, closing))
