"""Fits a recording to the engine: its rate, and for a loop a whole number of frames for its beats.

A loop's length must match `60 * beats / bpm` (see `loop_grid.py`). It then becomes exactly
`round(60 * beats / bpm * 48000)` frames:

- if the surplus at its end lies below -70 dBFS, it is cut off; if the loop is too short and ends below
  -70 dBFS, silence is added: its onsets stay where they were played;
- otherwise the whole loop is resampled to that length, so that its end still meets its start. The resampler
  sees the loop's start after its end, and the frames at the start are taken from the second time round, so
  the seam is as smooth as in the original.

A loop that already has the rate and the length keeps its samples bit for bit.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE
from .decode import SILENT_PEAK, Sound

_CONTEXT = 4096
"""Source frames of overlap at a seam: several times the resampler's reach."""

Grid = tuple[Fraction, int]
"""Tempo in bpm, and beats."""


def loop_frames(bpm: Fraction, beats: int) -> int:
    """Frames at the engine's rate of `beats` at `bpm`, rounded half to even."""
    return round(Fraction(60 * beats * ENGINE_RATE) / bpm)


def fit(sound: Sound, frames: int | None) -> NDArray[np.float32]:
    """The sound at the engine's rate, float32 `(channels, frames)`, C-contiguous.

    `frames`: the exact length for a loop; `None` lets the length follow from the rate.
    """
    if frames is None:
        if sound.rate == ENGINE_RATE:
            return sound.samples
        return _resampled(sound.samples, sound.rate, ENGINE_RATE)
    samples = _trimmed(sound, frames)
    if samples.shape[1] == frames and sound.rate == ENGINE_RATE:
        return samples
    return _resampled_loop(samples, frames)


def _trimmed(sound: Sound, frames: int) -> NDArray[np.float32]:
    """The source cut or filled up to the length that the grid asks for, where that changes silence only."""
    samples = sound.samples
    wanted = round(Fraction(frames * sound.rate, ENGINE_RATE))
    excess = sound.frames - wanted
    # One frame is rounding, not a tail: cutting it would move the seam for nothing.
    if abs(excess) <= 1:
        return samples
    tail = samples[:, -abs(excess) :]
    if max(float(tail.max()), -float(tail.min())) >= SILENT_PEAK:
        return samples
    if excess > 0:
        return np.ascontiguousarray(samples[:, :wanted])
    return np.pad(samples, ((0, 0), (0, -excess)))


def _resampled_loop(samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """A loop resampled to `frames`, with its own start as what follows its end."""
    source = samples.shape[1]
    context = np.take(samples, np.arange(2 * _CONTEXT), axis=1, mode="wrap")
    around = _resampled(np.concatenate((samples, context), axis=1), source, frames)
    loop = np.ascontiguousarray(around[:, :frames])
    # The first frames were made with silence before them; a whole turn later the same frames have the end.
    turned = min(_CONTEXT * frames // source, frames)
    loop[:, :turned] = around[:, frames : frames + turned]
    return loop


def _resampled(samples: NDArray[np.float32], rate: int, target: int) -> NDArray[np.float32]:
    import soxr

    return np.ascontiguousarray(soxr.resample(samples.T, rate, target, quality="HQ").T, dtype=np.float32)
