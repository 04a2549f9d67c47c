"""The meters of the buses, compiled: peak, power and K-weighted power of each 100 ms, once somebody looks.

What they read does not change the sound, and nothing waits for whoever reads: the last steps lie in a ring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..clock import QUANTUM
from .machine import inner, store_release
from .master import BLOCK_QUANTA, weighted_energy
from .rack import BUSES, LEVELS_WRITTEN, ROWS, STEPS

PEAK, POWER, WEIGHTED, FILLED = 0, 1, 2, 3
"""What is gathered of a row: its greatest sample, the sums of squares of both channels, plain and K-weighted;
and, in the first row alone, of how many quanta."""
MOMENTARY_STEPS, SHORT_TERM_STEPS = 4, 30
"""400 ms and 3 s: EBU Tech 3341, section 2.2."""


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a bus is. -inf for silence.

    `peak_dbfs`: the greatest sample of the last 400 ms. `rms_dbfs`: over the same time, the louder channel
    not told apart: a full-scale sine on both channels reads -3.01. `momentary_lufs`, `short_term_lufs`:
    K-weighted as in BS.1770-4, over 400 ms and 3 s, without a gate.
    """

    peak_dbfs: float
    rms_dbfs: float
    momentary_lufs: float
    short_term_lufs: float


@inner
def meter_quantum(filters, now, block):
    """Take a quantum, float32 (2, 64), into what is gathered of one row."""
    peak, power = np.float32(0), 0.0
    for c in range(2):
        for i in range(QUANTUM):
            x = block[c, i]
            peak = max(peak, abs(x))
            power += float(x) * float(x)
    now[PEAK] = max(now[PEAK], float(peak))
    now[POWER] += power
    now[WEIGHTED] += weighted_energy(block, filters)


@inner
def meter_buses(rack, used, at):
    """Take the quantum at `at` of the span of every role's bus that has something in it."""
    for b in range(BUSES):
        if used & (1 << b):
            for c in range(2):
                for i in range(QUANTUM):
                    rack.voice[c, i] = rack.accumulator[b, c, at + i]
            meter_quantum(rack.level_filters[b], rack.level_now[b], rack.voice)


@inner
def end_step(rack):
    """Count a quantum; after 100 ms, put what was gathered into the ring."""
    now = rack.level_now
    now[0, FILLED] += 1
    if now[0, FILLED] < BLOCK_QUANTA:
        return
    written = rack.status[LEVELS_WRITTEN]
    for row in range(ROWS):
        for each in range(FILLED):
            rack.levels[written % STEPS, row, each] = now[row, each]
            now[row, each] = 0.0
    now[0, FILLED] = 0.0
    store_release(rack.status, LEVELS_WRITTEN, written + 1)


def level_of(steps: NDArray[np.float64]) -> Level:
    """The level of one row from its last steps of 100 ms, oldest first, (steps, 3)."""
    last = steps[-MOMENTARY_STEPS:]
    frames = BLOCK_QUANTA * QUANTUM
    momentary, short = last[:, WEIGHTED].mean(), steps[-SHORT_TERM_STEPS:, WEIGHTED].mean()
    return Level(
        20 * _log10(float(last[:, PEAK].max())),
        10 * _log10(float(last[:, POWER].mean()) / (2 * frames)),
        -0.691 + 10 * _log10(float(momentary) / frames),
        -0.691 + 10 * _log10(float(short) / frames),
    )


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf
