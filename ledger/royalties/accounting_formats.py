"""The money of a ledger as CSV for spreadsheets and as beancount text for accountants."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from operator import attrgetter, itemgetter

from ..division.books import Books
from ..division.division import Division
from ..division.money import decimal_text
from ..entries.entries import Income, Payout
from .balance import Balance
from .statement_schema import Statement

_Posting = tuple[str, int, str]
"""An account, an amount in micro-units, a currency."""
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
    after = attrgetter(*head[2:])
    return csv_text(head, ((each.holder, names.get(each.holder), *after(each)) for each in found))


def statement_csv(made: Statement) -> str:
    """A line for each line of a stem. Amounts are integers in micro-units, times in ms."""
    head = (
        *("holder", "name", "period", "currency", "stem", "title", "role", "isrc", "iswc"),
        *("income_of", "heard_in", "late"),
        *("splits_entry", "ms", "placements", "line_amount", "master_earned", "publishing_earned", "earned"),
    )
    before = (made.holder, made.payee.name, made.period, made.currency)
    of_stem = attrgetter(*head[4:9])
    sums = attrgetter("splits_entry", "ms", "placements", "amount", *head[16:])
    return csv_text(
        head,
        (
            (*before, *of_stem(stem), line.pool, line.period, int(line.late), *sums(line))
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
    accounts: set[str] = set()
    first = latest = "1970-01-01"
    lines: list[str] = []
    for time, index, text, postings in sorted(_transactions(books, divisions, size), key=itemgetter(0, 1)):
        latest = time[:10]
        lines += ["", f'{latest} * "{_quoted(text)}"', f"  entry: {index}"]
        for account, amount, currency in postings:
            if amount:
                accounts.add(account)
                lines.append(f"  {account}  {_decimal(amount)} {currency}")
    after = date.fromisoformat(latest) + timedelta(days=1)
    asserted = [
        f"{after} balance {account}  {_decimal(-each.closing)} ~ 0 {each.currency}"
        for each in closing
        if (account := _holder(each.holder)) in accounts
    ]
    opened = [f"{first} open {account}" for account in sorted(accounts)]
    return "\n".join(['option "title" "Stemloom royalties"', "", *opened, *lines, "", *asserted, ""])


def _transactions(
    books: Books, divisions: Sequence[tuple[int, Division]], size: int
) -> Iterator[tuple[str, int, str, list[_Posting]]]:
    """Of each entry its time, its index, a text and its postings."""
    money: dict[int, Income | Payout] = {index: income for index, _, income in books.income}
    money.update(books.payouts)
    for index, of in money.items():
        if index < size:
            what = f"income for {of.period}" if isinstance(of, Income) else "payout"
            yield of.time, index, f"{what}: {of.reference}", _sides(of, of.amount)
    times = {index: entry.time for index, _, entry in books.settlements}
    for index, division in divisions:
        yield times[index], index, f"settlement of {division.period.text}", _shared(division)
    for corrects, corrections in books.corrections.items():
        for index, each in corrections:
            if index < size:
                text = f"correction of entry {corrects}: {each.reason}"
                yield each.time, index, text, _sides(money[corrects], each.amount)


def _sides(of: Income | Payout, amount: int) -> list[_Posting]:
    if isinstance(of, Income):
        to, source = "Assets:Received", f"Income:{of.source.capitalize()}"
    else:
        to, source = _holder(of.holder), "Assets:Received"
    return [(to, amount, of.currency), (source, -amount, of.currency)]


def _shared(division: Division) -> list[_Posting]:
    funds, currency = division.funds, division.currency
    return [
        ("Equity:Shared", sum(line.gross for line in funds.income), currency),
        *(
            (_holder(each.holder), -each.master - each.publishing, currency)
            for each in division.settled_holders
        ),
        ("Equity:KeptBack", sum(line.for_holders - line.gross for line in funds.income), currency),
        ("Equity:CarriedOver", funds.carried_out - funds.carried_in, currency),
        ("Equity:Unallocated", funds.not_given - division.unallocated, currency),
    ]


def _holder(holder: str) -> str:
    """A holder's account: beancount's names begin with a capital or a digit."""
    return f"Liabilities:Holders:{holder.upper()}"


def _quoted(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).replace("\\", "\\\\").replace('"', '\\"')


def _decimal(amount: int) -> str:
    return decimal_text(amount).replace("\u00a0", "")
