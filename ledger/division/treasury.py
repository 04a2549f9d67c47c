"""The funds of each settlement, one after another, derived from the books alone.

1. A settlement counts the income, as corrected, of its currency whose own period lies inside the settled one.
   It also counts, once, income and corrections that came too late for the settlement of their period.
2. Of each source the terms keep back a part, rounded down; the rest goes to holders. The terms are those of
   the period with which the income is settled (`terms.in_force`; without any, `terms.DEFAULT`).
3. The settlement's own income is divided by the placements of its period, and by those that came too late
   for the settlement of theirs (`windows.py`). For each settled period that became worth more than its
   holders were ever given, the difference is divided by all placements of that period.
4. If a settled period became worth less than its holders were given, the difference comes out of the own
   income; if it is worth more again later, the difference goes back there. What had stayed unallocated,
   because nothing was heard, is not taken back. What the own income cannot bear is carried over to the next
   settlement. A settlement without own income counts no late placements: they wait.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..entries.entries import Income, Settlement, Source
from .books import Books
from .errors import NothingToSettle
from .funds import DividedIncome, Funds, IncomeItem, IncomeLine, LateMoney
from .late_income import LateChange, SettledAccount, income_line, late_change
from .money import LARGEST, decimal_text
from .periods import Period
from .terms import InForce, in_force
from .windows import PlacementWindow


class Treasury:
    """The money of each settlement of a ledger, and of one to come."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._currencies: dict[str, _Currency] = {}

    def funds(self, period: Period, currency: str, last: int) -> Funds:
        """The funds of a settlement of `period`, by entries 0 to `last`.

        Raises NothingToSettle if there is no income, some reaches beyond the period, or it is more than one
        settlement can hold.
        """
        return self._of(currency).funds(period, last)

    def late_money(self, last: int) -> tuple[LateMoney, ...]:
        """The late money of each currency that has any, by entries 0 to `last`."""
        settled = sorted({entry.currency for _, _, entry in self._books.settlements})
        every = (self._of(currency).late_money(last) for currency in settled)
        return tuple(each for each in every if each.gross or each.late or each.taken_back)

    def uncounted(self, period: Period, currency: str, last: int) -> PlacementWindow:
        """The placements of a settled period, up to `last`, that no settlement in a currency has counted."""
        return PlacementWindow(period, self._of(currency).counted(period, last), last)

    def _of(self, currency: str) -> _Currency:
        if currency not in self._currencies:
            self._currencies[currency] = _Currency(self._books, currency)
        return self._currencies[currency]


@dataclass(frozen=True, slots=True)
class _State:
    """A currency after some of its settlements."""

    read: int = -1
    """The last entry up to which money was read."""
    carried: int = 0
    accounts: Mapping[str, SettledAccount] = field(default_factory=dict)
    """By the settled period."""


class _Event(NamedTuple):
    """An income, or a correction of one."""

    at: int
    income: Income
    of: Period
    item: IncomeItem


