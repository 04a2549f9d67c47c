"""The fingerprint of a recording: pairs of spectral peaks, and for a short hit its attack.

Landmarks as in Wang (2003), "An industrial-strength audio search algorithm": peaks of the spectrogram that
stand out of their neighbourhood, each with some that follow it; a pair's two frequencies and the time between
them are its hash. Copies that were coded, filtered or made softer keep most of their pairs; pairs of two
recordings that share a sound agree at one offset only for as long as they share it. Accuracy:
`docs/measured.md`.

The spectrogram is that of the channels' power, so that no sound hides by turning a channel over; what is only
at the sides has landmarks of its own. A copy that plays faster or higher is known when its spectrogram is
taken with a shorter step and window; `Outline` tells at what factors that is worth the time.
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
_LEAST_SIDE = 10 ** (-40 / 10)
"""Sides that have less power than this share of the middle's get no landmarks."""
OUTLINE_STEPS = 64
_OUTLINE_DB = -40.0
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
    """The features by which a sound is recognised.

    `attacks`: of a short sound, float32 (n, 3200), else `None`: of the middle, and for stereo of left, right
    and side. `side`: landmarks of the sides where there is something. `outline`: its level over its whole
    length, float32 (64,), of unit length and without its mean, or zeros; `frames`: its length.
    """

    landmarks: Landmarks
    attacks: NDArray[np.float32] | None
    side: Landmarks | None
    outline: NDArray[np.float32]
    frames: int


@dataclass(frozen=True, slots=True)
class Played:
    """How a copy may be played: so many times as fast, and as high."""

    speed: float
    pitch: float

    def __str__(self) -> str:
        if self.speed == self.pitch:
            return f"{100 * (self.speed - 1):+.1f} % faster and higher" if self.speed != 1 else "as it is"
        if self.pitch == 1:
            return f"{100 * (self.speed - 1):+.1f} % faster"
        return f"{100 * (self.pitch - 1):+.1f} % higher"


AS_IT_IS = Played(1.0, 1.0)


def fingerprint_of(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of a sound at 48 kHz, float32 (channels, frames)."""
    short = samples.shape[1] < SHORT_SECONDS * ENGINE_RATE
    level, side = _levels(samples, AS_IT_IS, side=_has_side(samples))
    return Fingerprint(
        _landmarks_of(level),
        _attacks(samples) if short else None,
        None if side is None else _landmarks_of(side),
        outline(samples),
        int(samples.shape[1]),
    )


def outline(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """How loud a sound is in each 64th of its length, as `Fingerprint` has it."""
    frames = samples.shape[1]
    edges = np.linspace(0, frames, OUTLINE_STEPS + 1).astype(np.intp)
    if frames < OUTLINE_STEPS:
        return np.zeros(OUTLINE_STEPS, np.float32)
    power = np.add.reduceat((samples.astype(np.float32) ** 2).sum(axis=0), edges[:-1]) / np.diff(edges)
    level = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-20), 10 ** (_OUTLINE_DB / 10)))
    level -= level.mean()
    length = float(np.linalg.norm(level))
    # A sound that is steady to a tenth of a decibel has no outline.
    return (level / length if length > 0.1 * OUTLINE_STEPS**0.5 else 0 * level).astype(np.float32)


def _has_side(samples: NDArray[np.float32]) -> bool:
    """Whether anybody hears the difference of the channels."""
    if samples.shape[0] < 2:
        return False
    side, middle = samples[0] - samples[1], samples[0] + samples[1]
    return float(side @ side) > _LEAST_SIDE * float(middle @ middle)


def _attacks(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The attack of the middle, or of the sides where there is none; then of the channels and the rest."""
    if samples.shape[0] < 2:
        return attack(samples)[None]
    left, right = samples[:1], samples[1:2]
    half = np.float32(0.5)
    middle, side = half * (left + right), half * (left - right)
    first, last = (
        (middle, side) if np.vdot(middle, middle) >= _LEAST_SIDE * np.vdot(side, side) else (side, middle)
    )
    return np.stack([attack(each) for each in (first, left, right, last)])


def landmarks(samples: NDArray[np.float32], played: Played = AS_IT_IS) -> Landmarks:
    """The landmarks of a sound at 48 kHz, float32 (channels, frames), or of what it copies, so played."""
    return _landmarks_of(_levels(samples, played, side=False)[0])


def _landmarks_of(level: NDArray[np.float32]) -> Landmarks:
    """The landmarks of a spectrogram."""
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


def alike(attacks: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """The likeness of the best of several attacks, best aligned and in either polarity: 0 to 1, (n,).

    `attacks`: (m, 3200). `others`: (n, 3200).
    """
    size = 2 * ATTACK_FRAMES
    spectra = np.conj(np.fft.rfft(attacks, size, axis=1))
    found = np.zeros(len(others))
    for first in range(0, len(others), 256):
        part = np.fft.rfft(others[first : first + 256], size, axis=1)
        for spectrum in spectra:
            near = np.abs(np.fft.irfft(part * spectrum, size, axis=1)).max(axis=1)
            found[first : first + 256] = np.maximum(found[first : first + 256], near)
    return found


def _levels(
    samples: NDArray[np.float32], played: Played, *, side: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The spectrogram of the channels' power, and of half their difference if `side`.

    Each in dB against its greatest value, float32 (steps, bins).
    """
    window, hop = round(_WINDOW / played.pitch), HOP_FRAMES / played.speed
    padded = np.pad(samples, ((0, 0), (window // 2, window // 2)))
    rows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)
    at = np.rint(np.arange(0, rows.shape[1], hop)).astype(np.intp)
    at = at[at < rows.shape[1]]
    hann = np.hanning(window).astype(np.float32)
    level = np.empty((len(at), _BINS), np.float32)
    beside = np.empty_like(level) if side else None
    for first in range(0, len(at), 64):
        part = slice(first, first + 64)
        spectra = [_spectra(channel[at[part]] * hann) for channel in rows]
        if len(spectra) == 1:
            level[part] = np.abs(spectra[0])
        else:
            level[part] = np.sqrt(sum(each.real**2 + each.imag**2 for each in spectra))
        if beside is not None:
            beside[part] = np.abs(spectra[0] - spectra[1])
    return _decibels(level), None if beside is None else _decibels(beside)


def _spectra(rows: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Of each row, as far as it is looked at."""
    from scipy import fft

    spectra: NDArray[np.complex64] = np.asarray(fft.rfft(rows, axis=1), np.complex64)
    return spectra[:, :_BINS]


def _decibels(level: NDArray[np.float32]) -> NDArray[np.float32]:
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
