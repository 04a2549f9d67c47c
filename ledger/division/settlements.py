"""Which settlements a ledger may have, and whether each is what follows from the entries before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..entries.entries import Settlement
from ..errors import LedgerError, VerificationFailed
from .books import Books, Entries, Read, gather
from .division import divide, time_in_play_of
from .errors import AlreadySettled, BadPeriod, NothingToSettle, NotOver, SeveralCurrencies
from .funds import Funds
from .money import check_currency
from .periods import Period
from .treasury import Treasury
from .usage import EntriesUsage


def check_settlements(settlements: Sequence[tuple[int, Settlement]], read: Read) -> dict[int, list[str]]:
    """The problems of settlements that do not follow from the log's entries, by index.

    Each is derived again from the entries before it. The verifier, which has the hashes, checks the `root`.
    """
    found: dict[int, list[str]] = {}
    asked: list[tuple[int, Settlement, Funds]] = []
    end = max((index for index, _ in settlements), default=0)
    try:
        books = gather(_before(end, read()))
    except VerificationFailed as error:
        return {index: [str(error)] for index, _ in settlements}
    treasury = Treasury(books)
    for index, entry in settlements:
        try:
            if entry.first != 0 or entry.last >= index:
                raise VerificationFailed(
                    f"it says it read entries {entry.first} to {entry.last}, "
                    f"which is not 0 to one before {index}"
                )
            period = Period.parse(entry.period)
            check_currency(entry.currency)
            refuse_settled(books, period, entry.currency, before=index)
            _refuse_unread_settlement(books, index, entry)
            asked.append((index, entry, treasury.funds(period, entry.currency, entry.last)))
        except LedgerError as error:
            found[index] = [str(error)]
    answers = time_in_play_of(EntriesUsage(read, books), [funds for _, _, funds in asked])
    for (index, entry, funds), heard in zip(asked, answers, strict=True):
        try:
            problems = divide(books, funds, heard).differences(entry)
        except LedgerError as error:
            problems = [str(error)]
        if problems:
            found[index] = problems
    return found


def _refuse_unread_settlement(books: Books, index: int, entry: Settlement) -> None:
    """Raise VerificationFailed if the settlement at `index` did not read an earlier one in its currency.

    It would count again what the earlier one has counted.
    """
    for before, _, each in books.settlements:
        if entry.last < before < index and each.currency == entry.currency:
            raise VerificationFailed(
                f"it read entries up to {entry.last}, and not the settlement of {each.period} at entry "
                f"{before}"
            )


def refuse_future(period: Period, now: str) -> None:
    """Raise BadPeriod if `period` has not begun at the time `now`."""
    if now < period.start:
        raise BadPeriod(
            f"{period.text} has not begun: it starts on {period.first_day}, and today is {now[:10]}"
        )


def refuse_unfinished(period: Period, now: str) -> None:
    """Raise NotOver if `period` is not over at the time `now`."""
    if now < period.end:
        raise NotOver(
            f"{period.text} is not over: its last day is {period.last_day}, and what is heard from now on "
            "counts in the settlement after this one; settle it after that day, or now with --early"
        )


def refuse_settled(books: Books, period: Period, currency: str, before: int | None = None) -> None:
    """Raise AlreadySettled if a day of `period` lies in a settled period of the currency.

    `before`: the index of an entry, if only settlements before it count.
    """
    for index, settled, entry in books.settlements:
        if before is not None and index >= before:
            return
        if entry.currency == currency and settled.overlaps(period):
            if settled.same_days(period):
                raise AlreadySettled(
                    f"{period.text} was already settled in {currency} at entry {index}, on {entry.time[:10]}"
                )
            raise AlreadySettled(
                f"{period.text} overlaps {entry.period}, which was already settled in {currency} "
                f"at entry {index}, on {entry.time[:10]}"
            )


def only_currency(books: Books, period: Period) -> str:
    """The one currency in which `period` has income and is not settled.

    If every currency of its income is settled, it must have one alone; without income, the currency of the
    late money that waits. Raises NothingToSettle, SeveralCurrencies.
    """
    every = sorted({entry.currency for _, of, entry in books.income if period.overlaps(of)})
    done = {entry.currency for _, of, entry in books.settlements if period.overlaps(of)}
    choice = [currency for currency in every if currency not in done] or every
    choice = choice or [each.currency for each in Treasury(books).late_money(books.size - 1)]
    if not choice:
        raise NothingToSettle(
            f"there is no income for {period.text}; record it with 'stemloom royalty income'"
        )
    if len(choice) > 1:
        raise SeveralCurrencies(
            f"{period.text} has income in {', '.join(choice)}; settle them one by one with --currency"
        )
    return choice[0]


def _before(index: int, entries: Entries) -> Iterator[Any]:
    for each in entries:
        if each[0] >= index:
            return
        yield each
