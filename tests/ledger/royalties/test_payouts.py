"""Payouts, corrections, and the same money in other programs' formats."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.division import rederive
from stemloom.ledger.division.errors import AlreadySettled, BadAmount, NotAHolder, NotPayable
from stemloom.ledger.division.money import LARGEST
from stemloom.ledger.division.treasury import Treasury
from stemloom.ledger.entries.entries import Income, Payout
from stemloom.ledger.errors import LedgerError, NoSuchEntry, VerificationFailed
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.accounting_formats import balances_csv, beancount_text, csv_text, statement_csv
from stemloom.ledger.royalties.balance import balances, payable
from stemloom.ledger.royalties.payouts import record_payouts
from stemloom.ledger.royalties.record import record_correction, record_income, record_terms
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.royalties.statement import statement
from stemloom.ledger.verify.verify import verify

from .settled_home import NOW, Home

LATER = FixedClock("2025-04-02T12:00:00.000Z")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """1 000 EUR of March settled: Ada has 60 % of Bass, the rest is Ben's."""
    made = Home(tmp_path / "home")
    made.income(1_000_000_003)
    settle(made.log, "2025-03", clock=LATER)
    return made


def owed(home: Home, holder: str, currency: str = "EUR") -> int:
    (each,) = [
        each
        for each in balances(home.usage, home.log.size, "2025-04-02", holder)
        if each.currency == currency
    ]
    return each.closing


def test_everybody_is_paid_whole_cents_once(home: Home) -> None:
    before = {who: owed(home, who) for who in (home.ada, home.ben)}
    paid = record_payouts(home.log, "EUR", "run 1", clock=LATER)
    assert {each.entry.holder for each in paid} == {home.ada, home.ben}
    for each in paid:
        assert each.entry.amount == before[each.entry.holder] // 10_000 * 10_000
        assert 0 <= owed(home, each.entry.holder) < 10_000
    with pytest.raises(NotPayable, match="nobody has a balance in EUR"):
        record_payouts(home.log, "EUR", "run 2", clock=LATER)
    assert verify(home.path).problems == ()


def test_of_processes_that_pay_at_once_one_does(home: Home) -> None:
    def attempt(_: int) -> int:
        try:
            return len(record_payouts(Log.open(home.path, clock=LATER), "EUR", "run"))
        except NotPayable:
            return 0

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [0, 0, 0, 2]


def test_a_threshold_holds_back_what_is_below(home: Home) -> None:
    record_terms(home.log, "2025-04-01T00:00:00.000Z", threshold=500_000_000, clock=NOW)
    (paid,) = record_payouts(home.log, "EUR", "run", clock=LATER)
    assert paid.entry.holder == home.ben
    with pytest.raises(NotPayable, match="--below-threshold"):
        record_payouts(home.log, "EUR", "run", holder=home.ada, clock=LATER)
    (paid,) = record_payouts(
        home.log, "EUR", "run", holder=home.ada, amount=1_000_000, below_threshold=True, clock=LATER
    )
    assert paid.entry.amount == 1_000_000


@pytest.mark.parametrize(
    ("closing", "currency", "least", "amount"),
    [
        (1_239_999, "EUR", 0, 1_230_000),
        (9_999, "EUR", 0, 0),
        (1_999_999, "JPY", 0, 1_000_000),
        (1_234_567, "TND", 0, 1_234_000),
        (1_239_999, "EUR", 1_240_000, 0),
        (1_239_999, "EUR", 1_239_999, 1_230_000),
        (-5, "EUR", 0, 0),
    ],
)
def test_what_can_be_paid(closing: int, currency: str, least: int, amount: int) -> None:
    assert payable(closing, currency, least) == amount


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"holder": "h00"}, NotAHolder, "no holder h00"),
        ({"holder": "ada", "amount": 10**12}, NotPayable, "is more"),
        ({"holder": "ada", "amount": 0}, BadAmount, "more than 0"),
        ({"reference": "\n"}, BadAmount, "reference of a payout"),
        ({"currency": "USD"}, NotPayable, "nobody has a balance in USD"),
    ],
)
def test_refused_payouts_leave_nothing(
    home: Home, more: dict[str, Any], error: type[LedgerError], message: str
) -> None:
    size = home.log.size
    words = {"currency": "EUR", "reference": "run", **more}
    if words.get("holder") == "ada":
        words["holder"] = home.ada
    with pytest.raises(error, match=message):
        record_payouts(home.log, words.pop("currency"), words.pop("reference"), clock=LATER, **words)
    assert home.log.size == size


def test_a_payout_is_corrected_and_statements_show_both(home: Home) -> None:
    (paid,) = record_payouts(home.log, "EUR", "run", holder=home.ada, amount=5_000_000, clock=LATER)
    before = owed(home, home.ada)
    _, entry, was = record_correction(home.log, paid.index, 3_000_000, "the bank sent 3", LATER)
    assert (entry.amount, was, owed(home, home.ada)) == (-2_000_000, 5_000_000, before + 2_000_000)
    record_income(home.log, 100, "EUR", "sync", "2025-02", "inv-9", LATER)
    settle(home.log, "2025-02", unallocated=True, clock=LATER)
    made = statement(home.log, home.ada, "2025-02", home.names)
    assert [(each.amount, each.corrects) for each in made.payments] == [
        (5_000_000, None),
        (-2_000_000, paid.index),
    ]
    assert (made.paid, made.opening - made.paid) == (3_000_000, made.closing)
    assert verify(home.path).problems == ()


