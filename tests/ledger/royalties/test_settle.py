"""Settling a real ledger: signed entries in a real log, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.errors import (
    AlreadySettled,
    BadAmount,
    BadPeriod,
    BadTerms,
    NothingHeard,
    NotOver,
    UnknownCurrency,
)
from stemloom.ledger.division.money import LARGEST
from stemloom.ledger.division.settlements import check_settlements
from stemloom.ledger.division.terms import SOURCES
from stemloom.ledger.entries.entries import Placement, Session, Settlement, Terms
from stemloom.ledger.errors import LedgerError, VerificationFailed
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.balance import HeardSince, balances, heard_since
from stemloom.ledger.royalties.record import record_income, record_terms
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.royalties.statement import statement
from stemloom.ledger.verify.verify import verify

from .settled_home import LAST_MOMENT, NOW, Home, flip

BOGUS: dict[Any, int] = {"gifts": 5}


def test_a_settlement_is_sealed_verifies_and_follows_again(home: Home) -> None:
    home.income()
    size, root = home.log.size, home.log.root
    settled = settle(home.log, "2025-03", early=True)
    assert settled.index == size
    assert (settled.entry.first, settled.entry.last, settled.entry.root) == (0, size - 1, root.hex())
    assert home.log.entry(settled.index) == settled.entry
    assert check_settlements([(settled.index, settled.entry)], home.log.entries) == {}
    report = verify(home.path)
    assert report.ok, report.problems
    record = settled.record()
    assert {each["stem"]: each["ms"] for each in record["stems"]} == {
        home.stems["Bass"]: 35_001,
        home.stems["Pad"]: 65_000,
    }
    assert sum(each["amount"] for each in record["stems"]) + record["unallocated"] == record["pool"] == 10**9
    assert sum(each["amount"] for each in record["holders"]) == 10**9


def test_a_period_that_is_over_needs_no_more_than_its_name(home: Home) -> None:
    home.income()
    assert settle(home.log, "2025-03", clock=FixedClock("2025-04-01T00:00:00.000Z")).entry.total_ms == 100_001


def test_what_is_heard_after_an_early_settlement_counts_in_the_next(home: Home) -> None:
    home.income()
    settled = settle(home.log, "2025-03", early=True)
    assert [each.ms for each in heard_since(home.usage, home.log.size)] == [0]
    again = [
        msgspec.structs.replace(entry, session="xffffffffffffffffffff")
        for _, entry in home.log.entries(0, settled.index)
        if isinstance(entry, Session | Placement)
    ]
    home.log.append(again)
    assert verify(home.path).problems == ()
    assert heard_since(home.usage, home.log.size) == (HeardSince("2025-03", "EUR", settled.index, 100_001),)
    made = statement(home.log, home.ada, "2025-03", home.names)
    assert (made.total_ms, made.since.total_ms, made.since.ms) == (100_001, 100_001, 35_001)
    home.income(300_000, period="2025-02")
    later = settle(home.log, "2025-02")
    assert (later.entry.total_ms, later.division.late_ms) == (100_001, 100_001)
    assert verify(home.path).problems == ()
    assert [each.ms for each in heard_since(home.usage, home.log.size)] == [0, 0]
    made = statement(home.log, home.ada, "2025-02", home.names)
    assert (made.accrued, made.adjusted > 0, made.opening + made.adjusted) == (0, True, made.closing)


def test_a_period_without_sound_is_settled_if_that_is_meant(home: Home) -> None:
    home.income(period="2025-02")
    settled = settle(home.log, "2025-02", unallocated=True)
    assert (settled.entry.unallocated, settled.entry.total_ms) == (10**9, 0)
    assert verify(home.path).problems == ()


def test_statements_share_out_the_pool(home: Home) -> None:
    home.income()
    settle(home.log, "2025-03", "EUR", early=True)
    both = [statement(home.log, who, "2025-03", home.names) for who in (home.ada, home.ben)]
    assert sum(each.closing for each in both) == 10**9
    assert both[0].vkey == home.log.vkey
    assert both[0].checkpoint.encode() == home.log.checkpoint()
    assert [each.closing for each in sorted(both, key=lambda each: each.holder)] == [
        each.closing for each in balances(home.usage, home.log.size, "2025-04-01")
    ]


def test_no_day_is_settled_twice_and_nothing_is_written_then(home: Home) -> None:
    home.income()
    settle(home.log, "2025-03", early=True)
    size = home.log.size
    for period in ("2025-03", "2025-Q1", "2025-03-31..2025-04-02"):
        with pytest.raises(AlreadySettled):
            settle(home.log, period, "EUR", FixedClock("2025-06-01T00:00:00.000Z"))
    # Income of the settled days alone is late, and the next settlement's; of more days it is nobody's.
    for period in ("2025-Q1", "2025-03-31..2025-04-02"):
        with pytest.raises(AlreadySettled):
            record_income(home.log, 5, "EUR", "sync", period, "inv-2", FixedClock("2025-06-01T00:00:00.000Z"))
    assert home.log.size == size


def test_of_processes_that_settle_at_once_one_does(home: Home) -> None:
    home.income()

    def attempt(_: int) -> str:
        try:
            settle(Log.open(home.path, clock=NOW), "2025-03", early=True)
        except AlreadySettled:
            return "refused"
        return "settled"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == ["refused", "refused", "refused", "settled"]
    assert sum(isinstance(entry, Settlement) for _, entry in home.log.entries()) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda home: home.income(0), BadAmount, "more than 0"),
        (lambda home: home.income(-1), BadAmount, "more than 0"),
        (lambda home: home.income(LARGEST + 1), BadAmount, "at most"),
        (
            lambda home: [home.income(LARGEST), home.income(1, "2025-02")],
            BadAmount,
            "more than one settlement can hold",
        ),
        (lambda home: home.income(currency="EUX"), UnknownCurrency, "not a currency"),
        (
            lambda home: home.income(period="2025-04"),
            BadPeriod,
            "2025-04 has not begun: it starts on 2025-04-01",
        ),
        (lambda home: home.income(period="March"), BadPeriod, "'March' is not a period"),
        (lambda home: record_income(home.log, 5, "EUR", "sync", "2025-03", "  "), BadAmount, "reference"),
        (lambda home: settle(home.log, "2025-04", early=True), BadPeriod, "has not begun"),
        (
            lambda home: [home.income(), settle(home.log, "2025-03")],
            NotOver,
            "2025-03 is not over: its last day is 2025-03-31",
        ),
        (
            lambda home: [home.income(), settle(home.log, "2025-03", "EUR", FixedClock(LAST_MOMENT))],
            NotOver,
            "--early",
        ),
        (
            lambda home: [home.income(period="2025-02"), settle(home.log, "2025-02")],
            NothingHeard,
            "nothing was heard in 2025-02, so 1\u00a0000.00\u00a0EUR",
        ),
        (lambda home: settle(home.log, "2025-03", "EUX"), UnknownCurrency, "not a currency"),
        (lambda home: settle(home.log, "2025-03", early=True), LedgerError, "there is no income for 2025-03"),
        (lambda home: record_terms(home.log, "soon"), BadTerms, "'soon' is not a time"),
        (lambda home: record_terms(home.log, "soonT00:00:00.000Z"), BadTerms, "'soon' is not a time"),
        (
            lambda home: record_terms(home.log, "2025-05-01T00:00:00.000Z", pool_ppm=BOGUS),
            BadTerms,
            "there is no source gifts; there are subscription",
        ),
        (lambda home: record_terms(home.log, "2025-02-30T00:00:00.000Z"), BadTerms, "is not a time"),
        (
            lambda home: record_terms(home.log, "2025-05-01T00:00:00.000Z", master_ppm=1_000_001),
            BadTerms,
            "share",
        ),
        (
            lambda home: record_terms(home.log, "2025-05-01T00:00:00.000Z", threshold=-1),
            BadTerms,
            "threshold",
        ),
    ],
)
def test_refusals_leave_no_settlement(
    home: Home, call: Callable[[Home], object], error: type[LedgerError], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(home)
    assert not [entry for _, entry in home.log.entries() if isinstance(entry, Settlement)]


def test_terms_carry_on_what_they_do_not_change(home: Home) -> None:
    before = FixedClock("2025-02-01T00:00:00.000Z")
    share: dict[Any, int] = {"subscription": 700_000}
    _, first = record_terms(home.log, "2025-02-01T00:00:00.000Z", pool_ppm=share, clock=before)
    _, second = record_terms(home.log, "2025-04-01T00:00:00.000Z", master_ppm=800_000, threshold=5)
    assert (dict(first.pool_ppm)["subscription"], first.master_ppm) == (700_000, 500_000)
    assert second.pool_ppm == first.pool_ppm
    assert (second.master_ppm, second.threshold) == (800_000, 5)
    home.income(10, "2025-02")
    settled = settle(home.log, "2025-02", unallocated=True)
    assert (settled.entry.gross, settled.entry.pool, settled.division.funds.terms.terms) == (10, 7, first)
    with pytest.raises(BadTerms, match="reach back behind 2025-02"):
        record_terms(home.log, "2025-02-01T00:00:00.000Z", master_ppm=1, clock=before)
    record_terms(home.log, "2025-02-02T00:00:00.000Z", master_ppm=1, clock=before)
    with pytest.raises(BadTerms, match="before they are written, and today is 2025-03-20"):
        record_terms(home.log, "2025-03-20T00:00:00.000Z", master_ppm=1)
    record_terms(home.log, "2025-03-21T00:00:00.000Z", master_ppm=1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"period": "foo"}, "'foo' is not a period"), ({"currency": "XXX"}, "'XXX' is not a currency")],
)
def test_income_that_cannot_be_settled_is_found_by_verify(home: Home, change: Any, sentence: str) -> None:
    index = home.income()
    assert verify(home.path).ok
    home.log.append([msgspec.structs.replace(dict(home.log.entries())[index], **change)])
    (problem,) = verify(home.path).problems
    assert (problem.index, sentence in problem.detail) == (index + 1, True)


def test_terms_that_reach_back_are_found_by_verify(home: Home) -> None:
    """However they came into the log."""
    share = tuple((source, 1_000_000) for source in SOURCES)
    day = "2025-03-20"
    for effective, problems in ((f"{day}T12:00:00.000Z", 0), (f"{day}T11:59:59.999Z", 1)):
        entry = Terms(
            time=f"{day}T12:00:00.000Z", effective=effective, pool_ppm=share, master_ppm=0, threshold=0
        )
        home.log.append((entry,))
        report = verify(home.path)
        assert len(report.problems) == problems
    assert "in effect from 2025-03-20T11:59:59.999Z, and were written after that" in report.problems[0].detail


def test_a_ledger_that_does_not_verify_is_not_settled(home: Home) -> None:
    home.income()
    size = home.log.size
    flip(home)
    with pytest.raises(VerificationFailed, match="the ledger does not verify, so nothing was settled"):
        settle(home.log, "2025-03", early=True)
    assert home.log.size == size
