"""Terms: the holders' share of income, and the division of a stem's amount into master and publishing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from ..entries.entries import WHOLE_PPM, Source, Terms
from .books import Books
from .periods import Period

SOURCES: tuple[Source, ...] = get_args(Source)
"""Where income comes from, in the order in which terms name them."""

_EVER = "1970-01-01T00:00:00.000Z"

DEFAULT = Terms(
    time=_EVER,
    effective=_EVER,
    pool_ppm=tuple((source, WHOLE_PPM) for source in SOURCES),
    master_ppm=WHOLE_PPM // 2,
    threshold=0,
)
"""In force while the ledger holds no terms: nothing is kept back, master and publishing are halves, and
every amount is payable. Another division must be written into the ledger, for all to see."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The terms of a period; `index` is their ledger entry, None for the default."""

    index: int | None
    terms: Terms

    def holders_ppm(self, source: Source) -> int:
        """The share of a source's income that goes to holders: the whole if the terms do not name it."""
        return dict(self.terms.pool_ppm).get(source, WHOLE_PPM)


def in_force(books: Books, period: Period, last: int) -> InForce:
    """The terms for `period` by entries 0 to `last`: of those in effect at its start, the newest.

    Terms that entered the log after something was heard in the period do not count, whatever their time says:
    a clock can be set back.
    """
    first = books.first_heard(period, last)
    by = last if first is None else first
    found = [each for each in books.terms if each[0] <= by and each[1].effective <= period.start]
    if not found:
        return InForce(None, DEFAULT)
    return InForce(*max(found, key=lambda each: (each[1].effective, each[0])))