@pytest.mark.parametrize(
    ("index", "to", "error", "message"),
    [
        (0, 5, NoSuchEntry, "entry 0 is neither income nor a payout"),
        (10**6, 5, NoSuchEntry, "is neither income nor a payout"),
        (None, -1, BadAmount, "an amount is 0"),
        (None, 1_000_000_003, BadAmount, "already"),
        (None, 2**53, BadAmount, "an amount is 0"),
    ],
)
def test_refused_corrections_leave_nothing(
    home: Home, index: int | None, to: int, error: type[LedgerError], message: str
) -> None:
    of, size = home.usage.books.income[0][0] if index is None else index, home.log.size
    with pytest.raises(error, match=message):
        record_correction(home.log, of, to, "why")
    assert home.log.size == size


def _one_off(line: str) -> str:
    """A balance directive with one micro-unit more."""
    *before, amount, tilde, zero, currency = line.split()
    return " ".join([*before, str(Decimal(amount) + Decimal("0.000001")), tilde, zero, currency])


def test_beancount_takes_it_and_has_the_same_balances(home: Home, tmp_path: Path) -> None:
    from beancount import loader
    from beancount.core.data import Transaction
    from beancount.parser import printer

    record_income(home.log, 77_000_001, "USD", "sync", "2025-03", 'a "quoted" \\ Ünïcode 🎹', LATER)
    settle(home.log, "2025-03", "USD", LATER)
    (paid,) = record_payouts(home.log, "EUR", "run; option", holder=home.ada, amount=7_000_000, clock=LATER)
    record_correction(home.log, paid.index, 6_500_000, "typing", LATER)
    record_correction(home.log, home.usage.books.income[0][0], 900_000_000, "refund", LATER)
    usage, size = home.usage, home.log.size
    settled = [(period, entry) for _, period, entry in usage.books.settlements]
    numbered = [
        (index, made)
        for (index, _, _), made in zip(usage.books.settlements, rederive(usage, settled), strict=True)
    ]
    path = tmp_path / "royalties.beancount"
    owed = balances(usage, size, "2025-04-02")
    text = beancount_text(usage.books, numbered, owed, size)
    path.write_text(text, "utf-8")
    entries, errors, _ = loader.load_file(str(path))
    assert not errors, [printer.format_error(each) for each in errors]
    asserted = [line for line in text.splitlines() if " balance " in line]
    assert len(asserted) == len(owed) == 4
    path.write_text(text.replace(asserted[0], _one_off(asserted[0])), "utf-8")
    _, errors, _ = loader.load_file(str(path))
    assert ["Balance failed" in each.message for each in errors] == [True]
    for each in balances(usage, size, "2025-04-02"):
        account = f"Liabilities:Holders:{each.holder.upper()}"
        postings = [
            posting for entry in entries if isinstance(entry, Transaction) for posting in entry.postings
        ]
        units = [posting.units for posting in postings if posting.account == account]
        of_currency = sum(unit.number for unit in units if unit.currency == each.currency)
        assert -of_currency * 1_000_000 == each.closing
        assert each.closing > 0


def test_beancount_takes_what_nobody_was_given_and_what_is_carried_over(story: Any, tmp_path: Path) -> None:
    from beancount import loader
    from beancount.parser import printer

    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    nobodys = told.income(100, "2026-09")
    told.settle("2026-09")
    given = told.income(900, "2026-10")
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.settle("2026-10")
    told.correct(nobodys, -100)
    told.correct(given, -800)
    for month in ("2026-11", "2026-12"):
        told.income(500, month)
        told.place("Pad", 10, f"{month}-05T00:00:00.000Z")
        told.settle(month)
    usage, size = told.usage, len(told.entries)
    settled = [(index, (period, entry)) for index, period, entry in usage.books.settlements]
    divisions = rederive(usage, [each for _, each in settled])
    assert [each.funds.not_given for each in divisions] == [0, 0, 100, 0]
    assert [each.funds.carried_out for each in divisions] == [0, 0, 300, 0]
    numbered = [(index, made) for (index, _), made in zip(settled, divisions, strict=True)]
    path = tmp_path / "royalties.beancount"
    path.write_text(beancount_text(usage.books, numbered, balances(usage, size, "2026-12-31"), size), "utf-8")
    _, errors, _ = loader.load_file(str(path))
    assert not errors, [printer.format_error(each) for each in errors]


