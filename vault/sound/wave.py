"""Samples as the bytes of a WAV file, for sounds that were made and not recorded."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray


def wave_bytes(samples: NDArray[np.float32], rate: int) -> bytes:
    """A WAV file of float32 samples, `(channels, frames)`: the same samples, the same bytes.

    libsndfile stamps the time into the PEAK chunk of a float WAV, which would give one sound many files.
    Layout: RIFF, `fmt ` (format 3, IEEE float), `fact` (frames), `data`.
    """
    channels, frames = samples.shape
    data = np.ascontiguousarray(samples.T, dtype="<f4").tobytes()
    form = struct.pack("<HHIIHHH", 3, channels, rate, rate * channels * 4, channels * 4, 32, 0)
    chunks = (
        struct.pack("<4sI", b"fmt ", len(form)) + form
        + struct.pack("<4sII", b"fact", 4, frames)
        + struct.pack("<4sI", b"data", len(data)) + data
    )  # fmt: skip
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks
