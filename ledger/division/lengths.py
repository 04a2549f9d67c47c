"""How long the periods are that are settled: calendar months, unless the terms said otherwise in advance.

If anybody could choose the days after they were heard, income could be steered to whoever was heard in them.
A length holds for a calendar period if the terms that were in force at its start state it.
"""

from __future__ import annotations

from datetime import date, timedelta

from ..entries.entries import PeriodLength
from .books import Books
from .errors import BadPeriod
from .periods import Period
from .terms import in_force

_SAID = {"month": "a whole month", "quarter": "a whole quarter", "year": "a whole year", "days": "any days"}


def refuse_period(books: Books, period: Period, currency: str, at: int | None = None) -> None:
    """Raise BadPeriod for a period that no settlement may have. `at`: the entry that settles it, if written.

    Ledgers of before are settled to their end: income that was recorded for these very days then, and the
    days that are left of a month of which the others are settled.
    """
    last = books.size - 1 if at is None else at - 1
    unit = _unit(books, period.first_day, last)
    if unit is None:
        if all(_unit(books, day, last) is None for day in _months(period)):
            return
    elif unit.same_days(period) or _rest_of(books, unit, period, currency, last):
        return
    if _recorded_before(books, period, currency):
        return
    raise BadPeriod(_refusal(books, period, unit, last, "a settlement is of"))


def refuse_income_period(books: Books, period: Period, at: int | None = None) -> None:
    """Raise BadPeriod for income of a period that is not of whole months within one that can be settled.

    `at`: the entry of the income, if it is written.
    """
    last = books.size - 1 if at is None else at - 1
    unit = _unit(books, period.first_day, last)
    if unit is None:
        if all(_unit(books, day, last) is None for day in _months(period)):
            return
    elif unit.covers(period) and period.first_day.day == 1 and (period.last_day + timedelta(1)).day == 1:
        return
    raise BadPeriod(_refusal(books, period, unit, last, "income is of whole months within"))


def weaker_period(books: Books, period: Period, index: int) -> str | None:
    """What a settlement of before, at an index, leaves open by the days that it settles, if anything."""
    if books.stated is not None and books.stated < index:
        return None
    unit = _unit(books, period.first_day, index - 1)
    if unit is not None and not unit.same_days(period):
        return (
            f"{period.text} is not a whole month, and the ledger did not state then how long periods are: "
            "the days may have been chosen after it was known who was heard in them"
        )
    return None


def length_in_force(books: Books, day: date, last: int) -> PeriodLength:
    """The length that the terms state for periods that begin in the month of a day."""
    stated = in_force(books, _month(day), last).terms.periods
    return stated if isinstance(stated, str) else "month"


def _unit(books: Books, day: date, last: int) -> Period | None:
    """The calendar period in which a day is settled; None for one that any days can be chosen around."""
    if length_in_force(books, date(day.year, 1, 1), last) == "year":
        return Period.parse(f"{day.year:04d}")
    quarter = (day.month + 2) // 3
    if length_in_force(books, date(day.year, 3 * quarter - 2, 1), last) == "quarter":
        return Period.parse(f"{day.year:04d}-Q{quarter}")
    return None if length_in_force(books, day, last) == "days" else _month(day)


def _month(day: date) -> Period:
    return Period.parse(f"{day.year:04d}-{day.month:02d}")


def _months(period: Period) -> list[date]:
    """A day of each month of a period."""
    days = [period.first_day]
    while (after := _month(days[-1]).last_day + timedelta(1)) <= period.last_day:
        days.append(after)
    return days


def _rest_of(books: Books, unit: Period, period: Period, currency: str, last: int) -> bool:
    """Whether all days of `unit` but those of `period` are settled."""
    if not unit.covers(period):
        return False
    settled = [of for _, of, _ in books.settled_before(currency, last)]
    days = (unit.first_day + timedelta(number) for number in range(unit.days))
    others = (day for day in days if not period.first_day <= day <= period.last_day)
    return all(any(of.first_day <= day <= of.last_day for of in settled) for day in others)


def _recorded_before(books: Books, period: Period, currency: str) -> bool:
    """Whether there is income of these days from before the ledger stated how long periods are."""
    return any(
        of.same_days(period) and entry.currency == currency and (books.stated is None or index < books.stated)
        for index, of, entry in books.income
    )


def _refusal(books: Books, period: Period, unit: Period | None, last: int, what: str) -> str:
    length = length_in_force(books, period.first_day, last) if unit is None else _length_of(unit)
    instead = "" if unit is None else f", here {unit.text}"
    return (
        f"{what} {_SAID[length]}{instead}, and {period.text} is not; another length must be stated before "
        "the period begins: 'stemloom royalty terms set --periods days --from DATE'"
    )


def _length_of(unit: Period) -> PeriodLength:
    return "month" if unit.days < 32 else "quarter" if unit.days < 100 else "year"
