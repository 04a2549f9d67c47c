"""What enters the ledger after its period was settled: it counts once, in the next settlement."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from stemloom.ledger.division.divide import largest_remainder
from stemloom.ledger.division.division import rederive
from stemloom.ledger.division.errors import NothingToSettle
from stemloom.ledger.division.funds import LateMoney
from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.settlements import check_settlements, only_currency
from stemloom.ledger.division.treasury import Treasury
from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.royalties.balance import balances, heard_since
from stemloom.ledger.royalties.settle import settlement_entry
from stemloom.ledger.royalties.statement import Statements
from stemloom.ledger.royalties.statement_schema import Statement

from . import second_settlement

PEOPLE = ("ada", "ben", "cleo")
MONTHS = tuple(f"2026-{month:02d}" for month in range(1, 7))


def duo(story: Any) -> Any:
    told = story()
    told.holder("ada", "ben", time="2026-01-01T00:00:00.000Z")
    told.stem("Pad", "ada", time="2026-01-01T00:00:00.000Z")
    told.stem("Bass", "ben", time="2026-01-01T00:00:00.000Z")
    return told


def state(told: Any, who: str, period: str, currency: str = "EUR") -> Statement:
    only = told.h(who)
    return Statements(told.usage, told.seal, "log", "key", period, told.names, currency, only).of(only)


def test_late_placements_count_in_the_next_settlement_and_once(story: Any) -> None:
    """October is settled at 10 ms; 30 ms of it come late, beside 10 ms of November: 75 % of its pool."""
    told = duo(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10", time="2026-11-01T08:00:00.000Z")
    told.place("Pad", 30, "2026-10-31T23:59:59.999Z")
    told.place("Bass", 10, "2026-11-01T00:00:00.000Z")
    told.income(100, "2026-11")
    assert [each.ms for each in heard_since(told.usage, len(told.entries))] == [30]
    index, entry, division = told.settle("2026-11")
    assert (division.total_ms, division.late_ms) == (40, 30)
    assert check_settlements([(index, entry)], told.read) == {}
    assert [each.ms for each in heard_since(told.usage, len(told.entries))] == [0, 0]
    ada, ben = state(told, "ada", "2026-11"), state(told, "ben", "2026-11")
    assert (ada.opening, ada.accrued, ada.adjusted, ada.closing) == (100, 0, 75, 175)
    assert (ben.opening, ben.accrued, ben.adjusted, ben.closing) == (0, 25, 0, 25)
    assert [(line.period, line.late, line.ms) for line in ada.stems[0].lines] == [("2026-10", True, 30)]
    told.income(8, "2026-12")
    told.place("Bass", 1, "2026-12-01T00:00:00.000Z")
    assert told.settle("2026-12")[2].late_ms == 0


def test_each_currency_has_late_entries_of_its_own(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    for currency in ("EUR", "USD"):
        told.income(100, "2026-10", currency)
        told.income(100, "2026-11", currency)
    told.settle("2026-10", "EUR")
    told.place("Bass", 7, "2026-10-06T00:00:00.000Z")
    assert told.settle("2026-10", "USD")[2].total_ms == 17
    assert told.settle("2026-11", "EUR")[2].late_ms == 7
    assert told.settle("2026-11", "USD")[2].late_ms == 0


def test_what_is_late_goes_by_the_shares_of_its_own_time(story: Any) -> None:
    told = duo(story)
    told.income(100, "2026-10")
    told.settle("2026-10")
    told.splits("Pad", "ada", {"ben": 1_000_000}, {"ben": 1_000_000}, "2026-11-10T00:00:00.000Z")
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.place("Pad", 10, "2026-11-20T00:00:00.000Z")
    told.income(100, "2026-11")
    division = told.settle("2026-11")[2]
    assert [division.of(told.h(name)) for name in ("ada", "ben")] == [50, 50]


def test_late_income_goes_by_the_terms_of_its_own_period(story: Any) -> None:
    told = duo(story)
    told.terms("2026-10-01T00:00:00.000Z", {"subscription": 500_000})
    told.terms("2026-11-01T00:00:00.000Z", {"subscription": 1_000_000})
    told.place("Pad", 10, "2026-11-05T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10")
    told.income(10, "2026-10")
    told.income(1000, "2026-11")
    division = told.settle("2026-11")[2]
    assert [(line.late_of, line.gross, line.for_holders) for line in division.funds.income] == [
        (None, 1000, 1000),
        ("2026-10", 10, 5),
    ]


@pytest.mark.parametrize(
    ("by", "gross", "back", "pool"), [(50, 1050, 0, 1035), (-50, 1000, 35, 965), (-100, 1000, 70, 930)]
)
def test_a_correction_of_settled_income_is_in_the_next_settlement(
    story: Any, by: int, gross: int, back: int, pool: int
) -> None:
    told = duo(story)
    told.terms("2026-10-01T00:00:00.000Z", {"subscription": 700_000})
    told.terms("2026-11-01T00:00:00.000Z", {"subscription": 1_000_000})
    told.place("Bass", 10, "2026-10-05T00:00:00.000Z")
    told.place("Pad", 10, "2026-11-05T00:00:00.000Z")
    of = told.income(100, "2026-10")
    told.settle("2026-10")
    told.correct(of, by)
    told.income(1000, "2026-11")
    index, entry, division = told.settle("2026-11")
    assert (division.gross, division.funds.taken_back, division.for_holders) == (gross, back, pool)
    assert check_settlements([(index, entry)], told.read) == {}
    told.income(5, "2026-12")
    told.place("Pad", 10, "2026-12-05T00:00:00.000Z")
    assert told.settle("2026-12")[2].gross == 5


def test_late_income_is_divided_by_what_was_heard_in_its_own_period(story: Any) -> None:
    """October is Ada's, but for 10 ms of Ben's that come late; November is Ben's alone."""
    told = duo(story)
    told.place("Pad", 30, "2026-10-05T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10")
    told.place("Bass", 10, "2026-10-06T00:00:00.000Z")
    told.place("Bass", 90, "2026-11-05T00:00:00.000Z")
    told.income(40, "2026-10")
    told.income(1000, "2026-11")
    index, entry, division = told.settle("2026-11")
    assert [(each.period.text, each.amount) for each in division.funds.divided_income] == [
        ("2026-11", 1000),
        ("2026-10", 40),
    ]
    assert (division.total_ms, division.late_ms, division.unallocated) == (100, 10, 0)
    assert check_settlements([(index, entry)], told.read) == {}
    ada, ben = state(told, "ada", "2026-11"), state(told, "ben", "2026-11")
    assert (ada.accrued, ada.adjusted) == (0, 30)
    assert (ben.accrued, ben.adjusted) == (900, 100 + 10)
    assert [(each.pool, each.period, each.late, each.ms, each.earned) for each in ben.stems[0].lines] == [
        ("2026-11", "2026-10", True, 10, 100),
        ("2026-11", "2026-11", False, 90, 900),
        ("2026-10", "2026-10", True, 10, 10),
    ]
    assert (ben.stems[0].ms, ben.stems[0].late_ms, ada.stems[0].late_ms) == (90, 10, 0)


