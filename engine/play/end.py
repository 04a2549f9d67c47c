"""How a session ends at the length that was asked for: cut under the master's fade, or as a loop.

What sounds from the limit of a loop on is laid over its own beginning (`master_file.folded`). So there hits
ring out, and a recording that sounds at the limit and again at frame 0 ends without a fade, if it is at the
frame with which it began: its next sample is the first of the file.
"""

from __future__ import annotations

from dataclasses import replace

from ..compose.seams import drift, seam
from ..fades import natural_end, stop_at
from ..plan import Fade, Placement

MOST_STEP_FRAMES = 1
"""How far off a recording may be that goes on: a frame more or less is no step in it."""


class End:
    """The end at `limit`, a frame; None for the piece's own end."""

    rings = False
    """Whether the session sounds on behind its limit."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit

    def ends(self, frame: int) -> bool:
        """Whether a bar that begins at `frame` is behind the limit."""
        return self.limit is not None and frame >= self.limit

    def within(self, placement: Placement) -> Placement | None:
        """A placement cut to the length asked for, None behind it; the master's fade covers the cut."""
        if self.limit is None or placement.end_frame <= self.limit:
            return placement
        if placement.start_frame >= self.limit:
            return None
        return replace(placement, end_frame=self.limit, fade_out=Fade())


class EndOfLoop(End):
    """The end of a sound that goes on with its own beginning."""

    rings = True

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._limit = limit
        self._first: list[Placement] = []
        """The loops that begin at frame 0."""

    def within(self, placement: Placement) -> Placement | None:
        """A placement as it ends at the limit; None behind it."""
        if placement.start_frame >= self._limit:
            return None
        if placement.hit:
            return placement
        if placement.start_frame == 0:
            self._first.append(placement)
        if natural_end(placement) < self._limit:
            return placement
        if any(self._goes_on(placement, first) for first in self._first):
            return replace(placement, end_frame=self._limit, fade_out=Fade())
        stop = stop_at(placement, self._limit)
        return replace(placement, end_frame=stop.end_frame, fade_out=stop.fade_out)

    def _goes_on(self, last: Placement, first: Placement) -> bool:
        """Whether `first` of the next turn is the same sound as `last`, from where that ends."""
        again = replace(first, start_frame=self._limit)
        return (
            last.part == first.part
            and (last.gain_db, last.pan) == (first.gain_db, first.pan)
            and not first.fade_in.frames
            and seam(last, again) == "one sound"
            and abs(drift(last, again)) <= MOST_STEP_FRAMES
        )


def end_at(limit: int | None, loop: bool) -> End:
    """The end of a session at its limit, if it has one; as a loop or not."""
    return EndOfLoop(limit) if loop and limit is not None else End(limit)
