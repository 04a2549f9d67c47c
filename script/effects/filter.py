"""`lowpass`, `highpass` and `bandpass`: state-variable filters in the trapezoidal form.

A. Simper, "Linear trapezoidal integrated SVF", Cytomic 2013. Coefficients are set once a quantum of 64
frames, on the absolute grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

from .effect import Parameter

Kind = Literal["lowpass", "highpass", "bandpass"]
Curve = Literal["linear", "smooth", "exponential"]
NONE, LOWPASS, HIGHPASS, BANDPASS = 0, 1, 2, 3
LINEAR, SMOOTH, EXPONENTIAL = 0, 1, 2
KINDS: dict[str, int] = {"lowpass": LOWPASS, "highpass": HIGHPASS, "bandpass": BANDPASS}
CURVES: dict[str, int] = {"linear": LINEAR, "smooth": SMOOTH, "exponential": EXPONENTIAL}
MOST = 4
"""In one line or one bus."""
FROM_HZ = Parameter("", "Hz", (20, 20_000), "filter {}")
INTO_HZ = Parameter("", "Hz", (20, 20_000), "filter {} to")
"""Of a glide. `{}` is the filter's place among those of its line or bus."""

KIND, HZ, TO_HZ, GLIDE, CURVE, FROM, AIM_HZ, AIM_TO_HZ, MEMORY = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Columns of a filter, float64: kind, frequency, where it glides to and over how many frames, the curve, the
frame at which the glide begins, what the two frequencies move to when a dial is turned, then two memories of
each channel."""
COLUMNS = MEMORY + 4
OCTAVE_EIGHTH = 2.0**0.125
"""The most that a filter's frequency moves in a quantum when a dial is turned: an octave in 11 ms."""


@dataclass(frozen=True, slots=True)
class PlacedFilter:
    """A filter at `hz`, gliding to `to_hz` over `frames` from the placement's start, by `curve`."""

    kind: Kind
    hz: float
    to_hz: float
    frames: int
    curve: Curve


def fill(rows: Any, filters: Sequence[PlacedFilter], start: int) -> None:
    """Write filters into their rows, (MOST, COLUMNS), with empty memories; glides begin at `start`."""
    rows[:] = 0
    for row, filter in zip(rows, filters, strict=False):
        row[KIND], row[HZ], row[TO_HZ] = KINDS[filter.kind], filter.hz, filter.to_hz
        row[GLIDE], row[CURVE], row[FROM] = filter.frames, CURVES[filter.curve], start
        row[AIM_HZ], row[AIM_TO_HZ] = filter.hz, filter.to_hz


def frequencies(filters: Sequence[PlacedFilter]) -> list[tuple[float, float]]:
    """From where to where each filter glides, (MOST, 2)."""
    found = [(filter.hz, filter.to_hz) for filter in filters]
    return found + [(0.0, 0.0)] * (MOST - len(found))


def kernel(tools: Any) -> SimpleNamespace:
    """`filters` brings a quantum through all filters of a row, `through` through one; `aim` turns them."""
    import numpy as np

    quantum, rate = tools.quantum, float(tools.rate)
    k = math.sqrt(2.0)

    @tools.inner
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

    @tools.inner
    def follow(filter):
        """Move a filter's frequencies towards what the dials ask for."""
        for hz, aim in ((HZ, AIM_HZ), (TO_HZ, AIM_TO_HZ)):
            wanted, now = filter[aim], filter[hz]
            filter[hz] = min(max(wanted, now / OCTAVE_EIGHTH), now * OCTAVE_EIGHTH)

    @tools.inner
    def through(filter, frame, block):
        if filter[HZ] != filter[AIM_HZ] or filter[TO_HZ] != filter[AIM_TO_HZ]:
            follow(filter)
        g = math.tan(math.pi * min(frequency(filter, frame), 0.49 * rate) / rate)
        a1 = 1.0 / (1.0 + g * (g + k))
        a2 = g * a1
        a3 = g * a2
        kind = filter[KIND]
        for c in range(2):
            first, second = filter[MEMORY + 2 * c], filter[MEMORY + 2 * c + 1]
            for i in range(quantum):
                x = float(block[c, i])
                v3 = x - second
                v1 = a1 * first + a2 * v3
                v2 = second + a2 * first + a3 * v3
                first = 2.0 * v1 - first
                second = 2.0 * v2 - second
                if kind == LOWPASS:
                    y = v2
                elif kind == HIGHPASS:
                    y = x - k * v1 - v2
                else:
                    y = k * v1
                block[c, i] = np.float32(y)
            filter[MEMORY + 2 * c], filter[MEMORY + 2 * c + 1] = first, second

    @tools.inner
    def filters(frame, filters, block):
        for n in range(filters.shape[0]):
            if filters[n, KIND] != NONE:
                through(filters[n], frame, block)

    @tools.inner
    def aim(filters, frequencies, at_once):
        for n in range(filters.shape[0]):
            filters[n, AIM_HZ], filters[n, AIM_TO_HZ] = frequencies[n, 0], frequencies[n, 1]
            if at_once:
                filters[n, HZ], filters[n, TO_HZ] = filters[n, AIM_HZ], filters[n, AIM_TO_HZ]

    return SimpleNamespace(filters=filters, through=through, frequency=frequency, aim=aim)
