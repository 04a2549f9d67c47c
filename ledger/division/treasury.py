"""The funds of each settlement, one after another, derived from the books alone.

1. A settlement counts the income, as corrected, of its currency whose own period lies inside the settled one.
   It also counts, once, income and corrections that came too late for the settlement of their period.
2. Of each source the terms keep back a part, rounded down; the rest goes to holders. The terms are those of
   the period with which the income is settled (`terms.in_force`; without any, `terms.DEFAULT`).
3. The settlement's own income is divided by the placements of its period, and by those that came too late
   for the settlement of theirs (`windows.py`). Late income of a settled period, and what its income rises
   beyond all that it was, is divided by all placements of that period.
4. If income that was settled is corrected, those who were given it owe what is taken back (`accounts.py`,
   `debts.py`); no other income bears it. In ledgers of before, up to the first entry that states this rule,
   the settlement's own income bears it, and what that cannot bear is carried over to the next settlement.
   What stayed unallocated, because nothing was heard, is not taken back.
5. A settlement without own income counts no late placements: they wait.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..entries.entries import Income, Settlement, Source
from .accounts import AccountChange, SettledAccount, Sources, corrected, corrected_before, income_line, opened
from .books import Books
from .errors import NothingToSettle
from .funds import BEFORE, AccountKey, Charge, DividedIncome, Funds, IncomeItem, IncomeLine, LateMoney
from .layers import Layers
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
        return tuple(each for each in every if each.gross or each.late or each.taken_back or each.owed)

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
    settlements: int = 0
    """How many there were."""
    accounts: Mapping[AccountKey, SettledAccount] = field(default_factory=dict)
    layers: Layers = field(default_factory=Layers)
    before: bool = True
    """Whether the rule of before still holds."""
    corrected: frozenset[str] = frozenset()
    """The periods in which a correction was settled by the rule of before."""
    counted: Mapping[str, tuple[Period, int]] = field(default_factory=dict)
    """The settled periods, each with the last entry up to which its placements were counted."""

    def stated(self) -> _State:
        """As the rule finds it that those bear corrections who were given the income.

        By the rule of before each settled period has an account of its own. It stays where a correction was
        settled by that rule.
        """
        if not self.before:
            return self
        accounts = {
            key: each
            for key, each in self.accounts.items()
            if (key.settlement == BEFORE) == (key.period in self.corrected)
        }
        layers = self.layers.one_account(self.corrected)
        return replace(self, before=False, accounts=accounts, layers=layers)


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
        return self._funds(self._ruled(self._state(last), last), period, last)[0]

    def late_money(self, last: int) -> LateMoney:
        state = self._ruled(self._state(last), last)
        changes, _ = self._changes(state, last)
        gross = sum(line.gross for each in changes for line in each.lines if line.gross > 0)
        back = sum(each.back for each in changes) + state.carried
        late, owed = sum(each.late for each in changes), sum(each.owed for each in changes)
        return LateMoney(self._currency, gross, late + max(0, -back), max(0, back), owed)

    def counted(self, period: Period, last: int) -> int:
        return self._state(last).counted[period.text][1]

    def _state(self, last: int) -> _State:
        """The state after the settlements among entries 0 to `last`."""
        count = bisect_right(self._settlements, last, key=lambda each: each[0])
        while len(self._states) <= count:
            _, period, entry = self._settlements[len(self._states) - 1]
            self._states.append(self._after(self._states[-1], period, entry))
        return self._states[count]

    def _ruled(self, state: _State, last: int) -> _State:
        return state.stated() if self._books.receivers_bear(last) else state

    def _after(self, state: _State, period: Period, entry: Settlement) -> _State:
        """The state that a settlement leaves behind."""
        state = self._ruled(state, entry.last)
        funds, changes, layers = self._funds(state, period, entry.last)
        own, last = funds.divided_income[0], entry.last
        accounts = {**state.accounts, **{each.key: each.account for each in changes}}
        unallocated = 0 if entry.total_ms else own.amount
        for each in changes:
            # What goes back to an own income that nobody earns stays unallocated.
            lost = min(unallocated, max(0, -each.back))
            account = accounts[each.key]
            accounts[each.key] = replace(
                account, unallocated=account.unallocated + lost, back=account.back + lost
            )
            unallocated -= lost
        given = own.amount if entry.total_ms else 0
        gross: dict[Source, int] = {each.source: each.gross for each in funds.income if each.late_of is None}
        accounts[own.account] = SettledAccount(period, own.terms, gross, given, unallocated)
        if state.before:
            accounts[AccountKey(BEFORE, period.text)] = accounts[own.account]
            for each in changes:
                key, sources = own.account._replace(period=each.key.period), _sources(each)
                accounts[key] = opened(key, each.account.period, each.account.terms, sources).account
        for late in funds.divided_income[1:]:
            self._give(accounts, late, last)
        sums: dict[int, int] = {}
        for line in funds.income:
            for item in line.items if line.late_of is None else ():
                sums[item.income] = sums.get(item.income, 0) + item.amount
        for income, amount in sums.items():
            layers.enter(income, own.account, amount)
        counted = dict(state.counted)
        if own.amount:
            counted = {text: (of, last) for text, (of, _) in counted.items()}
        counted[period.text] = period, last
        corrected = {each.key.period for each in changes if state.before and _corrects(each)}
        return _State(
            last,
            funds.carried_out,
            state.settlements + 1,
            accounts,
            layers,
            state.before,
            state.corrected | corrected,
            counted,
        )

    def _give(self, accounts: dict[AccountKey, SettledAccount], late: DividedIncome, last: int) -> None:
        account = accounts.get(late.account) or SettledAccount(late.period, late.terms, {}, 0, 0)
        if self._books.first_heard(late.period, last) is None:
            accounts[late.account] = replace(account, unallocated=late.amount)
        else:
            accounts[late.account] = replace(account, given=late.amount)

    def _funds(self, state: _State, period: Period, last: int) -> tuple[Funds, list[AccountChange], Layers]:
        terms = in_force(self._books, period, last)
        own, (changes, layers) = self._own(period, terms, last), self._changes(state, last)
        lines = [*own, *(line for each in changes for line in each.lines)]
        if not lines:
            raise NothingToSettle(
                f"there is no income in {self._currency} for {period.text}; record it with 'stemloom royalty "
                "income'"
            )
        left = sum(line.for_holders for line in own) - sum(each.back for each in changes) - state.carried
        windows = [PlacementWindow(period, -1, last)]
        if left > 0:
            windows += [PlacementWindow(of, counted, last) for of, counted in state.counted.values()]
        key = AccountKey(state.settlements, period.text)
        divided = [DividedIncome(key, period, terms, max(0, left), tuple(windows))]
        for text, (of, _) in state.counted.items():
            ours = [each for each in changes if each.key.period == text]
            if late := sum(each.late for each in ours):
                key, whole = key._replace(period=text), PlacementWindow(of, -1, last)
                divided.append(DividedIncome(key, of, ours[0].account.terms, late, (whole,)))
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
            charges=tuple(_charge(each) for each in changes if each.owed),
            short=sum(each.short for each in changes),
            receivers_bear=not state.before,
        )
        if funds.gross > LARGEST:
            raise NothingToSettle(
                f"the income of {period.text} sums to {decimal_text(funds.gross)} {self._currency}, more "
                f"than one settlement can hold, which is {decimal_text(LARGEST)}; settle shorter periods"
            )
        return funds, changes, layers

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

    def _changes(self, state: _State, last: int) -> tuple[list[AccountChange], Layers]:
        """The changes of accounts since money was read last, in the order of their periods' settlements.

        With them the layers of all incomes afterwards.
        """
        moved: dict[AccountKey, dict[Source, list[IncomeItem]]] = {}
        layers = Layers(dict(state.layers.of))
        covering: dict[Period, str | None] = {}
        first, end = bisect_right(self._order, state.read), bisect_right(self._order, last)
        for event in self._events[first:end]:
            if event.of not in covering:
                every = (text for text, (of, _) in state.counted.items() if of.covers(event.of))
                covering[event.of] = next(every, None)
            text = covering[event.of]
            if text is None:
                continue
            key = AccountKey(state.settlements, text)
            if state.before:
                layers.change_before(event.item, key)
                parts = [(AccountKey(BEFORE, text), event.item)]
            else:
                parts = layers.change(event.item, key, state.accounts)
            for of, item in parts:
                moved.setdefault(of, {}).setdefault(event.income.source, []).append(item)
        order = {text: at for at, text in enumerate(state.counted)}
        keys = sorted(moved, key=lambda key: (order[key.period], key.settlement))
        return [self._change(state, key, moved[key], last) for key in keys], layers

    def _change(self, state: _State, key: AccountKey, sources: Sources, last: int) -> AccountChange:
        account = state.accounts.get(key)
        if account is None:
            every = state.accounts.items()
            first = next(each for of, each in every if of.period == key.period)
            return opened(key, first.period, first.terms, sources)
        if state.before:
            heard = self._books.first_heard(account.period, last) is not None
            return corrected_before(key, account, sources, heard=heard)
        return corrected(key, account, sources)


def _sources(change: AccountChange) -> Sources:
    return {line.source: line.items for line in change.lines}


def _corrects(change: AccountChange) -> bool:
    return any(item.corrects is not None for line in change.lines for item in line.items)


def _charge(change: AccountChange) -> Charge:
    return Charge(change.key, change.owed, tuple(item for line in change.lines for item in line.items))


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
