"""Detects whether a sound is a loop, a hit or a sustained texture, by its attacks and its ends.

Accuracy: `docs/measured.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .declared import Shape
from .measure import chroma

SHORT_SECONDS, HIT_SECONDS, LONGEST_HIT_SECONDS = 1.2, 2.2, 3.0
"""Every shorter sound is a hit; up to the second, sounds that decay, even with several attacks; up to the
third, sounds that decay to silence."""
FALL_DB, STEEP_FALL_DB = -6.0, -9.0
"""The power of the second half against the first, for a sound that decays, and that dies away."""
QUIET_END_DB = -24.0
"""A sound has ended by itself if its last tenth is below this level, against the loudest."""
OTHER_NOTES = 0.9
"""The notes have changed if the pitch classes of neighbouring quarters are less alike than this."""
_TICK_SECONDS = 0.01
_RISE_DB, _LEAST_DB = 9.0, -24.0
_LEAST_TICKS_APART = 8


def kind_of(samples: NDArray[np.float32], rate: int) -> Shape:
    """The shape of a sound, float32 (channels, frames) at `rate` Hz.

    A loop has at least two attacks and does not die away, or has notes that change up to its end.
    """
    seconds = samples.shape[1] / rate
    if seconds < SHORT_SECONDS:
        return "hit"
    level = _level(samples, rate)
    struck, fall = _attacks(level), _fall(level)
    ended = float(level[-max(len(level) // 10, 1) :].mean()) < QUIET_END_DB
    if seconds < HIT_SECONDS and struck <= 3 and fall < FALL_DB:
        return "hit"
    if struck >= 2:
        return "loop"
    if ended and fall < STEEP_FALL_DB:
        return "hit" if seconds < LONGEST_HIT_SECONDS else "sustained"
    return "loop" if not ended and _notes_change(samples) else "sustained"


def _level(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """The level of each 10 ms in dB against the loudest: (ticks,)."""
    tick = max(round(rate * _TICK_SECONDS), 1)
    ticks = samples.shape[1] // tick
    rows = samples.mean(axis=0, dtype=np.float64)[: ticks * tick].reshape(ticks, tick)
    power = (rows**2).mean(axis=1)
    level: NDArray[np.float64] = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-20), 1e-14))
    return level


def _attacks(level: NDArray[np.float64]) -> int:
    """The number of rises of 9 dB in 20 ms to within 24 dB of the loudest, at least 80 ms apart."""
    before = np.concatenate([np.full(4, level.min()), level])
    mean = np.convolve(before, np.full(4, 0.25), "valid")[: len(level)]
    peak = np.maximum(level, np.append(level[1:], level[-1]))
    count, last = 0, -_LEAST_TICKS_APART - 1
    for tick in np.flatnonzero((peak - mean > _RISE_DB) & (peak > _LEAST_DB)):
        if tick - last > _LEAST_TICKS_APART:
            count, last = count + 1, int(tick)
    return count


def _fall(level: NDArray[np.float64]) -> float:
    """The power of the second half against the first, in dB."""
    power = 10 ** (level / 10)
    half = len(power) // 2
    return float(10 * np.log10(power[half:].mean() / power[:half].mean()))


def _notes_change(samples: NDArray[np.float32]) -> bool:
    quarters = chroma(samples, 4).astype(np.float64)
    quarters /= np.linalg.norm(quarters, axis=1, keepdims=True)
    return float((quarters[1:] * quarters[:-1]).sum(axis=1).min()) < OTHER_NOTES
