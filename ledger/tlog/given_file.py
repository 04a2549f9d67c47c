"""A file that somebody names: of a known size, and neither a pipe nor a device, which may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import GivenFileRefused
from .file_view import kind_of


def read_given(path: Path, largest: int) -> bytes:
    """The bytes of a regular file of at most `largest` bytes, by its own name or by a link.

    Raises GivenFileRefused for anything else, which is not read; OSError.
    """
    # Checked before it is opened, because opening a device may start it ...
    _refuse(path, os.stat(path), largest)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        # ... and after, because it may have been replaced in between.
        _refuse(path, os.fstat(descriptor), largest)
        # Not by its size: it may be longer by now, and files in /proc have none.
        data = file.read(largest + 1)
    if len(data) > largest:
        raise _too_large(path, largest)
    return data


def _too_large(path: Path, largest: int) -> GivenFileRefused:
    return GivenFileRefused(
        f"{path} is larger than {largest} bytes, the most that such a file can have; is it the one you meant?"
    )


def _refuse(path: Path, found: os.stat_result, largest: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise GivenFileRefused(f"{path} is a folder, and a file is needed: name the file in it")
    kind = kind_of(found.st_mode)
    if kind is not None:
        raise GivenFileRefused(f"{path} is {kind}, and a file is needed: copy what it gives into one")
    if found.st_size > largest:
        raise _too_large(path, largest)
