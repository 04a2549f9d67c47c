"""`drive`: a soft clipper, louder inside than outside. `tests/engine/fx_twin.py` has it in NumPy.

What it makes is the mean of the curve between two samples, by its antiderivative, so that little of the tones
that it adds folds back: J. Parker, V. Zavalishin and E. Le Bivic, "Reducing the aliasing of nonlinear
waveshaping using continuous-time convolution", DAFx 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .effect import BusEffect, Numbers, Parameter

AMOUNT = Parameter("drive", "", (0, 1), "drive")
MOST_DB = 30.0
"""How much louder a sound goes into the curve at 100 %."""
KEPT = 0.2
"""A peak of that height, -14 dBFS, comes out as high as it went in."""
WHOLE = 0.05
"""From this amount on, all of the sound goes through the curve."""
LEAST_STEP = 1e-3
"""Between samples that are nearer, the curve is taken at their middle: a difference of its sums would be
noise."""


def levels(numbers: Numbers, rate: int) -> Sequence[float]:
    """The gain before the curve, the gain behind it, and how much goes through it."""
    amount = numbers[AMOUNT.name]
    before = 10 ** (MOST_DB * amount / 20)
    kept = min(before * KEPT, 1.0)
    return before, KEPT / (1.5 * kept - 0.5 * kept**3), min(amount / WHOLE, 1.0)


def kernel(tools: Any) -> Any:
    import numpy as np

    quantum, ramp = tools.quantum, tools.ramp

    @tools.inner
    def area(x):
        """The antiderivative of the curve, 1.5 x - 0.5 x^3 up to 1, and 1 beyond."""
        x = abs(x)
        return x - 0.375 if x >= 1.0 else x * x * (0.75 - 0.125 * x * x)

    @tools.inner
    def drive(state, levels, memory, sent, block):
        before, before_step = ramp(levels, 0)
        behind, behind_step = ramp(levels, 1)
        wet, wet_step = ramp(levels, 2)
        for c in range(2):
            last = float(memory[c])
            for i in range(quantum):
                at = np.float32(i)
                dry = block[c, i]
                x = float((before + before_step * at) * dry)
                if abs(x - last) > LEAST_STEP:
                    y = (area(x) - area(last)) / (x - last)
                else:
                    middle = min(max(0.5 * (x + last), -1.0), 1.0)
                    y = middle * (1.5 - 0.5 * middle * middle)
                last = x
                driven = (behind + behind_step * at) * np.float32(y)
                block[c, i] = dry + (wet + wet_step * at) * (driven - dry)
            memory[c] = np.float32(last)

    return drive


DRIVE = BusEffect((AMOUNT,), kernel, levels, memory=lambda frames: 2)
