"""Income and corrections that come after the settlement of their period, and their effect on that period.

A settled period has an account. What comes late changes it: the holders of the period receive more, or the
next settlement takes back what they were given too much (rules 3 and 4 of `treasury.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..entries.entries import WHOLE_PPM, Source
from .funds import IncomeItem, IncomeLine
from .periods import Period
from .terms import InForce


@dataclass(frozen=True, slots=True)
class SettledAccount:
    """The income of a settled period.

    The holders' share of `gross` is what they were given, plus `unallocated`, less `back`.
    """

    period: Period
    terms: InForce
    gross: Mapping[Source, int]
    unallocated: int
    """The part that was divided when nothing had been heard."""
    back: int
    """What corrections took of what was given, less what came back since."""
    counted: int
    """The last entry up to which the period's placements were counted."""


class LateChange(NamedTuple):
    """The effect of late money on an account."""

    account: SettledAccount
    lines: list[IncomeLine]
    late: int
    """For the holders of its own period."""
    taken: int
    """From the settlement's own income; below zero it goes back there."""
    not_given: int


def late_change(
    account: SettledAccount, sources: Mapping[Source, Sequence[IncomeItem]], *, heard: bool
) -> LateChange:
    """The effect on an account of what came late, by source. `heard`: whether anything was in the period."""
    gross = dict(account.gross)
    lines = []
    for source, items in sorted(sources.items()):
        line = income_line(source, account.period.text, items, account.terms, gross.get(source, 0))
        gross[source] = gross.get(source, 0) + line.gross
        lines.append(line)
    more = sum(line.for_holders for line in lines)
    if more >= 0:
        restored = min(account.back, more)
        late, not_given = more - restored, 0
        after = replace(
            account,
            gross=gross,
            back=account.back - restored,
            unallocated=account.unallocated + (0 if heard else late),
        )
        return LateChange(after, lines, late, -restored, not_given)
    not_given = min(account.unallocated, -more)
    taken = -more - not_given
    left = account.unallocated - not_given
    after = replace(account, gross=gross, unallocated=left, back=account.back + taken)
    return LateChange(after, lines, 0, taken, not_given)


def income_line(
    source: Source, late_of: str | None, items: Iterable[IncomeItem], terms: InForce, before: int
) -> IncomeLine:
    """`before`: the income of the source and period when it was read last."""
    found, ppm = tuple(items), terms.holders_ppm(source)
    gross = sum(item.amount for item in found)
    share = _for_holders(before + gross, ppm) - _for_holders(before, ppm)
    return IncomeLine(source, late_of, gross, share, ppm, found)


def _for_holders(gross: int, ppm: int) -> int:
    """The holders' share of income: the part kept back is rounded down."""
    return gross - gross * (WHOLE_PPM - ppm) // WHOLE_PPM
