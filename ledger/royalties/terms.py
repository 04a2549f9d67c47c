"""Terms: what share of income goes to holders, and how a stem's amount parts into master and publishing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from ..entries import WHOLE_PPM, Source, Terms
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
every amount is payable. Whoever wants another division must write it into the ledger for all to see."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The terms of a period; `index` is their ledger entry, null for the default."""

    index: int | None
    terms: Terms

    def pool_ppm(self, source: Source) -> int:
        """The share of a source's income that goes to holders; all of it where the terms are silent."""
        return dict(self.terms.pool_ppm).get(source, WHOLE_PPM)

    def pool_of(self, gross: Mapping[Source, int]) -> dict[Source, int]:
        """What of each source's `gross` goes to holders; what is kept back is rounded down."""
        return {
            source: amount - amount * (WHOLE_PPM - self.pool_ppm(source)) // WHOLE_PPM
            for source, amount in gross.items()
        }


def in_force(entries: Iterable[tuple[int, Terms]], period: Period, last: int) -> InForce:
    """The terms for `period`: the last written among entries 0 to `last` of those effective by its start."""
    found = [(index, terms) for index, terms in entries if index <= last and terms.effective <= period.start]
    if not found:
        return InForce(None, DEFAULT)
    return InForce(*max(found, key=lambda each: (each[1].effective, each[0])))
