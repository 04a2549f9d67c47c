"""The head of a WAV file, of any length: RIFF up to 4 GiB, RF64 above (EBU Tech 3306).

    RIFF or RF64, (ds64), fmt, (fact), bext, LIST INFO, (smpl), data and then the samples

It is written here, as the length is known before the first sample is, and as libsndfile writes a head that
nobody can read where the length goes over 4 GiB.
"""

from __future__ import annotations

import struct

from .labels import Labels, bext, chunk, info
from .shape import Shape

_UNKNOWN = (1 << 32) - 1
"""In RF64 the 32-bit lengths say no more than that `ds64` has the true ones."""
_PCM, _FLOAT = 1, 3
CHANNELS = 2


def head(shape: Shape, frames: int, labels: Labels) -> bytes:
    """All that stands before the samples of a file of so many frames."""
    wide = shape.frame_bytes
    tag, bits = (_FLOAT, 32) if shape.bits == "32f" else (_PCM, 8 * wide // CHANNELS)
    data = frames * wide
    body = chunk(b"fmt ", struct.pack("<HHIIHH", tag, CHANNELS, shape.rate, shape.rate * wide, wide, bits))
    if tag == _FLOAT:
        body += chunk(b"fact", struct.pack("<I", min(frames, _UNKNOWN)))
    body += bext(labels, f"A=PCM,F={shape.rate},W={bits},M=stereo,T=Stemloom") + info(labels)
    if shape.loop and frames:
        body += chunk(b"smpl", _sampler(shape.rate, frames))
    riff = len(b"WAVE") + len(body) + 8 + data
    if riff < _UNKNOWN:
        return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + body + b"data" + struct.pack("<I", data)
    lengths = chunk(b"ds64", struct.pack("<QQQI", riff + 36, data, frames, 0))
    unknown = struct.pack("<I", _UNKNOWN)
    return b"RF64" + unknown + b"WAVE" + lengths + body + b"data" + unknown


def _sampler(rate: int, frames: int) -> bytes:
    """One loop, over the whole file and without end; its last frame is inclusive."""
    nanoseconds, middle_c = round(1e9 / rate), 60
    first = struct.pack("<9I", 0, 0, nanoseconds, middle_c, 0, 0, 0, 1, 0)
    return first + struct.pack("<6I", 0, 0, 0, min(frames - 1, _UNKNOWN), 0, 0)
