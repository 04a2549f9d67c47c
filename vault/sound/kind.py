"""Whether a sound is a loop, a hit or a sustained texture, when nobody says: by its attacks and its ends.

How often it is right: `docs/measured.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .declared import Shape
from .measure import chroma

SHORT_SECONDS, HIT_SECONDS, LONGEST_HIT_SECONDS = 1.2, 2.2, 3.0
"""Below the first all is a hit; below the second what falls off, though struck more than once; below the
third what falls off to nothing."""
FALL_DB, STEEP_FALL_DB = -6.0, -9.0
"""The power of the second half against the first: of what falls off, and of what dies away."""
QUIET_END_DB = -24.0
"""The level of the last tenth, against the loudest, below which a sound has ended by itself."""
OTHER_NOTES = 0.9
"""The likeness of the pitch classes of neighbouring quarters below which the notes have changed."""
_TICK_SECONDS = 0.01
_RISE_DB, _LEAST_DB = 9.0, -24.0
_LEAST_TICKS_APART = 8


def kind_of(samples: NDArray[np.float32], rate: int) -> Shape:
    """What a sound is, float32 (channels, frames) at `rate` Hz.

    Struck at least twice and not dying away, or with notes that change up to its very end, it is a loop.
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
    """How often the level rises by 9 dB over 20 ms, to within 24 dB of the loudest, 80 ms apart at least."""
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
