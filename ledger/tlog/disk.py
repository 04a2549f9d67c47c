"""The disk under the log and the journals: one seam, so that faults can be put into each step.

Bytes that `write` and `append` wrote are in the page cache: they survive the death of the process, and a
power loss only after `sync`. A name survives a power loss only after `sync` of its folder. Shared memory
survives the process but no power loss; writing to it never waits for a disk.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import secrets
import stat
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

from ..errors import OtherProcess
from . import shared_memory
from .file_view import read_regular
from .locks import LOCK_SECONDS, close_locked, locked, open_locked


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
        """Close the file, which frees its lock."""
        ...


class Disk(Protocol):
    """The file system as the ledger uses it. Every method raises OSError with the path in it."""

    def read(self, path: Path, largest: int | None = None) -> bytes:
        """The bytes of a file; with `largest`, of a regular file that is no larger, as `read_regular`."""
        ...

    def exists(self, path: Path) -> bool: ...

    def files(self, folder: Path) -> list[Path]:
        """The regular files in a folder, by name; none where there is no such folder."""
        ...

    def lock(self, path: Path, seconds: float = LOCK_SECONDS) -> AbstractContextManager[object]:
        """Wait for a lock among all processes and threads, and hold it. It is free if the process dies.

        Raises LockHeld where another has had it for `seconds`.
        """
        ...

    def own(self, path: Path) -> OpenFile | None:
        """Lock a file that is there, or None if it has a living owner. Raises FileNotFoundError."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Make or overwrite `path`; not durable before `sync`."""
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes, or a folder's names, durable."""
        ...

    def write_durable(self, files: Mapping[Path, bytes]) -> None:
        """Make or overwrite files in folders that are there; they and their names are durable."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target` atomically; durable after `sync` of the folder."""
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

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name. Raises FileExistsError."""
        ...

    def share(self, path: Path, size: int) -> memoryview:
        """New memory of zeros under a name, which outlives the process: `shared` finds it."""
        ...

    def shared(self, path: Path) -> bytes | None:
        """The bytes in the memory of that name; None if this user has none."""
        ...

    def unshare(self, path: Path) -> None:
        """Remove the memory of that name, if there is any. Processes that have it mapped keep it."""
        ...

    def boot(self) -> str:
        """An id of this run of the machine, at most 36 characters; empty where the system has none."""
        ...

    def fresh_name(self) -> str:
        """A unique name that contains this process's id."""
        ...


def replace_durably(disk: Disk, path: Path, data: bytes, new: Path) -> None:
    """Replace the bytes of `path` by `data`, written to `new` first; atomic, and durable when it returns."""
    disk.write(new, data)
    disk.sync(new)
    disk.replace(new, path)
    disk.sync(path.parent)


class RealDisk:
    """The file system of this machine."""

    def read(self, path: Path, largest: int | None = None) -> bytes:
        if largest is not None:
            return read_regular(path, largest)
        with path.open("rb", buffering=0) as file:
            data = file.readall()
            if len(data) >= _LARGE and hasattr(os, "posix_fadvise"):
                # Journals are read once and removed: their memory is needed for the entries made of them.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return data

    def exists(self, path: Path) -> bool:
        return path.exists()

    def files(self, folder: Path) -> list[Path]:
        try:
            with os.scandir(folder) as found:
                # Anything but a file is ignored, so that it cannot stop writers.
                return sorted(folder / each.name for each in found if each.is_file(follow_symlinks=False))
        except FileNotFoundError:
            return []

    def lock(self, path: Path, seconds: float = LOCK_SECONDS) -> AbstractContextManager[object]:
        return locked(path, 0o644, seconds=seconds)

    def own(self, path: Path) -> OpenFile | None:
        try:
            descriptor = open_locked(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, wait=False)
        except BlockingIOError:
            return None
        return _RealFile(descriptor, path)

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

    def write_durable(self, files: Mapping[Path, bytes]) -> None:
        with ExitStack() as stack:
            system: int | None = None
            if len(files) >= _MANY and _syncfs is not None:
                # Open before anything is written, so that it also reports errors of these writes.
                system = os.open(next(iter(files)).parent, os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, system)
            for path, data in files.items():
                self.write(path, data)
            if system is not None and _sync_file_system(system):
                return
            for path in files:
                self.sync(path)
            for folder in dict.fromkeys(path.parent for path in files):
                self.sync(folder)

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
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        return _RealFile(open_locked(path, flags, wait=False), path)

    def link(self, source: Path, target: Path) -> None:
        os.link(source, target)

    def share(self, path: Path, size: int) -> memoryview:
        return shared_memory.make(path, size)

    def shared(self, path: Path) -> bytes | None:
        return shared_memory.find(path)

    def unshare(self, path: Path) -> None:
        shared_memory.remove(path)

    def boot(self) -> str:
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:36]
        except OSError:
            return ""

    def fresh_name(self) -> str:
        return f"{os.getpid()}-{secrets.token_hex(8)}"


_LARGE = 1 << 24
_MANY = 64
"""From this many files on, a sync of the whole file system is quicker than one for each."""
_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform == "linux" else None


def _sync_file_system(descriptor: int) -> bool:
    """Make everything on the file system of an open folder durable; False where the kernel cannot. OSError.

    Linux reports errors of writing back since 5.8; before that this is not used.
    """
    if _syncfs is None or _kernel() < (5, 8):
        return False
    if _syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def _kernel() -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class _RealFile:
    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._owner = os.getpid()

    def append(self, data: bytes) -> None:
        _write_all(self._own(), data, self._path)

    def sync(self) -> None:
        _sync(self._own())

    def cut(self, length: int) -> None:
        os.ftruncate(self._own(), length)

    def close(self) -> None:
        if self._descriptor >= 0 and os.getpid() == self._owner:
            close_locked(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        # An owner that is forgotten is gone: others may adopt the file. Not `close_locked`, whose lock the
        # thread may have in which this is called.
        if self._descriptor >= 0 and os.getpid() == self._owner:
            os.close(self._descriptor)

    def _own(self) -> int:
        # In a child the number is free, or another file's.
        if os.getpid() != self._owner:
            raise OtherProcess(f"{self._path} belongs to process {self._owner}, which opened it")
        return self._descriptor


def _write_all(descriptor: int, data: bytes, path: Path) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        # write(2) does not name the path.
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
