"""Accounts of settled income: what income is in each, what was given of it, and what corrections change.

Each amount that a settlement divides has an account. A correction of settled income changes the accounts that
the income is in, and none besides: so nobody owes what others were given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..entries.entries import WHOLE_PPM, Source
from .funds import AccountKey, IncomeItem, IncomeLine
from .periods import Period
from .terms import InForce


@dataclass(frozen=True, slots=True)
class SettledAccount:
    """One divided amount, in micro-units.

    The holders' share of `gross` is `given`, plus `unallocated` and `short`, less `back` and `owed`; in a
    ledger that has the rule of before in it, what earlier settlements carried over is missing there.
    """

    period: Period
    terms: InForce
    gross: Mapping[Source, int]
    given: int
    """What the division gave to holders."""
    unallocated: int
    """The part that was divided when nothing had been heard."""
    owed: int = 0
    """What its holders owe of it, whether it was set off or not."""
    back: int = 0
    """By the rule of before: what other holders bore of it, less what came back to them since."""
    short: int = 0
    """What corrections took that its holders had never been given; nobody owes it."""


class AccountChange(NamedTuple):
    """The effect of late money on an account. Of what rises again the amounts are negative."""

    key: AccountKey
    account: SettledAccount
    lines: list[IncomeLine]
    late: int = 0
    """For the holders of the account's period, by what was heard in it."""
    not_given: int = 0
    """From nobody."""
    owed: int = 0
    """From those who were given it."""
    back: int = 0
    """From the settlement's own income, by the rule of before."""
    short: int = 0


Sources = Mapping[Source, Sequence[IncomeItem]]
"""What came in late, and corrections, by source."""


def opened(key: AccountKey, period: Period, terms: InForce, sources: Sources) -> AccountChange:
    """The account of late income of a settled period; what it gives is divided later."""
    after, lines = _entered(SettledAccount(period, terms, {}, 0, 0), sources)
    return AccountChange(key, after, lines, sum(line.for_holders for line in lines))


def corrected(key: AccountKey, account: SettledAccount, sources: Sources) -> AccountChange:
    """The effect of corrections: those who were given the income owe what is taken back."""
    after, lines = _entered(account, sources)
    more = sum(line.for_holders for line in lines)
    if more < 0:
        not_given = min(account.unallocated, -more)
        owed = min(account.given - account.owed, -more - not_given)
        short, late, back = -more - not_given - owed, 0, 0
    else:
        owed = -min(account.owed, more)
        back = -min(account.back, more + owed)
        short = -min(account.short, more + owed + back)
        not_given, late = 0, more + owed + back + short
    after = replace(
        after,
        unallocated=account.unallocated - not_given,
        owed=account.owed + owed,
        back=account.back + back,
        short=account.short + short,
    )
    return AccountChange(key, after, lines, late, not_given, owed, back, short)


def corrected_before(
    key: AccountKey, account: SettledAccount, sources: Sources, *, heard: bool
) -> AccountChange:
    """The effect of late income and corrections by the rule of before: the next settlement bears it.

    `heard`: whether anything was in the account's period.
    """
    after, lines = _entered(account, sources)
    more = sum(line.for_holders for line in lines)
    if more < 0:
        not_given, late = min(account.unallocated, -more), 0
        back, unallocated = -more - not_given, account.unallocated - not_given
    else:
        back, not_given = -min(account.back, more), 0
        late = more + back
        unallocated = account.unallocated + (0 if heard else late)
    given = account.given + (late if heard else 0)
    after = replace(after, given=given, unallocated=unallocated, back=account.back + back)
    return AccountChange(key, after, lines, late, not_given, 0, back)


def _entered(account: SettledAccount, sources: Sources) -> tuple[SettledAccount, list[IncomeLine]]:
    gross, lines = dict(account.gross), []
    for source, items in sorted(sources.items()):
        line = income_line(source, account.period.text, items, account.terms, gross.get(source, 0))
        gross[source] = gross.get(source, 0) + line.gross
        lines.append(line)
    return replace(account, gross=gross), lines


def income_line(
    source: Source, late_of: str | None, items: Iterable[IncomeItem], terms: InForce, before: int
) -> IncomeLine:
    """`before`: the income of the source that is in the account already."""
    found, ppm = tuple(items), terms.holders_ppm(source)
    gross = sum(item.amount for item in found)
    share = _for_holders(before + gross, ppm) - _for_holders(before, ppm)
    return IncomeLine(source, late_of, gross, share, ppm, found)


def _for_holders(gross: int, ppm: int) -> int:
    """The holders' share of income: the part kept back is rounded down."""
    return gross - gross * (WHOLE_PPM - ppm) // WHOLE_PPM
