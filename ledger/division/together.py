"""Sets the placements of stems that are one sound aside, and gives what counts of those heard together."""

from __future__ import annotations

from collections.abc import Iterator

from ..entries.entries import Placement
from .alike import Sounded, counted
from .books import Books
from .windows import PlacementWindow

Line = tuple[str, str, int]
"""A stem, the period of its window as it is written, and the entry that set its splits."""


class Together:
    """Goes with one pass over placements: `counted_alone` for each of them, then `shared`."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._groups: dict[tuple[str, int], dict[str, str]] = {}
        self._aside: dict[tuple[int, PlacementWindow, str, str], list[tuple[Line, Sounded]]] = {}

    def counted_alone(self, question: int, window: PlacementWindow, line: Line, placement: Placement) -> int:
        """The ms of a placement in a window of a question, by its number; 0 for one that is set aside."""
        if not self._books.likenesses:
            return placement.ms
        return self.take(question, window, line, placement.session, Sounded.of(placement))

    def take(self, question: int, window: PlacementWindow, line: Line, session: str, sounded: Sounded) -> int:
        """The same for a placement that is no record."""
        group = self.groups_in(window).get(line[0])
        if group is None:
            return sounded.ms
        self._aside.setdefault((question, window, group, session), []).append((line, sounded))
        return 0

    def groups_in(self, window: PlacementWindow) -> dict[str, str]:
        """The group of each stem that has one in a window."""
        key = window.period.text, window.last
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = self._books.alike(window.period, window.last)
        return found

    def shared(self) -> Iterator[tuple[int, Line, int]]:
        """What counts of those that were set aside: a question's number, a line and its ms."""
        for (question, *_), these in self._aside.items():
            for (line, _), ms in zip(these, counted([each for _, each in these]), strict=True):
                yield question, line, ms
