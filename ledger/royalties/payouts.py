"""Payouts: the amount due to each holder, by the balance and the terms' threshold, and its entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..clock import Clock
from ..division.errors import BadAmount, NotPayable
from ..division.money import LARGEST, check_currency, coin, money_text
from ..entries.entries import Payout
from .balance import Balance, balances, check_holder, payable
from .engines import Engine, usage_of
from .money_lock import at_checkpoint, money_lock
from .record import check_text

if TYPE_CHECKING:
    from ..log.log import Log


@dataclass(frozen=True, slots=True)
class RecordedPayout:
    """A payout that was written, and the holder's balance before it."""

    index: int
    entry: Payout
    before: Balance


def record_payouts(
    log: Log,
    currency: str,
    reference: str,
    *,
    holder: str | None = None,
    amount: int | None = None,
    below_threshold: bool = False,
    clock: Clock | None = None,
    engine: Engine | None = None,
) -> tuple[RecordedPayout, ...]:
    """Write down that `holder`, or everybody who is due, was paid; all or nobody.

    `amount`: micro-units, for one holder alone; without it all that is payable (`balance.payable`).
    `reference`: a text by which the payment can be found, such as a bank's. `below_threshold`: pay one holder
    though less is due than the terms' threshold.
    Raises NotAHolder, NotPayable for more than the balance or less than the threshold, BadAmount,
    UnknownCurrency, VerificationFailed if a settlement does not follow from the ledger.
    """
    clock = clock or log.clock
    check_currency(currency)
    check_text(reference, "the reference of a payout", "a transfer's number")
    if amount is not None and not 0 < amount <= LARGEST:
        raise BadAmount(f"a payout is more than 0 and at most {money_text(LARGEST, currency)}")
    if amount is not None and amount % coin(currency):
        raise BadAmount(
            f"{money_text(amount, currency)} cannot be paid: the smallest coin is "
            f"{money_text(coin(currency), currency)}"
        )
    today = clock.now()[:10]
    with money_lock(log.home):
        seal = at_checkpoint(log)
        with usage_of(log, seal, engine) as usage:
            if holder is not None:
                check_holder(usage.books, holder)
            found = [each for each in balances(usage, seal.size, today, holder) if each.currency == currency]
        due: list[tuple[Balance, int]]
        if holder is None:
            due = [(each, each.payable) for each in found if each.payable]
        else:
            due = [(each, _due(each, amount, below_threshold)) for each in found]
        if not due:
            raise NotPayable(
                f"nobody has a balance in {currency} that the terms pay out"
                if holder is None
                else f"this holder has no balance in {currency}"
            )
        entries = [
            Payout(time=clock.now(), holder=each.holder, currency=currency, amount=sum_, reference=reference)
            for each, sum_ in due
        ]
        indices = log.append(entries)
    written = zip(indices, entries, due, strict=True)
    return tuple(RecordedPayout(index, entry, each) for index, entry, (each, _) in written)


def _due(balance: Balance, amount: int | None, below_threshold: bool) -> int:
    """The amount that one holder is paid."""
    closing, currency = balance.closing, balance.currency
    wanted = amount if amount is not None else balance.payable or payable(closing, currency, 0)
    if wanted > closing or not wanted:
        raise NotPayable(
            f"the balance is {money_text(closing, currency)}"
            + (f", and {money_text(wanted, currency)} is more" if wanted else ": nothing can be paid")
        )
    if not balance.payable and not below_threshold:
        raise NotPayable(
            f"the balance of {money_text(closing, currency)} is below the least amount that the terms pay "
            "out; add --below-threshold to pay it all the same"
        )
    return wanted