class _Currency:
    """The settlements of one currency, one after another."""

    def __init__(self, books: Books, currency: str) -> None:
        self._books, self._currency = books, currency
        self._settlements = [each for each in books.settlements if each[2].currency == currency]
        self._states = [_State()]
        self._events: list[_Event] = []
        for index, of, entry in books.income:
            if entry.currency == currency:
                item = IncomeItem(index, entry.period, entry.amount, entry.reference)
                self._events.append(_Event(index, entry, of, item))
                for at, each in books.corrections.get(index, ()):
                    item = IncomeItem(at, entry.period, each.amount, each.reason, index)
                    self._events.append(_Event(at, entry, of, item))
        self._events.sort(key=lambda event: event.at)
        self._order = [event.at for event in self._events]
        self._by_period: dict[Period, list[_Event]] = {}
        for event in self._events:
            self._by_period.setdefault(event.of, []).append(event)

    def funds(self, period: Period, last: int) -> Funds:
        return self._funds(self._state(last), period, last)[0]

    def late_money(self, last: int) -> LateMoney:
        state = self._state(last)
        changes = self._changes(state, last)
        gross = sum(line.gross for each in changes for line in each.lines if line.gross > 0)
        taken = sum(each.taken for each in changes) + state.carried
        late = sum(each.late for each in changes)
        return LateMoney(self._currency, gross, late + max(0, -taken), max(0, taken))

    def counted(self, period: Period, last: int) -> int:
        return self._state(last).accounts[period.text].counted

    def _state(self, last: int) -> _State:
        """The state after the settlements among entries 0 to `last`."""
        count = bisect_right(self._settlements, last, key=lambda each: each[0])
        while len(self._states) <= count:
            _, period, entry = self._settlements[len(self._states) - 1]
            self._states.append(self._after(self._states[-1], period, entry))
        return self._states[count]

    def _after(self, state: _State, period: Period, entry: Settlement) -> _State:
        """The state that a settlement leaves behind."""
        funds, changes = self._funds(state, period, entry.last)
        own = funds.divided_income[0]
        accounts = {**state.accounts, **{each.account.period.text: each.account for each in changes}}
        if own.amount:
            accounts = {of: replace(each, counted=entry.last) for of, each in accounts.items()}
        unallocated = 0 if entry.total_ms else own.amount
        for each in changes:
            # What goes back to an own income that nobody earns stays unallocated.
            lost = min(unallocated, max(0, -each.taken))
            account = accounts[each.account.period.text]
            accounts[account.period.text] = replace(
                account, unallocated=account.unallocated + lost, back=account.back + lost
            )
            unallocated -= lost
        gross: dict[Source, int] = {each.source: each.gross for each in funds.income if each.late_of is None}
        accounts[period.text] = SettledAccount(period, own.terms, gross, unallocated, 0, entry.last)
        return _State(entry.last, funds.carried_out, accounts)

    def _funds(self, state: _State, period: Period, last: int) -> tuple[Funds, list[LateChange]]:
        terms = in_force(self._books, period, last)
        own, changes = self._own(period, terms, last), self._changes(state, last)
        lines = [*own, *(line for each in changes for line in each.lines)]
        if not lines:
            raise NothingToSettle(
                f"there is no income in {self._currency} for {period.text}; record it with 'stemloom royalty "
                "income'"
            )
        left = sum(line.for_holders for line in own) - sum(each.taken for each in changes) - state.carried
        windows = [PlacementWindow(period, -1, last)]
        if left > 0:
            windows += [PlacementWindow(each.period, each.counted, last) for each in state.accounts.values()]
        divided = [DividedIncome(period, terms, max(0, left), tuple(windows))]
        for each in changes:
            if each.late:
                of = each.account.period
                whole = PlacementWindow(of, -1, last)
                divided.append(DividedIncome(of, each.account.terms, each.late, (whole,)))
        funds = Funds(
            period=period,
            currency=self._currency,
            last=last,
            terms=terms,
            income=tuple(lines),
            not_given=sum(each.not_given for each in changes),
            carried_in=state.carried,
            carried_out=max(0, -left),
            divided_income=tuple(divided),
        )
        if funds.gross > LARGEST:
            raise NothingToSettle(
                f"the income of {period.text} sums to {decimal_text(funds.gross)} {self._currency}, more "
                f"than one settlement can hold, which is {decimal_text(LARGEST)}; settle shorter periods"
            )
        return funds, changes

    def _own(self, period: Period, terms: InForce, last: int) -> list[IncomeLine]:
        """The settlement's own income, by source."""
        own: list[_Event] = []
        for of, events in self._by_period.items():
            known = [event for event in events if event.at <= last]
            if period.covers(of):
                own += known
            elif period.overlaps(of):
                _refuse_reaching(period, known)
        sources: dict[Source, list[IncomeItem]] = {}
        for event in sorted(own, key=lambda event: event.at):
            sources.setdefault(event.income.source, []).append(event.item)
        return [income_line(source, None, items, terms, 0) for source, items in sorted(sources.items())]

    def _changes(self, state: _State, last: int) -> list[LateChange]:
        """The changes of settled periods since money was read last, in the order of their settlements."""
        new: dict[str, dict[Source, list[IncomeItem]]] = {}
        first, end = bisect_right(self._order, state.read), bisect_right(self._order, last)
        covering: dict[Period, str | None] = {}
        for event in self._events[first:end]:
            if event.of not in covering:
                every = (of for of, each in state.accounts.items() if each.period.covers(event.of))
                covering[event.of] = next(every, None)
            of = covering[event.of]
            if of is not None:
                new.setdefault(of, {}).setdefault(event.income.source, []).append(event.item)
        return [
            late_change(account, new[of], heard=self._books.first_heard(account.period, last) is not None)
            for of, account in state.accounts.items()
            if of in new
        ]


def _refuse_reaching(period: Period, events: Iterable[_Event]) -> None:
    """Raise NothingToSettle for income, not 0 as corrected, that reaches beyond `period`."""
    sums, named = dict[int, int](), dict[int, str]()
    for event in events:
        index = event.at if event.item.corrects is None else event.item.corrects
        sums[index] = sums.get(index, 0) + event.item.amount
        if event.item.corrects is None:
            named[index] = event.income.period
    for index, amount in sums.items():
        if amount:
            raise NothingToSettle(
                f"income at entry {index} is for {named[index]}, which reaches beyond {period.text}; settle "
                f"{named[index]} or a longer period, or correct it to 0 with 'stemloom royalty correct' and "
                "record it anew"
            )