def test_late_income_of_a_period_in_which_nothing_was_heard_stays_unallocated(story: Any) -> None:
    told = duo(story)
    told.income(100, "2026-10")
    assert told.settle("2026-10")[2].unallocated == 100
    told.place("Bass", 90, "2026-11-05T00:00:00.000Z")
    told.income(7, "2026-10")
    told.income(1000, "2026-11")
    division = told.settle("2026-11")[2]
    assert (division.unallocated, division.unearned_periods) == (7, ["2026-10"])
    assert division.of(told.h("ben")) == 1000


def test_what_a_settlement_cannot_take_back_the_next_ones_do(story: Any) -> None:
    told = duo(story)
    told.terms("2026-11-01T00:00:00.000Z", {"subscription": 100_000})
    of = told.income(600, "2026-10")
    for month in ("2026-10", "2026-11", "2026-12", "2027-01"):
        told.place("Pad", 10, f"{month}-05T00:00:00.000Z")
    told.settle("2026-10")
    told.correct(of, -500)
    told.income(3000, "2026-11")
    assert Treasury(told.usage.books).late_money(len(told.entries) - 1) == (LateMoney("EUR", 0, 0, 500),)
    settled = [told.settle("2026-11")]
    assert Treasury(told.usage.books).late_money(len(told.entries) - 1) == (LateMoney("EUR", 0, 0, 200),)
    told.income(1000, "2026-12")
    settled.append(told.settle("2026-12"))
    told.income(1500, "2027-01")
    settled.append(told.settle("2027-01"))
    assert Treasury(told.usage.books).late_money(len(told.entries) - 1) == ()
    funds = [each.funds for _, _, each in settled]
    assert [(each.taken_back, each.carried_in, each.carried_out, each.for_holders) for each in funds] == [
        (500, 0, 200, 0),
        (0, 200, 100, 0),
        (0, 100, 0, 50),
    ]
    assert check_settlements([each[:2] for each in settled], told.read) == {}
    made = state(told, "ada", "2026-12")
    assert (made.gross, made.deducted, made.taken_back, made.carried_in, made.carried_out, made.pool) == (
        *(1000, 900, 0, 200, 100, 0),
    )


