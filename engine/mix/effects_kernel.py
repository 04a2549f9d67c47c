"""Effects, compiled: filters of voices and buses, reverb, delay; `tests/engine/fx_twin.py` has them in NumPy.

Filters are state-variable filters in the trapezoidal form (A. Simper, "Linear trapezoidal integrated SVF",
Cytomic 2013); the reverb is a feedback delay network of eight lines with a Householder matrix (J.-M. Jot and
A. Chaigne, AES 90th Convention, 1991). Coefficients are set once a quantum of 64 frames, on the absolute
grid.
"""

from __future__ import annotations

import math

import numpy as np

from ..clock import QUANTUM
from .machine import inner
from .ramps import approach

FX_BUSES = 16
MOST_FILTERS = 4
LINES = 8
LINE_FRAMES = np.array([1423, 1637, 1823, 2081, 2311, 2539, 2777, 3001], np.int64)
"""Of the reverb's lines: primes from 30 to 63 ms."""
LONGEST_LINE = 3072
DAMPING = np.float32(0.25)
"""How much of the sample before is in each that comes round: high tones die sooner."""

NONE, LOWPASS, HIGHPASS, BANDPASS = 0, 1, 2, 3
LINEAR, SMOOTH, EXPONENTIAL = 0, 1, 2
KIND, HZ, TO_HZ, GLIDE, CURVE, FROM, AIM_HZ, AIM_TO_HZ, MEMORY = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Columns of a filter, float64: kind, frequency, where it glides to and over how many frames, the curve, the
frame at which the glide begins, what the two frequencies move to when a dial is turned, then two memories of
each channel."""
FILTER_COLUMNS = MEMORY + 4

BUS_FX = np.dtype(
    [
        ("used", np.int64),
        ("reverb", np.int64),
        ("delay", np.int64),
        ("reverb_at", np.int64),
        ("delay_at", np.int64),
        ("quiet", np.int64),
        ("rings", np.int64),
    ],
    align=True,
)
"""A bus of effects: `reverb`: whether it has one; `delay` in frames, 0 for none. `quiet`: for how many frames
nothing went in; `rings`: after how many it has rung out."""

REVERB_MIX, FEEDBACK, DELAY_MIX, MIX, BUS_GAIN = 0, 1, 2, 3, 4
LEVELS = 5
"""A bus's levels, float32 (2, LEVELS): as they are, and what they move to."""
ENDS, GAINS, AIMS, TAKEN = 0, 1, 2, 3
"""Rows of a reverb's lines, float32 (4, 8): their low-passed ends, their gains a round, what those move to,
scratch."""
OCTAVE_EIGHTH = 2.0**0.125
"""The most that a filter's frequency moves in a quantum when a dial is turned: an octave in 11 ms."""
LINE_STEP = np.float32(0.001)
"""The most that a line's gain moves in a quantum."""

_K = math.sqrt(2.0)
_STEP = np.float32(1.0 / QUANTUM)
_RATE = 48_000.0


@inner
def frequency(filter, frame):
    """Where a filter's glide is at a frame, in Hz."""
    hz, to, length = filter[HZ], filter[TO_HZ], filter[GLIDE]
    if length <= 0 or hz == to:
        return to if length > 0 else hz
    x = min(max((frame - filter[FROM]) / length, 0.0), 1.0)
    if filter[CURVE] == LINEAR:
        return hz + (to - hz) * x
    if filter[CURVE] == SMOOTH:
        return hz + (to - hz) * (x * x * (3.0 - 2.0 * x))
    return hz * (to / hz) ** x


@inner
def _follow(filter):
    """Move a filter's frequencies towards what the dials ask for."""
    for hz, aim in ((HZ, AIM_HZ), (TO_HZ, AIM_TO_HZ)):
        wanted, now = filter[aim], filter[hz]
        filter[hz] = min(max(wanted, now / OCTAVE_EIGHTH), now * OCTAVE_EIGHTH)


@inner
def filter_quantum(filter, frame, block):
    """Bring a quantum, float32 (2, 64), through one filter, in place."""
    if filter[HZ] != filter[AIM_HZ] or filter[TO_HZ] != filter[AIM_TO_HZ]:
        _follow(filter)
    g = math.tan(math.pi * min(frequency(filter, frame), 0.49 * _RATE) / _RATE)
    a1 = 1.0 / (1.0 + g * (g + _K))
    a2 = g * a1
    a3 = g * a2
    kind = filter[KIND]
    for c in range(2):
        first, second = filter[MEMORY + 2 * c], filter[MEMORY + 2 * c + 1]
        for i in range(QUANTUM):
            x = float(block[c, i])
            v3 = x - second
            v1 = a1 * first + a2 * v3
            v2 = second + a2 * first + a3 * v3
            first = 2.0 * v1 - first
            second = 2.0 * v2 - second
            if kind == LOWPASS:
                y = v2
            elif kind == HIGHPASS:
                y = x - _K * v1 - v2
            else:
                y = _K * v1
            block[c, i] = np.float32(y)
        filter[MEMORY + 2 * c], filter[MEMORY + 2 * c + 1] = first, second


