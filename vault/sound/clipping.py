"""Counts the places at which a recording is clipped: flat tops at its ceiling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_CEILING = 0.99
"""Nobody clips below full scale on purpose, and 8 bits reach no more than 0.992."""
LEAST_RUN = 3
_LONG_RUN = 32
_LEAST_STEP = 0.001


def clipped_runs(samples: NDArray[np.float32]) -> int:
    """Runs of three or more equal samples at a channel's highest or lowest value, if that is full scale.

    `samples`: as they were decoded, `(channels, frames)`; of floats the ceiling may lie above full scale.
    A peak that is merely rounded, as low notes have, is approached in small steps, and does not count.
    """
    runs = 0
    for channel in samples:
        for side in (channel, -channel):
            ceiling = side.max()
            if ceiling >= LEAST_CEILING:
                runs += _flat_tops(side, ceiling)
    return runs


def _flat_tops(channel: NDArray[np.float32], ceiling: np.float32) -> int:
    full = np.concatenate(([False], channel == ceiling, [False]))
    first, end = np.flatnonzero(full[1:] & ~full[:-1]), np.flatnonzero(full[:-1] & ~full[1:])
    long = end - first >= LEAST_RUN
    first, end = first[long], end[long]
    before = np.where(first > 0, channel[first - 1], -ceiling)
    after = np.where(end < len(channel), channel[np.minimum(end, len(channel) - 1)], -ceiling)
    steep = ceiling - np.minimum(before, after) >= _LEAST_STEP
    return int((steep | (end - first >= _LONG_RUN)).sum())
