"""The reverb and the delay once more, in NumPy: the same float32 sums in the same order, frame by frame."""

from __future__ import annotations

import numpy as np

F = np.float32
LENGTHS = (1423, 1637, 1823, 2081, 2311, 2539, 2777, 3001)


def reverb(sound: np.ndarray, seconds: float, mix: float) -> np.ndarray:
    """`sound` float32 (2, frames)."""
    lines = [np.zeros(length, F) for length in LENGTHS]
    lows = [F(0)] * 8
    gains = [F(10 ** (-3 * length / (48_000 * seconds))) for length in LENGTHS]
    wet, dry = F(mix), F(1) - F(mix)
    out = np.empty_like(sound)
    for i in range(sound.shape[1]):
        taken, total = [], F(0)
        for n, line in enumerate(lines):
            value = line[i % LENGTHS[n]]
            lows[n] = F(value + F(F(0.25) * F(lows[n] - value)))
            taken.append(F(gains[n] * lows[n]))
            total = F(total + taken[n])
        total = F(total * F(0.25))
        sides = [F(0), F(0)]
        for n, line in enumerate(lines):
            line[i % LENGTHS[n]] = F(F(sound[n & 1, i] + taken[n]) - total)
            sides[n & 1] = F(sides[n & 1] + F(taken[n] if n & 2 else -taken[n]))
        for c in range(2):
            out[c, i] = F(F(dry * sound[c, i]) + F(F(wet * F(0.5)) * sides[c]))
    return out


def delay(sound: np.ndarray, frames: int, feedback: float, mix: float) -> np.ndarray:
    """`sound` float32 (2, frames)."""
    line = np.zeros((2, frames), F)
    wet, dry = F(mix), F(1) - F(mix)
    out = np.empty_like(sound)
    for i in range(sound.shape[1]):
        late = line[:, i % frames].copy()
        line[:, i % frames] = sound[:, i] + F(feedback) * late
        out[:, i] = dry * sound[:, i] + wet * late
    return out
