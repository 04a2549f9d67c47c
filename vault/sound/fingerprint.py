"""The fingerprint of a recording: pairs of spectral peaks, and for a short hit its attack.

Landmarks as in Wang (2003), "An industrial-strength audio search algorithm": peaks of the spectrogram that
stand out of their neighbourhood, each with some that follow it; a pair's two frequencies and the time between
them are its hash. Copies that were coded, filtered or made softer keep most of their pairs; pairs of two
recordings that share a sound agree at one offset only for as long as they share it. Accuracy:
`docs/measured.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE

HOP_FRAMES = 1200
"""25 ms: the step of a landmark's time."""
_WINDOW = 4096
_BINS = 400
"""Up to 4.7 kHz, which every coding keeps."""
_LOWEST_BIN = 4
_AROUND_BINS, _AROUND_HOPS = 10, 4
"""A peak is the greatest value within this number of bins and steps to each side."""
_LEAST_DB = -60.0
"""Against the loudest of the recording."""
_TARGETS = 6
_LONGEST_HOPS = 63
_WIDEST_BINS = 63
ATTACK_FRAMES = 3200
"""200 ms at 16 kHz: the fingerprint of a short sound."""
SHORT_SECONDS = 1.6
"""A shorter sound has too few landmarks, and is recognised by its attack."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """`hashes`, `times`: int64 (n,), times in steps of 25 ms. `steps`: of the whole recording."""

    hashes: NDArray[np.int64]
    times: NDArray[np.int64]
    steps: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The features by which a sound is recognised. `attack`: of a short sound, else `None`."""

    landmarks: Landmarks
    attack: NDArray[np.float32] | None


def fingerprint_of(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of a sound at 48 kHz, float32 (channels, frames)."""
    short = samples.shape[1] < SHORT_SECONDS * ENGINE_RATE
    return Fingerprint(landmarks(samples), attack(samples) if short else None)


def landmarks(samples: NDArray[np.float32]) -> Landmarks:
    """The landmarks of a sound at 48 kHz, float32 (channels, frames)."""
    level = _level(samples)
    steps = len(level)
    if steps == 0:
        return Landmarks(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
    times, bins = _peaks(level)
    first = np.searchsorted(times, np.arange(steps + _LONGEST_HOPS + 2))
    hashes, anchors = [], []
    for nth in range(len(times)):
        time, bin = times[nth], bins[nth]
        after = slice(first[time + 1], first[min(time + _LONGEST_HOPS + 1, len(first) - 1)])
        near = np.abs(bins[after] - bin) <= _WIDEST_BINS
        to, at = bins[after][near][:_TARGETS], times[after][near][:_TARGETS]
        hashes.append((bin << 13) | ((to - bin + 64) << 6) | (at - time))
        anchors.append(np.full(len(to), time))
    if not hashes:
        return Landmarks(np.zeros(0, np.int64), np.zeros(0, np.int64), steps)
    return Landmarks(np.concatenate(hashes), np.concatenate(anchors), steps)


def attack(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first 200 ms of a short sound at 48 kHz, at 16 kHz: float32 (3200,), of unit length."""
    import soxr

    mono = samples.mean(axis=0)
    size = np.abs(mono)
    loudest = float(size.max(initial=0.0))
    start = max(int(np.argmax(size > 0.1 * loudest)) - 48, 0) if loudest > 0 else 0
    sound = np.zeros(3 * ATTACK_FRAMES, np.float32)
    part = mono[start : start + len(sound)]
    sound[: len(part)] = part
    slow = soxr.resample(sound, ENGINE_RATE, ENGINE_RATE // 3, quality="HQ")
    kept = np.zeros(ATTACK_FRAMES, np.float32)
    kept[: len(slow)] = slow[:ATTACK_FRAMES]
    length = float(np.linalg.norm(kept))
    return kept / np.float32(length) if length > 0 else kept


def alike(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """The likeness of attacks, best aligned and in either polarity: 0 to 1, (n,). `others`: (n, 3200)."""
    size = 2 * ATTACK_FRAMES
    spectrum = np.conj(np.fft.rfft(one, size))
    found = np.empty(len(others))
    for first in range(0, len(others), 256):
        part = np.fft.irfft(np.fft.rfft(others[first : first + 256], size, axis=1) * spectrum, size, axis=1)
        found[first : first + 256] = np.abs(part).max(axis=1)
    return found


def _level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The spectrogram in dB against its greatest value: float32 (steps, bins)."""
    mono = samples.mean(axis=0)
    padded = np.pad(mono, (_WINDOW // 2, _WINDOW // 2))
    rows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP_FRAMES]
    hann = np.hanning(_WINDOW).astype(np.float32)
    level = np.empty((len(rows), _BINS), np.float32)
    for first in range(0, len(rows), 128):
        level[first : first + 128] = np.abs(np.fft.rfft(rows[first : first + 128] * hann, axis=1))[:, :_BINS]
    greatest = float(level.max()) if level.size else 0.0
    if greatest <= 0:
        return np.zeros((0, _BINS), np.float32)
    decibel: NDArray[np.float32] = 20 * np.log10(np.maximum(level / greatest, 1e-6))
    return decibel


def _peaks(level: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times and bins of the spectrogram's peaks, by time, then the loudest first."""
    from scipy.ndimage import maximum_filter

    greatest = maximum_filter(
        level, (2 * _AROUND_HOPS + 1, 2 * _AROUND_BINS + 1), mode="constant", cval=-200.0
    )
    stands_out = (level >= greatest) & (level > _LEAST_DB)
    stands_out[:, :_LOWEST_BIN] = False
    times, bins = np.nonzero(stands_out)
    order = np.lexsort((-level[times, bins], times))
    return times[order].astype(np.int64), bins[order].astype(np.int64)


def seconds_of(steps: int) -> float:
    """Steps of a landmark's time in seconds."""
    return steps * HOP_FRAMES / ENGINE_RATE
