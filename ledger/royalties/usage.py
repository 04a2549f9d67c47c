"""How stems were used in a period: sums over the placements of a ledger, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..entries import Placement
from .periods import Period


class Tally(Protocol):
    """Something that sums the placements of `period` among entries 0 to `last`."""

    @property
    def period(self) -> Period: ...

    @property
    def last(self) -> int: ...

    def add(self, index: int, placement: Placement) -> None:
        """Count one placement that lies in the period and at or before `last`."""


class Milliseconds:
    """Milliseconds in play per stem id: all that a settlement needs of the placements."""

    def __init__(self, period: Period, last: int) -> None:
        self.period = period
        self.last = last
        self.by_stem: dict[str, int] = {}

    def add(self, index: int, placement: Placement) -> None:
        self.by_stem[placement.stem] = self.by_stem.get(placement.stem, 0) + placement.ms


class Late(Milliseconds):
    """Milliseconds in play per stem id that entered the ledger after the period was settled.

    `settled` is the last entry that the settlement read; `last` the last one to look at.
    """

    def __init__(self, period: Period, settled: int, last: int) -> None:
        super().__init__(period, last)
        self._settled = settled

    def add(self, index: int, placement: Placement) -> None:
        if index > self._settled:
            super().add(index, placement)


@dataclass(slots=True)
class Amount:
    """Of one kind of use: milliseconds in play and number of placements."""

    ms: int = 0
    placements: int = 0


class Uses:
    """How each of some stems was used: by use, tier, role, section, session and day."""

    def __init__(self, period: Period, last: int, stems: Collection[str]) -> None:
        self.period = period
        self.last = last
        self.by_stem: dict[str, StemUse] = {stem: StemUse() for stem in stems}

    def add(self, index: int, placement: Placement) -> None:
        use = self.by_stem.get(placement.stem)
        if use is not None:
            use.add(index, placement)


class StemUse:
    """How one stem was used. Keys of the mappings are the placements' own words; days are `YYYY-MM-DD`."""

    def __init__(self) -> None:
        self.whole = Amount()
        self.sessions: set[str] = set()
        self.by_use: dict[str, Amount] = {}
        self.by_tier: dict[str, Amount] = {}
        self.by_role: dict[str, Amount] = {}
        self.by_section: dict[str, Amount] = {}
        self.by_day: dict[str, Amount] = {}
        self.first: tuple[str, int] | None = None
        """Start and ledger index of the earliest placement."""
        self.last: tuple[str, int] | None = None

    def add(self, index: int, placement: Placement) -> None:
        ms = placement.ms
        for amounts, word in (
            (self.by_use, placement.use),
            (self.by_tier, placement.tier),
            (self.by_role, placement.role),
            (self.by_section, placement.section),
            (self.by_day, placement.start[:10]),
        ):
            amount = amounts.get(word)
            if amount is None:
                amount = amounts[word] = Amount()
            amount.ms += ms
            amount.placements += 1
        self.whole.ms += ms
        self.whole.placements += 1
        self.sessions.add(placement.session)
        at = (placement.start, index)
        if self.first is None or at < self.first:
            self.first = at
        if self.last is None or at > self.last:
            self.last = at


def router(tallies: Iterable[Tally]) -> Callable[[int, Placement], None]:
    """A function that hands each placement to the tallies whose period and entries it lies in.

    Periods are whole days, so which tallies a placement may go to is looked up by its day.
    """
    all_tallies = tuple(tallies)
    days: dict[str, tuple[Tally, ...]] = {}

    def route(index: int, placement: Placement) -> None:
        day = placement.start[:10]
        chosen = days.get(day)
        if chosen is None:
            chosen = days[day] = tuple(tally for tally in all_tallies if placement.start in tally.period)
        for tally in chosen:
            if index <= tally.last:
                tally.add(index, placement)

    return route


def sum_ms(entries: Iterable[tuple[int, object]], period: Period) -> Mapping[str, int]:
    """Milliseconds in play per stem id over the placements of `entries` that start in `period`."""
    heard: dict[str, int] = {}
    start, end = period.start, period.end
    for _, entry in entries:
        if type(entry) is Placement and start <= entry.start < end:
            heard[entry.stem] = heard.get(entry.stem, 0) + entry.ms
    return heard
