"""The snapshots of a vault: each is made from the last one, as far as the ledger has not changed."""

from __future__ import annotations

from collections.abc import Callable

from ...ledger.clock import Clock
from ...ledger.entries.entries import Entry
from .catalogue import Catalogue, without_collector
from .earlier_rows import Past
from .past import declared_size, past_at
from .snapshot import Snapshot


class Latest:
    """Takes snapshots of a catalogue that is up to date. `entry_at`: gives the ledger's entry of an index."""

    def __init__(self, catalogue: Catalogue, clock: Clock, entry_at: Callable[[int], Entry]) -> None:
        self._catalogue, self._clock, self._entry_at = catalogue, clock, entry_at
        self._last: Snapshot | None = None

    def now(self) -> Snapshot:
        """All stems as they are now."""
        with without_collector(), self._catalogue.reading():
            size = self._catalogue.applied()
            # A session logs its own placements all the time: they must not cost a new set of columns.
            last, (touched, peopled) = self._last, self._catalogue.touched()
            if last is not None and last.size >= touched:
                self._last = last.at_size(size, self._clock.now())
            elif last is not None and last.size >= peopled:
                changed, holders = self._catalogue.restated(last.size), self._catalogue.holders()
                self._last = last.with_clearances(changed, holders, size, self._clock.now())
            else:
                self._last = self._taken({}, declared_size(self._catalogue))
        return self._last

    def declared_at(self, size: int) -> Snapshot:
        """All stems with the consents of now, as they were declared when the ledger had `size` entries.

        Those that came later are as they came. Call `lost` first.
        """
        with without_collector(), self._catalogue.reading():
            if size >= declared_size(self._catalogue):
                return self.now()
            return self._taken(self.past(size), size)

    def past(self, size: int) -> Past:
        """The stems that were declared anew after the ledger had that size, as they were before."""
        return past_at(self._catalogue, size, self._entry_at)

    def _taken(self, past: Past, declared: int) -> Snapshot:
        size, holders = self._catalogue.applied(), self._catalogue.holders()
        return Snapshot(self._catalogue.stems(past=past), holders, size, self._clock.now(), declared=declared)
