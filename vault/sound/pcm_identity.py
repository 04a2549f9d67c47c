"""The identity of a recording: the SHA-256 over

    "<rate> <channels>\\n" in ASCII, then every sample as float32, little-endian, interleaved

of the decoded sound at the file's own rate. The same sound in another lossless file has the same identity.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def pcm_sha256(interleaved: NDArray[np.float32], rate: int) -> str:
    """Identity of a sound, `(frames, channels)`; see the module for the bytes."""
    digest = hashlib.sha256(f"{rate} {interleaved.shape[1]}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(interleaved, dtype="<f4").data.cast("B"))
    return digest.hexdigest()