def test_terms_do_not_hold_for_what_was_heard_before_they_were_there(story: Any) -> None:
    """Whatever their times say: a clock can be set back, the order of a log cannot."""
    told = duo(story)
    told.place("Pad", 10, "2026-10-31T00:00:00.000Z")
    told.terms("2026-10-01T00:00:00.000Z", {"subscription": 0})
    told.place("Pad", 10, "2026-11-01T00:00:00.000Z")
    for month in ("2026-10", "2026-11"):
        told.income(100, month)
    assert [told.divide(month).for_holders for month in ("2026-10", "2026-11")] == [100, 0]


def test_late_money_alone_names_its_currency(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10, "2026-10-31T00:00:00.000Z")
    told.income(100, "2026-10", "USD")
    told.settle("2026-10", "USD")
    with pytest.raises(NothingToSettle, match="there is no income for 2026-11"):
        only_currency(told.usage.books, Period.parse("2026-11"))
    told.income(100, "2026-10", "USD")
    assert only_currency(told.usage.books, Period.parse("2026-11")) == "USD"
    assert told.settle("2026-11", "USD")[2].for_holders == 100


def test_what_nobody_was_given_is_taken_from_nobody(story: Any) -> None:
    told = duo(story)
    of = told.income(100, "2026-10")
    assert told.settle("2026-10")[2].unallocated == 100
    told.place("Bass", 90, "2026-11-05T00:00:00.000Z")
    told.correct(of, -100)
    told.income(1000, "2026-11")
    funds = told.settle("2026-11")[2].funds
    assert (funds.taken_back, funds.not_given, funds.for_holders) == (100, 100, 1000)


def test_ten_small_corrections_take_back_what_one_does(story: Any) -> None:
    """Of 10 at 50 % holders have 5, and of nothing they have nothing."""
    told = duo(story)
    told.terms("2026-01-01T00:00:00.000Z", {"subscription": 500_000})
    told.place("Bass", 90, "2026-10-05T00:00:00.000Z")
    of = told.income(10, "2026-10")
    told.settle("2026-10")
    taken = 0
    for day in range(1, 11):
        told.correct(of, -1)
        told.income(100, f"2026-11-{day:02d}..2026-11-{day:02d}")
        taken += told.settle(f"2026-11-{day:02d}..2026-11-{day:02d}")[2].funds.taken_back
    assert taken == 5


