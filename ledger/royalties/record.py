"""Entries of money that a person writes: income and terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..clock import Clock, milliseconds_of
from ..entries import WHOLE_PPM, Income, Source, Terms
from .books import Books, gather
from .errors import BadAmount, BadPeriod, BadTerms
from .money import LARGEST, check_currency, decimal_text, money_text
from .periods import Period
from .settle import refuse_future, refuse_settled
from .terms import SOURCES, in_force
from .turn import sealed, turn

if TYPE_CHECKING:
    from ..log import Log


def record_income(
    log: Log,
    amount: int,
    currency: str,
    source: Source,
    period: Period | str,
    reference: str,
    clock: Clock | None = None,
) -> tuple[int, Income]:
    """Append income of `amount` micro-units for `period`; gives its index and entry.

    Raises BadAmount (also where the period's income would outgrow what a settlement can hold),
    UnknownCurrency, BadPeriod if the period has not begun, AlreadySettled if a part of it was settled.
    """
    clock = clock or log.clock
    period = Period.parse(period) if isinstance(period, str) else period
    check_currency(currency)
    if not 0 < amount <= LARGEST:
        raise BadAmount(f"income is more than 0 and at most {money_text(LARGEST, currency)}")
    if not reference.strip() or len(reference) > 200 or not reference.isprintable():
        raise BadAmount(
            "the reference of an income is 1 to 200 printable characters, such as an invoice number"
        )
    refuse_future(period, clock.now())
    with turn(log.home):
        books = gather(sealed(log).read())
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
    return index, entry


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

    What is left out stays as it is in the terms in force at that time. Raises BadTerms for shares beyond
    the whole, and for terms that reach back to the start of a period that was settled.
    """
    clock = clock or log.clock
    try:
        milliseconds_of(effective)
        day = Period.parse(f"{effective[:10]}..{effective[:10]}")
    except (ValueError, BadPeriod) as error:
        raise BadTerms(f"{effective!r} is not a time that terms can take effect; write 2026-12-01") from error
    for ppm in (*(pool_ppm or {}).values(), master_ppm or 0):
        if not 0 <= ppm <= WHOLE_PPM:
            raise BadTerms(f"a share is 0 to {WHOLE_PPM} parts per million, and {ppm} is not")
    if threshold is not None and not 0 <= threshold <= LARGEST:
        raise BadTerms(f"a threshold is 0 to {decimal_text(LARGEST)}")
    with turn(log.home):
        books = gather(sealed(log).read())
        _refuse_reaching_back(books, effective)
        before = in_force(books.terms, day, books.size)
        given = pool_ppm or {}
        entry = Terms(
            time=clock.now(),
            effective=effective,
            pool_ppm=tuple((source, given.get(source, before.pool_ppm(source))) for source in SOURCES),
            master_ppm=before.terms.master_ppm if master_ppm is None else master_ppm,
            threshold=before.terms.threshold if threshold is None else threshold,
        )
        (index,) = log.append((entry,))
    return index, entry


def _refuse_flood(books: Books, amount: int, currency: str) -> None:
    """Income that no settlement could hold would be stuck: refuse what makes the unsettled sum too large."""
    settled = [period for _, period, entry in books.settlements if entry.currency == currency]
    waiting = sum(
        entry.amount
        for _, period, entry in books.income
        if entry.currency == currency and not any(done.covers(period) for done in settled)
    )
    if waiting + amount > LARGEST:
        raise BadAmount(
            f"with {money_text(waiting, currency)} not yet settled this makes more than one settlement can "
            f"hold, which is {money_text(LARGEST, currency)}; settle what is there first"
        )


def _refuse_reaching_back(books: Books, effective: str) -> None:
    for index, period, entry in books.settlements:
        if effective <= period.start:
            raise BadTerms(
                f"terms from {effective[:10]} would reach back behind {entry.period}, which was settled at "
                f"entry {index}; let them take effect after {period.first_day}"
            )
