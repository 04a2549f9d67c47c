"""A period's income divided by other rules: numbers for each holder and role, before anybody votes.

- strict-ms: the rule of the settlement; a stem earns by its milliseconds in play
- per-session: each listener pays for what they heard; every session has an equal part of the pool, divided by
  milliseconds within it
- section-presence: a stem earns by the number of sections, counted session by session, in which it was heard
- floor:N: as strict-ms, but a placement counts for N milliseconds at the least
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..division.divide import largest_remainder
from ..division.division import Division, divide, time_in_play_of
from ..division.errors import BadRule
from ..division.periods import Period
from ..division.treasury import Treasury
from ..division.usage import Played, TimeInPlay, Usage

STRICT = "strict-ms"
RULES = (STRICT, "per-session", "section-presence", "floor:N")
LONGEST_FLOOR = 3_600_000
"""An hour, in ms."""

_OfIncome = Callable[[int], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A period divided by one rule."""

    rule: str
    division: Division

    def by_holder(self) -> dict[str, int]:
        """Micro-units by holder id."""
        return {each.holder: each.master + each.publishing for each in self.division.settled_holders}

    def by_role(self, roles: Mapping[str, str]) -> dict[str, int]:
        """Micro-units by role. `roles`: the role of each stem."""
        sums: dict[str, int] = {}
        for each in self.division.stems:
            sums[roles[each.stem]] = sums.get(roles[each.stem], 0) + each.amount
        return sums


def simulate(
    usage: Usage, period: Period, currency: str, last: int, rules: Sequence[str]
) -> tuple[Simulated, ...]:
    """Divide the income of `period` by each of `rules`, from entries 0 to `last`; nothing is written.

    For the numbers of a settled period, give the `last` of its settlement. Raises BadRule,
    NothingToSettle, VerificationFailed.
    """
    funds = Treasury(usage.books).funds(period, currency, last)
    (heard,) = time_in_play_of(usage, [funds])
    made = []
    for rule in rules:
        floor = _floor(rule)
        other = None
        if rule != STRICT:
            # A stem that is not in the books stops `divide` before its session could count.
            rules_ = [
                _parted(rule, found, list(usage.played(income.windows, floor)))
                for income, found in zip(funds.divided_income, heard, strict=True)
            ]
            other = partial(_part, rules_)
        made.append(Simulated(rule, divide(usage.books, funds, heard, other)))
    return tuple(made)


def _part(incomes: Sequence[_OfIncome], number: int, amount: int) -> Mapping[str, int]:
    return incomes[number](amount)


def check_rule(rule: str) -> str:
    """`rule`, if it is one. Raises BadRule."""
    _floor(rule)
    return rule


def _floor(rule: str) -> int:
    if found := re.fullmatch(r"floor:([0-9]{1,7})", rule):
        if int(found[1]) <= LONGEST_FLOOR:
            return int(found[1])
        raise BadRule(f"a floor is at most {LONGEST_FLOOR} milliseconds, and {rule!r} is more")
    if rule not in RULES[:-1]:
        raise BadRule(f"{rule!r} is not a rule; there are {', '.join(RULES)}, such as floor:500")
    return 0


def _parted(rule: str, heard: Sequence[TimeInPlay], played: Sequence[Played]) -> _OfIncome:
    if rule == "per-session":
        return lambda amount: _per_session(amount, played)
    weights = dict.fromkeys((each.stem for each in heard), 0)
    for each in played:
        weights[each.stem] += each.sections if rule == "section-presence" else each.floored
    ids = sorted(weights)
    return lambda amount: dict(
        zip(ids, largest_remainder(amount, [weights[stem] for stem in ids], ids), strict=True)
    )


def _per_session(amount: int, played: Sequence[Played]) -> dict[str, int]:
    sessions: dict[str, list[Played]] = {}
    for each in played:
        if each.ms:
            sessions.setdefault(each.session, []).append(each)
    ids = sorted(sessions)
    sums: dict[str, int] = {}
    for session, part in zip(ids, largest_remainder(amount, [1] * len(ids), ids), strict=True):
        stems = sessions[session]
        names = [each.stem for each in stems]
        for stem, of_stem in zip(
            names, largest_remainder(part, [each.ms for each in stems], names), strict=True
        ):
            sums[stem] = sums.get(stem, 0) + of_stem
    return sums
