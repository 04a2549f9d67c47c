"""The effects of buses once more, in NumPy: the same float32 sums in the same order, frame by frame."""

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


def drive(sound: np.ndarray, before: float, behind: float, wet: float) -> np.ndarray:
    """`sound` float32 (2, frames)."""

    def area(x: float) -> float:
        x = abs(x)
        return x - 0.375 if x >= 1 else x * x * (0.75 - 0.125 * x * x)

    out = np.empty_like(sound)
    for c in range(2):
        last = 0.0
        for i in range(sound.shape[1]):
            x = float(F(before) * sound[c, i])
            if abs(x - last) > 1e-3:
                y = (area(x) - area(last)) / (x - last)
            else:
                middle = min(max(0.5 * (x + last), -1.0), 1.0)
                y = middle * (1.5 - 0.5 * middle * middle)
            out[c, i] = sound[c, i] + F(wet) * (F(behind) * F(y) - sound[c, i])
            # Between two quanta it is kept as float32, which it is already.
            last = x
    return out


def compress(sound: np.ndarray, depth_db: float) -> np.ndarray:
    """`sound` float32 (2, frames), whole quanta."""
    mean, attack, release = (np.exp(-64 / (48 * ms)) for ms in (10, 10, 150))
    square = off = 0.0
    gain = 1.0
    out = np.empty_like(sound)
    for first in range(0, sound.shape[1], 64):
        block = sound[:, first : first + 64].astype(float)
        square = mean * square + (1 - mean) * (block**2).mean()
        over = max(10 * np.log10(square + 1e-12) + 18 + depth_db / 0.75, 0)
        wanted = min(0.75 * over, 2 * depth_db)
        off = wanted + (attack if wanted > off else release) * (off - wanted)
        now = 10 ** (-off / 20)
        out[:, first : first + 64] = block * (gain + (now - gain) * np.arange(64) / 64)
        gain = now
    return out


def width(sound: np.ndarray, amount: float) -> np.ndarray:
    """`sound` float32 (2, frames)."""
    middle, side = F(0.5) * (sound[0] + sound[1]), F(amount) * (F(0.5) * (sound[0] - sound[1]))
    return np.stack([middle + side, middle - side])
