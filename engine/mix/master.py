"""The master: a high-pass, one gain, a look-ahead limiter on true peaks, and the meters of what goes out.

The gain is the script's, decided before it plays, so what the mix makes quieter is heard quieter. A script
may have it ridden: moved so slowly, and so little, that no section is levelled. The meters follow ITU-R
BS.1770-4 (K-weighting, gating).
State lives in flat arrays that `Master` allocates; the kernel changes them in place, a quantum at a time.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from ...vault.sound.loudness import gated_power
from ..clock import QUANTUM
from .limiter import ATTACK_FRAMES, LATENCY_FRAMES, TAPS, ceiling_gain, limit, true_peaks
from .machine import Layout, inner, record, zeros
from .ramps import approach

BLOCK_QUANTA = 75
"""100 ms: the step of the loudness measure."""
REDUCTION_STEPS, REDUCTION_STEP_DB = 300, 0.1
"""How finely it is counted how much the limiter takes."""
MOST_RIDE_DB, RIDE_DB = 1.5, 0.005
"""How far a gain is ridden at most, and how far in 100 ms: half a dB in ten seconds."""
_GATE, _RELATIVE_GATE = 10 ** ((-70 + 0.691) / 10), 0.1
_HIGH_PASS_HZ = 20.0
_RINGS_OUT = 1e-3
MOST_RING_FRAMES = 64 * QUANTUM
"""For so long at most the high-pass rings louder than that: 85 ms, from 5 dB over full scale."""
_SWING = 2 * math.pi * _HIGH_PASS_HZ / ENGINE_RATE

# K-weighting at 48 kHz: BS.1770-4, tables 1 and 2.
_SHELF = np.array(
    [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585]
)
_PASS = np.array([1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621])


def _butterworth(hertz: float) -> NDArray[np.float64]:
    """A high-pass of 12 dB an octave: b0, b1, b2, a1, a2, by the bilinear transform."""
    k = math.tan(math.pi * hertz / ENGINE_RATE)
    whole = 1 + math.sqrt(2) * k + k * k
    return np.array([1, -2, 1, 2 * (k * k - 1), 1 - math.sqrt(2) * k + k * k]) / whole


_HIGH_PASS = _butterworth(_HIGH_PASS_HZ)

CONTROL = record(
    "block_quanta idle meter_blocks fade_from fade_to rings_to gated_blocks",
    doubles="ceiling gain gain_target least release out_sum true_peak ride_to ride_db gated_sum",
)

STATE: Layout = {
    "control": (CONTROL, (1,)),
    # The memory of the high-pass, by channel.
    "high_pass": (np.float64, (2, 2)),
    # The memory of the output's K-weighting.
    "filters": (np.float64, (2, 4)),
    # What the true-peak measures of the mix and of the output see.
    "history": (np.float32, (2, 2, TAPS - 1 + QUANTUM)),
    "delay": (np.float32, (2, LATENCY_FRAMES + QUANTUM)),
    # The limiter's.
    "reduction": (np.float64, (2, 2 * ATTACK_FRAMES + QUANTUM)),
    # How many quanta the limiter brought down by so many steps at most.
    "reduced": (np.int64, (REDUCTION_STEPS,)),
    # Ring of mean squares (K-weighted, both channels summed) of 100 ms of output each.
    "meter": (np.float64, (1024,)),
}
"""Data type and shape of each array that the master keeps between quanta."""


if TYPE_CHECKING:
    State = Any
else:
    State = namedtuple("State", STATE)


class Master:
    """The master's state, and its readings."""

    def __init__(self, gain_db: float, ceiling_dbtp: float, ride_to: float = 0.0) -> None:
        """`ride_to`: as `power_of` has it."""
        self.state = State(**zeros(STATE))
        self.control = self.state.control[0]
        self.control["ceiling"] = ceiling_gain(ceiling_dbtp)
        self.control["gain"] = self.control["gain_target"] = 10 ** (gain_db / 20)
        self.control["ride_to"] = ride_to
        self.control["release"] = self.control["least"] = 1.0
        self.control["idle"] = 1 << 30
        self.control["fade_from"] = self.control["fade_to"] = 1 << 62
        self.state.reduction[:] = 1

    @property
    def rings_to(self) -> int:
        """The frame of the mix up to which the high-pass has held something."""
        return int(self.control["rings_to"])

    def fade(self, first_frame: int, last_frame: int) -> None:
        """Fade the output out between two absolute frames, by the sine curve's mirror."""
        self.control["fade_from"], self.control["fade_to"] = first_frame, last_frame

    @property
    def true_peak_dbtp(self) -> float:
        """Of all output so far; -inf for silence."""
        peak = float(self.control["true_peak"])
        return 20 * math.log10(peak) if peak > 0 else -math.inf

    def reduction_db(self, share: float) -> float:
        """The reduction that the limiter exceeds in no more than this share of the time so far, in dB."""
        counts = self.state.reduced
        above = np.cumsum(counts[::-1])[::-1]
        return REDUCTION_STEP_DB * int(np.count_nonzero(above > share * counts.sum()))


