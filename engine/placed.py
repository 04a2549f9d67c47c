"""What has been placed so far: time by stem, for `prefer fresh`, and lately by holder, for `share cap`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .clock import BarClock
from .plan import Placement

CAP_SECONDS = 600
"""The time over which a share cap counts."""
CAP_MARGIN = 0.95
"""Of the cap: what a new placement may bring its holder to. What others have planned may yet be cut short."""


@dataclass(slots=True)
class Placed:
    """Frames placed, those that were stopped early taken off again.

    `by_stem`: since the session's start. `by_bar`: of each bar of the last ten minutes and of those that are
    planned, by holder; `lately`: its sums.
    """

    by_stem: dict[str, int] = field(default_factory=dict)
    by_bar: dict[int, dict[str, int]] = field(default_factory=dict)
    lately: dict[str, int] = field(default_factory=dict)
    first: int = 0
    """The first bar that is counted in `lately`."""

    def copy(self) -> Placed:
        # The inner mappings are never changed in place.
        return Placed(dict(self.by_stem), dict(self.by_bar), dict(self.lately), self.first)

    def add(self, placement: Placement, clock: BarClock) -> None:
        """Count a placement to its planned end."""
        self._count(placement, placement.start_frame, clock, 1)

    def cut(self, placement: Placement, end_frame: int, clock: BarClock) -> None:
        """Count it to `end_frame` only."""
        self._count(placement, max(end_frame, placement.start_frame), clock, -1)

    def forget_before(self, bar: int, clock: BarClock) -> None:
        """Let go of bars that had ended ten minutes before `bar` began."""
        first = bar - -(-CAP_SECONDS * clock.rate // clock.bar_frame(1))
        for old in range(self.first, first):
            for holder, frames in self.by_bar.pop(old, {}).items():
                self.lately[holder] -= frames
        self.first = max(self.first, first)

    def above(self, cap: float, holders: Iterable[str], frames: int = 0) -> set[str]:
        """Those of `holders` whose share is above `cap`, or would be with `frames` more."""
        most = (cap * CAP_MARGIN if frames else cap) * (sum(self.lately.values()) + frames)
        return {holder for holder in holders if self.lately.get(holder, 0) + frames > most}

    def _count(self, placement: Placement, start: int, clock: BarClock, sign: int) -> None:
        end, holder, stem = placement.end_frame, placement.holder, placement.stem
        if end <= start:
            return
        self.by_stem[stem] = self.by_stem.get(stem, 0) + sign * (end - start)
        self.lately[holder] = self.lately.get(holder, 0) + sign * (end - start)
        bar = int(clock.beats(start) // clock.beats_per_bar)
        while start < end:
            upto = max(min(end, clock.bar_frame(bar + 1)), start)
            if upto > start:
                of_bar = self.by_bar.get(bar, {})
                self.by_bar[bar] = {**of_bar, holder: of_bar.get(holder, 0) + sign * (upto - start)}
            start, bar = upto, bar + 1
