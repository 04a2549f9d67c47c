"""The money of a ledger as CSV for spreadsheets and as beancount text for accountants."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from ..division.books import Books
from ..division.division import Division
from ..division.money import decimal_text
from .balance import Balance
from .statement_schema import Statement

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Spreadsheets may take these for the beginning of a formula."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV (RFC 4180). Text that a spreadsheet could run gets an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(each) for each in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def balances_csv(found: Iterable[Balance], names: Mapping[str, str]) -> str:
    """Each holder's balance in each currency. Amounts are integers in micro-units."""
    head = (
        *("holder", "name", "currency", "settlements", "master", "publishing", "accrued", "adjusted"),
        *("paid", "frozen", "closing", "payable"),
    )
    return csv_text(
        head,
        (
            (
                each.holder,
                names.get(each.holder),
                each.currency,
                each.settlements,
                each.master,
                each.publishing,
                each.accrued,
                each.adjusted,
                each.paid,
                each.frozen,
                each.closing,
                each.payable,
            )
            for each in found
        ),
    )


def statement_csv(made: Statement) -> str:
    """A line for each line of a stem. Amounts are integers in micro-units, times in ms."""
    head = (
        *("holder", "name", "period", "currency", "stem", "title", "role", "isrc", "iswc"),
        *("income_of", "heard_in", "late"),
        *("splits_entry", "ms", "placements", "line_amount", "master_earned", "publishing_earned", "earned"),
    )
    return csv_text(
        head,
        (
            (
                made.holder,
                made.payee.name,
                made.period,
                made.currency,
                stem.stem,
                stem.title,
                stem.role,
                stem.isrc,
                stem.iswc,
                line.pool,
                line.period,
                int(line.late),
                line.splits_entry,
                line.ms,
                line.placements,
                line.amount,
                line.master_earned,
                line.publishing_earned,
                line.earned,
            )
            for stem in made.stems
            for line in stem.lines
        ),
    )


def beancount_text(
    books: Books, divisions: Sequence[tuple[int, Division]], closing: Iterable[Balance], size: int
) -> str:
    """Income, settlements, payouts and corrections as double-entry bookkeeping (beancount 3).

    `divisions`: each with the index of its settlement. `closing`: every holder's balance, which the text
    asserts at its end, with a tolerance of 0. Amounts are exact decimals, and each transaction balances.
    """
    found: list[tuple[str, int, list[str]]] = []
    accounts: set[str] = set()
    first = "1970-01-01"

    def post(time: str, index: int, text: str, postings: Sequence[tuple[str, int, str]]) -> None:
        lines = [f'{time[:10]} * "{_quoted(text)}"', f"  entry: {index}"]
        for account, amount, currency in postings:
            if amount:
                accounts.add(account)
                lines.append(f"  {account}  {_decimal(amount)} {currency}")
        found.append((time, index, lines))

    for index, _, entry in books.income:
        if index < size:
            source = f"Income:{entry.source.capitalize()}"
            post(
                entry.time,
                index,
                f"income for {entry.period}: {entry.reference}",
                [("Assets:Received", entry.amount, entry.currency), (source, -entry.amount, entry.currency)],
            )
    income = {index: entry for index, _, entry in books.income}
    paid = dict(books.payouts)
    for index, division in divisions:
        currency = division.currency
        owed = [
            (_holder(each.holder), -each.master - each.publishing, currency)
            for each in division.settled_holders
        ]
        funds = division.funds
        kept = [
            ("Equity:KeptBack", sum(line.for_holders - line.gross for line in funds.income), currency),
            ("Equity:CarriedOver", funds.carried_out - funds.carried_in, currency),
            ("Equity:Unallocated", funds.not_given - division.unallocated, currency),
        ]
        time = next(entry.time for at, _, entry in books.settlements if at == index)
        shared = ("Equity:Shared", sum(line.gross for line in funds.income), currency)
        post(time, index, f"settlement of {division.period.text}", [shared, *owed, *kept])
    for index, payout in books.payouts:
        if index < size:
            post(
                payout.time,
                index,
                f"payout: {payout.reference}",
                [
                    (_holder(payout.holder), payout.amount, payout.currency),
                    ("Assets:Received", -payout.amount, payout.currency),
                ],
            )
    for corrects, corrections in books.corrections.items():
        for index, each in corrections:
            if index >= size:
                continue
            if corrects in income:
                of = income[corrects]
                source = f"Income:{of.source.capitalize()}"
                sides = [("Assets:Received", each.amount, of.currency), (source, -each.amount, of.currency)]
            else:
                out = paid[corrects]
                sides = [
                    (_holder(out.holder), each.amount, out.currency),
                    ("Assets:Received", -each.amount, out.currency),
                ]
            post(each.time, index, f"correction of entry {corrects}: {each.reason}", sides)
    after = date.fromisoformat(max((time[:10] for time, _, _ in found), default=first)) + timedelta(days=1)
    asserted = [
        f"{after} balance {account}  {_decimal(-each.closing)} ~ 0 {each.currency}"
        for each in closing
        if (account := _holder(each.holder)) in accounts
    ]
    opened = [f"{first} open {account}" for account in sorted(accounts)]
    ordered = [line for _, _, lines in sorted(found, key=lambda each: each[:2]) for line in ["", *lines]]
    return "\n".join(['option "title" "Stemloom royalties"', "", *opened, *ordered, "", *asserted, ""])


def _holder(holder: str) -> str:
    """A holder's account: beancount's names begin with a capital or a digit."""
    return f"Liabilities:Holders:{holder.upper()}"


def _quoted(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).replace("\\", "\\\\").replace('"', '\\"')


def _decimal(amount: int) -> str:
    return decimal_text(amount).replace("\u00a0", "")