def test_what_was_taken_back_and_comes_again_is_not_given_twice(story: Any) -> None:
    """October's holder keeps what they were given; November bore the correction, December has it again."""
    told = duo(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    of = told.income(1000, "2026-10")
    told.settle("2026-10")
    for month, by in (("2026-11", -500), ("2026-12", 500)):
        told.correct(of, by)
        told.place("Bass", 10, f"{month}-05T00:00:00.000Z")
        told.income(600, month)
        told.settle(month)
    divisions = rederive(told.usage, [(period, entry) for _, period, entry in told.usage.books.settlements])
    assert [each.of(told.h("ada")) for each in divisions] == [1000, 0, 0]
    assert [each.of(told.h("ben")) for each in divisions] == [0, 100, 1100]


def test_what_comes_back_to_nobody_is_taken_from_nobody_again(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10, "2026-09-05T00:00:00.000Z")
    told.place("Bass", 10, "2026-10-05T00:00:00.000Z")
    told.place("Bass", 10, "2026-12-05T00:00:00.000Z")
    of = told.income(100, "2026-09")
    told.settle("2026-09")
    told.correct(of, -100)
    told.income(100, "2026-10")
    assert told.settle("2026-10")[2].for_holders == 0
    told.correct(of, 100)
    assert told.settle("2026-11")[2].unallocated == 100
    told.correct(of, -100)
    told.income(100, "2026-12")
    funds = told.settle("2026-12")[2].funds
    assert (funds.taken_back, funds.not_given, funds.for_holders) == (100, 100, 100)


def test_a_period_may_be_named_in_another_way(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10")
    assert state(told, "ada", "2026-10-01..2026-10-31") == state(told, "ada", "2026-10")


def test_a_settlement_with_nothing_to_give_counts_no_late_placements(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    of = told.income(100, "2026-10")
    told.settle("2026-10")
    told.place("Pad", 30, "2026-10-06T00:00:00.000Z")
    told.correct(of, -100)
    told.income(100, "2026-11")
    told.place("Bass", 10, "2026-11-05T00:00:00.000Z")
    division = told.settle("2026-11")[2]
    assert (division.for_holders, division.total_ms, division.late_ms) == (0, 10, 0)
    assert [each.ms for each in heard_since(told.usage, len(told.entries))] == [30, 0]
    told.income(100, "2026-12")
    assert told.settle("2026-12")[2].late_ms == 30


def test_a_settlement_that_did_not_read_the_one_before_is_wrong(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.place("Pad", 10, "2026-11-05T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10")
    told.income(50, "2026-10")
    told.income(100, "2026-11")
    told.income(100, "2026-12")
    divisions = [told.divide("2026-11"), told.divide("2026-12")]
    found = {
        told.add(settlement_entry(each, told.seal.root, "2027-01-01T08:00:00.000Z")) for each in divisions
    }
    settled = [(index, entry) for index, _, entry in told.usage.books.settlements]
    assert max(found) == settled[-1][0]
    problems = check_settlements(settled, told.read)
    assert list(problems) == [settled[-1][0]]
    assert "and not the settlement of 2026-11" in problems[settled[-1][0]][0]


def test_what_is_taken_back_comes_out_of_no_late_income(story: Any) -> None:
    told = duo(story)
    for month in ("2026-09", "2026-10", "2026-11"):
        told.place("Pad", 10, f"{month}-05T00:00:00.000Z")
    of = told.income(600, "2026-09")
    told.income(600, "2026-10")
    told.settle("2026-09")
    told.settle("2026-10")
    told.correct(of, -500)
    told.income(70, "2026-10")
    told.income(1, "2026-11")
    funds = told.settle("2026-11")[2].funds
    assert ([each.amount for each in funds.divided_income], funds.carried_out) == ([0, 70], 499)


def test_income_corrected_to_nothing_stands_in_no_settlements_way(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10)
    of = told.income(100, "2026")
    told.income(7, "2026-11")
    with pytest.raises(NothingToSettle, match="is for 2026, which reaches beyond 2026-11"):
        told.divide()
    told.correct(of, -100)
    assert told.divide().for_holders == 7


def test_a_correction_before_the_settlement_is_in_it(story: Any) -> None:
    told = duo(story)
    told.place("Pad", 10)
    told.correct(told.income(100), -40)
    assert told.divide().gross == 60


def a_year(story: Any, chance: Random) -> Any:
    """Months that are settled in any order, while placements, income and corrections of any month come in."""
    told = story()
    told.holder(*PEOPLE, time="2025-12-01T00:00:00.000Z")
    for title in ("Pad", "Bass", "Tick"):
        told.stem(title, chance.choice(PEOPLE), time="2025-12-01T00:00:00.000Z")
    for month in chance.sample(MONTHS, 2):
        pool: dict[Any, int] = {"subscription": chance.randrange(10**6 + 1)}
        told.terms(f"{month}-01T00:00:00.000Z", pool, chance.randrange(10**6 + 1))
    # Small numbers have equal remainders.
    most, longest = chance.choice([(10**9, 10**6), (20, 3)])
    incomes: list[int] = []
    left = list(MONTHS)
    chance.shuffle(left)
    for month in MONTHS:
        incomes.append(told.income(chance.randrange(1, most), month))
        if chance.random() < 0.7:
            told.place("Pad", chance.randrange(1, longest), f"{month}-01T00:00:00.000Z")
    while left:
        for _ in range(chance.randrange(4)):
            day = f"{chance.choice(MONTHS)}-{chance.randrange(1, 28):02d}T10:00:00.000Z"
            told.place(chance.choice(("Pad", "Bass", "Tick")), chance.randrange(longest), day)
        if chance.random() < 0.2:
            incomes.append(told.income(chance.randrange(1, most), chance.choice(MONTHS)))
        if chance.random() < 0.4:
            index = chance.choice(incomes)
            now = told.usage.books.money(index, told.entries[index].amount, len(told.entries))
            told.correct(index, chance.choice([-now, chance.randrange(-now, most)]))
        if chance.random() < 0.2:
            some = dict(zip(PEOPLE, (333_333, 333_333, 333_334), strict=True))
            to = chance.choice([{chance.choice(PEOPLE): 1_000_000}, some])
            told.splits("Bass", "ada", to, to, f"{chance.choice(MONTHS)}-15T00:00:00.000Z")
        if chance.random() < 0.2:
            told.pay(chance.choice(PEOPLE), chance.randrange(1, 1000))
        if chance.random() < 0.7:
            told.settle(left.pop())
    return told


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_a_second_engine_that_knows_the_documents_alone_has_the_same(story: Any, seed: int) -> None:
    told = a_year(story, Random(seed))
    entries = [json.loads(encode(entry)) for entry in told.entries]
    settled = told.usage.books.settlements
    assert len(settled) == len(MONTHS)
    divisions = rederive(told.usage, [(period, entry) for _, period, entry in settled])
    for (index, _, entry), division in zip(settled, divisions, strict=True):
        found = second_settlement.settle(entries, index)
        assert (found["gross"], found["pool"]) == (entry.gross, entry.pool)
        assert (found["total_ms"], found["unallocated"]) == (entry.total_ms, entry.unallocated)
        assert found["stems"] == {each.stem: (each.ms, each.amount) for each in division.settled_stems}
        assert found["holders"] == {
            each.holder: (each.master, each.publishing) for each in division.settled_holders
        }


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_everything_counts_once_and_balances_carry_on(story: Any, seed: int) -> None:
    told = a_year(story, Random(seed))
    usage, size = told.usage, len(told.entries)
    settled = [(period, entry) for _, period, entry in usage.books.settlements]
    divisions = rederive(usage, settled)
    waiting = sum(each.ms for each in heard_since(usage, size))
    placed = sum(entry.ms for _, entry in told.read() if entry.__struct_config__.tag == "placement")
    assert sum(each.total_ms for each in divisions) + waiting == placed
    last = settled[-1][1].last
    lines = [line for each in divisions for line in each.funds.income]
    assert sum(line.gross for line in lines) == sum(
        usage.books.money(index, entry.amount, last) for index, _, entry in usage.books.income
    )
    out = sum(each.amount for division in divisions for each in division.stems)
    assert out + sum(each.unallocated for each in divisions) == (
        sum(line.for_holders for line in lines)
        + sum(each.funds.not_given for each in divisions)
        + divisions[-1].funds.carried_out
    )
    for before, each in zip([None, *divisions[:-1]], divisions, strict=True):
        funds = each.funds
        assert funds.carried_in == (before.funds.carried_out if before else 0)
        assert not funds.carried_out or funds.divided_income[0].amount == 0
        assert funds.for_holders == (
            funds.gross
            - funds.deducted
            - funds.taken_back
            + funds.not_given
            - funds.carried_in
            + funds.carried_out
        )
        for income in funds.divided_income[1:]:
            heard: dict[str, int] = {}
            for index, entry in told.read():
                if index <= each.last and getattr(entry, "start", "") in income.period:
                    heard[entry.stem] = heard.get(entry.stem, 0) + entry.ms
            ids = sorted(heard)
            if not any(heard.values()):
                assert income.period.text in each.unearned_periods
                continue
            expected = largest_remainder(income.amount, [heard[stem] for stem in ids], ids)
            found = {stem.stem: 0 for stem in each.stems}
            for stem in each.stems:
                for line in stem.lines:
                    found[stem.stem] += line.amount if line.income_of == income.period.text else 0
            assert {stem: amount for stem, amount in found.items() if amount} == {
                stem: amount for stem, amount in zip(ids, expected, strict=True) if amount
            }
    closing: dict[str, int] = {}
    for period, _ in settled:
        made = Statements(usage, told.seal, "log", "key", period, told.names)
        for name in PEOPLE:
            each = made.of(told.h(name))
            assert each.opening == closing.get(name, 0)
            assert each.opening + each.accrued + each.adjusted - each.paid == each.closing
            closing[name] = each.closing
    after = {each.holder: each for each in balances(usage, size, "2026-12-31")}
    for name in PEOPLE:
        later = sum(
            entry.amount
            for index, entry in usage.books.payouts
            if entry.holder == told.h(name) and index > usage.books.settlements[-1][0]
        )
        assert after[told.h(name)].closing == closing[name] - later
