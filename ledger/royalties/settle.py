"""Settlement: a period's income divided, and the division sealed in the ledger, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import canonical
from ..clock import Clock
from ..entries import Settlement
from ..errors import LedgerError, VerificationFailed
from .books import Books, Entries, Read, gather
from .division import Division, divide, divide_period, heard_of
from .engines import Engine, usage_of
from .errors import AlreadySettled, BadPeriod, NothingHeard, NothingToSettle, NotOver, SeveralCurrencies
from .funds import Funds
from .money import check_currency, money_text
from .periods import Period
from .treasury import Treasury
from .turn import sealed, turn
from .usage import EntriesUsage

if TYPE_CHECKING:
    from ..log import Log


@dataclass(frozen=True, slots=True)
class Settled:
    """A division and the ledger entry that seals it."""

    index: int
    entry: Settlement
    division: Division
    terms_within: bool
    """Whether other terms took effect within the period: those of its start hold for all of it."""

    def record(self) -> dict[str, Any]:
        """The JSON of `royalty settle`: amounts in integer micro-units, ids sorted."""
        return {
            "period": self.entry.period,
            "currency": self.entry.currency,
            "total_ms": self.entry.total_ms,
            "gross": self.entry.gross,
            "pool": self.entry.pool,
            "carried_in": self.division.funds.carried_in,
            "carried_out": self.division.funds.carried_out,
            "stems": [
                {"stem": each.stem, "ms": each.ms, "amount": each.amount}
                for each in self.division.settled_stems
            ],
            "holders": [
                {
                    "holder": each.holder,
                    "master": each.master,
                    "publishing": each.publishing,
                    "amount": each.master + each.publishing,
                }
                for each in self.division.settled_holders
            ],
            "unallocated": self.entry.unallocated,
            "index": self.index,
            "first": self.entry.first,
            "last": self.entry.last,
            "root": self.entry.root,
            "terms": self.division.funds.terms.index,
        }


def settle(
    log: Log,
    period: Period | str,
    currency: str | None = None,
    clock: Clock | None = None,
    *,
    early: bool = False,
    unallocated: bool = False,
    progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
) -> Settled:
    """Divide the income of `period` by the milliseconds in play, and append the settlement.

    A settlement cannot be undone, so what is rarely meant has to be said. `early`: settle a period that has
    begun and is not over; what is logged in it after that counts in the next settlement. `unallocated`:
    settle a period in which nothing was heard; its whole pool stays nobody's. `currency` may be left out if
    the period has income in one alone. `engine`: what adds up the milliseconds (`engines.py`). Nothing is
    appended unless the whole ledger verifies. Raises BadPeriod, NotOver, UnknownCurrency,
    SeveralCurrencies, AlreadySettled, NothingToSettle, NothingHeard, VerificationFailed, LedgerError.
    """
    from ..verify import verify

    clock = clock or log.clock
    period = Period.parse(period) if isinstance(period, str) else period
    if currency is not None:
        check_currency(currency)
    refuse_future(period, clock.now())
    if not early:
        refuse_unfinished(period, clock.now())
    with turn(log.home):
        report = verify(log.home, progress=progress)
        if not report.ok:
            raise VerificationFailed(
                f"the ledger does not verify, so nothing was settled: {report.problems[0].detail}; "
                "see 'stemloom ledger verify'"
            )
        log.append(())  # what processes that died have heard and acknowledged is counted too
        seal = sealed(log)
        with usage_of(log, seal, engine) as usage:
            books = usage.books
            if currency is None:
                currency = check_currency(only_currency(books, period))
            refuse_settled(books, period, currency)
            last = seal.size - 1
            division = divide_period(usage, period, currency, last)
            within = any(period.start < each.effective < period.end for _, each in books.terms)
        if division.unallocated and not unallocated:
            raise NothingHeard(
                f"nothing was heard in {' or '.join(division.unheard)}, so "
                f"{money_text(division.unallocated, currency)} would stay unallocated for good; nothing was "
                "settled: if that is meant, add --unallocated"
            )
        entry = settlement_entry(division, seal.root, clock.now())
        (index,) = log.append((entry,))
    return Settled(index, entry, division, within)


def settlement_entry(division: Division, root: str, time: str) -> Settlement:
    """The entry that seals `division`; `root` (hex) is the log's root over entries 0 to `division.last`."""
    return Settlement(
        time=time,
        period=division.period.text,
        currency=division.currency,
        first=0,
        last=division.last,
        root=root,
        gross=division.gross,
        pool=division.pool,
        total_ms=division.total_ms,
        unallocated=division.unallocated,
        stems=canonical.digest(division.settled_stems),
        holders=canonical.digest(division.settled_holders),
    )


def check_settlements(settlements: Sequence[tuple[int, Settlement]], read: Read) -> dict[int, list[str]]:
    """What is wrong with settlements, derived again from the log's entries: by index, of those that are
    wrong.

    Each is as of the entries before it. The `root` is for the verifier to check, which has the hashes.
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
            _refuse_blind(books, index, entry)
            asked.append((index, entry, treasury.funds(period, entry.currency, entry.last)))
        except LedgerError as error:
            found[index] = [str(error)]
    answers = heard_of(EntriesUsage(read, books), [funds for _, _, funds in asked])
    for (index, entry, funds), heard in zip(asked, answers, strict=True):
        try:
            problems = divide(books, funds, heard).differences(entry)
        except LedgerError as error:
            problems = [str(error)]
        if problems:
            found[index] = problems
    return found


def _refuse_blind(books: Books, index: int, entry: Settlement) -> None:
    """Raise VerificationFailed if the settlement at `index` did not read one before it in its currency.

    It would count again what that one has counted.
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
    """The one currency that `period` has income in and was not settled in.

    If all were settled it is the one currency there is, and if there is none the one that late money waits
    in. Raises NothingToSettle, SeveralCurrencies.
    """
    every = sorted({entry.currency for _, of, entry in books.income if period.overlaps(of)})
    done = {entry.currency for _, of, entry in books.settlements if period.overlaps(of)}
    choice = [currency for currency in every if currency not in done] or every
    choice = choice or [each.currency for each in Treasury(books).waiting(books.size - 1)]
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
