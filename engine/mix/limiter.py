"""The look-ahead limiter on true peaks, measured as in annex 2 of ITU-R BS.1770-4 at eight times the rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..clock import QUANTUM
from .machine import inner

TAPS = 32
PHASES = 8
ATTACK_FRAMES = 240
"""Over which the limiter's gain comes down ahead of a peak: 5 ms."""
LATENCY_FRAMES = ATTACK_FRAMES + TAPS // 2
"""From a frame's mix to its output: whole quanta. The true-peak filter sees a frame half its taps late."""
RELEASE_FRAMES = 7200
"""Time constant of the limiter's return: 150 ms."""
MARGIN_DB = 0.25
"""Under the ceiling, for what the limiter's own moving gain adds between frames."""


def _interpolator() -> NDArray[np.float32]:
    """A polyphase low-pass (PHASES, TAPS): windowed sinc, Kaiser 5, each phase of unit sum."""
    length = TAPS * PHASES
    at = (np.arange(length) - (length - 1) / 2) / PHASES
    taps = np.sinc(at) * np.kaiser(length, 5.0)
    phases = taps.reshape(TAPS, PHASES).T
    return np.ascontiguousarray(phases / phases.sum(axis=1, keepdims=True), dtype=np.float32)


_FIR = _interpolator()
_FIR_REACH = float(np.abs(_FIR).sum(axis=1).max())
"""No interpolated value exceeds the greatest sample times this."""


def ceiling_gain(ceiling_dbtp: float) -> float:
    """The greatest sample value that keeps to a ceiling."""
    return float(10 ** ((ceiling_dbtp - MARGIN_DB) / 20))


@inner
def true_peaks(history, peaks, floor):
    """The greatest interpolated magnitude around each frame of a quantum, both channels.

    `history` (2, TAPS - 1 + 64): the frames before the quantum, then the quantum. A quantum that cannot
    reach `floor` reads as its greatest sample.
    """
    greatest = np.float32(0)
    for c in range(2):
        for i in range(history.shape[1]):
            greatest = max(greatest, abs(history[c, i]))
    if greatest * _FIR_REACH < floor:
        for i in range(QUANTUM):
            peaks[i] = greatest
        return
    for i in range(QUANTUM):
        peak = np.float32(0)
        for c in range(2):
            for p in range(PHASES):
                value = np.float32(0)
                for k in range(TAPS):
                    value += _FIR[p, k] * history[c, i + TAPS - 1 - k]
                peak = max(peak, abs(value))
            peak = max(peak, abs(history[c, i + TAPS // 2 - 1]))
        peaks[i] = peak


@inner
def limit(block, state, history, delay, reduction, peaks):
    """Write into `block` the sound of LATENCY_FRAMES ago, held under the ceiling.

    `history` (2, TAPS - 1 + 64) ends with the quantum that comes in. `peaks`: scratch (64,) float32.
    `state.least` is then the least gain that it had in the quantum.
    """
    for c in range(2):
        for i in range(LATENCY_FRAMES):
            delay[c, i] = delay[c, i + QUANTUM]
        for i in range(QUANTUM):
            delay[c, LATENCY_FRAMES + i] = history[c, TAPS - 1 + i]
    true_peaks(history, peaks, state.ceiling)
    keep = 2 * ATTACK_FRAMES
    for row in range(2):
        for i in range(keep):
            reduction[row, i] = reduction[row, i + QUANTUM]
    for i in range(QUANTUM):
        needed = state.ceiling / peaks[i] if peaks[i] > state.ceiling else 1.0
        state.release = min(needed, state.release + (1.0 - state.release) / RELEASE_FRAMES)
        if state.release > 0.99999:
            state.release = 1.0
        state.idle = 0 if state.release < 1.0 else min(state.idle + 1, 1 << 30)
        reduction[0, keep + i] = state.release
    state.least = 1.0
    idle = state.idle > 2 * ATTACK_FRAMES + QUANTUM
    for i in range(QUANTUM):
        if idle:
            reduction[1, keep + i] = 1.0
            down = 1.0
        else:
            least = 1.0
            for k in range(keep + i - ATTACK_FRAMES - 2, keep + i + 1):
                least = min(least, reduction[0, k])
            reduction[1, keep + i] = least
            down = 0.0
            for k in range(keep + i - ATTACK_FRAMES + 1, keep + i + 1):
                down += reduction[1, k]
            down /= ATTACK_FRAMES
            state.least = min(state.least, down)
        for c in range(2):
            block[c, i] = np.float32(delay[c, i] * down)
