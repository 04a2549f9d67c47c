"""Measurements of a sound: loudness, energy, pitch classes, and the end of a hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE
from .clipping import clipped_runs
from .energies import energies, low_share
from .loudness import integrated_lufs, true_peak_dbtp

HIT_END = 10 ** (-70 / 20)
SILENCE = 10 ** (-60 / 20)
"""Below -60 dBFS nothing is in play, so it does not count as sound."""

_TICK = ENGINE_RATE // 100
_MILLISECOND = ENGINE_RATE // 1000
_PEAK_MILLISECONDS = 50
_WINDOW = 1 << 13
_PITCHED = (100.0, 2000.0)
"""The range in Hz in which a window of 8192 frames separates semitones and partials are few."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of conformed audio, `(channels, frames)` at 48 kHz.

    `energy`: 0 to 1, see `energy`. `chroma`: float32 `(rows, 12)`, C first, each row summing to 1.
    `silent`: the part of it, 0 to 1, that lies below -60 dBFS. `clipped`: flat tops at full scale, see
    `clipping.py`. `dc`: the greatest offset of a channel from zero, which was taken off. `energies`: as in
    `energies.energies`. `low`: the share of its energy, 0 to 1, below 25 Hz. `peak_frame`: where its loudest
    50 ms end.
    """

    lufs: float
    true_peak_dbtp: float
    energy: float
    sounding_frames: int
    chroma: NDArray[np.float32]
    silent: float
    clipped: int
    dc: float
    energies: NDArray[np.float32]
    low: float
    peak_frame: int | None = None


def measure(
    samples: NDArray[np.float32],
    *,
    bars: int,
    dc: float = 0.0,
    decoded: NDArray[np.float32] | None = None,
) -> Measured:
    """Measure a sound. `bars`: rows of chroma wanted; 1 for a sound without bars. `dc`: taken off it.

    `decoded`: the recording as it was decoded, if that is another: resampling rounds what is clipped.
    """
    return Measured(
        lufs=integrated_lufs(samples),
        true_peak_dbtp=true_peak_dbtp(samples),
        energy=energy(samples),
        sounding_frames=sounding_frames(samples),
        chroma=chroma(samples, bars),
        silent=silent_part(samples),
        clipped=clipped_runs(samples if decoded is None else decoded),
        dc=dc,
        energies=energies(samples),
        low=low_share(samples),
        peak_frame=peak_frame(samples),
    )


def energy(samples: NDArray[np.float32]) -> float:
    """The energy of a sound, 0 to 1: half by its brightness, half by the jumps of its level.

    The level itself does not count, since every stem is brought to its role's loudness. Brightness: the mean
    frequency of the power spectrum's root, 150 Hz to 6 kHz on a logarithmic scale. Jumps: rises of the 10 ms
    level, in dB a second, at 120 dB/s (six full attacks of 20 dB) and above the greatest.
    """
    mono = samples.mean(axis=0)
    spectrum = _spectra(mono).mean(axis=0)
    hertz = np.arange(len(spectrum)) * (ENGINE_RATE / _WINDOW)
    centroid = float((spectrum * hertz).sum() / max(float(spectrum.sum()), 1e-12))
    bright = np.log(max(centroid, 1.0) / 150) / np.log(6000 / 150)
    ticks = len(mono) // _TICK
    if ticks < 2:
        return round(float(np.clip(bright, 0, 1)), 3)
    rows = mono[: ticks * _TICK].reshape(ticks, _TICK)
    power = np.einsum("ij,ij->i", rows, rows) / _TICK
    level = 10 * np.log10(np.maximum(power, max(float(power.max()), 1e-12) * 1e-4))
    rises = np.diff(level)
    # Ripple of a steady tone against the 10 ms grid is not an attack.
    busy = float(rises[rises > 3].sum()) / (ticks / 100) / 120
    return round(float(0.5 * np.clip(bright, 0, 1) + 0.5 * np.clip(busy, 0, 1)), 3)


def sounding_frames(samples: NDArray[np.float32]) -> int:
    """The number of frames until the sound stays below -70 dBFS."""
    loud = np.flatnonzero((np.abs(samples) >= HIT_END).any(axis=0))
    return int(loud[-1]) + 1 if loud.size else 0


def peak_frame(samples: NDArray[np.float32]) -> int:
    """The frame at which the loudest 50 ms of the sound end, to a millisecond; the first of equals."""
    frames = int(samples.shape[1])
    ticks = frames // _MILLISECOND
    if ticks <= _PEAK_MILLISECONDS:
        return int(frames)
    power = np.zeros(ticks)
    for channel in samples:
        rows = channel[: ticks * _MILLISECOND].reshape(ticks, _MILLISECOND)
        power += np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    sums = np.cumsum(np.concatenate(([0.0], power)))
    loudest = int(np.argmax(sums[_PEAK_MILLISECONDS:] - sums[:-_PEAK_MILLISECONDS]))
    return (loudest + _PEAK_MILLISECONDS) * _MILLISECOND


def silent_part(samples: NDArray[np.float32]) -> float:
    """The part of the sound, 0 to 1, in ticks of 10 ms whose peak is below -60 dBFS."""
    channels, frames = samples.shape
    ticks = frames // _TICK
    if ticks == 0:
        return 0.0
    rows = samples[:, : ticks * _TICK].reshape(channels, ticks, _TICK)
    peaks = np.maximum(rows.max(axis=(0, 2)), -rows.min(axis=(0, 2)))
    return float((peaks < SILENCE).mean())


def chroma(samples: NDArray[np.float32], bars: int) -> NDArray[np.float32]:
    """Weights of the twelve pitch classes, C first, in each of `bars` equal parts: float32 `(bars, 12)`.

    Spectral peaks between 100 Hz and 2 kHz, placed by parabolic interpolation, weighted by magnitude. A part
    without any is even over the twelve.
    """
    mono = samples.mean(axis=0)
    spectra = _spectra(mono)
    low, high = (int(hz * _WINDOW / ENGINE_RATE) for hz in _PITCHED)
    left, middle, right = (spectra[:, low + shift : high + shift] for shift in (-1, 0, 1))
    window, place = np.nonzero((middle > left) & (middle >= right))
    below, at, above = left[window, place], middle[window, place], right[window, place]
    shift = 0.5 * (below - above) / (below - 2 * at + above)
    hertz = (low + place + shift) * (ENGINE_RATE / _WINDOW)
    pitch = np.rint(12 * np.log2(hertz / 440)).astype(np.intp)
    centres = np.minimum(np.arange(len(spectra)) * (_WINDOW // 2) + _WINDOW // 2, len(mono) - 1)
    row = centres * bars // len(mono)
    cells = row[window] * 12 + (pitch + 9) % 12
    weights = np.bincount(cells, weights=at, minlength=bars * 12).reshape(bars, 12)
    totals = weights.sum(axis=1, keepdims=True)
    even = np.full(weights.shape, 1 / 12)
    shares: NDArray[np.float32] = np.divide(weights, totals, out=even, where=totals > 0).astype(np.float32)
    return shares


def peaks_of(samples: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Of each window of 171 ms the spectral peaks, 40 Hz to 2 kHz: Hz, rising, and magnitudes.

    Those below 3 % of the window's strongest are left out.
    """
    low, high = (int(hz * _WINDOW / ENGINE_RATE) for hz in (40.0, 2000.0))
    for row in _spectra(samples.mean(axis=0)).astype(np.float64):
        left, middle, right = (row[low + shift : high + shift] for shift in (-1, 0, 1))
        place = np.flatnonzero((middle > left) & (middle >= right) & (middle > 0.03 * middle.max()))
        below, at, above = left[place], middle[place], right[place]
        shift = 0.5 * (below - above) / (below - 2 * at + above)
        yield (low + place + shift) * (ENGINE_RATE / _WINDOW), at


def _spectra(mono: NDArray[np.float32]) -> NDArray[np.float32]:
    """Magnitudes of half-overlapping Hann windows of 8192 frames: float32 `(windows, 4097)`."""
    half = _WINDOW // 2
    windows = max(-(-(len(mono) - half) // half), 1)
    padded = np.zeros((windows + 1) * half, dtype=np.float32)
    padded[: len(mono)] = mono
    rows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::half]
    magnitudes = np.empty((windows, half + 1), dtype=np.float32)
    hann = np.hanning(_WINDOW).astype(np.float32)
    for first in range(0, windows, 16):
        magnitudes[first : first + 16] = np.abs(np.fft.rfft(rows[first : first + 16] * hann, axis=1))
    return magnitudes
