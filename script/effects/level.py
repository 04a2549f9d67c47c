"""`mix` and `gain` of a bus: how much of what comes out is wet, and how loud it is."""

from __future__ import annotations

from typing import Any

from .effect import BusEffect, Parameter

WET = Parameter("mix", "", (0, 1), "mix", default=1.0)
DECIBELS = Parameter("gain", "dB", (-96, 24), "gain")


def mix_kernel(tools: Any) -> Any:
    import numpy as np

    quantum, ramp = tools.quantum, tools.ramp

    @tools.inner
    def mix(state, levels, memory, sent, block):
        mix, step = ramp(levels, 0)
        for i in range(quantum):
            wet = mix + step * np.float32(i)
            dry = np.float32(1.0) - wet
            for c in range(2):
                block[c, i] = dry * sent[c, i] + wet * block[c, i]

    return mix


def gain_kernel(tools: Any) -> Any:
    import numpy as np

    quantum, ramp = tools.quantum, tools.ramp

    @tools.inner
    def gain(state, levels, memory, sent, block):
        gain, step = ramp(levels, 0)
        for i in range(quantum):
            amp = gain + step * np.float32(i)
            for c in range(2):
                block[c, i] = amp * block[c, i]

    return gain


MIX = BusEffect(
    (WET,),
    mix_kernel,
    lambda numbers, rate: (numbers[WET.name],),
    power=lambda numbers, rate, power: (1 - numbers[WET.name]) ** 2 + numbers[WET.name] ** 2 * power,
    always=True,
)
GAIN = BusEffect(
    (DECIBELS,),
    gain_kernel,
    lambda numbers, rate: (10 ** (numbers[DECIBELS.name] / 20),),
    power=lambda numbers, rate, power: power * 10 ** (numbers[DECIBELS.name] / 10),
    always=True,
)