def power_of(lufs: float | None) -> float:
    """The mean square of so loud a sound, to which a gain is ridden; 0, which rides no gain, for None."""
    return 0.0 if lufs is None else 10 ** ((lufs + 0.691) / 10)


def integrated_lufs(mean_squares: NDArray[np.float64]) -> float:
    """BS.1770-4 integrated loudness from consecutive mean squares of 100 ms; -inf for silence.

    Gating blocks of 400 ms overlap by 75 %; absolute gate -70 LUFS, relative gate 10 LU under.
    """
    if len(mean_squares) < 4:
        return -math.inf
    blocks = np.convolve(mean_squares, np.ones(4) / 4, "valid")
    power = gated_power(blocks)
    return -math.inf if power is None else -0.691 + 10 * math.log10(power)


@inner
def weighted_energy(block, filters):
    """Sum of squares of the K-weighted quantum over both channels; `filters` (2, 4) keeps the memories."""
    energy = 0.0
    for c in range(2):
        a1, a2, b1, b2 = filters[c, 0], filters[c, 1], filters[c, 2], filters[c, 3]
        for i in range(QUANTUM):
            x = float(block[c, i])
            shelf = _SHELF[0] * x + a1
            a1 = _SHELF[1] * x - _SHELF[3] * shelf + a2
            a2 = _SHELF[2] * x - _SHELF[4] * shelf
            y = _PASS[0] * shelf + b1
            b1 = _PASS[1] * shelf - _PASS[3] * y + b2
            b2 = _PASS[2] * shelf - _PASS[4] * y
            energy += y * y
        if abs(a1) + abs(a2) + abs(b1) + abs(b2) < 1e-15:
            a1 = a2 = b1 = b2 = 0.0
        filters[c, 0], filters[c, 1], filters[c, 2], filters[c, 3] = a1, a2, b1, b2
    return energy


@inner
def aim_at(control, gain, ceiling, ride_to):
    """Move to another gain by a ramp, and have another ceiling, also a gain, from here on.

    How far it is ridden stays as it is, unless it is to be ridden no more.
    """
    control.gain_target = gain
    control.ceiling = ceiling
    control.ride_to = ride_to
    if ride_to == 0.0:
        control.ride_db = 0.0


@inner
def _ride(state, power):
    """Move the gain a little, after 100 ms of output of this mean square, towards the loudness asked for.

    The loudness so far is that of all blocks of 100 ms above -70 LUFS and above a tenth of their mean.
    """
    if power < _GATE or power * state.gated_blocks < _RELATIVE_GATE * state.gated_sum:
        return
    state.gated_sum += power
    state.gated_blocks += 1
    lacks = 10 * math.log10(state.ride_to * state.gated_blocks / state.gated_sum)
    moved = state.ride_db + min(max(lacks, -RIDE_DB), RIDE_DB)
    state.ride_db = min(max(moved, -MOST_RIDE_DB), MOST_RIDE_DB)


