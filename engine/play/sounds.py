"""Sounds in files of the cache, and how they come into memory."""

from __future__ import annotations

import mmap
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Sound = NDArray[np.float32]
"""Samples, float32 (channels, frames), C-contiguous and in memory."""


def is_whole(path: Path, shape: tuple[int, int]) -> bool:
    """Whether the file is there, and holds all samples of that shape."""
    try:
        with path.open("rb") as file:
            return _begins(file, shape)
    except FileNotFoundError:
        return False


def load(path: Path, shape: tuple[int, int], *, backwards: bool = False) -> Sound | None:
    """The samples of a file, read-only, for good in memory; None where `is_whole` is false.

    They are read and not mapped: the system may take the pages of a mapped file back at any time, and a file
    that is cut short would end the process. In pages of their own they go back to the system when the last
    who holds them lets go; in the heap they would lie between others.
    """
    pages = mmap.mmap(-1, max(4 * shape[0] * shape[1], 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    sound = np.frombuffer(pages, np.float32, shape[0] * shape[1]).reshape(shape)
    try:
        with path.open("rb") as file:
            if not _begins(file, shape) or file.readinto(pages) < sound.nbytes:
                return None
    except FileNotFoundError:
        return None
    if backwards:
        sound[:] = sound[:, ::-1].copy()
    sound.flags.writeable = False
    return sound


def is_finite(sound: Sound) -> bool:
    """Whether every sample is a number."""
    # The greatest and the least tell of all others, and need no array of answers.
    return bool(np.isfinite(sound.max(initial=0)) and np.isfinite(sound.min(initial=0)))


def _begins(file: IO[bytes], shape: tuple[int, int]) -> bool:
    """Whether an `.npy` file of that shape begins here and is long enough; the samples are read next."""
    # Compared and not read: NumPy reads a header by Python's parser, which 3.11 breaks off in threads.
    head = BytesIO()
    npy.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": shape})
    if file.read(len(head.getvalue())) != head.getvalue():
        return False
    begin = file.tell()
    whole = file.seek(0, 2) - begin >= 4 * shape[0] * shape[1]
    file.seek(begin)
    return whole
