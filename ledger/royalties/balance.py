"""What each holder is owed: the sum of what settlements gave them, per currency.

And what no settlement gives them: what was heard in a settled period after it was settled.
"""

from __future__ import annotations

from dataclasses import dataclass

from .books import gather
from .division import rederive
from .errors import NotAHolder
from .turn import ReadableLog, Sealed, sealed
from .usage import Late


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


@dataclass(frozen=True, slots=True)
class HeardSince:
    """What was heard in a settled period and entered the ledger after its settlement, entry `settlement`."""

    period: str
    currency: str
    settlement: int
    ms: int


def heard_since_of(seal: Sealed) -> tuple[HeardSince, ...]:
    """For each settlement, in the ledger's order, the milliseconds of all stems that came after it.

    From the entries under one checkpoint. Reads them twice.
    """
    settlements = gather(seal.read()).settlements
    late = [Late(period, entry.last, seal.size - 1) for _, period, entry in settlements]
    if late:
        gather(seal.read(), late)
    return tuple(
        HeardSince(entry.period, entry.currency, index, sum(each.by_stem.values()))
        for (index, _, entry), each in zip(settlements, late, strict=True)
    )


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
