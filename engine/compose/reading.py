"""How much energy a variant of a stem brings, frame by frame, from what is known of its stem."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...vault.records import Stem
from ...vault.sound.loudness import HOP
from ..plan import Variant

RAMP_STEP = 480
Signal = NDArray[np.float64]


class Reading:
    """How much energy a variant has brought up to each of its frames, from the mean squares of its stem."""

    def __init__(self, variant: Variant, stem: Stem, squares: Signal) -> None:
        self._variant = variant
        self._rate = stem.frames / variant.frames if stem.frames else 1.0
        steps = np.concatenate(([0.0], np.cumsum(squares))) * HOP
        self._at = np.minimum(np.arange(len(steps)) * HOP, stem.frames) / self._rate
        self._sum = steps / self._rate
        if variant.reverse:
            self._at = self._at[-1] - self._at[::-1]
            self._sum = self._sum[-1] - self._sum[::-1]
        if variant.ramp:
            self._follow_ramp(stem, squares)

    def _follow_ramp(self, stem: Stem, squares: Signal) -> None:
        """Read the loop as it lies along a ramp of tempo, in steps of 10 ms."""
        steps = np.arange(0, self._variant.frames + RAMP_STEP, RAMP_STEP)
        within, lies = np.array(self._variant.ramp, np.float64).T
        read = np.interp(steps[:-1] + RAMP_STEP / 2, lies, within) % stem.frames
        if self._variant.reverse:
            read = stem.frames - 1 - read
        brought = squares[np.minimum(read // HOP, len(squares) - 1).astype(np.intp)]
        self._at, self._sum = (
            steps.astype(np.float64),
            np.concatenate(([0.0], np.cumsum(brought * RAMP_STEP))),
        )

    def until(self, frames: Signal) -> Signal:
        """The energy up to these frames, its repeats counted."""
        variant = self._variant
        if variant.loop_start is None:
            whole: Signal = np.interp(frames, self._at, self._sum)
            return whole
        length = variant.frames - variant.loop_start
        rounds = np.maximum((frames - variant.loop_start) // length, 0)
        ends = np.interp((variant.loop_start, variant.frames), self._at, self._sum)
        last_round: Signal = np.interp(frames - rounds * length, self._at, self._sum)
        repeated: Signal = rounds * (ends[1] - ends[0]) + last_round
        return repeated

    def each_step(self) -> NDArray[np.float32]:
        """The mean square of each 100 ms of the variant's own frames; the last may be shorter."""
        frames = self._variant.frames
        edges = np.minimum(np.arange(-(-frames // HOP) + 1) * HOP, frames)
        brought = np.interp(edges, self._at, self._sum)
        squares: NDArray[np.float32] = (np.diff(brought) / np.diff(edges)).astype(np.float32)
        return squares
