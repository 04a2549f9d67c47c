"""Glides: how a number of a line or of a bus goes from one value to another, by absolute frames."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

Curve = Literal["linear", "smooth", "exponential"]
LINEAR, SMOOTH, EXPONENTIAL = 0, 1, 2
CURVES: dict[str, int] = {"linear": LINEAR, "smooth": SMOOTH, "exponential": EXPONENTIAL}
MOST_OF_A_KIND, MOST_IN_A_LINE = 8, 16
"""Of the glides of one line: of one number, and of all."""
MOVES = 64
"""Of one placement: those of its line, and of the lines that held it."""

COUNT, NEXT, ACTIVE = 0, 1, 2
"""What the mixer keeps of a placement's glides, int64: how many there are, which begins next, and of each
slot the one that is at work, -1 before the first."""
GAIN, PAN, SENDS = 0, 1, 2
"""Slots: what a glide moves. After the sends, one for each bus, come the filters."""


@dataclass(frozen=True, slots=True)
class PlacedGlide:
    """From the frame `start` on a number is `value`, and goes to `to` over `frames`, by a curve.

    `what`: `gain` (in dB), `pan`, `to BUS`, or `filter N` (in Hz), N from 0 among those of the placement.
    """

    what: str
    start: int
    frames: int
    value: float
    to: float
    curve: Curve

    def at(self, frame: int) -> float:
        """Where it is at a frame from `start` on."""
        if self.what != "gain":
            return _between(self, frame, self.value, self.to)
        return decibels(_between(self, frame, amplitude(self.value), amplitude(self.to)))

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends as the mixer has them: gains are factors."""
        if self.what != "gain":
            return self.value, self.to
        return amplitude(self.value), amplitude(self.to)


def amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def decibels(amplitude: float) -> float:
    from math import log10

    return 20 * log10(amplitude)


def _between(glide: PlacedGlide, frame: int, value: float, to: float) -> float:
    if glide.frames <= 0 or frame >= glide.start + glide.frames:
        return to
    x = max(frame - glide.start, 0) / glide.frames
    if glide.curve == "exponential" and value > 0 and to > 0:
        return float(value * (to / value) ** x)
    return value + (to - value) * (x if glide.curve != "smooth" else x * x * (3 - 2 * x))


def values(tools: Any) -> Any:
    """`value_at`: where a glide is at a frame."""

    @tools.inner
    def value_at(value, to, start, length, curve, frame):
        if length <= 0 or value == to:
            return to if length > 0 else value
        x = min(max((frame - start) / length, 0.0), 1.0)
        if curve == SMOOTH:
            return value + (to - value) * (x * x * (3.0 - 2.0 * x))
        if curve == LINEAR or value <= 0 or to <= 0:
            return value + (to - value) * x
        return value * (to / value) ** x

    return value_at


def kernel(tools: Any) -> SimpleNamespace:
    """`follow` has the numbers of a voice go where its glides are; `set_ends` gives the glides other
    numbers."""
    import math

    import numpy as np

    quantum, filters_from = tools.quantum, SENDS + tools.buses
    begin, value_at, quarter = tools.begin, tools.value_at, math.pi / 4

    @tools.inner
    def follow(frame, voice, moves, moving, filters, sends):
        """Begin what begins in this quantum, and aim the voice's numbers at where they are at its end."""
        end = frame + quantum
        while moving[NEXT] < moving[COUNT] and moves[moving[NEXT]].start < end:
            move = moves[moving[NEXT]]
            moving[ACTIVE + move.slot] = moving[NEXT]
            if move.slot >= filters_from:
                begin(filters[move.slot - filters_from], move, frame)
            moving[NEXT] += 1
        # One place that asks where a glide is: it is compiled into this function each time it is called.
        for slot in range(filters_from):
            if moving[ACTIVE + slot] >= 0:
                move = moves[moving[ACTIVE + slot]]
                now = value_at(move.value, move.to, move.start, move.frames, move.curve, end)
                if slot == GAIN:
                    voice.gain_target = np.float32(now)
                elif slot == PAN:
                    scale = 1.0 if voice.channels == 1 else math.sqrt(2.0)
                    voice.left_target = np.float32(scale * math.cos((now + 1.0) * quarter))
                    voice.right_target = np.float32(scale * math.sin((now + 1.0) * quarter))
                else:
                    sends[1, slot - SENDS] = np.float32(now)

    @tools.inner
    def set_ends(moves, moving, ends, filters):
        """Have the glides of a placement go from and to other numbers."""
        for m in range(moving[COUNT]):
            moves[m].value, moves[m].to = ends[m, 0], ends[m, 1]
        for f in range(filters.shape[0]):
            m = moving[ACTIVE + filters_from + f]
            if m >= 0:
                begin(filters[f], moves[m], moves[m].start)

    return SimpleNamespace(follow=follow, set_ends=set_ends)
