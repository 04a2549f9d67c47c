"""Takes a constant offset off the copy of a sound that is played; the original keeps it.

Only what is surely one: a mean that is not due to the music. A deep note that decays has a mean as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE, REST_FRAMES
from .declared import Shape

LEAST = 0.001
"""-60 dBFS: what is nearer to zero stays."""
_TICK = ENGINE_RATE // 100
_TAIL = ENGINE_RATE // 10


def offset_of(samples: NDArray[np.float32], shape: Shape) -> NDArray[np.float64]:
    """How far each channel of a sound is off zero; 0 where that is not sure.

    A hit's is that of its last 100 ms, where they are a flat line; another's is its mean, where half of all
    10 ms lie at least that far off zero as well, or nearly.
    """
    found = [(_of_tail if shape == "hit" else _of_whole)(channel) for channel in samples]
    return np.array([each if abs(each) > LEAST else 0.0 for each in found])


def without_offset(samples: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    """The sound at its zero line; the very same array where it is there already."""
    offset = offset_of(samples, shape)
    if not offset.any():
        return samples
    moved = (samples - offset[:, None]).astype(np.float32)
    if shape == "song":
        moved[:, -REST_FRAMES:] = 0
    return moved


def _of_tail(channel: NDArray[np.float32]) -> float:
    tail = channel[-_TAIL:]
    mean = float(tail.mean(dtype=np.float64))
    return mean if np.abs(tail - mean).max() <= abs(mean) / 4 else 0.0


def _of_whole(channel: NDArray[np.float32]) -> float:
    mean = float(channel.mean(dtype=np.float64))
    ticks = len(channel) // _TICK
    middle = float(np.median(channel[: ticks * _TICK].reshape(ticks, _TICK).mean(axis=1))) if ticks else mean
    return mean if abs(middle - mean) <= abs(mean) / 2 else 0.0
