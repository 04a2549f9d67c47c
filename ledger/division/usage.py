"""How stems were used: sums over the placements of a ledger, here from its entries themselves.

Royalties ask a `Usage`. `EntriesUsage` answers in one pass over the entries; `sql_usage.py` answers with SQL
over their Parquet, for ledgers of millions of placements. Both give the same numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..entries.entries import Placement
from .books import Books, Read, gather
from .periods import Period
from .windows import PlacementWindow


@dataclass(frozen=True, slots=True)
class TimeInPlay:
    """The time in play of one stem in a window, under one set of splits.

    `period`: the window's, as it is written. `splits`: the entry that set the splits; -1 for a stem that no
    entry brought into the vault.
    """

    stem: str
    period: str
    splits: int
    ms: int
    placements: int


@dataclass(slots=True)
class Amount:
    """Milliseconds in play and number of placements."""

    ms: int = 0
    placements: int = 0


@dataclass(slots=True)
class StemUse:
    """How one stem was used. Keys of the mappings are the placements' own words; days are `YYYY-MM-DD`."""

    whole: Amount = field(default_factory=Amount)
    sessions: int = 0
    by_use: dict[str, Amount] = field(default_factory=dict)
    by_tier: dict[str, Amount] = field(default_factory=dict)
    by_role: dict[str, Amount] = field(default_factory=dict)
    by_section: dict[str, Amount] = field(default_factory=dict)
    by_day: dict[str, Amount] = field(default_factory=dict)
    first: tuple[str, int] | None = None
    """Start and ledger index of the earliest placement."""
    last: tuple[str, int] | None = None


class Usage(Protocol):
    """Answers about the placements of one ledger."""

    @property
    def books(self) -> Books:
        """All other entries."""
        ...

    def time_in_play(self, questions: Sequence[Sequence[PlacementWindow]]) -> list[list[TimeInPlay]]:
        """For each question the time in play in its windows, sorted by stem, period and splits.

        The windows of one question do not overlap. Raises VerificationFailed, LedgerError.
        """
        ...

    def uses(self, window: PlacementWindow, stems: Collection[str] | None = None) -> dict[str, StemUse]:
        """How `stems`, or without them all that were heard, were used in a window."""
        ...

    def played(self, windows: Sequence[PlacementWindow], floor_ms: int = 0) -> Iterator[Played]:
        """Every stem of every session in the windows of one question, by session, then stem."""
        ...


@dataclass(frozen=True, slots=True)
class Played:
    """One stem in one session.

    `floored`: its ms if each placement counts for at least `floor_ms`. `sections`: in how many of
    the session's sections it was heard.
    """

    session: str
    stem: str
    ms: int
    floored: int
    placements: int
    sections: int


class EntriesUsage:
    """Answers from a ledger's entries, with one pass over them for each question."""

    def __init__(self, read: Read, books: Books | None = None) -> None:
        self._read = read
        self._books = books

    @property
    def books(self) -> Books:
        if self._books is None:
            self._books = gather(self._read())
        return self._books

    def time_in_play(self, questions: Sequence[Sequence[PlacementWindow]]) -> list[list[TimeInPlay]]:
        books = self.books
        sums: list[dict[tuple[str, str, int], Amount]] = [{} for _ in questions]
        owners = [_Owners(books, windows[0].last) for windows in questions]
        chosen = _by_day([(at, window) for at, windows in enumerate(questions) for window in windows])
        for index, placement in self._placements():
            for at, window in chosen(placement.start[:10]):
                if window.above < index <= window.last:
                    splits = owners[at].at(placement.stem, placement.start)
                    key = (placement.stem, window.period.text, splits)
                    amount = sums[at].get(key)
                    if amount is None:
                        amount = sums[at][key] = Amount()
                    amount.ms += placement.ms
                    amount.placements += 1
        return [
            [TimeInPlay(*key, amount.ms, amount.placements) for key, amount in sorted(each.items())]
            for each in sums
        ]

    def uses(self, window: PlacementWindow, stems: Collection[str] | None = None) -> dict[str, StemUse]:
        found: dict[str, StemUse] = {}
        sessions: dict[str, set[str]] = {}
        for index, placement in self._within(window):
            if stems is None or placement.stem in stems:
                use = found.get(placement.stem)
                if use is None:
                    use = found[placement.stem] = StemUse()
                    sessions[placement.stem] = set()
                _count(use, index, placement)
                sessions[placement.stem].add(placement.session)
        for stem, use in found.items():
            use.sessions = len(sessions[stem])
        return found

    def played(self, windows: Sequence[PlacementWindow], floor_ms: int = 0) -> Iterator[Played]:
        sums: dict[tuple[str, str], list[int]] = {}
        sections: dict[tuple[str, str], set[str]] = {}
        for window in windows:
            for _, placement in self._within(window):
                key = (placement.session, placement.stem)
                sum_ = sums.setdefault(key, [0, 0, 0])
                sum_[0] += placement.ms
                sum_[1] += max(placement.ms, floor_ms)
                sum_[2] += 1
                sections.setdefault(key, set()).add(placement.section)
        for key, (ms, floored, placements) in sorted(sums.items()):
            yield Played(*key, ms, floored, placements, len(sections[key]))

    def _placements(self) -> Iterator[tuple[int, Placement]]:
        for index, entry in self._read():
            if type(entry) is Placement:
                yield index, entry

    def _within(self, window: PlacementWindow) -> Iterator[tuple[int, Placement]]:
        start, end = window.period.start, window.period.end
        for index, placement in self._placements():
            if window.above < index <= window.last and start <= placement.start < end:
                yield index, placement


class _Owners:
    """Finds the splits by which a placement goes, by entries 0 to `last`."""

    def __init__(self, books: Books, last: int) -> None:
        self._books, self._last = books, last
        self._known: dict[str, tuple[list[str], list[int]]] = {}

    def at(self, stem: str, start: str) -> int:
        known = self._known.get(stem)
        if known is None:
            splits = self._books.rights.owned(stem, self._last)
            # The splits with which the stem entered hold from its beginning.
            known = self._known[stem] = [each.time for each in splits[1:]], [each.index for each in splits]
        times, indices = known
        return indices[bisect_right(times, start)] if indices else -1


def _by_day(
    windows: Iterable[tuple[int, PlacementWindow]],
) -> Callable[[str], Sequence[tuple[int, PlacementWindow]]]:
    """The windows that a day, `YYYY-MM-DD`, lies in: periods are whole days."""
    by_period: dict[Period, list[tuple[int, PlacementWindow]]] = {}
    for each in windows:
        by_period.setdefault(each[1].period, []).append(each)
    days: dict[str, list[tuple[int, PlacementWindow]]] = {}

    def chosen(day: str) -> Sequence[tuple[int, PlacementWindow]]:
        found = days.get(day)
        if found is None:
            noon = f"{day}T12:00:00.000Z"
            found = days[day] = [each for of, some in by_period.items() if noon in of for each in some]
        return found

    return chosen


def _count(use: StemUse, index: int, placement: Placement) -> None:
    for amounts, word in (
        (use.by_use, placement.use),
        (use.by_tier, placement.tier),
        (use.by_role, placement.role),
        (use.by_section, placement.section),
        (use.by_day, placement.start[:10]),
    ):
        amount = amounts.setdefault(word, Amount())
        amount.ms += placement.ms
        amount.placements += 1
    use.whole.ms += placement.ms
    use.whole.placements += 1
    at = (placement.start, index)
    use.first = at if use.first is None else min(use.first, at)
    use.last = at if use.last is None else max(use.last, at)
