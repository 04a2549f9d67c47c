"""Which placements a settlement counts: of its own period, and what came too late for the settlements before.

An entry is late that starts in a period of the same currency that was settled before the entry was in the
log. It counts in the next settlement, and once: each settlement has read all entries up to its `last`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .books import Books
from .periods import Period


@dataclass(frozen=True, slots=True)
class Window:
    """The placements that start in `period`, of the entries after `above` up to `last`."""

    period: Period
    above: int
    last: int


def windows_of(books: Books, period: Period, currency: str, last: int) -> tuple[Window, ...]:
    """What a settlement of `period` counts that reads entries 0 to `last`: its own window, then the late."""
    earlier = books.settled_before(currency, last)
    counted = max((entry.last for _, _, entry in earlier), default=-1)
    return (Window(period, -1, last), *(Window(of, counted, last) for _, of, _ in earlier))
