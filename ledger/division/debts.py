"""What holders owe, because income that they were given was corrected, and what is set off against earnings.

A debt never exceeds what the income gave its holder. It is set off against what the holder earns, in its
currency, and asks for no payment: who earns nothing more keeps it. No other holder bears it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .divide import largest_remainder
from .division import Division
from .funds import BEFORE, AccountKey, Charge, IncomeItem


@dataclass(frozen=True, slots=True)
class DebtChange:
    """A holder's part of what corrections take back; below 0 where income rose again. Micro-units.

    `given`: what the income had given the holder, less what they owed of it before. `of_all`: the parts of
    all holders together.
    """

    period: str
    given: int
    of_all: int
    amount: int
    corrections: tuple[IncomeItem, ...]


@dataclass(frozen=True, slots=True)
class Owing:
    """A holder's debt in one settlement: `before + sum of the changes - set_off == after`, none below 0.

    `set_off`: against what the settlement gives them, at most all of it; below 0, what was set off before and
    is given back, because the debt was lifted.
    """

    before: int
    changes: tuple[DebtChange, ...]
    set_off: int
    after: int


NOTHING = Owing(0, (), 0, 0)


@dataclass(slots=True)
class _Account:
    given: dict[str, int] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)


def owing(divisions: Sequence[Division]) -> list[dict[str, Owing]]:
    """For each of all divisions of one currency, in order, who owes what. Who never owed is left out."""
    accounts: dict[AccountKey, _Account] = {}
    debts: dict[str, int] = {}
    set_off: dict[str, int] = {}
    found = []
    for division in divisions:
        changes: dict[str, list[DebtChange]] = {}
        for charge in division.funds.charges:
            for holder, change in _shared(charge, accounts[charge.account]).items():
                changes.setdefault(holder, []).append(change)
        earned = {each.holder: each.master + each.publishing for each in division.settled_holders}
        made = {}
        for holder in sorted({*debts, *changes}):
            debt, until_now = debts.get(holder, 0), set_off.get(holder, 0)
            after = debt + sum(each.amount for each in changes.get(holder, ()))
            off = min(after, until_now + earned.get(holder, 0))
            made[holder] = Owing(
                debt - until_now, tuple(changes.get(holder, ())), off - until_now, after - off
            )
            debts[holder], set_off[holder] = after, off
        found.append(made)
        _note_given(accounts, division)
    return found


def _shared(charge: Charge, account: _Account) -> dict[str, DebtChange]:
    """The parts of a charge: by what was given and is not owed yet; a lifted one by what is owed."""
    if charge.amount > 0:
        weights = {who: given - account.owed.get(who, 0) for who, given in account.given.items()}
    else:
        weights = dict(account.owed)
    holders = sorted(weights)
    parts = largest_remainder(abs(charge.amount), [weights[who] for who in holders], holders)
    made = {}
    for holder, part in zip(holders, parts, strict=True):
        amount = part if charge.amount > 0 else -part
        if amount:
            left = account.given[holder] - account.owed.get(holder, 0)
            made[holder] = DebtChange(charge.account.period, left, charge.amount, amount, charge.items)
            account.owed[holder] = account.owed.get(holder, 0) + amount
    return made


def _note_given(accounts: dict[AccountKey, _Account], division: Division) -> None:
    funds = division.funds
    keys = {each.period.text: [each.account] for each in funds.divided_income}
    if not funds.receivers_bear:
        for period, every in keys.items():
            every.append(AccountKey(BEFORE, period))
    for key in (key for every in keys.values() for key in every):
        accounts.setdefault(key, _Account())
    for stem in division.stems:
        for line in stem.lines:
            for key in keys[line.income_of]:
                given = accounts[key].given
                for part in line.parts:
                    given[part.holder] = given.get(part.holder, 0) + part.amount
