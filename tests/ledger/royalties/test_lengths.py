"""Periods are calendar months, unless terms said otherwise in advance: nobody picks the days afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.division import divide_period
from stemloom.ledger.division.errors import BadPeriod
from stemloom.ledger.division.lengths import refuse_income_period, refuse_period
from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.settlements import judge_settlements
from stemloom.ledger.entries.entries import Settlement
from stemloom.ledger.royalties.money_lock import at_checkpoint
from stemloom.ledger.royalties.recompute import recompute
from stemloom.ledger.royalties.record import record_correction, record_income, record_terms
from stemloom.ledger.royalties.settle import settle, settlement_entry
from stemloom.ledger.royalties.statement import statement
from stemloom.ledger.royalties.statement_schema import to_bytes
from stemloom.ledger.verify.verify import verify

from .. import making
from .settled_home import NOW, Home

LATER = FixedClock("2025-04-02T00:00:00.000Z")
DAY = "2025-03-05..2025-03-05"


def days_of_before(home: Home, amount: int = 1_000_000, period: str = DAY, time: str = NOW.now()) -> int:
    """Income of days, as a ledger of before may have it."""
    said: dict[str, Any] = {"source": "sync", "currency": "EUR", "period": period, "reference": "inv-1"}
    return home.log.append((making.income(amount - 1, time=time, **said),))[0]


@pytest.mark.parametrize("period", [DAY, "2025-Q1", "2025", "2025-03-05..2025-04-04"])
def test_income_of_picked_days_is_refused_and_settled_by_nobody(home: Home, period: str) -> None:
    with pytest.raises(BadPeriod, match=r"a whole month, here 2025-0[13].*--periods"):
        record_income(home.log, 5, "EUR", "sync", period, "inv-1", FixedClock("2026-02-01T00:00:00.000Z"))
    home.income()
    with pytest.raises(BadPeriod, match=r"a whole month, here 2025-0[13].*--periods"):
        settle(home.log, period, "EUR", FixedClock("2026-02-01T00:00:00.000Z"))


def test_a_month_may_be_named_by_its_days(home: Home) -> None:
    record_income(home.log, 5, "EUR", "sync", "2025-03-01..2025-03-31", "inv-1", LATER)
    settle(home.log, "2025-03-01..2025-03-31", clock=LATER)


def test_an_old_income_of_a_day_cannot_be_raised(home: Home) -> None:
    """One micro-unit of a ledger of before is no way to pay out a million for one day."""
    index = days_of_before(home, 1)
    with pytest.raises(BadPeriod, match="of whole months within a whole month"):
        record_correction(home.log, index, 10**12, "it was more", LATER)


def test_days_of_before_are_settled_and_what_is_weaker_is_said(home: Home, tmp_path: Any) -> None:
    days_of_before(home)
    index = settle(home.log, DAY, clock=LATER).index
    report = verify(home.path)
    assert report.ok
    (said,) = report.warnings
    assert said.index == index
    assert "the days may have been chosen after it was known who was heard in them" in said.detail
    path = tmp_path / "ada.json"
    path.write_bytes(to_bytes(statement(home.log, home.ada, DAY, home.names)))
    assert "the days may have been chosen" in recompute(path, home.path).weaker[0]


def test_the_days_that_are_left_of_a_month_can_be_settled_together(home: Home) -> None:
    days_of_before(home)
    settle(home.log, DAY, clock=LATER)
    for period in ("2025-03-01..2025-03-04", "2025-03-06..2025-03-31"):
        days_of_before(home, period=period, time=LATER.now())
    settle(home.log, "2025-03-01..2025-03-04", clock=LATER, unallocated=True)
    home.log.append((making.income(5, time=LATER.now(), period="2025-03-07..2025-03-09", currency="EUR"),))
    settle(home.log, "2025-03-06..2025-03-31", clock=LATER, unallocated=True)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("period", ["2026-11-03..2026-11-03", "2026-11"])
def test_of_a_stated_rule_days_that_are_picked_do_not_verify(story: Any, stated: bool, period: str) -> None:
    """An operator who has the log's key settles a day, or counts a day's income, all the same."""
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    if stated:
        told.terms("2026-10-01T00:00:00.000Z", periods="month")
    told.place("Pad", 10, "2026-11-03T10:00:00.000Z")
    told.income(100, "2026-11-03..2026-11-03")
    index, entry, _ = told.settle(period)
    judged = judge_settlements([(index, entry)], told.read)
    assert bool(judged.problems) == stated
    if stated:
        assert "here 2026-11" in judged.problems[index][0]


def test_a_raise_after_the_rule_was_stated_does_not_verify(story: Any) -> None:
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    told.place("Pad", 10, "2026-11-03T10:00:00.000Z")
    of = told.income(1, "2026-11-03..2026-11-03")
    told.correct(of, 10**9, "receivers")
    index, entry, _ = told.settle("2026-11-03..2026-11-03")
    (problem,) = judge_settlements([(index, entry)], told.read).problems[index]
    assert problem.startswith("it counts the income at entry 3: income is of whole months")


def test_income_of_a_day_that_was_settled_before_does_not_grow(home: Home) -> None:
    """Late income goes by its own period: a day of a ledger of before would be paid again, by choice."""
    index = days_of_before(home, 1000)
    settle(home.log, DAY, clock=LATER)
    with pytest.raises(BadPeriod, match="of whole months within a whole month"):
        record_income(home.log, 10**9, "EUR", "sync", DAY, "inv-2", LATER)
    with pytest.raises(BadPeriod, match="of whole months within a whole month"):
        record_correction(home.log, index, 1001, "it was more", LATER)
    record_correction(home.log, index, 0, "a mistake", LATER)
    record_correction(home.log, index, 1000, "no mistake", LATER)


@pytest.mark.parametrize("raised", [True, False])
def test_late_income_of_a_day_does_not_verify(story: Any, raised: bool) -> None:
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    told.place("Pad", 10, "2026-11-03T10:00:00.000Z")
    of = told.income(100, "2026-11-03..2026-11-03")
    told.settle("2026-11-03..2026-11-03")
    told.terms("2026-12-01T00:00:00.000Z", periods="month")
    if raised:
        told.correct(of, 1, "receivers")
    else:
        told.income(1, "2026-11-03..2026-11-03")
    index, entry, _ = told.settle("2026-12")
    (problem,) = judge_settlements([(index, entry)], told.read).problems[index]
    assert "income is of whole months within a whole month, here 2026-11" in problem


def terms_of(story: Any, *lengths: tuple[str, str]) -> Any:
    told = story()
    for day, length in lengths:
        told.terms(f"{day}T00:00:00.000Z", periods=length)
    return told.usage.books


def settled(books: Any, period: str) -> bool:
    try:
        refuse_period(books, Period.parse(period), "EUR")
    except BadPeriod:
        return False
    return True


def test_a_length_holds_from_the_beginning_of_a_calendar_period(story: Any) -> None:
    books = terms_of(story, ("2026-05-10", "quarter"), ("2027-02-01", "year"), ("2028-06-01", "days"))
    yes = ("2026-05", "2026-06", "2026-Q3", "2026-Q4", "2027-Q1", "2028", "2029-01-03..2029-02-07")
    no = ("2026-Q2", "2026-07", "2026", "2027", "2027-01", "2028-07", "2028-12-30..2029-01-02", "2030-Q1")
    assert [each for each in yes if not settled(books, each)] == []
    # In 2029 any days can be settled, those of a quarter too.
    assert [each for each in no if settled(books, each)] == ["2030-Q1"]


def test_income_is_of_whole_months_within_a_period(story: Any) -> None:
    books = terms_of(story, ("2026-01-01", "quarter"))
    for period in ("2026-02", "2026-Q1", "2026-01-01..2026-02-28"):
        refuse_income_period(books, Period.parse(period))
    for period in ("2026-02-01..2026-02-14", "2026-03-01..2026-04-30", "2026"):
        with pytest.raises(BadPeriod, match="a whole quarter, here 2026-Q1"):
            refuse_income_period(books, Period.parse(period))


def test_a_length_that_is_stated_after_something_was_heard_does_not_hold(story: Any) -> None:
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    told.place("Pad", 10, "2026-11-03T10:00:00.000Z")
    told.terms("2026-11-01T00:00:00.000Z", periods="days")
    books = told.usage.books
    assert not settled(books, "2026-11-03..2026-11-03")
    assert settled(books, "2026-12-03..2026-12-03")


def test_terms_state_the_rules_and_keep_the_length(home: Home) -> None:
    record_terms(home.log, "2025-04-01T00:00:00.000Z", periods="quarter")
    _, entry = record_terms(home.log, "2025-05-01T00:00:00.000Z", threshold=5)
    assert (entry.periods, entry.borne_by) == ("quarter", "receivers")
    record_income(home.log, 5, "EUR", "sync", "2025-Q2", "inv-1", FixedClock("2025-08-01T00:00:00.000Z"))
    made = settle(home.log, "2025-Q2", clock=FixedClock("2025-08-01T00:00:00.000Z"), unallocated=True)
    assert isinstance(made.entry, Settlement)
    assert verify(home.path).warnings == ()


def test_a_crafted_settlement_of_a_day_is_refused_by_verify(home: Home) -> None:
    record_terms(home.log, "2025-04-01T00:00:00.000Z")
    days_of_before(home)
    usage, size = home.usage, home.log.size
    division = divide_period(usage, Period.parse(DAY), "EUR", size - 1)
    home.log.append((settlement_entry(division, at_checkpoint(home.log).root, LATER.now()),))
    report = verify(home.path)
    assert not report.ok
    assert "a settlement is of a whole month, here 2025-03" in report.problems[0].detail
