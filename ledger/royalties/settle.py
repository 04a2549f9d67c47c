"""Settlement: a period's income divided, and the division sealed in the ledger, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ..clock import Clock
from ..division.division import Division, divide_period
from ..division.errors import NothingHeard
from ..division.money import check_currency, money_text
from ..division.periods import Period
from ..division.settlements import only_currency, refuse_future, refuse_settled, refuse_unfinished
from ..entries import canonical
from ..entries.entries import Settlement
from ..errors import VerificationFailed
from .engines import Engine, usage_of
from .money_lock import at_checkpoint, money_lock

if TYPE_CHECKING:
    from ..log.log import Log


@dataclass(frozen=True, slots=True)
class SettledPeriod:
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
            "stems": msgspec.to_builtins(self.division.settled_stems),
            "holders": [
                {**msgspec.to_builtins(each), "amount": each.master + each.publishing}
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
) -> SettledPeriod:
    """Divide the income of `period` by the milliseconds in play, and append the settlement.

    A settlement cannot be undone, so an unusual one must be asked for. `early`: settle a period that has
    begun and is not over; later placements in it count in the next settlement. `unallocated`: settle a period
    in which nothing was heard; all its income stays unallocated. `currency` may be left out if the period has
    income in one alone. `engine`: adds up the milliseconds (`engines.py`). Nothing is appended unless the
    whole ledger verifies. Raises BadPeriod, NotOver, UnknownCurrency, SeveralCurrencies, AlreadySettled,
    NothingToSettle, NothingHeard, VerificationFailed, LedgerError.
    """
    from ..verify.verify import verify

    clock = clock or log.clock
    period = Period.parse(period) if isinstance(period, str) else period
    if currency is not None:
        check_currency(currency)
    refuse_future(period, clock.now())
    if not early:
        refuse_unfinished(period, clock.now())
    with money_lock(log.home):
        report = verify(log.home, progress=progress)
        if not report.ok:
            raise VerificationFailed(
                f"the ledger does not verify, so nothing was settled: {report.problems[0].detail}; "
                "see 'stemloom ledger verify'"
            )
        log.append(())  # the placements of processes that died count too
        seal = at_checkpoint(log)
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
                f"nothing was heard in {' or '.join(division.unearned_periods)}, so "
                f"{money_text(division.unallocated, currency)} would stay unallocated for good; nothing was "
                "settled: if that is meant, add --unallocated"
            )
        entry = settlement_entry(division, seal.root, clock.now())
        (index,) = log.append((entry,))
    return SettledPeriod(index, entry, division, within)


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
        pool=division.for_holders,
        total_ms=division.total_ms,
        unallocated=division.unallocated,
        stems=canonical.digest(division.settled_stems),
        holders=canonical.digest(division.settled_holders),
    )
