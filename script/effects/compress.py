"""`compress`: takes off what is loud, by a mean over some 20 ms, without looking ahead.

D. Giannoulis, M. Massberg and J. Reiss, "Digital dynamic range compressor design", JAES 60(6), 2012: the gain
is worked out in dB and smoothed there, here once a quantum. `tests/engine/fx_twin.py` has it in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .effect import BusEffect, Numbers, Parameter

DEPTH = Parameter("compress", "dB", (0, 24), "compress")
"""What is taken off a sound of TYPICAL_DB."""
TYPICAL_DB = -18.0
"""dBFS, mean square of both channels."""
RATIO = 4.0
MEAN_MS, ATTACK_MS, RELEASE_MS = 10.0, 10.0, 150.0


def levels(numbers: Numbers, rate: int) -> Sequence[float]:
    """The depth, as a part of the greatest, so that it moves as gains do."""
    return (numbers[DEPTH.name] / DEPTH.bounds[1],)


def kernel(tools: Any) -> Any:
    import numpy as np

    quantum, ramp = tools.quantum, tools.ramp
    mean, attack, release = (
        math.exp(-1000.0 * quantum / (tools.rate * ms)) for ms in (MEAN_MS, ATTACK_MS, RELEASE_MS)
    )
    slope, deepest, one_step = 1.0 - 1.0 / RATIO, float(DEPTH.bounds[1]), np.float32(1.0 / quantum)

    @tools.inner
    def compress(state, levels, memory, sent, block):
        """`memory`: the mean square, what is taken off in dB, and its gain less 1."""
        ramp(levels, 0)
        depth = float(levels[0, 0]) * deepest
        square = 0.0
        for c in range(2):
            for i in range(quantum):
                square += float(block[c, i]) * float(block[c, i])
        square = mean * float(memory[0]) + (1.0 - mean) * square / (2 * quantum)
        over = 10.0 * math.log10(square + 1e-12) - TYPICAL_DB + depth / slope
        wanted = min(max(over, 0.0) * slope, 2.0 * depth)
        off = float(memory[1])
        off = wanted + (attack if wanted > off else release) * (off - wanted)
        gain = np.float32(1.0) + memory[2]
        memory[0], memory[1], memory[2] = (
            np.float32(square),
            np.float32(off),
            np.float32(10.0 ** (-off / 20.0) - 1.0),
        )
        step = (np.float32(1.0) + memory[2] - gain) * one_step
        for c in range(2):
            for i in range(quantum):
                block[c, i] *= gain + step * np.float32(i)

    return compress


COMPRESS = BusEffect((DEPTH,), kernel, levels, memory=lambda frames: 3)
