"""The time placed so far: by stem, for `prefer fresh`, and by holder, for the share cap."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...vault.catalogue.stems import Facts
from ..clock import BarClock
from ..fades import natural_end
from ..plan import Placement
from .eligible import Eligible
from .score import Score
from .share_cap import HolderTime, first_counted


@dataclass(slots=True)
class Placed:
    """Frames placed, those that were stopped early taken off again.

    `by_pool`: of each pool that prefers fresh, by the stems of the snapshot, since the session's start.
    """

    # Not compared: it changes with nothing but what the rest tells of.
    by_pool: dict[str, tuple[Facts, NDArray[np.int64]]] = field(default_factory=dict, compare=False)
    holders: HolderTime = field(default_factory=HolderTime)
    counted: dict[int, int] = field(default_factory=dict)
    """The frame up to which each sounding loop is counted, by placement."""
    own: set[str] = field(default_factory=set, compare=False)
    """The pools whose counts no other copy shares; shared ones are copied before a change."""

    def copy(self) -> Placed:
        self.own = set()
        return Placed(dict(self.by_pool), self.holders.copy(), dict(self.counted))

    def heard(self, pool: str, among: Eligible) -> NDArray[np.int64]:
        """Frames that each of a pool's eligible stems has been placed for."""
        return self._heard(pool, among.vault.facts)[among.places]

    def _heard(self, pool: str, facts: Facts) -> NDArray[np.int64]:
        """Frames that each stem of the vault has been placed for by a pool. Not to be changed in place."""
        known = self.by_pool.get(pool)
        if known is None:
            return np.zeros(len(facts.place), np.int64)
        before, frames = known
        if before is facts:
            return frames
        # The vault has changed: the stems that are still there keep their time.
        moved, names = np.zeros(len(facts.place), np.int64), before["stem"]
        for place in np.flatnonzero(frames).tolist():
            here = facts.place.get(names[place])
            if here is not None:
                moved[here] = frames[place]
        self.by_pool[pool] = facts, moved
        return moved

    def add(self, placement: Placement, score: Score, upto: int | None = None) -> None:
        """Count a placement to `upto`, where it may be varied, or to its planned end."""
        end = placement.end_frame if upto is None else _end(placement, upto)
        self._count(placement, placement.start_frame, end, score, 1)
        if not placement.hit:
            self.counted[placement.id] = end

    def go_on(self, placement: Placement, upto: int, score: Score) -> None:
        """Count on, for it was not varied."""
        end, done = _end(placement, upto), self.counted.get(placement.id, placement.end_frame)
        if done < end:
            self._count(placement, done, end, score, 1)
            self.counted[placement.id] = end

    def cut(self, placement: Placement, end_frame: int, score: Score) -> None:
        """Count it to `end_frame`, at which it is stopped."""
        done, end = self.counted.get(placement.id, placement.end_frame), max(end_frame, placement.start_frame)
        self.counted[placement.id] = end
        if end < done:
            self._count(placement, end, done, score, -1)
        elif end > done:
            self._count(placement, done, end, score, 1)

    def forget_before(self, frame: int, clock: BarClock) -> None:
        """Let go of the time that no longer counts at `frame`. `clock`: the head's."""
        first = first_counted(frame, clock)
        gone = clock.bar_frame(first)
        self.counted = {number: end for number, end in self.counted.items() if end > gone}
        self.holders.forget_before(first)

    def _count(self, placement: Placement, start: int, end: int, score: Score, sign: int) -> None:
        if end <= start:
            return
        facts = score.snapshot.stems.facts
        for pool in score.fresh_pools(placement.stem):
            heard = self._heard(pool, facts)
            if pool not in self.own:
                heard = heard.copy()
                self.by_pool[pool] = facts, heard
                self.own.add(pool)
            heard[facts.place[placement.stem]] += sign * (end - start)
        self.holders.count(placement.holder, start, end, score.head_clock, sign)


def _end(placement: Placement, upto: int) -> int:
    """The frame to count to: that of its end, overhang included, if it sounds to its planned end."""
    return placement.end_frame if upto >= natural_end(placement) else upto
