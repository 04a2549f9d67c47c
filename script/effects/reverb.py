"""`reverb`: a feedback delay network of eight lines with a Householder matrix.

J.-M. Jot and A. Chaigne, AES 90th Convention, 1991. `tests/engine/fx_twin.py` has it in NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .effect import BusEffect, Numbers, Parameter

LINE_FRAMES = (1423, 1637, 1823, 2081, 2311, 2539, 2777, 3001)
"""Of the lines: primes from 30 to 63 ms."""
LINES = len(LINE_FRAMES)
LONGEST_LINE = 3072
LINE_STEP = 0.001
"""The most that a line's gain moves in a quantum."""
DAMPING = 0.25
"""How much of the sample before is in each that comes round: high tones die sooner."""

SECONDS = Parameter("reverb", "s", (0.1, 30), "reverb")
"""To -60 dB."""
MIX = Parameter("mix", "", (0, 1), "reverb mix", default=1.0)


def levels(numbers: Numbers, rate: int) -> Sequence[float]:
    """The mix, then what is left of each line after a round."""
    import numpy as np

    gains = 10 ** (-3 * np.array(LINE_FRAMES) / (rate * numbers[SECONDS.name]))
    return (numbers[MIX.name], *gains.tolist())


def tail_frames(numbers: Numbers, rate: int) -> int:
    return int(numbers[SECONDS.name] * rate)


def power(numbers: Numbers, rate: int, power: float) -> float:
    """What circulates: each line keeps so much of the power that it had, and takes in as much as is sent."""
    left = 10 ** (-6 * sum(LINE_FRAMES) / LINES / (rate * numbers[SECONDS.name]))
    return float(power * ((1 - numbers[MIX.name]) ** 2 + numbers[MIX.name] ** 2 * left / (1 - left)))


def kernel(tools: Any) -> Any:
    import numpy as np

    approach, quantum, ramp = tools.approach, tools.quantum, tools.ramp
    lengths = np.array(LINE_FRAMES, np.int64)
    damping, line_step = np.float32(DAMPING), np.float32(LINE_STEP)
    lows, taken = LINES * LONGEST_LINE, LINES * LONGEST_LINE + LINES

    @tools.inner
    def reverb(state, levels, memory, sent, block):
        wet, wet_step = ramp(levels, 0)
        at = state.at
        for n in range(LINES):
            levels[1 + n, 0] = approach(levels[1 + n, 0], levels[1 + n, 1], line_step)
        for i in range(quantum):
            total = np.float32(0)
            for n in range(LINES):
                value = memory[n * LONGEST_LINE + (at - lengths[n]) % LONGEST_LINE]
                memory[lows + n] = value + damping * (memory[lows + n] - value)
                memory[taken + n] = levels[1 + n, 0] * memory[lows + n]
                total += memory[taken + n]
            total *= np.float32(2.0 / LINES)
            left, right = np.float32(0), np.float32(0)
            for n in range(LINES):
                memory[n * LONGEST_LINE + at] = block[n & 1, i] + memory[taken + n] - total
                sign = np.float32(1) if n & 2 else np.float32(-1)
                if n & 1:
                    right += sign * memory[taken + n]
                else:
                    left += sign * memory[taken + n]
            wet_now = wet + wet_step * np.float32(i)
            dry_now = np.float32(1.0) - wet_now
            block[0, i] = dry_now * block[0, i] + wet_now * np.float32(0.5) * left
            block[1, i] = dry_now * block[1, i] + wet_now * np.float32(0.5) * right
            at = (at + 1) % LONGEST_LINE
        state.at = at

    return reverb


REVERB = BusEffect(
    (SECONDS, MIX),
    kernel,
    levels,
    memory=lambda frames: LINES * LONGEST_LINE + 2 * LINES,
    tail_frames=tail_frames,
    power=power,
    leaps=(True, *(False,) * LINES),
)
