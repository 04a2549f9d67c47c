"""How a gain moves: by a ramp, at most a thousandth a frame."""

from __future__ import annotations

import numpy as np

from ..clock import QUANTUM
from .machine import inner

MOST_STEP = np.float32(0.001 * QUANTUM)
"""The most a gain changes in a quantum."""


@inner
def approach(value, target, step=MOST_STEP):
    """One quantum's step of a gain towards its target."""
    if target > value + step:
        return value + step
    if target < value - step:
        return value - step
    return target
