"""The master: steady loudness, then a look-ahead limiter on true peaks, and the meters of what goes out.

Loudness follows ITU-R BS.1770-4 (K-weighting, gating).
State lives in flat arrays that `Master` allocates; the kernel changes them in place, a quantum at a time.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...vault.sound.loudness import gated_power
from ..clock import QUANTUM
from .limiter import ATTACK_FRAMES, LATENCY_FRAMES, TAPS, ceiling_gain, limit, true_peaks
from .machine import Layout, inner, record, zeros

ABSOLUTE_GATE = 10**-6.9309
"""-70 LUFS, as a mean square: what is softer counts in no loudness."""
BLOCK_QUANTA = 75
"""100 ms: the step of the loudness measure."""
MOST_CORRECTION_DB = 10.0
SLEW_DB = 0.15
"""The most the loudness gain moves in 100 ms."""
PRIOR_BLOCKS, MOST_BLOCKS = 15, 120
"""The measure begins as if 1.5 s had been heard, and remembers 12 s."""
PRIOR_DB = -2.0
"""What is expected of a mix before it is heard, against its target."""
HEARD_BLOCKS = 6000
"""How much of the output counts in its loudness so far: ten minutes."""
CATCH_UP_BLOCKS, CATCH_UP_SHARE = 50, 0.25
"""Over how long what the output lacks is made up for: 5 s, or a quarter of what was heard if longer."""
MOST_CATCH_UP_DB = 4.0
"""The most that the gain is moved for it."""

# K-weighting at 48 kHz: BS.1770-4, tables 1 and 2.
_SHELF = np.array(
    [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585]
)
_PASS = np.array([1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621])


CONTROL = record(
    "block_quanta idle meter_blocks fade_from fade_to",
    doubles="target ceiling gain gain_step mean_square blocks block_sum release heard_sum heard_blocks "
    "out_sum true_peak",
)

STATE: Layout = {
    "control": (CONTROL, (1,)),
    # The memories of the K-weighting, of the mix and of the output.
    "filters": (np.float64, (2, 2, 4)),
    # What the true-peak measures of both see.
    "history": (np.float32, (2, 2, TAPS - 1 + QUANTUM)),
    "delay": (np.float32, (2, LATENCY_FRAMES + QUANTUM)),
    # The limiter's.
    "reduction": (np.float64, (2, 2 * ATTACK_FRAMES + QUANTUM)),
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

    def __init__(self, loudness_lufs: float, ceiling_dbtp: float) -> None:
        self.state = State(**zeros(STATE))
        self.control = self.state.control[0]
        self.control["target"] = loudness_lufs
        self.control["ceiling"] = ceiling_gain(ceiling_dbtp)
        self.control["gain"] = 1.0
        self.control["mean_square"] = 10 ** ((loudness_lufs + PRIOR_DB + 0.691) / 10)
        self.control["blocks"] = PRIOR_BLOCKS
        self.control["release"] = 1.0
        self.control["idle"] = 1 << 30
        self.control["fade_from"] = self.control["fade_to"] = 1 << 62
        self.state.reduction[:] = 1

    def fade(self, first_frame: int, last_frame: int) -> None:
        """Fade the output out between two absolute frames, by the sine curve's mirror."""
        self.control["fade_from"], self.control["fade_to"] = first_frame, last_frame

    @property
    def true_peak_dbtp(self) -> float:
        """Of all output so far; -inf for silence."""
        peak = float(self.control["true_peak"])
        return 20 * math.log10(peak) if peak > 0 else -math.inf


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
def aim_at(control, loudness, ceiling):
    """Have another loudness, in LUFS, and another ceiling, as a gain, from here on."""
    if loudness != control.target:
        control.target = loudness
        control.heard_sum = control.heard_blocks = 0.0
    control.ceiling = ceiling