@inner
def reverb_quantum(bus, lines, lows, wet, wet_step, block):
    """Bring a quantum through the reverb, in place.

    `lines`: float32 (8, LONGEST_LINE). `lows`: float32 (4, 8), see ENDS. `wet`: how much of it is reverb at
    the quantum's begin, and the step of that a frame.
    """
    at = bus.reverb_at
    low, gains, taken = lows[ENDS], lows[GAINS], lows[TAKEN]
    for n in range(LINES):
        gains[n] = approach(gains[n], lows[AIMS, n], LINE_STEP)
    for i in range(QUANTUM):
        total = np.float32(0)
        for n in range(LINES):
            value = lines[n, (at - LINE_FRAMES[n]) % LONGEST_LINE]
            low[n] = value + DAMPING * (low[n] - value)
            taken[n] = gains[n] * low[n]
            total += taken[n]
        total *= np.float32(2.0 / LINES)
        left, right = np.float32(0), np.float32(0)
        for n in range(LINES):
            lines[n, at] = block[n & 1, i] + taken[n] - total
            sign = np.float32(1) if n & 2 else np.float32(-1)
            if n & 1:
                right += sign * taken[n]
            else:
                left += sign * taken[n]
        wet_now = wet + wet_step * np.float32(i)
        dry_now = np.float32(1.0) - wet_now
        block[0, i] = dry_now * block[0, i] + wet_now * np.float32(0.5) * left
        block[1, i] = dry_now * block[1, i] + wet_now * np.float32(0.5) * right
        at = (at + 1) % LONGEST_LINE
    bus.reverb_at = at


@inner
def delay_quantum(bus, line, feedback, feedback_step, wet, wet_step, block):
    """Bring a quantum through the delay, in place. `line` float32 (2, at least `bus.delay`)."""
    at = bus.delay_at
    for i in range(QUANTUM):
        wet_now = wet + wet_step * np.float32(i)
        dry_now = np.float32(1.0) - wet_now
        back = feedback + feedback_step * np.float32(i)
        for c in range(2):
            late = line[c, at]
            line[c, at] = block[c, i] + back * late
            block[c, i] = dry_now * block[c, i] + wet_now * late
        at += 1
        if at >= bus.delay:
            at = 0
    bus.delay_at = at


@inner
def _step(levels, which):
    """Move one of a bus's levels by a quantum; what it was, and the step of its ramp a frame."""
    now = levels[0, which]
    levels[0, which] = approach(now, levels[1, which])
    return now, (levels[0, which] - now) * _STEP


@inner
def bus_quantum(frame, bus, filters, lines, lows, delay, levels, sent, block, out):
    """Bring what was sent to a bus through its effects and add it to `out`; all float32 (2, 64).

    What is added is in `block` then. `sent` is left empty for the next quantum. A bus that has rung out costs
    nothing, and its levels then are at once what they would move to.
    """
    silent = True
    for c in range(2):
        for i in range(QUANTUM):
            block[c, i] = sent[c, i]
            silent = silent and sent[c, i] == 0
    bus.quiet = bus.quiet + QUANTUM if silent else 0
    if bus.quiet > bus.rings:
        for which in range(LEVELS):
            levels[0, which] = levels[1, which]
        return
    if bus.reverb != 0:
        wet, wet_step = _step(levels, REVERB_MIX)
        reverb_quantum(bus, lines, lows, wet, wet_step, block)
    if bus.delay > 0:
        feedback, feedback_step = _step(levels, FEEDBACK)
        wet, wet_step = _step(levels, DELAY_MIX)
        delay_quantum(bus, delay, feedback, feedback_step, wet, wet_step, block)
    for n in range(MOST_FILTERS):
        if filters[n, KIND] != NONE:
            filter_quantum(filters[n], frame, block)
    mix, mix_step = _step(levels, MIX)
    gain, gain_step = _step(levels, BUS_GAIN)
    for i in range(QUANTUM):
        amp = gain + gain_step * np.float32(i)
        wet = mix + mix_step * np.float32(i)
        dry = np.float32(1.0) - wet
        for c in range(2):
            block[c, i] = amp * (dry * sent[c, i] + wet * block[c, i])
            out[c, i] += block[c, i]
            sent[c, i] = np.float32(0)
