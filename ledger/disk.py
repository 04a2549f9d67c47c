"""The disk under the log and the journals: one seam, so that faults can be put into each step.

What `write` and `append` have done is in the page cache: it survives the death of the process. Only after
`sync` does it survive a power loss; a name survives one only after `sync` of its folder.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

__all__ = ["Disk", "OpenFile", "RealDisk"]


class OpenFile(Protocol):
    """A file that only grows, held open and locked by its owner."""

    def append(self, data: bytes) -> None:
        """Write `data` at the end; on an error the file may hold a part of it."""
        ...

    def sync(self) -> None:
        """Make what was appended durable."""
        ...

    def cut(self, length: int) -> None:
        """Shorten the file to `length` bytes."""
        ...

    def close(self) -> None:
        """Close the file and so free its lock."""
        ...


class Disk(Protocol):
    """What the ledger asks of a file system. Every method raises OSError with the path in it."""

    def read(self, path: Path) -> bytes: ...

    def write(self, path: Path, data: bytes) -> None:
        """Make or overwrite `path`; not durable before `sync`."""
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes, or a folder's names, durable."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target` at one instant; durable after `sync` of the folder."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; it need not be there."""
        ...

    def make_folder(self, path: Path, mode: int) -> bool:
        """Make a folder whose parent is there. False if it is there already."""
        ...

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        ...

    def create_owned(self, path: Path) -> OpenFile:
        """Make a new file for appending, readable by its owner alone, and lock it."""
        ...


class RealDisk:
    """The file system of this machine."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _write_all(descriptor, data, path)
        finally:
            os.close(descriptor)

    def sync(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path, mode: int) -> bool:
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            if path.is_dir():
                return False
            raise
        return True

    def remove_folder(self, path: Path) -> None:
        os.rmdir(path)

    def create_owned(self, path: Path) -> OpenFile:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with ExitStack() as stack:
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stack.pop_all()
        return _RealFile(descriptor, path)


class _RealFile:
    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def append(self, data: bytes) -> None:
        _write_all(self._descriptor, data, self._path)

    def sync(self) -> None:
        _sync(self._descriptor)

    def cut(self, length: int) -> None:
        os.ftruncate(self._descriptor, length)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _write_all(descriptor: int, data: bytes, path: Path) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        # write(2) knows no path; a person needs one.
        error.filename = os.fspath(path)
        raise


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        # fsync on macOS leaves the bytes in the drive's own cache.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)
