"""What each holder is owed: the sum of what settlements gave them, per currency."""

from __future__ import annotations

from dataclasses import dataclass

from .books import gather
from .division import rederive
from .errors import NotAHolder
from .turn import ReadableLog, Sealed, sealed


@dataclass(frozen=True, slots=True)
class Balance:
    """A holder's account in one currency, in micro-units: `master + publishing == closing`."""

    holder: str
    currency: str
    settlements: int
    """How many settlements gave this holder something."""
    master: int
    publishing: int
    closing: int


def balances(log: ReadableLog, holder: str | None = None) -> tuple[Balance, ...]:
    """Every holder's balance in every settled currency, by holder, then currency; or one holder's alone.

    Derived from the placements again. Raises NotAHolder for an id that is not in the ledger, and
    VerificationFailed if a settlement does not follow from its entries.
    """
    return balances_of(sealed(log), holder)


def balances_of(seal: Sealed, holder: str | None = None) -> tuple[Balance, ...]:
    """`balances` from the entries under one checkpoint. Reads them twice."""
    settlements = [(period, entry) for _, period, entry in gather(seal.read()).settlements]
    books, divisions = rederive(seal.read, settlements)
    if holder is not None and holder not in books.holders:
        raise NotAHolder(f"the ledger has no holder {holder}; see 'stemloom vault holder list'")
    currencies = {division.currency for division in divisions}
    sums = {(who, currency): [0, 0, 0] for who in books.holders for currency in currencies}
    for division in divisions:
        for each in division.settled_holders:
            account = sums.setdefault((each.holder, division.currency), [0, 0, 0])
            account[0] += each.master + each.publishing > 0
            account[1] += each.master
            account[2] += each.publishing
    return tuple(
        Balance(who, currency, count, master, publishing, master + publishing)
        for (who, currency), (count, master, publishing) in sorted(sums.items())
        if holder in (None, who)
    )
