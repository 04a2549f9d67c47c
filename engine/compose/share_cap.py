"""The share cap: which holders have had more than their share of the time placed in the last ten minutes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..clock import BarClock

CAP_SECONDS = 600
"""The time over which a share cap counts."""
CAP_MARGIN = 0.95
"""The part of the cap that a new placement may use: the planned time of others may yet be cut short."""


def first_counted(frame: int, clock: BarClock) -> int:
    """The first bar that counts at `frame`, a bar line."""
    return _bar(frame, clock) - -(-CAP_SECONDS * clock.rate // clock.bar_frame(1))


def _bar(frame: int, clock: BarClock) -> int:
    """The bar of a frame, by the head's clock: its bars are a measure of time here, whatever is played."""
    # Half a frame on, as a bar's first frame may be rounded down; in whole numbers, as it is asked for often.
    tempo = clock.tempo_bpm
    return (2 * frame + 1) * tempo.numerator // (120 * clock.rate * tempo.denominator * clock.meter[0])


@dataclass(slots=True)
class HolderTime:
    """Frames placed by holder, those that were stopped early taken off again.

    `by_bar`: of each bar of the last ten minutes and each planned bar, by the head's clock. `lately`: the
    sums of `by_bar` by holder, and `whole`, the sum of these.
    """

    by_bar: dict[int, dict[str, int]] = field(default_factory=dict)
    lately: dict[str, int] = field(default_factory=dict)
    whole: int = 0
    first: int = 0
    """The first bar that is counted in `lately`."""
    own: set[int] = field(default_factory=set, compare=False)
    """The bars whose counts no other copy shares; shared ones are copied before a change."""

    def copy(self) -> HolderTime:
        self.own = set()
        return HolderTime(dict(self.by_bar), dict(self.lately), self.whole, self.first)

    def above(self, cap: float, frames: int = 0) -> set[str]:
        """Holders whose share is above `cap`, or would be with `frames` more; none without time placed."""
        most = (cap * CAP_MARGIN if frames else cap) * (self.whole + frames) - frames
        if not self.lately or max(self.lately.values()) <= max(most, 0):
            return set()
        return {holder for holder, lately in self.lately.items() if lately > most and lately > 0}

    def forget_before(self, first: int) -> None:
        """Let go of the bars before `first`."""
        for old in range(self.first, first):
            for holder, frames in self.by_bar.pop(old, {}).items():
                self.lately[holder] -= frames
                self.whole -= frames
        self.first = max(self.first, first)

    def count(self, holder: str, start: int, end: int, clock: BarClock, sign: int) -> None:
        """Add the frames from `start` to `end`, or with a `sign` of -1 take them off. `clock`: the head's."""
        frames = sign * (end - start)
        self.lately[holder] = self.lately.get(holder, 0) + frames
        self.whole += frames
        bar = _bar(start, clock)
        while start < end:
            upto = max(min(end, clock.bar_frame(bar + 1)), start)
            if upto > start:
                if bar not in self.own:
                    self.by_bar[bar] = dict(self.by_bar.get(bar, ()))
                    self.own.add(bar)
                of_bar = self.by_bar[bar]
                of_bar[holder] = of_bar.get(holder, 0) + sign * (upto - start)
            start, bar = upto, bar + 1
