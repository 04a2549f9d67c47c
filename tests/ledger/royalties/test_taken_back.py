"""Money that is taken back is taken from those who got it, and from nobody else."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.debts import owing
from stemloom.ledger.division.division import rederive
from stemloom.ledger.division.funds import LateMoney
from stemloom.ledger.division.settlements import judge_settlements
from stemloom.ledger.division.treasury import Treasury
from stemloom.ledger.entries.entries import Correction
from stemloom.ledger.royalties.accounting_formats import beancount_text
from stemloom.ledger.royalties.balance import balances
from stemloom.ledger.royalties.payouts import record_payouts
from stemloom.ledger.royalties.recompute import recompute
from stemloom.ledger.royalties.record import record_correction
from stemloom.ledger.royalties.settle import settle, settlement_entry
from stemloom.ledger.royalties.statement import Statements, statement
from stemloom.ledger.royalties.statement_page import statement_page
from stemloom.ledger.royalties.statement_schema import Debt, to_bytes
from stemloom.ledger.verify.verify import verify

from .outline import Outline
from .settled_home import Home
from .test_late import a_year

DAY = "2026-11-03..2026-11-03"


def three(story: Any) -> Any:
    told = story()
    told.holder("ada", "ben", "mallory", time="2026-01-01T00:00:00.000Z")
    for title, who in (("Pad", "ada"), ("Bass", "ben"), ("Noise", "mallory")):
        told.stem(title, who, time="2026-01-01T00:00:00.000Z")
    return told


def test_a_days_income_corrected_to_nothing_is_not_paid_by_the_next_month(story: Any) -> None:
    """Mallory sounds alone on one day; Ada, who sounds in December, earns all of December's income."""
    told = three(story)
    told.place("Noise", 10, "2026-11-03T10:00:00.000Z")
    of = told.income(1000, DAY)
    told.settle(DAY)
    told.take_back(of, 1000)
    told.place("Pad", 10, "2026-12-05T00:00:00.000Z")
    told.income(1000, "2026-12")
    division = told.settle("2026-12")[2]
    assert [division.of(told.h(name)) for name in ("ada", "mallory")] == [1000, 0]


def test_a_raise_for_others_that_is_taken_back_is_not_owed_by_the_first(story: Any) -> None:
    """Mallory's placements of October come late, and a raise of October's income is mostly hers."""
    told = three(story)
    told.place("Pad", 1, "2026-10-05T00:00:00.000Z")
    of = told.income(1000, "2026-10")
    told.settle("2026-10")
    told.place("Noise", 999, "2026-10-05T00:00:00.000Z")
    told.correct(of, 1_000_000, "receivers")
    told.settle("2026-11")
    told.take_back(of, 1_000_000)
    told.place("Pad", 10, "2026-12-05T00:00:00.000Z")
    told.income(5000, "2026-12")
    told.settle("2026-12")
    assert sum(told.owed("ada")) == 1000
    assert sum(told.owed("mallory")) == 999_000


def test_late_income_of_others_that_is_taken_back_is_not_owed_by_the_first(story: Any) -> None:
    """So it is where the correction is the first entry that states the rule."""
    told = three(story)
    told.place("Pad", 1, "2026-10-05T00:00:00.000Z")
    told.income(1000, "2026-10")
    told.settle("2026-10")
    told.place("Noise", 999, "2026-10-05T00:00:00.000Z")
    of = told.income(1_000_000, "2026-10")
    told.settle("2026-11")
    told.take_back(of, 1_000_000)
    told.settle("2026-12")
    assert told.owed("ada") == (1000, 0)
    assert told.owed("mallory") == (999_000, 0)


def october(story: Any, currency: str = "EUR") -> tuple[Any, int]:
    """Of the 100 of October Ada was given 60, Ben 40."""
    told = three(story)
    told.place("Pad", 6, "2026-10-05T00:00:00.000Z")
    told.place("Bass", 4, "2026-10-05T00:00:00.000Z")
    of = told.income(100, "2026-10", currency)
    told.settle("2026-10", currency)
    return told, of


def month(told: Any, period: str, income: int, **heard: int) -> None:
    for title, ms in heard.items():
        told.place(title, ms, f"{period}-05T00:00:00.000Z")
    told.income(income, period)
    told.settle(period)


