"""The plan as people read it: the next bars of a piece, composed and not mixed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from ...script.piece import Piece
from ...vault.catalogue.snapshot import Snapshot
from ...vault.records import ENGINE_RATE
from ..clock import BarClock
from ..fades import overhang
from ..plan import MAX_BARS, Bar, Choice, Placement, Rested, Stop
from .compose import next_bar
from .score import score
from .state import first_state

MOST_PARTS = 960
"""The largest denominator of a stopped placement's length in bars. A frame's rounding is finer."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The next bars. `ended`: whether the piece ends within them.

    `stops`: of these bars, and of later ones as long as a placement of these bars goes on. `lines`: the first
    frames of all those bars, and the end of the last.
    """

    clock: BarClock
    key: str | None
    bars: tuple[Bar, ...]
    ended: bool
    stops: tuple[Stop, ...]
    lines: tuple[int, ...]

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Each as long as it sounds, as things stand: to where it is stopped, or to its planned end.

        Its beat is counted by the metre of its bar.
        """
        stops = {stop.id: stop for stop in self.stops}
        starts = (self._counted(placement, bar) for bar in self.bars for placement in bar.starts)
        return tuple(self._stopped(p, stops[p.id]) if p.id in stops else p for p in starts)

    @property
    def tempo_bpm(self) -> float:
        return float(self.clock.tempo_bpm)

    def _stopped(self, placement: Placement, stop: Stop) -> Placement:
        end = stop.end_frame - overhang(stop.fade_out)
        bars = self._bars(end) - self._bars(placement.start_frame)
        bars = bars.limit_denominator(MOST_PARTS)
        return replace(placement, bars=bars, end_frame=stop.end_frame, fade_out=stop.fade_out)

    def _counted(self, placement: Placement, bar: Bar) -> Placement:
        return replace(placement, beat=placement.beat * Fraction(bar.meter[1], self.clock.meter[1]))

    def _bars(self, frame: int) -> Fraction:
        """The bars before a frame."""
        bar = max(bisect_right(self.lines, frame, hi=len(self.lines) - 1) - 1, 0)
        first, last = self.lines[bar : bar + 2]
        return bar + Fraction(frame - first, last - first)

    @property
    def turns(self) -> tuple[Bar, ...]:
        """The bars that begin at another tempo, metre or key than the one before; the first by the head's."""
        head = self.clock.tempo_bpm, self.clock.meter, self.key
        said = [head, *((bar.tempo_bpm, bar.meter, bar.key) for bar in self.bars)]
        return tuple(bar for bar, was, now in zip(self.bars, said, said[1:], strict=False) if was != now)

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(choice for bar in self.bars for choice in bar.choices)

    @property
    def rested(self) -> tuple[Rested, ...]:
        return tuple(rest for bar in self.bars for rest in bar.rested)


def plan(
    piece: Piece,
    snapshot: Snapshot,
    bars: int,
    *,
    at: str,
    use: str | None = None,
    seed: int | None = None,
    dials: Mapping[str, float] | None = None,
    why: bool = False,
) -> Listing:
    """Compose the first `bars` bars for `use` with the consents at the RFC 3339 time `at`.

    `why`: each choice lists its candidates. Pools may be empty: their lines rest, and say why. Raises
    UseRefused and UnknownDial.
    """
    fixed = score(
        piece, snapshot, use=use or piece.uses[0], at=at, rate=ENGINE_RATE, seed=seed, must_sound=False
    )
    state = first_state(piece, dials or {})
    composed: list[Bar] = []
    while len(composed) < bars and not state.ended:
        bar, state = next_bar(fixed, state, why=why)
        if not bar.ended:
            composed.append(bar)
    lines = [bar.start_frame for bar in composed]
    ended, stops = state.ended, [stop for bar in composed for stop in bar.stops]
    open_ends = {p.id: p.end_frame for bar in composed for p in bar.starts if not p.hit}
    open_ends |= {p.id: p.end_frame for ringing in state.voices.values() for p in ringing}
    for _ in range(MAX_BARS):
        begin = state.grid(fixed.clock).bar_frame(state.bar)
        if state.ended or not any(
            open_ends.get(id, 0) > begin for id in open_ends.keys() - {s.id for s in stops}
        ):
            break
        bar, state = next_bar(fixed, state)
        stops += bar.stops
        lines.append(bar.start_frame)
    key = fixed.key.name if fixed.key else None
    lines.append(state.grid(fixed.clock).bar_frame(state.bar))
    return Listing(fixed.clock, key, tuple(composed), ended, tuple(stops), tuple(lines))
