"""The division of a period: exact at every step, by milliseconds alone, and the same again from the log."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.ledger.division.books import gather
from stemloom.ledger.division.division import Division, rederive
from stemloom.ledger.division.errors import AlreadySettled, NotAHolder, NothingToSettle, SeveralCurrencies
from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.settlements import check_settlements, only_currency, refuse_settled
from stemloom.ledger.entries.entries import Placement, Settlement
from stemloom.ledger.errors import VerificationFailed
from stemloom.ledger.royalties.balance import balances

PEOPLE = ("ada", "ben", "cleo", "dov")
TITLES = tuple(f"stem {number}" for number in range(8))
NOVEMBER = Period.parse("2026-11")
TODAY = "2026-12-01"


def check(told: Any, index: int, entry: Settlement) -> list[str]:
    """What is wrong with one settlement."""
    return check_settlements([(index, entry)], told.read).get(index, [])


@st.composite
def splits(draw: Any) -> dict[str, int]:
    people = draw(st.lists(st.sampled_from(PEOPLE), unique=True, max_size=4))
    if not people:
        return {}
    cuts = sorted(
        draw(st.lists(st.integers(0, 1_000_000), min_size=len(people) - 1, max_size=len(people) - 1))
    )
    edges = [0, *cuts, 1_000_000]
    return {name: after - before for name, before, after in zip(people, edges[:-1], edges[1:], strict=True)}


SIDES = st.tuples(splits(), splits())
PLACED = st.lists(
    st.tuples(
        st.sampled_from(TITLES),
        st.integers(0, 10**7),
        st.sampled_from(
            [
                "2026-10-31T23:59:59.999Z",
                "2026-11-01T00:00:00.000Z",
                "2026-11-30T23:59:59.999Z",
                "2026-12-01T00:00:00.000Z",
            ]
        ),
    ),
    max_size=25,
)
INCOMES = st.lists(
    st.tuples(
        st.one_of(st.just(1), st.integers(1, 10**14)),
        st.sampled_from(["subscription", "enterprise", "export", "sync"]),
    ),
    min_size=1,
    max_size=4,
)


def assert_exact(division: Division, heard: dict[str, int]) -> None:
    assert sum(each.amount for each in division.stems) + division.unallocated == division.for_holders
    holders = division.settled_holders
    assert sum(each.master + each.publishing for each in holders) == sum(
        each.amount for each in division.stems
    )
    assert {each.stem: each.ms for each in division.stems} == heard
    assert sum(heard.values()) == division.total_ms
    assert 0 <= division.for_holders <= division.gross
    assert division.unallocated in (0, division.for_holders)
    for stem in division.stems:
        assert sum(line.amount for line in stem.lines) == stem.amount
        assert sum(line.ms for line in stem.lines) == stem.ms
        for line in stem.lines:
            parts = [*line.master, *line.publishing]
            assert sum(part.amount for part in parts) == line.amount
            assert all(part.amount >= 0 for part in parts)


@settings(max_examples=150)
@given(
    owned=st.lists(SIDES, min_size=len(TITLES), max_size=len(TITLES)),
    placed=PLACED,
    incomes=INCOMES,
    pool_ppm=st.integers(0, 1_000_000),
    master_ppm=st.integers(0, 1_000_000),
)
def test_sums_are_exact_and_follow_from_the_log_again(
    story: Any, owned: Any, placed: Any, incomes: Any, pool_ppm: int, master_ppm: int
) -> None:
    told = story()
    told.holder(*PEOPLE)
    for title, (master, publishing) in zip(TITLES, owned, strict=True):
        told.stem(title, "ada", master, publishing)
    told.terms(pool={"subscription": pool_ppm, "sync": 1_000_000 - pool_ppm}, master_ppm=master_ppm)
    for title, ms, start in placed:
        told.place(title, ms, start)
    for amount, source in incomes:
        told.income(amount, source=source)
    heard: dict[str, int] = {}
    for title, ms, start in placed:
        if start.startswith("2026-11"):
            heard[told.s(title)] = heard.get(told.s(title), 0) + ms

    index, entry, division = told.settle()
    assert_exact(division, heard)
    assert division.gross == sum(amount for amount, _ in incomes)

    told.place(TITLES[0], 1234)
    told.splits(TITLES[0], "ada", {"dov": 1_000_000}, {}, "2026-11-29T00:00:00.000Z")
    told.terms(master_ppm=0)
    assert check(told, index, entry) == []
    assert rederive(told.usage, [(NOVEMBER, entry)]) == [division]
    owed = balances(told.usage, len(told.entries), TODAY)
    assert sum(each.closing for each in owed) + division.unallocated == division.for_holders
    assert {each.holder for each in owed} == {told.h(name) for name in PEOPLE}


@settings(max_examples=60)
@given(
    ms=st.lists(st.integers(1, 10**9), min_size=2, max_size=8), pool=st.integers(1, 10**12), tier=st.data()
)
def test_only_milliseconds_count(story: Any, ms: list[int], pool: int, tier: Any) -> None:
    """How the time is cut into placements, and for whom it sounded, changes nothing."""
    whole, parted = story(), story()
    for told in (whole, parted):
        told.holder("ada")
        for at in range(len(ms)):
            told.stem(TITLES[at], "ada")
    for at, each in enumerate(ms):
        whole.place(TITLES[at], each)
        cut = tier.draw(st.integers(0, each))
        parted.place(TITLES[at], cut, tier="free", use="live", session="x01")
        parted.place(TITLES[at], each - cut, tier="enterprise", use="sync", start="2026-11-02T00:00:00.000Z")
    whole.income(pool)
    parted.income(pool)
    assert whole.divide().settled_stems == parted.divide().settled_stems
    assert whole.divide().settled_holders == parted.divide().settled_holders


def band(story: Any) -> Any:
    told = story()
    told.holder("ada", "ben")
    told.stem("Bass", "ada", {"ada": 600_000, "ben": 400_000}, {"ben": 1_000_000})
    told.stem("Pad", "ben")
    return told


def test_by_hand(story: Any) -> None:
    """100 micro-units; 30 s and 60 s: 33.3 and 66.7, so 33 and 67. Bass: 17 master, 16 publishing."""
    told = band(story)
    told.place("Bass", 30_000)
    told.place("Pad", 60_000)
    told.income(100)
    division = told.divide()
    assert {each.stem: each.amount for each in division.stems} == {told.s("Bass"): 33, told.s("Pad"): 67}
    (bass,) = next(each for each in division.stems if each.stem == told.s("Bass")).lines
    assert {part.holder: part.amount for part in bass.master} == {told.h("ada"): 10, told.h("ben"): 7}
    assert {part.holder: part.amount for part in bass.publishing} == {told.h("ben"): 16}
    assert division.of(told.h("ada")) == 10
    assert division.of(told.h("ben")) == 7 + 16 + 67


def test_a_period_without_placements_leaves_the_pool_unallocated(story: Any) -> None:
    told = band(story)
    told.place("Bass", 5000, "2026-10-31T23:59:59.999Z")
    told.income(1)
    index, entry, division = told.settle()
    assert (division.for_holders, division.unallocated, division.stems) == (1, 1, ())
    assert check(told, index, entry) == []


def test_a_stem_heard_for_less_than_a_millisecond_is_listed_and_earns_nothing(story: Any) -> None:
    told = band(story)
    told.place("Bass", 0)
    told.income(5)
    division = told.divide()
    assert [(each.ms, each.amount) for each in division.stems] == [(0, 0)]
    assert division.unallocated == 5


def test_thousands_of_holders_share_one_micro_unit(story: Any) -> None:
    told = story()
    people = [f"person {number}" for number in range(2000)]
    told.holder(*people)
    told.stem("Choir", people[0], dict.fromkeys(people, 500), dict.fromkeys(people, 500))
    told.place("Choir", 1)
    told.income(1)
    division = told.divide()
    assert_exact(division, {told.s("Choir"): 1})
    assert [each.master for each in division.settled_holders if each.master] == [1]
    assert division.settled_holders[0].master == 1


def test_what_is_kept_back_is_rounded_down(story: Any) -> None:
    told = band(story)
    told.terms(pool={"subscription": 700_000, "sync": 0})
    told.place("Pad", 1)
    told.income(1)
    told.income(3)
    told.income(9, source="sync")
    division = told.divide()
    assert [(line.source, line.gross, line.for_holders) for line in division.funds.income] == [
        ("subscription", 4, 3),
        ("sync", 9, 0),
    ]


@pytest.mark.parametrize(
    ("effective", "index"),
    [("2026-11-01T00:00:00.000Z", 3), ("2026-11-01T00:00:00.001Z", None), ("2026-01-01T00:00:00.000Z", 3)],
)
def test_terms_hold_for_periods_that_start_when_they_do_or_later(
    story: Any, effective: str, index: int | None
) -> None:
    told = story()
    told.holder("ada", "ben")
    told.stem("Pad", "ben")
    assert told.terms(effective=effective, master_ppm=1) == 3
    told.income(9)
    assert told.divide().funds.terms.index == index


def test_of_terms_the_latest_effective_holds_then_the_latest_written(story: Any) -> None:
    told = band(story)
    told.terms(effective="2026-10-01T00:00:00.000Z", master_ppm=1)
    told.terms(effective="2026-11-01T00:00:00.000Z", master_ppm=2)
    told.terms(effective="2026-11-01T00:00:00.000Z", master_ppm=3)
    told.terms(effective="2026-09-01T00:00:00.000Z", master_ppm=4)
    told.income(9)
    assert told.divide().funds.terms.terms.master_ppm == 3


def test_a_placement_goes_by_the_shares_in_force_when_it_began(story: Any) -> None:
    """300 micro-units for 3 s: one second each of Ada, of Ben from the 10th, of both from the 20th."""
    told = story()
    told.holder("ada", "ben")
    told.stem("Solo", "ada")
    told.place("Solo", 400, "2026-11-01T00:00:00.000Z")
    told.place("Solo", 1000, "2026-11-10T12:00:00.000Z")
    told.splits("Solo", "ada", {"ben": 1_000_000}, {"ben": 1_000_000}, "2026-11-10T12:00:00.000Z")
    halves = {"ada": 500_000, "ben": 500_000}
    told.splits("Solo", "ada", halves, halves, "2026-11-20T00:00:00.000Z")
    told.place("Solo", 600, "2026-11-10T11:59:59.999Z")
    told.place("Solo", 1000, "2026-11-30T23:59:59.999Z")
    told.splits("Solo", "ada", {"ada": 1_000_000}, {"ada": 1_000_000}, "2026-12-01T00:00:00.000Z")
    told.income(300)
    index, entry, division = told.settle()
    (solo,) = division.stems
    assert [(line.splits, line.ms, line.amount) for line in solo.lines] == [
        (2, 1000, 100),
        (5, 1000, 100),
        (6, 1000, 100),
    ]
    assert [division.of(told.h(name)) for name in ("ada", "ben")] == [150, 150]
    assert check(told, index, entry) == []


def test_of_splits_of_one_time_the_later_written_hold(story: Any) -> None:
    told = story()
    told.holder("ada", "ben")
    told.stem("Solo", "ada")
    for name in ("ada", "ben"):
        told.splits("Solo", "ada", {name: 1_000_000}, {name: 1_000_000}, "2026-11-02T00:00:00.000Z")
    told.place("Solo", 10)
    told.income(10)
    assert told.divide().of(told.h("ben")) == 10


def test_a_side_without_shares_is_its_holders(story: Any) -> None:
    told = story()
    told.holder("ada", "ben")
    told.stem("Solo", "ada", {"ben": 1_000_000}, {})
    told.place("Solo", 10)
    told.income(10)
    assert [told.divide().of(told.h(name)) for name in ("ada", "ben")] == [5, 5]


@pytest.mark.parametrize("ppm", [999_999, 1_000_001, 0])
def test_shares_that_are_not_a_whole_stop_it(story: Any, ppm: int) -> None:
    told = story()
    told.holder("ada")
    told.stem("Solo", "ada", {"ada": ppm})
    told.place("Solo", 10)
    told.income(10)
    with pytest.raises(VerificationFailed, match=r"the master shares of .* sum to"):
        told.divide()


def test_a_stem_that_never_entered_stops_it(story: Any) -> None:
    told = band(story)
    told.place("Ghost", 10)
    told.income(10)
    with pytest.raises(VerificationFailed, match="was placed, but no entry"):
        told.divide()


def test_currencies_stand_side_by_side(story: Any) -> None:
    told = band(story)
    told.place("Pad", 10)
    told.income(10)
    told.income(7, currency="USD")
    with pytest.raises(SeveralCurrencies, match="EUR, USD"):
        only_currency(gather(told.read()), NOVEMBER)
    told.settle(currency="EUR")
    assert only_currency(gather(told.read()), NOVEMBER) == "USD"
    index, entry, division = told.settle(currency="USD")
    assert division.for_holders == 7
    assert check(told, index, entry) == []
    assert [
        (each.currency, each.closing)
        for each in balances(told.usage, len(told.entries), TODAY, told.h("ben"))
    ] == [
        ("EUR", 10),
        ("USD", 7),
    ]


def test_income_counts_if_its_period_lies_inside(story: Any) -> None:
    told = band(story)
    told.place("Pad", 10)
    for period in ("2026-10", "2026-11-05..2026-11-06", "2027-01"):
        told.income(10, period=period)
    assert told.divide("2026-Q4").gross == 20
    with pytest.raises(NothingToSettle, match=r"reaches beyond 2026-11-05\.\.2026-11-05"):
        told.divide("2026-11-05..2026-11-05")
    with pytest.raises(NothingToSettle, match="there is no income in EUR for 2025"):
        told.divide("2025")
    with pytest.raises(NothingToSettle, match="there is no income in CHF"):
        told.divide("2026", "CHF")
    with pytest.raises(NothingToSettle, match="there is no income for 2025"):
        only_currency(gather(told.read()), Period.parse("2025"))


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ("2026-11", "2026-11 was already settled in EUR at entry 6"),
        ("2026-11-01..2026-11-30", "was already settled in EUR"),
        ("2026-Q4", "2026-Q4 overlaps 2026-11, which was already settled"),
        ("2026-11-30..2026-12-05", "overlaps 2026-11"),
    ],
)
def test_a_day_is_settled_once(story: Any, period: str, message: str) -> None:
    told = band(story)
    told.place("Pad", 10)
    told.income(10)
    told.settle()
    books = gather(told.read())
    with pytest.raises(AlreadySettled, match=message):
        refuse_settled(books, Period.parse(period), "EUR")
    refuse_settled(books, Period.parse(period), "USD")
    refuse_settled(books, Period.parse("2026-12"), "EUR")


def settled(story: Any) -> tuple[Any, int, Settlement]:
    told = band(story)
    told.place("Bass", 30_000)
    told.place("Pad", 60_000)
    told.income(100)
    index, entry, _ = told.settle()
    return told, index, entry


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"gross": 101}, "gross is 101, but the ledger gives 100"),
        ({"pool": 99}, "pool is 99, but the ledger gives 100"),
        ({"total_ms": 90_001}, "total_ms is 90001"),
        ({"unallocated": 1}, "unallocated is 1"),
        ({"stems": "0" * 64}, "stems and their amounts are not those"),
        ({"holders": "0" * 64}, "holders and their amounts are not those"),
        ({"last": 2}, "there is no income"),
        ({"last": 7}, "it says it read entries 0 to 7"),
        ({"first": 1}, "it says it read entries 1 to 6"),
        ({"period": "2026-12"}, "there is no income in EUR for 2026-12"),
        ({"period": "never"}, "'never' is not a period"),
        ({"currency": "USD"}, "there is no income in USD"),
        ({"currency": "ZZZ"}, "not a currency"),
    ],
)
def test_a_settlement_that_says_otherwise_is_found(story: Any, change: dict[str, Any], problem: str) -> None:
    told, index, entry = settled(story)
    wrong = msgspec.structs.replace(entry, **change)
    told.entries[index] = wrong
    problems = check(told, index, wrong)
    assert len(problems) == 1
    assert problem in problems[0]


def test_a_second_settlement_of_a_period_is_found(story: Any) -> None:
    told, _, entry = settled(story)
    again = told.add(msgspec.structs.replace(entry))
    (problem,) = check(told, again, entry)
    assert "was already settled in EUR" in problem


def test_a_placement_changed_after_settlement_is_found(story: Any) -> None:
    told, index, entry = settled(story)
    told.entries[4] = msgspec.structs.replace(told.entries[4], ms=30_001)
    problems = check(told, index, entry)
    assert [problem.split()[0] for problem in problems] == ["total_ms", "stems"]
    with pytest.raises(VerificationFailed) as caught:
        balances(told.usage, len(told.entries), TODAY)
    assert str(caught.value) == (
        "the settlement of 2026-11 in EUR does not follow from the ledger: "
        "total_ms is 90000, but the ledger gives 90001; see 'stemloom ledger verify'"
    )


def test_a_difference_of_stems_alone_is_told_without_their_digests(story: Any) -> None:
    told, index, entry = settled(story)
    places = [at for at, each in enumerate(told.entries) if isinstance(each, Placement)][:2]
    for at, more in zip(places, (1, -1), strict=True):
        told.entries[at] = msgspec.structs.replace(told.entries[at], ms=told.entries[at].ms + more)
    with pytest.raises(VerificationFailed, match="see 'stemloom ledger verify'") as caught:
        balances(told.usage, len(told.entries), TODAY)
    for sentence in (str(caught.value), *check(told, index, entry)):
        assert re.search("[0-9a-f]{64}", sentence) is None
        assert "stems and their amounts" in sentence or "holders and their amounts" in sentence


def test_balance_of_a_stranger(story: Any) -> None:
    told, _, _ = settled(story)
    with pytest.raises(NotAHolder, match="the ledger has no holder h00"):
        balances(told.usage, len(told.entries), TODAY, "h00")