@inner
def _catch_up(control):
    """By how many dB the output is to be louder or softer for a while, to have the target on the whole.

    The mix is measured before the limiter and over the last seconds only; what came out in the end, since the
    begin, says by how much that was wrong.
    """
    heard = control.heard_blocks
    if heard < 1:
        return 0.0
    over = max(CATCH_UP_BLOCKS, CATCH_UP_SHARE * heard)
    aim = 10 ** ((control.target + 0.691) / 10)
    power = 1 + (heard - control.heard_sum / aim) / over
    decibels = 10 * math.log10(max(power, 0.01))
    return min(max(decibels, -MOST_CATCH_UP_DB), MOST_CATCH_UP_DB)


@inner
def _note_heard(control, meter):
    """Take the 400 ms of output that just ended into its loudness so far, gated as in BS.1770-4."""
    power = 0.0
    for k in range(1, 5):
        power += meter[(control.meter_blocks - k) % meter.shape[0]] / 4
    if power > ABSOLUTE_GATE and power * control.heard_blocks >= control.heard_sum / 10:
        if control.heard_blocks >= HEARD_BLOCKS:
            control.heard_sum -= control.heard_sum / control.heard_blocks
        else:
            control.heard_blocks += 1
        control.heard_sum += power


@inner
def _follow_loudness(control):
    """After 100 ms: take the block into the measure, and set the gain's course for the next 100 ms."""
    mean_square = control.block_sum / (BLOCK_QUANTA * QUANTUM)
    control.block_sum = 0.0
    control.block_quanta = 0
    if mean_square > ABSOLUTE_GATE and mean_square > control.mean_square / 10:
        control.blocks = min(control.blocks + 1, MOST_BLOCKS)
        control.mean_square += (mean_square - control.mean_square) / control.blocks
    loudness = -0.691 + 10 * math.log10(control.mean_square)
    wanted = control.target - loudness + _catch_up(control)
    wanted = min(max(wanted, -MOST_CORRECTION_DB), MOST_CORRECTION_DB)
    now = 20 * math.log10(control.gain)
    then = 10 ** ((now + min(max(wanted - now, -SLEW_DB), SLEW_DB)) / 20)
    control.gain_step = (then - control.gain) / BLOCK_QUANTA


@inner
def master_quantum(frame, block, kept, peaks):
    """Bring one quantum through the master, in place; what comes out is LATENCY_FRAMES older.

    `block` float32 (2, 64). `kept`: the arrays of `STATE`. `peaks`: scratch (64,). `frame`: of the mix.
    """
    control, filters, history, delay, reduction, meter = kept
    state = control[0]
    state.block_sum += weighted_energy(block, filters[0])
    state.block_quanta += 1
    gain = state.gain
    state.gain += state.gain_step
    step = np.float32(state.gain_step / QUANTUM)
    if state.block_quanta == BLOCK_QUANTA:
        _follow_loudness(state)
    base = np.float32(gain)
    for c in range(2):
        for i in range(TAPS - 1):
            history[0, c, i] = history[0, c, i + QUANTUM]
        for i in range(QUANTUM):
            history[0, c, TAPS - 1 + i] = block[c, i] * (base + step * np.float32(i))
    limit(block, state, history[0], delay, reduction, peaks)
    _fade_out(frame - LATENCY_FRAMES, block, state)
    _measure(block, state, filters[1], history[1], meter, peaks)


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
        meter[state.meter_blocks % meter.shape[0]] = state.out_sum / (BLOCK_QUANTA * QUANTUM)
        state.meter_blocks += 1
        state.out_sum = 0.0
        if state.meter_blocks >= 4:
            _note_heard(state, meter)
    for c in range(2):
        for i in range(TAPS - 1):
            history[c, i] = history[c, i + QUANTUM]
        for i in range(QUANTUM):
            history[c, TAPS - 1 + i] = block[c, i]
    true_peaks(history, peaks, state.true_peak)
    for i in range(QUANTUM):
        state.true_peak = max(state.true_peak, float(peaks[i]))
