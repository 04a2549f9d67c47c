"""Output samples as 24-bit integers: what files hold and what a session's hash is taken of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SCALE = 1 << 23


def to_int24(block: NDArray[np.float32]) -> NDArray[np.int32]:
    """Float32 (2, frames), full scale 1, as interleaved 24-bit integers (frames, 2); no dither."""
    scaled = np.rint(np.ascontiguousarray(block.T, np.float64) * _SCALE)
    return np.clip(scaled, -_SCALE, _SCALE - 1).astype(np.int32)


def to_pcm24(block: NDArray[np.float32]) -> bytes:
    """Float32 (2, frames) as little-endian interleaved 24-bit PCM, as `ffmpeg -f s24le` gives it."""
    return to_int24(block).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