def test_a_spreadsheet_runs_nothing(home: Home) -> None:
    text = csv_text(
        ("a", "b"), [("=1+1", -5), (" +cmd|' /C calc'!A0", 0), ("@x", None), ("\tx", "fine - really")]
    )
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [
        ["a", "b"],
        ["'=1+1", "-5"],
        ["' +cmd|' /C calc'!A0", "0"],
        ["'@x", ""],
        ["'\tx", "fine - really"],
    ]
    found = balances(home.usage, home.log.size, "2025-04-02")
    rows = list(csv.DictReader(io.StringIO(balances_csv(found, {home.ada: '=HYPERLINK("x")'}))))
    assert [int(row["closing"]) for row in rows] == [each.closing for each in found]
    assert {row["name"] for row in rows} == {'\'=HYPERLINK("x")', ""}
    made = statement(home.log, home.ada, "2025-03", home.names)
    lines = list(csv.DictReader(io.StringIO(statement_csv(made))))
    assert sum(int(row["earned"]) for row in lines) == made.amount
    assert NOW.now() < LATER.now()


def test_what_was_settled_stays_given_whatever_is_corrected(home: Home) -> None:
    index = next(at for at, entry in home.log.entries() if isinstance(entry, Income))
    before = [owed(home, who) for who in (home.ada, home.ben)]
    record_correction(home.log, index, 1_000_000, "inv-1 was of 1.00", LATER)
    (found,) = Treasury(home.usage.books).late_money(home.log.size - 1)
    assert (found.currency, found.late, found.taken_back) == ("EUR", 0, 999_000_003)
    assert [owed(home, who) for who in (home.ada, home.ben)] == before
    assert len(record_payouts(home.log, "EUR", "run", clock=LATER)) == 2


def test_a_payout_corrected_to_more_than_the_balance_has_to_be_meant(home: Home) -> None:
    (paid,) = record_payouts(home.log, "EUR", "run", holder=home.ada, amount=1_000_000, clock=LATER)
    with pytest.raises(NotPayable, match="--overpaid"):
        record_correction(home.log, paid.index, 10**12, "typed wrongly", LATER)
    record_correction(home.log, paid.index, 2_000_000, "typed wrongly", LATER)
    record_correction(home.log, paid.index, 10**12, "sent by mistake", LATER, overpaid=True)
    made = statement(home.log, home.ada, "2025-03", home.names)
    assert (made.since.paid, made.paid) == (10**12, 0)
    account = next(
        each for each in balances(home.usage, home.log.size, "2025-04-02") if each.holder == home.ada
    )
    assert (account.paid, account.payable, account.closing < 0) == (10**12, 0, True)


def test_only_whole_coins_are_paid(home: Home) -> None:
    with pytest.raises(BadAmount, match=r"1\.005.* cannot be paid: the smallest coin is 0\.01"):
        record_payouts(home.log, "EUR", "run", holder=home.ada, amount=1_005_000, clock=LATER)


def test_income_corrected_up_may_not_reach_beyond_what_was_settled(home: Home) -> None:
    """Corrected to nothing, the year stood in nobody's way; corrected back, half of it would be settled."""
    usd = record_income(home.log, 5_000_000, "USD", "sync", "2024", "inv-2", LATER).index
    record_correction(home.log, usd, 0, "no such year", LATER)
    record_income(home.log, 7_000_000, "USD", "sync", "2024-12", "inv-3", LATER)
    settle(home.log, "2024-12", "USD", LATER, unallocated=True)
    with pytest.raises(AlreadySettled, match="2024 overlaps 2024-12"):
        record_correction(home.log, usd, 1, "it was that year", LATER)


def test_income_written_twice_is_told(home: Home) -> None:
    first = record_income(home.log, 5, "EUR", "sync", "2025-02", "inv-9", LATER)
    second = record_income(home.log, 6, "EUR", "sync", "2025-02-01..2025-02-28", "inv-9", LATER)
    other = record_income(home.log, 6, "EUR", "sync", "2025-01", "inv-9", LATER)
    assert (first.like, second.like, other.like) == (None, first.index, None)


def test_late_income_cannot_outgrow_a_settlement(home: Home) -> None:
    record_income(home.log, LARGEST, "EUR", "sync", "2025-03", "inv-9", LATER)
    with pytest.raises(BadAmount, match="settle what is there first"):
        record_income(home.log, 1, "EUR", "sync", "2025-03", "inv-10", LATER)


def test_nothing_is_paid_from_entries_that_were_changed(home: Home) -> None:
    """The bytes of a payout: without a look at their hashes it would be paid again."""
    record_payouts(home.log, "EUR", "run", clock=LATER)
    index = home.log.size - 1
    entry = dict(home.log.entries())[index]
    assert isinstance(entry, Payout)
    changed = 0
    for path in (home.path / "ledger" / "log" / "tile" / "entries").rglob("*"):
        if path.is_file() and (old := b'"amount":%d' % entry.amount) in (data := path.read_bytes()):
            path.write_bytes(data.replace(old, b'"amount":1' + b"0" * (len(old) - 10)))
            changed += 1
    assert changed
    for call in (
        lambda: record_payouts(home.log, "EUR", "again", clock=LATER),
        lambda: record_income(home.log, 1, "EUR", "sync", "2025-03", "inv-3", LATER),
        lambda: statement(home.log, home.ada, "2025-03", home.names),
    ):
        with pytest.raises(VerificationFailed, match="not those that its checkpoint was signed for"):
            call()
