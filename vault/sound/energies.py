"""How loud a sound is in each 100 ms of it, so that a mix's loudness is known before anything is mixed.

Twice: K-weighted as in BS.1770-4, and K-weighted within the band that is heard, 30 Hz to 16 kHz, with edges
from 24 Hz and to 17 kHz: what lies outside counts in no loudness that anybody hears. The band is cut out in
the frequency domain, as a filter of order four leaves too much of a tone of 20 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE
from .loudness import HOP, TRANSFORM, hop_power, k_weighting

_CONTEXT = 1 << 13
"""Frames on either side of a step within which the band's edges ring."""
_STEP = TRANSFORM - 2 * _CONTEXT
_EDGES_HZ = (24.0, 30.0, 16_000.0, 17_000.0)
_FLOOR_DB, _STEPS_A_DB = -200.0, 200
"""Levels are kept in steps of a two-hundredth of a decibel; 0 is silence."""
LOW_HZ = 25.0
"""What lies below it nobody hears."""
_LOW_DECIMATION = 16


@dataclass(frozen=True, slots=True)
class Energies:
    """Mean squares of each 100 ms, summed over the channels, float64 (hops,); the last hop may be shorter.

    `plain`: K-weighted. `heard`: of the band that is heard alone.
    """

    plain: NDArray[np.float64]
    heard: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> Self:
        """From two rows of mean squares."""
        return cls(*rows.astype(np.float64))

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        """From `encoded`."""
        levels = np.frombuffer(data, "<u2").reshape(2, -1)
        squares = 10 ** ((levels / _STEPS_A_DB + _FLOOR_DB) / 10)
        return cls(*np.where(levels > 0, squares, 0.0))

    def encoded(self) -> bytes:
        """Two rows of levels, uint16, little-endian, exact to 0.0025 dB: 40 bytes a second."""
        levels = 10 * np.log10(np.maximum((self.plain, self.heard), 1e-30)) - _FLOOR_DB
        return np.clip(np.rint(levels * _STEPS_A_DB), 0, 65_535).astype("<u2").tobytes()


def energies(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two rows as in `Energies`, float32 (2, hops), of `(channels, frames)` at 48 kHz."""
    hops = max(-(-samples.shape[1] // HOP), 1)
    rows = np.stack((hop_power(samples, hops), _heard_power(samples, hops))) / HOP
    return rows.astype("<f4")


def low_share(samples: NDArray[np.float32]) -> float:
    """The share of a sound's energy, 0 to 1, below 25 Hz, a constant offset aside."""
    low = total = 0.0
    for channel in samples:
        moving = channel - channel.mean(dtype=np.float64).astype(np.float32)
        total += float(moving @ moving)
        rows = len(moving) // _LOW_DECIMATION
        if rows < 2:
            continue
        slow = moving[: rows * _LOW_DECIMATION].reshape(rows, _LOW_DECIMATION).mean(axis=1)
        power = np.abs(np.fft.rfft(slow * np.hanning(rows))) ** 2
        below = int(LOW_HZ * rows * _LOW_DECIMATION / ENGINE_RATE)
        share = power[: below + 1].sum() / max(power.sum(), 1e-30)
        low += float(share) * float(slow @ slow) * _LOW_DECIMATION
    return min(low / total, 1.0) if total > 0 else 0.0


def _heard_power(samples: NDArray[np.float32], hops: int) -> NDArray[np.float64]:
    """As `hop_power`, of the band that is heard."""
    frames = hops * HOP
    response = _heard_response()
    power = np.zeros(hops)
    kept = np.empty(frames, np.float32)
    for channel in samples:
        steps = -(-frames // _STEP)
        padded = np.zeros(steps * _STEP + 2 * _CONTEXT, np.float32)
        padded[_CONTEXT : _CONTEXT + len(channel)] = channel[:frames]
        for step in range(steps):
            first = step * _STEP
            spectrum = np.fft.rfft(padded[first : first + TRANSFORM])
            spectrum *= response
            stop = min(first + _STEP, frames)
            sound = np.fft.irfft(spectrum, TRANSFORM)
            kept[first:stop] = sound[_CONTEXT : _CONTEXT + stop - first]
        rows = kept.reshape(hops, HOP)
        power += np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return power


@cache
def _heard_response() -> NDArray[np.complex64]:
    """The K-weighting within the band; its edges are halves of a raised cosine."""
    hertz = np.arange(TRANSFORM // 2 + 1) * (ENGINE_RATE / TRANSFORM)
    low, full, still, high = _EDGES_HZ
    rising = np.clip((hertz - low) / (full - low), 0, 1)
    falling = np.clip((high - hertz) / (high - still), 0, 1)
    band = np.sin(np.pi / 2 * rising) ** 2 * np.sin(np.pi / 2 * falling) ** 2
    response: NDArray[np.complex64] = (k_weighting() * band).astype(np.complex64)
    return response
