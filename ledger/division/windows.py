"""Which placements a settlement counts: of its own period, and what came too late for the settlements before.

An entry is late that starts in a period of the same currency that was settled before the entry was in the
log. Each placement counts in one settlement; which, `treasury.py` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from .periods import Period


@dataclass(frozen=True, slots=True)
class Window:
    """The placements that start in `period`, of the entries after `above` up to `last`."""

    period: Period
    above: int
    last: int
