"""The mix of a render, kept until it is whole, and then as the samples of a file.

    mix (48 kHz, float) -> folded, for a loop -> resampled -> brought under the ceiling -> dithered, rounded

It waits in a nameless file beside the output, 8 bytes a frame, which a killed process leaves no trace of: the
length, the loudest peak and the recordings are known before the first byte of the output is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from ...vault.sound.loudness import true_peak_dbtp
from .shape import Shape

BLOCK = 1 << 17
_AROUND = ENGINE_RATE // 10
"""Frames of the mix that a resampler sees beside the ends of a loop; whole frames at every rate."""
_PEAK_AROUND = 64
_STEPS_UNDER = 4
"""How far below the ceiling a sound is brought that dither and rounding still move, in steps of its width."""

Sound = NDArray[np.float32]
"""Frames of two channels, (frames, 2)."""


class MasterFile:
    """What was mixed, in order. Raises OSError where the disk takes no more."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this
        self.frames = 0

    def write(self, block: NDArray[np.float32]) -> None:
        """Append what a session gives out, float32 (2, frames)."""
        self._file.write(np.ascontiguousarray(block.T, "<f4").tobytes())
        self.frames += block.shape[1]

    def whole(self) -> Sound:
        """All of it; what is changed is changed in the file."""
        self._file.flush()
        if not self.frames:
            return np.zeros((0, 2), np.float32)
        return np.asarray(np.memmap(self._file, np.float32, "r+", shape=(self.frames, 2)))

    def close(self) -> None:
        self._file.close()


def folded(sound: Sound, frames: int) -> Sound:
    """The first `frames` of a sound, in place, with all that comes after them laid over their beginning.

    A sound that comes after more than one turn is laid over as often.
    """
    turn = sound[:frames]
    for first in range(frames, len(sound), max(frames, 1)):
        rest = sound[first : first + frames]
        turn[: len(rest)] += rest
    return turn


def resampled(sound: Sound, shape: Shape) -> Iterator[Sound]:
    """The sound at the file's rate, in blocks; as long as `shape.frames` says."""
    if shape.rate == ENGINE_RATE:
        for first in range(0, len(sound), BLOCK):
            yield np.asarray(sound[first : first + BLOCK])
        return
    left = shape.frames(len(sound))
    stream = soxr.ResampleStream(ENGINE_RATE, shape.rate, 2, dtype="float32", quality="VHQ")
    skip = _AROUND * shape.rate // ENGINE_RATE if shape.loop else 0
    for block, last in _with_ends(sound, shape.loop):
        out = stream.resample_chunk(block, last=last)
        out, skip = out[skip:], max(skip - len(out), 0)
        out = out[:left]
        left -= len(out)
        if len(out):
            yield out
    if left:
        yield np.zeros((left, 2), np.float32)


def _with_ends(sound: Sound, loop: bool) -> Iterator[tuple[Sound, bool]]:
    """The sound in blocks, and whether each is the last; a loop between its own end and beginning."""
    frames = len(sound)
    loop = loop and frames > 0
    if loop:
        yield np.take(sound, range(-_AROUND, 0), axis=0, mode="wrap"), False
    for first in range(0, frames, BLOCK):
        yield np.ascontiguousarray(sound[first : first + BLOCK]), not loop and first + BLOCK >= frames
    if loop:
        yield np.take(sound, range(_AROUND), axis=0, mode="wrap"), True


def true_peak(blocks: Iterator[Sound], rate: int) -> float:
    """The greatest true peak of a sound in blocks, as a factor of full scale.

    Each block is measured with a little of its neighbours, faded in and out so that no cut rings.
    """
    peak = 0.0
    ramp = np.sin(np.linspace(0, np.pi / 2, _PEAK_AROUND, dtype=np.float32))[:, None] ** 2
    before = np.zeros((2 * _PEAK_AROUND, 2), np.float32)
    for block in blocks:
        joined = np.concatenate([before, block])
        before = joined[-2 * _PEAK_AROUND :].copy()
        joined[:_PEAK_AROUND] *= ramp
        joined[-_PEAK_AROUND:] *= ramp[::-1]
        peak = max(peak, 10 ** (true_peak_dbtp(np.ascontiguousarray(joined.T)) / 20))
    before[-_PEAK_AROUND:] *= ramp[::-1]
    return float(max(peak, np.abs(before).max()))


def lowered(sound: Sound, shape: Shape, ceiling_dbtp: float) -> float:
    """The gain, at most 1, with which the file's true peak keeps to the ceiling."""
    ceiling = 10 ** (ceiling_dbtp / 20)
    if shape.bits == "16":
        ceiling -= _STEPS_UNDER / (1 << 15)
    return min(1.0, ceiling / max(true_peak(resampled(sound, shape), shape.rate), 1e-9))


def rounded(blocks: Iterator[Sound], gain: float, shape: Shape, seed: int) -> Iterator[NDArray[Any]]:
    """Blocks as the file's samples: float32, int32 that hold 24 bits, or int16 with dither.

    The dither is triangular, two steps wide, and drawn from `seed`: a take gives the same file each time.
    """
    chance = np.random.default_rng(seed)
    for block in blocks:
        if shape.bits in (None, "32f"):
            yield block if gain == 1 else block * np.float32(gain)
            continue
        full = 1 << (15 if shape.bits == "16" else 23)
        scaled = block.astype(np.float64) * (gain * full)
        if shape.bits == "16":
            draws = chance.random((*block.shape, 2))
            scaled += draws[..., 0] - draws[..., 1]
        whole = np.clip(np.rint(scaled), -full, full - 1)
        yield whole.astype(np.int16 if shape.bits == "16" else np.int32)
