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
from .glide import CURVES, Curve

Kind = Literal["lowpass", "highpass", "bandpass"]
NONE, LOWPASS, HIGHPASS, BANDPASS = 0, 1, 2, 3
KINDS: dict[str, int] = {"lowpass": LOWPASS, "highpass": HIGHPASS, "bandpass": BANDPASS}
MOST = 4
"""In one line or one bus."""
FROM_HZ = Parameter("", "Hz", (20, 20_000), "filter {}")
INTO_HZ = Parameter("", "Hz", (20, 20_000), "filter {} to")
"""Of a glide. `{}` is the filter's place among those of its line or bus."""

KIND, HZ, TO_HZ, GLIDE, CURVE, FROM, NOW, ON, WET, MEMORY = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
"""Columns of a filter, float64: kind, frequency, where it glides to and over how many frames, the curve, the
frame at which the glide begins, the frequency that it has reached, whether it has begun, how much of the
sound goes through it, 0 to 1, then two memories of each channel."""
COLUMNS = MEMORY + 4
OCTAVE_EIGHTH = 2.0**0.125
"""The most that a filter's frequency moves in a quantum: an octave in 11 ms."""
WET_STEP = 0.001
"""How much more of a sound goes through a filter that begins inside it, a frame."""


@dataclass(frozen=True, slots=True)
class PlacedFilter:
    """A filter at `hz`, gliding to `to_hz` over `frames` from the placement's start, by `curve`.

    `waits`: it is not there before a glide begins it.
    """

    kind: Kind
    hz: float
    to_hz: float
    frames: int
    curve: Curve
    waits: bool = False


def fill(rows: Any, filters: Sequence[PlacedFilter], start: int) -> None:
    """Write filters into their rows, (MOST, COLUMNS), with empty memories; glides begin at `start`."""
    rows[:] = 0
    for row, filter in zip(rows, filters, strict=False):
        row[KIND], row[HZ], row[TO_HZ] = KINDS[filter.kind], filter.hz, filter.to_hz
        row[GLIDE], row[CURVE], row[FROM] = filter.frames, CURVES[filter.curve], start
        row[NOW], row[ON], row[WET] = filter.hz, not filter.waits, not filter.waits


def frequencies(filters: Sequence[PlacedFilter]) -> list[tuple[float, float]]:
    """From where to where each filter glides, (MOST, 2)."""
    found = [(filter.hz, filter.to_hz) for filter in filters]
    return found + [(0.0, 0.0)] * (MOST - len(found))


def kernel(tools: Any) -> SimpleNamespace:
    """`filters` brings a quantum through all filters of a row, `through` through one; `aim` turns them."""
    import numpy as np

    quantum, rate, value_at = tools.quantum, float(tools.rate), tools.value_at
    k = math.sqrt(2.0)

    @tools.inner
    def frequency(filter, frame):
        """Where a filter's glide is at a frame, in Hz."""
        return value_at(filter[HZ], filter[TO_HZ], filter[FROM], filter[GLIDE], filter[CURVE], frame)

    @tools.inner
    def through(filter, frame, block):
        now = filter[NOW]
        filter[NOW] = min(max(frequency(filter, frame), now / OCTAVE_EIGHTH), now * OCTAVE_EIGHTH)
        wet = filter[WET]
        filter[WET] = min(wet + WET_STEP * quantum, 1.0)
        g = math.tan(math.pi * min(filter[NOW], 0.49 * rate) / rate)
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
                if wet < 1.0:
                    y = x + (wet + (filter[WET] - wet) * i / quantum) * (y - x)
                block[c, i] = np.float32(y)
            filter[MEMORY + 2 * c], filter[MEMORY + 2 * c + 1] = first, second

    @tools.inner
    def filters(frame, filters, block):
        for n in range(filters.shape[0]):
            if filters[n, KIND] != NONE and filters[n, ON] != 0:
                through(filters[n], frame, block)

    @tools.inner
    def aim(filters, frequencies, at_once):
        for n in range(filters.shape[0]):
            filters[n, HZ], filters[n, TO_HZ] = frequencies[n, 0], frequencies[n, 1]
            if at_once:
                filters[n, NOW] = filters[n, HZ]

    return SimpleNamespace(filters=filters, through=through, frequency=frequency, aim=aim)


def beginning(tools: Any) -> Any:
    """`begin` has a filter follow a glide from here on."""
    value_at = tools.value_at

    @tools.inner
    def begin(filter, move, frame):
        filter[HZ], filter[TO_HZ], filter[GLIDE] = move.value, move.to, move.frames
        filter[CURVE], filter[FROM] = move.curve, move.start
        if filter[ON] == 0:
            filter[ON] = 1.0
            filter[NOW] = value_at(move.value, move.to, move.start, move.frames, move.curve, frame)

    return begin


def handing_over(tools: Any) -> SimpleNamespace:
    """`go_on` and `add_memories` give the filters of a row to those of another, of the same kinds."""

    @tools.inner
    def go_on(old, new):
        """Have filters be where those are that went before, and their glides too."""
        for n in range(new.shape[0]):
            if old[n, KIND] == new[n, KIND] and old[n, ON] != 0:
                for column in (HZ, TO_HZ, GLIDE, CURVE, FROM, NOW, ON, WET):
                    new[n, column] = old[n, column]

    @tools.inner
    def add_memories(old, new):
        for n in range(new.shape[0]):
            for column in range(MEMORY, COLUMNS):
                new[n, column] += old[n, column]

    return SimpleNamespace(go_on=go_on, add_memories=add_memories)
