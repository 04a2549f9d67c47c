"""Loudness and true peak as broadcasters measure them: ITU-R BS.1770-4, at 48 kHz.

The K-weighting is applied by overlap-save in the frequency domain, where its two sections are exact: that
keeps scipy.signal, which takes a second to import, out of a quick intake.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE

HOP = ENGINE_RATE // 10
_BLOCK = 4 * HOP
"""Gating blocks of 400 ms that overlap by 75 % (BS.1770-4, annex 1)."""

TRANSFORM = 1 << 15
_MEMORY = 1 << 13
"""Frames after which the filters' response (poles within 0.99502) is below 1e-17."""
_STEP = TRANSFORM - _MEMORY

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
FLOOR = -120.0
"""The loudness of a sound of which the weighting leaves nothing."""

_OVERSAMPLING = 8
_TAPS = 32
_PEAK_BLOCK = 64


def integrated_lufs(samples: NDArray[np.float32]) -> float:
    """Gated loudness of `(channels, frames)` at 48 kHz, in LUFS.

    A sound shorter than one block is measured as a single block that silence fills up (its momentary
    maximum); a sound of which no block passes the gate by its loudest block. Never below `FLOOR`.
    """
    hops = max(samples.shape[1] // HOP, 4)
    power = hop_power(samples, hops)
    blocks = (power[:-3] + power[1:-2] + power[2:-1] + power[3:]) / _BLOCK
    level = gated_power(blocks)
    return max(_loudness_of(float(blocks.max()) if level is None else level), FLOOR)


def gated_power(blocks: NDArray[np.float64]) -> float | None:
    """The mean power of those 400 ms blocks that pass both gates of BS.1770-4; `None` if none does."""
    heard = blocks[blocks > _energy_of(_ABSOLUTE_GATE)]
    if not heard.size:
        return None
    gate = heard.mean() * 10 ** (_RELATIVE_GATE / 10)
    return float(heard[heard > gate].mean())


def true_peak_dbtp(samples: NDArray[np.float32]) -> float:
    """The greatest level between the samples of `(channels, frames)`, eightfold oversampled, in dBTP.

    Interpolated with 32 taps of a Kaiser-windowed sinc. Only neighbourhoods that could hold the maximum are
    interpolated: no value between samples exceeds the largest sample in reach times the kernel's gain.
    """
    kernel = _interpolator()
    reach = float(np.abs(kernel).sum(axis=0).max())
    half = _TAPS // 2
    peak = float(max(samples.max(), -samples.min()))
    for channel in samples:
        blocks = -(-len(channel) // _PEAK_BLOCK)
        padded = np.zeros(blocks * _PEAK_BLOCK + 2 * half, dtype=np.float32)
        padded[half : half + len(channel)] = channel
        body = padded[half:-half].reshape(blocks, _PEAK_BLOCK)
        local = np.maximum(body.max(axis=1), -body.min(axis=1))
        near = local.copy()
        near[1:] = np.maximum(near[1:], local[:-1])
        near[:-1] = np.maximum(near[:-1], local[1:])
        windows = np.lib.stride_tricks.sliding_window_view(padded, _PEAK_BLOCK + _TAPS - 1)[::_PEAK_BLOCK]
        # Loudest first: each round raises the peak, and with it the bar for the blocks left.
        order = np.argsort(-near)
        for start in range(0, blocks, 64):
            chosen = order[start : start + 64]
            chosen = chosen[near[chosen] * reach > peak]
            if not chosen.size:
                break
            taps = np.lib.stride_tricks.sliding_window_view(windows[chosen], _TAPS, axis=1)
            # A product a block: one large one would wake BLAS's threads, which costs more than it gives.
            between = np.ascontiguousarray(taps) @ kernel
            peak = max(peak, float(between.max()), -float(between.min()))
    return 20 * float(np.log10(max(peak, 1e-9)))


def hop_power(samples: NDArray[np.float32], hops: int) -> NDArray[np.float64]:
    """Sum over the channels of the K-weighted energy of each of the first `hops` hops."""
    frames = hops * HOP
    response = k_weighting()
    power = np.zeros(hops)
    weighted = np.empty(frames, dtype=np.float32)
    for channel in samples:
        # Zeros before the start are the filter's state at rest; zeros after fill the last transform.
        steps = -(-frames // _STEP)
        padded = np.zeros(steps * _STEP + _MEMORY, dtype=np.float32)
        kept = min(len(channel), frames)
        padded[_MEMORY : _MEMORY + kept] = channel[:kept]
        for step in range(steps):
            first = step * _STEP
            spectrum = np.fft.rfft(padded[first : first + TRANSFORM])
            spectrum *= response
            stop = min(first + _STEP, frames)
            weighted[first:stop] = np.fft.irfft(spectrum, TRANSFORM)[_MEMORY : _MEMORY + stop - first]
        rows = weighted.reshape(hops, HOP)
        power += np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return power


@cache
def k_weighting() -> NDArray[np.complex64]:
    """Response of the two sections of BS.1770-4 (tables 1 and 2) at the transform's frequencies."""
    z = np.exp(-2j * np.pi * np.arange(TRANSFORM // 2 + 1) / TRANSFORM)
    shelf = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], z) / np.polyval(
        [0.73248077421585, -1.69065929318241, 1.0], z
    )
    pass_high = np.polyval([1.0, -2.0, 1.0], z) / np.polyval([0.99007225036621, -1.99004745483398, 1.0], z)
    response: NDArray[np.complex64] = (shelf * pass_high).astype(np.complex64)
    return response


@cache
def _interpolator() -> NDArray[np.float32]:
    """`(taps, phases)`: kernels for the seven points between two samples, each with unit gain at DC."""
    offsets = np.arange(1, _OVERSAMPLING) / _OVERSAMPLING
    distance = np.arange(_TAPS)[:, None] - (_TAPS // 2 - 1) - offsets[None, :]
    shape = np.sqrt(np.clip(1 - (distance / (_TAPS / 2)) ** 2, 0, None))
    kernel = np.sinc(distance) * np.i0(8.0 * shape)
    taps: NDArray[np.float32] = (kernel / kernel.sum(axis=0)).astype(np.float32)
    return taps


def _energy_of(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _loudness_of(energy: float) -> float:
    return -0.691 + 10 * float(np.log10(max(energy, 1e-30)))
