"""Which placements a settlement counts: those of its own period, and those that came too late for theirs.

A placement is late if the period in which it starts was settled, in the same currency, before the placement
was in the log. Each placement counts in one settlement, which `treasury.py` determines.
"""

from __future__ import annotations

from dataclasses import dataclass

from .periods import Period


@dataclass(frozen=True, slots=True)
class PlacementWindow:
    """The placements that start in `period`, of the entries after `above` up to `last`."""

    period: Period
    above: int
    last: int
