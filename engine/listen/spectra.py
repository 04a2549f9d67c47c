"""What a sound has in each band, of its middle and of its sides, in steps of 50 ms.

Windows of 100 ms (Hann, half over each other) tell bins of 10 Hz. Bands of a third of an octave are about as
wide as those in which an ear lets one sound hide another; the lowest takes all below, the highest all above.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from ...vault.sound.loudness import gated_power

WINDOW, STEP = ENGINE_RATE // 10, ENGINE_RATE // 20
Powers = NDArray[np.float32]
"""Of a sound, mean squares: (steps, middle and side, bands)."""


def bands_of(lowest_hz: float, highest_hz: float, in_octave: int) -> NDArray[np.float64]:
    """The middles of bands from one frequency up to another, in Hz."""
    count = int(in_octave * math.log2(highest_hz / lowest_hz) + 1e-9) + 1
    return np.asarray(lowest_hz * 2.0 ** (np.arange(count) / in_octave), np.float64)


def _edges(middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where bands begin and end, in bins; they lie side by side from the lowest bin to the highest."""
    between = np.sqrt(middles[1:] * middles[:-1]) / (ENGINE_RATE / WINDOW) + 0.5
    return np.concatenate(([0.0], between, [WINDOW // 2 + 1]))


def _summed(bins: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """What is in each band, (..., bands), of (..., bins): a bin that lies in two is shared between them.

    A product of matrices would wake BLAS's threads, which costs more than it gives.
    """
    below = np.zeros((*bins.shape[:-1], bins.shape[-1] + 2))
    np.cumsum(bins, axis=-1, dtype=np.float64, out=below[..., 1:-1])
    below[..., -1] = below[..., -2]
    whole = edges.astype(np.intp)
    part = edges - whole
    at = below[..., whole] * (1 - part) + below[..., whole + 1] * part
    return np.maximum(np.diff(at, axis=-1), 0.0).astype(np.float32)


THIRDS = bands_of(31.25, 16_000, 3)
SEMITONES = bands_of(55, 14_080, 12)
_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_SCALE = 2.0 / (WINDOW * float((_HANN.astype(np.float64) ** 2).sum()))
_IN_THIRDS, _IN_SEMITONES = _edges(THIRDS), _edges(SEMITONES)


def k_weights(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power response of BS.1770's K-weighting: its shelf and its high-pass, at 48 kHz."""
    z = np.exp(-2j * np.pi * hertz / ENGINE_RATE)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - z) ** 2 / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.asarray(np.abs(shelf * high_pass) ** 2, np.float64)


K_WEIGHTS = k_weights(THIRDS)
LOW, PRESENCE = THIRDS < 120, (THIRDS >= 1900) & (THIRDS < 5200)
"""Below 120 Hz, and from 2 to 5 kHz."""


class Spectra:
    """The powers of one sound, which comes in blocks. `fine`: whether semitones are told as well."""

    def __init__(self, *, fine: bool = False) -> None:
        self._rest = np.zeros((2, WINDOW - STEP), np.float32)
        self._thirds: list[Powers] = []
        self._semitones: list[NDArray[np.float32]] = []
        self._fine = fine

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, float32 (2, frames)."""
        sound = np.concatenate((self._rest, block), axis=1)
        count = max((sound.shape[1] - WINDOW) // STEP + 1, 0)
        self._rest = sound[:, count * STEP :]
        if not count:
            return
        if not sound.any():
            self._thirds.append(np.zeros((count, 2, len(THIRDS)), np.float32))
            if self._fine:
                self._semitones.append(np.zeros((count, len(SEMITONES)), np.float32))
            return
        apart = np.array((sound[0] + sound[1], sound[0] - sound[1])) * np.float32(math.sqrt(0.5))
        windows = np.lib.stride_tricks.sliding_window_view(apart, WINDOW, axis=1)[:, ::STEP][:, :count]
        bins = np.abs(np.fft.rfft(windows * _HANN, axis=2)) ** 2 * np.float32(_SCALE)
        self._thirds.append(np.ascontiguousarray(_summed(bins, _IN_THIRDS).transpose(1, 0, 2)))
        if self._fine:
            self._semitones.append(_summed(bins.sum(axis=0), _IN_SEMITONES))

    @property
    def thirds(self) -> Powers:
        """(steps, 2, bands): the step `i` is about the frame `i * STEP`."""
        return np.concatenate(self._thirds) if self._thirds else np.zeros((0, 2, len(THIRDS)), np.float32)

    @property
    def semitones(self) -> NDArray[np.float32]:
        """(steps, semitones): middle and side together."""
        none = np.zeros((0, len(SEMITONES)), np.float32)
        return np.concatenate(self._semitones) if self._semitones else none


def loudness(powers: Powers) -> float:
    """The loudness in LUFS, gated as BS.1770-4 does it; -inf for silence."""
    weighted = weighted_powers(powers)
    blocks = np.convolve(weighted, np.ones(8) / 8, "valid") if len(weighted) >= 8 else weighted
    power = gated_power(blocks)
    return -math.inf if power is None else -0.691 + decibels(power)


def weighted_powers(powers: Powers) -> NDArray[np.float64]:
    """The K-weighted power of each step."""
    return np.asarray(powers.sum(axis=1, dtype=np.float64) @ K_WEIGHTS, np.float64)


def decibels(power: float) -> float:
    """A power in dB; -inf for none."""
    return 10 * math.log10(power) if power > 0 else -math.inf


def share_db(powers: Powers, bands: NDArray[np.bool_]) -> float:
    """How far what is in some bands lies under the whole, in dB; -inf for silence."""
    total = float(powers.sum(dtype=np.float64))
    return decibels(float(powers[..., bands].sum(dtype=np.float64)) / total) if total > 0 else -math.inf


def mono_loss_db(powers: Powers) -> float:
    """How much softer it becomes where left and right are put together, in dB: 3 if they are unlike."""
    middle, side = powers.sum(axis=(0, 2), dtype=np.float64)
    if middle + side == 0:
        return 0.0
    return max(0.0, -decibels(middle / (middle + side))) if middle > 0 else math.inf


def side_db(powers: Powers) -> float:
    """The level of the sides beside the middle, in dB; -inf for mono."""
    middle, side = powers.sum(axis=(0, 2), dtype=np.float64)
    if side == 0:
        return -math.inf
    return decibels(side / middle) if middle > 0 else math.inf
