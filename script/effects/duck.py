"""`duck`: a sound makes room for a part each time that is struck, and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from .effect import Parameter

DEPTH = Parameter("duck", "dB", (0, 60), "duck", idle="makes nothing softer")
BACK = Parameter("back", "s", (0.02, 4), "back", default=0.18)
"""After how long nine tenths of the depth, in dB, are given back."""
UNDER = 4
"""Of how many parts at most one sound makes room for."""
EARLY_FRAMES = 240
"""5 ms: how long before an onset the way down begins; it is a straight line in dB."""
MOST_STEP = 0.25
"""The most that a ducked gain moves in a quantum."""
FULL_DB, NONE_DB = -3.0, -18.0
"""An onset ducks in full down to the first, below the loudest, and not at all from the second on."""

DEPTH_DB, DECAY, REACHED, GAIN, COLUMNS = UNDER, UNDER + 1, UNDER + 2, UNDER + 3, UNDER + 4
"""Columns of a ducking, float32, after the parts (-1 for none): the depth, what is left of it after a
quantum, how much of it is reached, 0 to 1, and the gain."""


@dataclass(frozen=True, slots=True)
class PlacedDuck:
    """So many dB softer when a part of `under` is struck, nine tenths of it given back after
    `back_seconds`."""

    depth_db: float
    under: tuple[str, ...]
    back_seconds: float = BACK.default


def weight(level_db: float) -> float:
    """How much of the depth an onset makes, 0 to 1, by its level below the loudest."""
    return min(max((level_db - NONE_DB) / (FULL_DB - NONE_DB), 0.0), 1.0)


def numbers(duck: PlacedDuck | None, quantum: int, rate: int) -> tuple[float, float]:
    """The depth, and what is left of it after a quantum."""
    if duck is None:
        return 0.0, 0.0
    return duck.depth_db, float(0.1 ** (quantum / (rate * duck.back_seconds)))


def kernel(tools: Any) -> SimpleNamespace:
    """`press` says how far each part that others duck under presses them down; `duck` gives a gain."""
    import numpy as np

    quantum, approach, step = tools.quantum, tools.approach, np.float32(MOST_STEP)
    least = np.float32(1e-4)

    @tools.inner
    def press(frame, onsets, counts, buses, keys):
        """Fill `keys`, 0 to 1 for each part, as at the end of the quantum, and forget what is over."""
        for part in range(counts.shape[0]):
            pressed = 0.0
            n = 0
            while n < counts[part]:
                onset = onsets[part, n]
                if onset.until < frame:
                    counts[part] -= 1
                    onsets[part, n] = onsets[part, counts[part]]
                    continue
                x = min((frame + quantum - onset.frame + EARLY_FRAMES) / EARLY_FRAMES, 1.0)
                if x > 0:
                    heard = 1.0 if onset.bus < 0 else min(float(buses[onset.bus].gain), 1.0)
                    pressed = max(pressed, x * heard * onset.weight)
                n += 1
            keys[part] = np.float32(pressed)

    @tools.inner
    def duck(duck, keys):
        """The next gain of a ducking."""
        reached = duck[REACHED] * duck[DECAY]
        if reached < least:
            reached = np.float32(0)
        for n in range(UNDER):
            if duck[n] >= 0:
                reached = max(reached, keys[int(duck[n])])
        duck[REACHED] = reached
        wanted = np.float32(10.0 ** (-0.05 * duck[DEPTH_DB] * reached))
        duck[GAIN] = approach(duck[GAIN], wanted, step)
        return duck[GAIN]

    @tools.inner
    def forget(onsets, counts, part, id, frame):
        """Let go of the onsets that a placement would have had from a frame on."""
        n = 0
        while n < counts[part]:
            onset = onsets[part, n]
            if onset.id == id and onset.until >= frame:
                if onset.frame >= frame:
                    counts[part] -= 1
                    onsets[part, n] = onsets[part, counts[part]]
                    continue
                onset.until = frame
            n += 1

    return SimpleNamespace(press=press, duck=duck, forget=forget)