def test_the_example_of_the_documents(story: Any) -> None:
    told, of = october(story)
    told.take_back(of, 50)
    month(told, "2026-11", 100, Pad=10, Bass=45, Noise=45)
    made = Statements(told.usage, told.seal, "log", "key", "2026-11", told.names)
    ada, ben, mallory = (made.of(told.h(name)) for name in ("ada", "ben", "mallory"))
    assert [(each.amount, each.set_off, each.closing) for each in (ada, ben, mallory)] == [
        (10, 10, 60),
        (45, 20, 65),
        (45, 0, 45),
    ]
    assert isinstance(ada.debt, Debt)
    assert isinstance(ben.debt, Debt)
    assert [(each.given, each.of_all, each.amount) for each in ada.debt.changes] == [(60, 50, 30)]
    assert [each.reference for each in ada.debt.changes[0].corrections] == ["a typing error"]
    assert (ada.debt.after, ben.debt.after) == (20, 0)
    assert (ada.gross, ada.taken_back, ada.owed, ada.pool) == (100, 50, 50, 100)
    told.correct(of, 50, "receivers")
    told.settle("2026-12")
    made = Statements(told.usage, told.seal, "log", "key", "2026-12", told.names)
    ada, ben = (made.of(told.h(name)) for name in ("ada", "ben"))
    assert [(each.amount, each.set_off, each.closing) for each in (ada, ben)] == [(0, -10, 70), (0, -20, 85)]
    assert [each.owed for each in (ada, ben)] == [-50, -50]
    assert told.owed("ada") == told.owed("ben") == (0, 0)


def test_who_earns_nothing_more_keeps_the_debt_and_is_asked_for_nothing(story: Any) -> None:
    told, of = october(story)
    told.pay("ada", 60)
    told.take_back(of, 100)
    waiting = Treasury(told.usage.books).late_money(len(told.entries) - 1)
    assert waiting == (LateMoney("EUR", 0, 0, 0, 100),)
    for period in ("2026-11", "2026-12"):
        month(told, period, 100, Noise=1)
    found = {each.holder: each for each in balances(told.usage, len(told.entries), "2027-01-01")}
    ada, ben, mallory = (found[told.h(name)] for name in ("ada", "ben", "mallory"))
    assert [(each.closing, each.debt, each.payable) for each in (ada, ben, mallory)] == [
        (0, 60, 0),
        (40, 40, 0),
        (200, 0, 0),
    ]


def test_a_debt_counts_in_its_currency_alone(story: Any) -> None:
    told, of = october(story, "USD")
    told.take_back(of, 100)
    month(told, "2026-11", 100, Pad=1)
    assert told.owed("ada") == (0, 0)
    told.income(100, "2026-11", "USD")
    told.settle("2026-11", "USD")
    assert [each.get(told.h("ada")) for each in told.owings("USD")][-1].set_off == 60


