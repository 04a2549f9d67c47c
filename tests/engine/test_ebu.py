"""EBU Tech 3341 (2016), table 1: the cases that can be synthesised, on the meters of the master's output.

Integrated loudness: cases 1 to 5, within 0.1 LU. True peak: cases 15 to 19, within +0.2 and -0.4 dB.
"""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from stemloom.engine.clock import QUANTUM
from stemloom.engine.mix.master import BLOCK_QUANTA, Master, _measure, integrated_lufs

RATE = 48_000


@njit
def _meter(sound, control, filters, history, meter, peaks):
    state = control[0]
    block = np.empty((2, QUANTUM), np.float32)
    for q in range(sound.shape[1] // QUANTUM):
        block[:] = sound[:, q * QUANTUM : (q + 1) * QUANTUM]
        state.block_quanta = (state.block_quanta + 1) % BLOCK_QUANTA
        _measure(block, state, filters, history[1], meter, peaks)


def metered(sound: np.ndarray) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP, as the master reads its output."""
    master = Master(0.0, -1.0)
    _meter(
        sound,
        master.state.control,
        master.state.filters,
        master.state.history,
        master.state.meter,
        np.zeros(QUANTUM, np.float32),
    )
    blocks = int(master.control["meter_blocks"])
    assert blocks <= len(master.state.meter)
    return integrated_lufs(master.state.meter[:blocks]), master.true_peak_dbtp


def tone(dbfs: float, seconds: float) -> np.ndarray:
    """A sine of 1 kHz, its peak at `dbfs`, in phase on both channels."""
    t = np.arange(round(seconds * RATE)) / RATE
    return np.tile(10 ** (dbfs / 20) * np.sin(2 * np.pi * 1000 * t), (2, 1))


LOUDNESS = {
    "1": ([(-23, 20)], -23.0),
    "2": ([(-33, 20)], -33.0),
    "3": ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
    "4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
    "5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
}


@pytest.mark.parametrize("case", LOUDNESS)
def test_integrated_loudness(case: str) -> None:
    steps, expected = LOUDNESS[case]
    sound = np.concatenate([tone(dbfs, seconds) for dbfs, seconds in steps], axis=1).astype(np.float32)
    assert metered(sound)[0] == pytest.approx(expected, abs=0.1)


PEAKS = {
    "15": (4, 0.50, 0.0, -6.0),
    "16": (4, 0.50, 45.0, -6.0),
    "17": (6, 0.50, 60.0, -6.0),
    "18": (8, 0.50, 67.5, -6.0),
    "19": (4, 1.41, 45.0, 3.0),
}


@pytest.mark.parametrize("case", PEAKS)
def test_true_peak(case: str) -> None:
    divisor, amplitude, degrees, expected = PEAKS[case]
    t = np.arange(RATE)
    wave = amplitude * np.sin(2 * np.pi * t / divisor + np.deg2rad(degrees))
    # Faded at both ends, so that what is measured is the tone and not where it begins.
    wave *= np.clip(np.minimum(t, len(t) - t) / 2400, 0, 1)
    found = metered(np.tile(wave, (2, 1)).astype(np.float32))[1]
    assert expected - 0.4 <= found <= expected + 0.2
