"""Which accounts an income is in: it may rise and fall after it was settled.

What falls is taken from the account that it entered last; what rises fills up the oldest first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .accounts import SettledAccount
from .funds import BEFORE, AccountKey, IncomeItem


class Layer(NamedTuple):
    """The part of an income that is in one account: `now` of the `full` amount that entered there."""

    account: AccountKey
    full: int
    now: int


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of each income, by its index; the oldest first."""

    of: dict[int, tuple[Layer, ...]] = field(default_factory=dict)

    def enter(self, income: int, account: AccountKey, amount: int) -> None:
        """An income that is settled for the first time."""
        self.of[income] = (Layer(account, amount, amount),)

    def change_before(self, item: IncomeItem, account: AccountKey) -> None:
        """A late income, or a correction, by the rule of before: it stays in the account that it entered."""
        (before,) = self.of.get(item.income, (Layer(account, 0, 0),))
        now = before.now + item.amount
        self.of[item.income] = (Layer(before.account, max(before.full, now), now),)

    def one_account(self, periods: Collection[str]) -> Layers:
        """The same, with all income of some periods in one account each, that of before."""
        return Layers(
            {
                income: tuple(
                    each._replace(account=AccountKey(BEFORE, each.account.period))
                    if each.account.period in periods
                    else each
                    for each in layers
                )
                for income, layers in self.of.items()
            }
        )

    def change(
        self, item: IncomeItem, new: AccountKey, accounts: Mapping[AccountKey, SettledAccount]
    ) -> list[tuple[AccountKey, IncomeItem]]:
        """A late income, or a correction: what of its amount goes to which account.

        What rises above all that there was is a layer in the account `new`. What was given to nobody is not
        filled up.
        """
        income = item.income
        layers, moved, left = list(self.of.get(income, ())), list[tuple[AccountKey, int]](), item.amount
        for at in reversed(range(len(layers))) if left < 0 else range(len(layers)):
            key, full, now = layers[at]
            part = max(left, -now) if left < 0 else min(left, full - now)
            if part < 0 and key in accounts and accounts[key].unallocated:
                full += part
            layers[at] = Layer(key, full, now + part)
            moved.append((key, part))
            left -= part
        if left > 0:
            if layers and layers[-1].account == new:
                left_before = layers.pop().now
                layers.append(Layer(new, left_before + left, left_before + left))
            else:
                layers.append(Layer(new, left, left))
            moved.append((new, left))
        self.of[income] = tuple(layers)
        return [(key, replace(item, amount=part)) for key, part in moved if part]