@inner
def _take_in(block, state, memory, history):
    """Bring a quantum through the high-pass and the gain, behind what the limiter sees already.

    In a quantum of silence the high-pass rings out, where that is softer than -60 dBFS. Gives whether it
    still holds something.
    """
    holds = False
    gain = state.gain
    target = state.gain_target
    if state.ride_db != 0.0:
        target *= 10 ** (state.ride_db / 20)
    state.gain = approach(gain, target)
    step = (state.gain - gain) / QUANTUM
    for c in range(2):
        for i in range(TAPS - 1):
            history[c, i] = history[c, i + QUANTUM]
        a1, a2 = memory[c, 0], memory[c, 1]
        # What it would give next, and by how much more after that: how high it still swings.
        more = (-1 - _HIGH_PASS[3]) * a1 + a2
        silent = abs(a1) < _RINGS_OUT and abs(more) < _RINGS_OUT * _SWING
        for i in range(QUANTUM):
            silent = silent and block[c, i] == 0.0
        fall = 1.0 / QUANTUM if silent else 0.0
        for i in range(QUANTUM):
            x = float(block[c, i])
            y = _HIGH_PASS[0] * x + a1
            a1 = _HIGH_PASS[1] * x - _HIGH_PASS[3] * y + a2
            a2 = _HIGH_PASS[2] * x - _HIGH_PASS[4] * y
            history[c, TAPS - 1 + i] = np.float32(y * (gain + step * i) * (1.0 - fall * (i + 1)))
        if silent:
            a1 = a2 = 0.0
        memory[c, 0], memory[c, 1] = a1, a2
        holds = holds or a1 != 0.0 or a2 != 0.0
    return holds


@inner
def master_quantum(frame, block, kept, peaks):
    """Bring one quantum through the master, in place; what comes out is LATENCY_FRAMES older.

    `block` float32 (2, 64). `kept`: the arrays of `STATE`. `peaks`: scratch (64,). `frame`: of the mix.
    """
    control, high_pass, filters, history, delay, reduction, reduced, meter = kept
    state = control[0]
    state.block_quanta = (state.block_quanta + 1) % BLOCK_QUANTA
    if _take_in(block, state, high_pass, history[0]):
        state.rings_to = frame + QUANTUM
    limit(block, state, history[0], delay, reduction, peaks)
    steps = 0 if state.least >= 1.0 else int(-20 / REDUCTION_STEP_DB * math.log10(state.least))
    reduced[min(steps, REDUCTION_STEPS - 1)] += 1
    _fade_out(frame - LATENCY_FRAMES, block, state)
    _measure(block, state, filters, history[1], meter, peaks)


@inner
def _fade_out(frame, block, state):
    if frame + QUANTUM <= state.fade_from:
        return
    length = max(state.fade_to - state.fade_from, 1)
    for i in range(QUANTUM):
        x = min(max(1.0 - (frame + i - state.fade_from) / length, 0.0), 1.0)
        for c in range(2):
            block[c, i] = np.float32(block[c, i] * (x * x * (3.0 - 2.0 * x)))


@inner
def _measure(block, state, filters, history, meter, peaks):
    """Read the output's loudness and true peak."""
    state.out_sum += weighted_energy(block, filters)
    if state.block_quanta == 0:
        power = state.out_sum / (BLOCK_QUANTA * QUANTUM)
        meter[state.meter_blocks % meter.shape[0]] = power
        if state.ride_to > 0.0:
            _ride(state, power)
        state.meter_blocks += 1
        state.out_sum = 0.0
    for c in range(2):
        for i in range(TAPS - 1):
            history[c, i] = history[c, i + QUANTUM]
        for i in range(QUANTUM):
            history[c, TAPS - 1 + i] = block[c, i]
    true_peaks(history, peaks, state.true_peak)
    for i in range(QUANTUM):
        state.true_peak = max(state.true_peak, float(peaks[i]))
