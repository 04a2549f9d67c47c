"""The entries of money that a person writes: income, terms, and corrections of mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..clock import Clock, milliseconds_of
from ..division.books import Books
from ..division.errors import BadAmount, BadPeriod, BadTerms, NotPayable
from ..division.money import LARGEST, check_currency, decimal_text, money_text
from ..division.periods import Period
from ..division.settlements import refuse_future, refuse_settled
from ..division.terms import SOURCES, in_force
from ..division.treasury import Treasury
from ..division.usage import Usage
from ..entries.entries import WHOLE_PPM, Correction, Entry, Income, Payout, Source, Terms
from ..errors import NoSuchEntry
from .balance import balances
from .engines import books_of, usage_of
from .money_lock import at_checkpoint, money_lock

if TYPE_CHECKING:
    from ..log.log import Log


@dataclass(frozen=True, slots=True)
class RecordedIncome:
    """Income that was written.

    `late_of`: the settled period for which it came too late; None if it was in time. `like`: an earlier entry
    of the same reference, period, source and currency, if there is one.
    """

    index: int
    entry: Income
    late_of: str | None
    like: int | None


def record_income(
    log: Log,
    amount: int,
    currency: str,
    source: Source,
    period: Period | str,
    reference: str,
    clock: Clock | None = None,
) -> RecordedIncome:
    """Append income of `amount` micro-units for `period`.

    Income of a period that was settled is late: the next settlement in its currency divides it. Raises
    BadAmount (also where the income would outgrow what a settlement can hold), UnknownCurrency, BadPeriod if
    the period has not begun, AlreadySettled if a part of it was settled, but not all.
    """
    clock = clock or log.clock
    period = Period.parse(period) if isinstance(period, str) else period
    check_currency(currency)
    if not 0 < amount <= LARGEST:
        raise BadAmount(f"income is more than 0 and at most {money_text(LARGEST, currency)}")
    check_text(reference, "the reference of an income", "an invoice number")
    refuse_future(period, clock.now())
    with money_lock(log.home):
        books = books_of(log, at_checkpoint(log))
        late = late_of(books, period, currency)
        if late is None:
            refuse_settled(books, period, currency)
        _refuse_flood(books, amount, currency)
        entry = Income(
            time=clock.now(),
            source=source,
            currency=currency,
            amount=amount,
            period=period.text,
            reference=reference,
        )
        (index,) = log.append((entry,))
    wanted = (reference, source, currency)
    like = [
        at
        for at, of, each in books.income
        if (each.reference, each.source, each.currency) == wanted and of.same_days(period)
    ]
    return RecordedIncome(index, entry, late, like[-1] if like else None)


def record_terms(
    log: Log,
    effective: str,
    *,
    pool_ppm: Mapping[Source, int] | None = None,
    master_ppm: int | None = None,
    threshold: int | None = None,
    clock: Clock | None = None,
) -> tuple[int, Terms]:
    """Append terms for periods that start at or after `effective`; gives their index and entry.

    Arguments left out are taken from the terms in force at that time. Raises BadTerms for shares beyond the
    whole, and for terms that reach back: to before they are written, or to the start of a settled period.
    """
    clock = clock or log.clock
    try:
        milliseconds_of(effective)
        day = Period.parse(f"{effective[:10]}..{effective[:10]}")
    except (ValueError, BadPeriod) as error:
        said = effective.removesuffix("T00:00:00.000Z")
        raise BadTerms(f"{said!r} is not a time that terms can take effect; write 2026-12-01") from error
    for ppm in (*(pool_ppm or {}).values(), master_ppm or 0):
        if not 0 <= ppm <= WHOLE_PPM:
            raise BadTerms(f"a share is 0 to {WHOLE_PPM} parts per million, and {ppm} is not")
    if threshold is not None and not 0 <= threshold <= LARGEST:
        raise BadTerms(f"a threshold is 0 to {decimal_text(LARGEST)}")
    if strange := set(pool_ppm or {}) - set(SOURCES):
        raise BadTerms(f"there is no source {', '.join(sorted(strange))}; there are {', '.join(SOURCES)}")
    with money_lock(log.home):
        now = clock.now()
        if effective < now:
            raise BadTerms(
                f"terms cannot take effect before they are written, and today is {now[:10]}: what was heard "
                "and came in before went by those that held then"
            )
        books = books_of(log, at_checkpoint(log))
        _refuse_reaching_back(books, effective)
        before = in_force(books, day, books.size - 1)
        given = pool_ppm or {}
        entry = Terms(
            time=now,
            effective=effective,
            pool_ppm=tuple((source, given.get(source, before.holders_ppm(source))) for source in SOURCES),
            master_ppm=before.terms.master_ppm if master_ppm is None else master_ppm,
            threshold=before.terms.threshold if threshold is None else threshold,
        )
        (index,) = log.append((entry,))
    return index, entry


def record_correction(
    log: Log, corrects: int, to: int, reason: str, clock: Clock | None = None, *, overpaid: bool = False
) -> tuple[int, Correction, int]:
    """Write that the income or payout at an index should have been `to` micro-units; 0 for nothing.

    A settlement stays as it is; the next one in the currency takes in the difference. `overpaid`: a payout
    was of more than the holder's balance, which falls below 0. Gives the index, the entry and the amount
    until now. Raises NoSuchEntry, BadAmount where the amount is `to` already, AlreadySettled for income of a
    period of which a part was settled without it, NotPayable.
    """
    clock = clock or log.clock
    check_text(reason, "the reason of a correction", "what was mistaken")
    if not 0 <= to <= LARGEST:
        raise BadAmount(f"an amount is 0 to {decimal_text(LARGEST)}")
    with money_lock(log.home):
        seal = at_checkpoint(log)
        books = books_of(log, seal)
        entry = _money_at(books, corrects)
        before = books.money(corrects, entry.amount, books.size)
        if to == before:
            raise BadAmount(f"the amount of entry {corrects} is {money_text(before, entry.currency)} already")
        if isinstance(entry, Income) and to > before:
            period = Period.parse(entry.period)
            if not late_of(books, period, entry.currency):
                refuse_settled(books, period, entry.currency)
            _refuse_flood(books, to - before, entry.currency)
        elif isinstance(entry, Payout) and to > before and not overpaid:
            with usage_of(log, seal) as usage:
                _refuse_overpaid(usage, seal.size, clock.now()[:10], entry, to - before)
        made = Correction(time=clock.now(), corrects=corrects, amount=to - before, reason=reason)
        (index,) = log.append((made,))
    return index, made, before


def _refuse_overpaid(usage: Usage, size: int, today: str, entry: Payout, more: int) -> None:
    found = balances(usage, size, today, entry.holder)
    closing = sum(each.closing for each in found if each.currency == entry.currency)
    if more > closing:
        raise NotPayable(
            f"the balance is {money_text(closing, entry.currency)}, and this correction takes "
            f"{money_text(more, entry.currency)} of it; if that much was paid, add --overpaid"
        )


def _money_at(books: Books, index: int) -> Income | Payout:
    money: Sequence[tuple[int, Entry]] = [(at, entry) for at, _, entry in books.income]
    for at, entry in (*money, *books.payouts):
        if at == index and isinstance(entry, Income | Payout):
            return entry
    raise NoSuchEntry(
        f"entry {index} is neither income nor a payout; see 'stemloom ledger show --kind income'"
    )


def late_of(books: Books, period: Period, currency: str) -> str | None:
    """The settled period for which income of `period` comes too late, if one contains all of it."""
    for _, settled, entry in books.settlements:
        if entry.currency == currency and settled.covers(period):
            return entry.period
    return None


def check_text(text: str, what: str, such_as: str) -> None:
    """Raise BadAmount for a text that an entry cannot hold."""
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise BadAmount(f"{what} is 1 to 200 printable characters, such as {such_as}")


def _refuse_flood(books: Books, amount: int, currency: str) -> None:
    """Raise BadAmount for income that makes the unsettled sum larger than one settlement can hold."""
    settled = [period for _, period, entry in books.settlements if entry.currency == currency]
    unsettled = sum(
        books.money(index, entry.amount, books.size)
        for index, of, entry in books.income
        if entry.currency == currency and not any(done.covers(of) for done in settled)
    )
    late = Treasury(books).late_money(books.size - 1)
    unsettled += sum(each.gross for each in late if each.currency == currency)
    if unsettled + amount > LARGEST:
        raise BadAmount(
            f"with {money_text(unsettled, currency)} not yet settled this makes more than one settlement can "
            f"hold, which is {money_text(LARGEST, currency)}; settle what is there first"
        )


def _refuse_reaching_back(books: Books, effective: str) -> None:
    for index, period, entry in books.settlements:
        if effective <= period.start:
            raise BadTerms(
                f"terms from {effective[:10]} would reach back behind {entry.period}, which was settled at "
                f"entry {index}; let them take effect after {period.first_day}"
            )