def test_nobody_owes_for_income_that_another_was_given(story: Any) -> None:
    """Two incomes of October, one in time and one late, each to another: each owes for their own."""
    told = three(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10")
    told.place("Bass", 30, "2026-10-06T00:00:00.000Z")
    late = told.income(40, "2026-10")
    told.settle("2026-11")
    told.take_back(late, 40)
    told.settle("2026-12")
    assert [told.owed(name) for name in ("ada", "ben")] == [(10, 0), (30, 0)]


def test_a_correction_that_falls_and_rises_in_one_settlement_leaves_nothing(story: Any) -> None:
    told, of = october(story)
    told.take_back(of, 100)
    told.correct(of, 100, "receivers")
    month(told, "2026-11", 100, Noise=1)
    assert [told.owed(name) for name in ("ada", "ben")] == [(0, 0), (0, 0)]


def test_what_nobody_was_given_is_owed_by_nobody(story: Any) -> None:
    told = three(story)
    of = told.income(100, "2026-10")
    assert told.settle("2026-10")[2].unallocated == 100
    told.take_back(of, 100)
    told.place("Noise", 9, "2026-10-05T00:00:00.000Z")
    told.correct(of, 100, "receivers")
    month(told, "2026-11", 100, Pad=1)
    assert told.owed("mallory") == (0, 0)
    told.take_back(of, 100)
    told.settle("2026-12")
    assert told.owed("mallory") == (100, 0)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_money_is_neither_made_nor_lost_at_any_step(story: Any, seed: int) -> None:
    """What holders get, is kept back and unallocated, less what they still owe, is what came in."""
    told = a_year(story, Random(seed))
    books = told.usage.books
    settled = books.settlements
    divisions = rederive(told.usage, [(period, entry) for _, period, entry in settled])
    got = other = owed = 0
    for at, (division, owes) in enumerate(zip(divisions, owing(divisions), strict=True)):
        funds, periods = division.funds, [period for _, period, _ in settled[: at + 1]]
        got += sum(each.master + each.publishing for each in division.settled_holders)
        got -= sum(each.set_off for each in owes.values())
        other += division.unallocated - funds.not_given - funds.short
        other += sum(line.gross - line.for_holders for line in funds.income)
        owed += sum(each.after - each.before for each in owes.values())
        assert got + other - owed - funds.carried_out == sum(
            books.money(index, income.amount, division.last)
            for index, of, income in books.income
            if index <= division.last and any(period.covers(of) for period in periods)
        )
        for each in owes.values():
            assert each.before + sum(change.amount for change in each.changes) - each.set_off == each.after
            assert each.after >= 0
            assert all(change.amount <= change.given for change in each.changes)
    assert owed == sum(each.after for each in owing(divisions)[-1].values())


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_what_corrections_take_back_changes_nothing_that_is_earned(story: Any, seed: int) -> None:
    """Where the rule is stated, every settlement earns the same as without the falls."""
    chance, earned = Random(seed), []
    falls = [chance.random() < 0.7 for _ in range(6)]
    for corrected in (True, False):
        told, chance = three(story), Random(seed)
        told.terms("2026-01-01T00:00:00.000Z", borne_by="receivers")
        for at, fall in enumerate(falls):
            period = f"2026-{at + 1:02d}"
            for title in ("Pad", "Bass", "Noise"):
                told.place(title, chance.randrange(1000), f"{period}-05T00:00:00.000Z")
            of = told.income(chance.randrange(1, 10**6), period)
            told.settle(period)
            if fall and corrected:
                told.take_back(of, chance.randrange(1, told.entries[of].amount + 1))
            else:
                chance.randrange(1, told.entries[of].amount + 1) if fall else None
        settled = [(period, entry) for _, period, entry in told.usage.books.settlements]
        earned.append([each.settled_holders for each in rederive(told.usage, settled)])
    assert earned[0] == earned[1]


def test_by_the_rule_of_before_it_is_said_who_bore_it(story: Any) -> None:
    told, of = october(story)
    told.correct(of, -100)
    month(told, "2026-11", 100, Noise=1)
    entries = [(index, entry) for index, _, entry in told.usage.books.settlements]
    judged = judge_settlements(entries, told.read)
    assert judged.problems == {}
    ((said,),) = judged.weaker.values()
    assert list(judged.weaker) == [entries[-1][0]]
    assert "came out of what others earned, not from those who had been given it" in said


def test_a_settlement_that_did_not_read_the_rule_is_wrong(story: Any) -> None:
    """An operator who has the log's key leaves out the entry that states the rule."""
    told, of = october(story)
    told.correct(of, -100)
    told.place("Noise", 1, "2026-11-05T00:00:00.000Z")
    told.income(100, "2026-11")
    division = told.divide("2026-11")
    assert division.for_holders == 0
    stated = told.terms("2027-01-01T00:00:00.000Z", borne_by="receivers")
    entry = settlement_entry(division, told.seal.root, "2026-12-01T08:00:00.000Z")
    index = told.add(entry)
    (problem,) = judge_settlements([(index, entry)], told.read).problems[index]
    assert problem.endswith(
        f"not entry {stated}, which states who bears corrections and how long periods are"
    )


LATER = FixedClock("2025-04-02T00:00:00.000Z")
MAY = FixedClock("2025-05-02T00:00:00.000Z")


@pytest.fixture
def owed_home(home: Home) -> tuple[Home, int]:
    """March was settled and paid; half of its income was corrected away; April is Ben's late milliseconds."""
    of = home.income(1_000_000)
    settle(home.log, "2025-03", clock=LATER)
    record_payouts(home.log, "EUR", "run", clock=LATER)
    index, entry, _ = record_correction(home.log, of, 500_000, "inv-1 was paid in part", LATER)
    assert isinstance(entry, Correction)
    assert entry.borne_by == "receivers"
    home.income(100_000, clock=LATER)
    settle(home.log, "2025-04", clock=MAY)
    return home, index


def test_a_statement_says_what_is_owed_and_why_and_follows_from_the_log(
    owed_home: tuple[Home, int], tmp_path: Any
) -> None:
    home, index = owed_home
    made = statement(home.log, home.ben, "2025-04", home.names)
    assert isinstance(made.debt, Debt)
    (change,) = made.debt.changes
    assert [each.index for each in change.corrections] == [index]
    assert (change.of_all, made.debt.set_off) == (500_000, made.amount)
    text = Outline(statement_page(made)).text
    for words in ("What you owe, and why", "inv-1 was paid in part", "Nobody asks you to pay it"):
        assert words in text
    path = tmp_path / "ben.json"
    path.write_bytes(to_bytes(made))
    assert recompute(path, home.path).statement == made
    said = json.loads(path.read_bytes())
    said["debt"]["changes"][0]["amount"] -= 1
    path.write_text(json.dumps(said))
    with pytest.raises(Exception, match=r"debt.changes\[0\].amount"):
        recompute(path, home.path)
    assert verify(home.path).ok
    assert verify(home.path).warnings == ()


def test_balances_and_double_entry_have_what_is_owed(owed_home: tuple[Home, int]) -> None:
    home, _ = owed_home
    usage, size = home.usage, home.log.size
    found = balances(usage, size, "2025-06-01")
    assert sum(each.debt + each.set_off for each in found) == 500_000
    assert all(each.closing == each.accrued + each.adjusted - each.set_off - each.paid for each in found)
    books = usage.books
    divisions = rederive(usage, [(period, entry) for _, period, entry in books.settlements])
    numbered = [(at, made) for (at, _, _), made in zip(books.settlements, divisions, strict=True)]
    loader = pytest.importorskip("beancount.loader")
    _, errors, _ = loader.load_string(beancount_text(books, numbered, found, size))
    assert errors == []
