"""Where the hits of a recording begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ONSETS = "onsets-1"
"""The name under which they are kept: raise it when the same sound would give others."""

STEP_FRAMES = 64
"""The step at which onsets are looked for."""
LEAST_RISE_DB, LEAST_LEVEL_DB = 6.0, -36.0
"""An onset rises by so much, over 5 ms from the 16 ms before, and comes so near to the loudest."""
LEAST_FRAMES = 1440
"""30 ms: onsets that are closer are one."""


def onsets(sound: NDArray[np.float32]) -> list[int]:
    """Where the hits of an endless loop (channels, n) begin, in frames.

    By how much louder each 5 ms are than the 16 ms before, in the whole sound and in its high tones (its
    first difference), the greatest rise first.
    """
    steps = sound.shape[1] // STEP_FRAMES
    whole = sound[:, : steps * STEP_FRAMES].astype(np.float64)
    high = whole - np.roll(whole, 1, axis=1)
    rise = np.zeros(steps)
    for part in (whole, high):
        power = (part**2).sum(axis=0).reshape(steps, STEP_FRAMES).sum(axis=1)
        floor = power.max() * 1e-5 + 1e-12
        after = sum(np.roll(power, -k) for k in range(4)) / 4
        before = sum(np.roll(power, k) for k in range(1, 13)) / 12
        loud = 10 * np.log10((after + 1e-12) / (power.max() + 1e-12)) > LEAST_LEVEL_DB
        rise = np.maximum(rise, np.where(loud, 10 * np.log10((after + floor) / (before + floor)), 0.0))
    near = LEAST_FRAMES // STEP_FRAMES
    taken = np.zeros(steps, bool)
    for step in np.argsort(-rise, kind="stable"):
        if rise[step] < LEAST_RISE_DB:
            break
        taken[step] = not taken[np.arange(step - near, step + near + 1) % steps].any()
    height = np.abs(high).max(axis=0)
    found = set()
    for step in np.flatnonzero(taken):
        around = np.arange(-4 * STEP_FRAMES, 8 * STEP_FRAMES) + step * STEP_FRAMES
        heights = height[around % len(height)]
        found.add(int(around[np.argmax(heights > 0.2 * heights.max())]) % sound.shape[1])
    return sorted(found)
