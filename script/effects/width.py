"""`width`: how far apart left and right are. `tests/engine/fx_twin.py` has it in NumPy."""

from __future__ import annotations

from typing import Any

from .effect import BusEffect, Parameter

WIDTH = Parameter("width", "", (0, 2), "width", default=1.0)
"""Of what differs between them: 0 is mono, 1 leaves it as it is."""


def kernel(tools: Any) -> Any:
    import numpy as np

    quantum, ramp, half = tools.quantum, tools.ramp, np.float32(0.5)

    @tools.inner
    def width(state, levels, memory, sent, block):
        width, step = ramp(levels, 0)
        for i in range(quantum):
            middle = half * (block[0, i] + block[1, i])
            side = (width + step * np.float32(i)) * (half * (block[0, i] - block[1, i]))
            block[0, i] = middle + side
            block[1, i] = middle - side

    return width


WIDE = BusEffect((WIDTH,), kernel, lambda numbers, rate: (numbers[WIDTH.name],))
