"""The time placed so far: by stem, for `prefer fresh`, and lately by holder, for `share cap`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..clock import BarClock
from ..fades import natural_end
from ..plan import Placement
from .eligible import Eligible

CAP_SECONDS = 600
"""The time over which a share cap counts."""
CAP_MARGIN = 0.95
"""The part of the cap that a new placement may use: the planned time of others may yet be cut short."""


@dataclass(slots=True)
class Placed:
    """Frames placed, those that were stopped early taken off again.

    `by_pool`: of each pool that prefers fresh, by its eligible stems, since the session's start. `by_bar`: by
    holder, of each bar of the last ten minutes and each planned bar. `lately`: the sums of `by_bar` by
    holder, and `whole`, the sum of these.
    """

    by_pool: dict[str, tuple[Eligible, NDArray[np.int64]]] = field(default_factory=dict)
    by_bar: dict[int, dict[str, int]] = field(default_factory=dict)
    lately: dict[str, int] = field(default_factory=dict)
    whole: int = 0
    counted: dict[int, int] = field(default_factory=dict)
    """Up to which frame each sounding loop is counted, by placement."""
    first: int = 0
    """The first bar that is counted in `lately`."""
    own: set[str | int] = field(default_factory=set, compare=False)
    """The pools and bars whose counts no other copy shares; shared ones are copied before a change."""

    def copy(self) -> Placed:
        self.own = set()
        return Placed(
            dict(self.by_pool),
            dict(self.by_bar),
            dict(self.lately),
            self.whole,
            dict(self.counted),
            self.first,
        )

    def heard(self, pool: str, among: Eligible) -> NDArray[np.int64]:
        """Frames that each of a pool's eligible stems has been placed for. Not to be changed in place."""
        known = self.by_pool.get(pool)
        if known is None:
            return np.zeros(len(among), np.int64)
        before, frames = known
        if before is among:
            return frames
        # The vault has changed: the stems that are still there keep their time.
        moved = np.zeros(len(among), np.int64)
        for place in np.flatnonzero(frames).tolist():
            here = among.find(before.stem(place).stem)
            if here is not None:
                moved[here] = frames[place]
        self.by_pool[pool] = among, moved
        return moved

    def add(
        self, placement: Placement, clock: BarClock, pools: Mapping[str, Eligible], upto: int | None = None
    ) -> None:
        """Count a placement to `upto`, where it may be varied, or to its planned end.

        `pools`: those that prefer fresh and hold its stem.
        """
        end = placement.end_frame if upto is None else _end(placement, upto)
        self._count(placement, placement.start_frame, end, clock, pools, 1)
        if not placement.hit:
            self.counted[placement.id] = end

    def go_on(self, placement: Placement, upto: int, clock: BarClock, pools: Mapping[str, Eligible]) -> None:
        """Count on, for it was not varied."""
        end, done = _end(placement, upto), self.counted.get(placement.id, placement.end_frame)
        if done < end:
            self._count(placement, done, end, clock, pools, 1)
            self.counted[placement.id] = end

    def cut(
        self, placement: Placement, end_frame: int, clock: BarClock, pools: Mapping[str, Eligible]
    ) -> None:
        """Count it to `end_frame`, at which it is stopped."""
        done, end = self.counted.pop(placement.id, placement.end_frame), max(end_frame, placement.start_frame)
        if end < done:
            self._count(placement, end, done, clock, pools, -1)
        elif end > done:
            self._count(placement, done, end, clock, pools, 1)

    def forget_before(self, bar: int, clock: BarClock) -> None:
        """Let go of bars that had ended ten minutes before `bar` began."""
        first = bar - -(-CAP_SECONDS * clock.rate // clock.bar_frame(1))
        gone = clock.bar_frame(first)
        self.counted = {number: end for number, end in self.counted.items() if end > gone}
        for old in range(self.first, first):
            for holder, frames in self.by_bar.pop(old, {}).items():
                self.lately[holder] -= frames
                self.whole -= frames
        self.first = max(self.first, first)

    def above(self, cap: float, frames: int = 0) -> set[str]:
        """Holders whose share is above `cap`, or would be with `frames` more; none without time placed."""
        most = (cap * CAP_MARGIN if frames else cap) * (self.whole + frames) - frames
        if not self.lately or max(self.lately.values()) <= max(most, 0):
            return set()
        return {holder for holder, lately in self.lately.items() if lately > most and lately > 0}

    def _count(
        self,
        placement: Placement,
        start: int,
        end: int,
        clock: BarClock,
        pools: Mapping[str, Eligible],
        sign: int,
    ) -> None:
        holder = placement.holder
        if end <= start:
            return
        frames = sign * (end - start)
        for pool, among in pools.items():
            place = among.find(placement.stem)
            if place is not None:
                heard = self.heard(pool, among)
                if pool not in self.own:
                    heard = heard.copy()
                    self.by_pool[pool] = among, heard
                    self.own.add(pool)
                heard[place] += frames
        self.lately[holder] = self.lately.get(holder, 0) + frames
        self.whole += frames
        bar = (
            start
            * clock.tempo_bpm.numerator
            // (60 * clock.rate * clock.tempo_bpm.denominator * clock.beats_per_bar)
        )
        while start < end:
            upto = max(min(end, clock.bar_frame(bar + 1)), start)
            if upto > start:
                if bar not in self.own:
                    self.by_bar[bar] = dict(self.by_bar.get(bar, ()))
                    self.own.add(bar)
                of_bar = self.by_bar[bar]
                of_bar[holder] = of_bar.get(holder, 0) + sign * (upto - start)
            start, bar = upto, bar + 1


def _end(placement: Placement, upto: int) -> int:
    """The frame to count to: that of its end, overhang included, if it sounds to its planned end."""
    return placement.end_frame if upto >= natural_end(placement) else upto
