"""`delay`: repeats in time with the music. `tests/engine/fx_twin.py` has it in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .effect import BusEffect, Numbers, Parameter

MOST_BEATS = 16
BEATS = Parameter("delay", "beats", (0.0625, MOST_BEATS), "delay", moves=False)
"""Between repeats."""
FEEDBACK = Parameter("feedback", "", (0, 0.95), "feedback")
MIX = Parameter("mix", "", (0, 1), "delay mix", default=1.0)


def frames(numbers: Numbers) -> int:
    return int(numbers[BEATS.name])


def levels(numbers: Numbers, rate: int) -> Sequence[float]:
    return numbers[FEEDBACK.name], numbers[MIX.name]


def tail_frames(numbers: Numbers, rate: int) -> int:
    if numbers[MIX.name] <= 0:
        return 0
    feedback = numbers[FEEDBACK.name]
    repeats = 1 + (math.log(0.001) / math.log(feedback) if feedback > 0 else 0)
    return int(frames(numbers) * repeats)


def power(numbers: Numbers, rate: int, power: float) -> float:
    wet = numbers[MIX.name] ** 2 / (1 - numbers[FEEDBACK.name] ** 2)
    return power * ((1 - numbers[MIX.name]) ** 2 + wet)


def kernel(tools: Any) -> Any:
    import numpy as np

    quantum, ramp = tools.quantum, tools.ramp

    @tools.inner
    def delay(state, levels, memory, sent, block):
        feedback, feedback_step = ramp(levels, 0)
        wet, wet_step = ramp(levels, 1)
        at = state.at
        for i in range(quantum):
            wet_now = wet + wet_step * np.float32(i)
            dry_now = np.float32(1.0) - wet_now
            back = feedback + feedback_step * np.float32(i)
            for c in range(2):
                late = memory[2 * at + c]
                memory[2 * at + c] = block[c, i] + back * late
                block[c, i] = dry_now * block[c, i] + wet_now * late
            at += 1
            if at >= state.frames:
                at = 0
        state.at = at

    return delay


DELAY = BusEffect(
    (BEATS, FEEDBACK, MIX),
    kernel,
    levels,
    frames=frames,
    memory=lambda frames: 2 * frames,
    tail_frames=tail_frames,
    power=power,
)
