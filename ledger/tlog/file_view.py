"""A log's files at one moment: their names, kinds, sizes and bytes.

A full tile or bundle never changes, and no entry is ever removed. Writers replace partial files and the
checkpoint, so these are read while no writer is at work; a view stays true while others write on. Only
regular files are opened, and no more is read than a file of its kind can hold: a pipe to which nobody writes
would block the reader for ever, and a device would never end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ..errors import VerificationFailed
from .tiles import File


def kind_of(mode: int) -> str | None:
    """The kind of file of `mode` (st_mode), in words; None for a regular file."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return None if stat.S_ISREG(mode) else kinds.get(stat.S_IFMT(mode), "no regular file")


def read_regular(path: Path, largest: int) -> bytes:
    """The bytes of a regular file of at most `largest` bytes.

    Raises FileNotFoundError; VerificationFailed for anything else, which is not read; OSError.
    """
    # Checked before it is opened, because opening a device may start it ...
    _refuse(path, os.lstat(path), largest)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with open(descriptor, "rb", buffering=0) as file:
        # ... and after, because it may have been replaced in between.
        found = os.fstat(descriptor)
        _refuse(path, found, largest)
        return file.read(found.st_size)


def _refuse(path: Path, found: os.stat_result, largest: int) -> None:
    kind = kind_of(found.st_mode)
    if kind is not None:
        raise VerificationFailed(f"{path} is {kind}, not a file; see 'stemloom ledger verify'")
    if found.st_size > largest:
        raise VerificationFailed(
            f"{path} has {found.st_size} bytes, more than the {largest} that it can have; "
            "see 'stemloom ledger verify'"
        )


class FileView:
    """The folder `log` at the time of making. Paths are relative to it, with forward slashes.

    Make it, and `keep` the files that may be replaced, while no writer is at work; read at any time.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._kept: dict[File, bytes] = {}
        self.sizes: dict[str, int] = {}
        """The size in bytes of each regular file."""
        self.odd: dict[str, str] = {}
        """The kind of each thing that is neither a file nor a folder, and of each empty folder."""
        self.folders: set[str] = set()
        self.lost: dict[str, str] = {}
        """Files that were there and could not be read later, and why."""
        self._walk()

    def _walk(self) -> None:
        waiting = [self._log]
        while waiting:
            folder = waiting.pop()
            with os.scandir(folder) as listing:
                found = list(listing)
            if not found and folder != self._log:
                self.odd[folder.relative_to(self._log).as_posix()] = "a folder"
            for each in found:
                status = each.stat(follow_symlinks=False)
                path = Path(each.path).relative_to(self._log).as_posix()
                kind = kind_of(status.st_mode)
                if kind is None:
                    self.sizes[path] = status.st_size
                elif stat.S_ISDIR(status.st_mode):
                    self.folders.add(path)
                    waiting.append(Path(each.path))
                else:
                    self.odd[path] = kind

    def unreadable(self, path: str, largest: int) -> str | None:
        """Why `path` is not a file of at most `largest` bytes; None if it is one or is missing."""
        kind = "a folder" if path in self.folders else self.odd.get(path)
        if kind is not None:
            return f"is {kind}, not a file of the log; it was not read"
        if self.sizes.get(path, 0) > largest:
            return f"has {self.sizes[path]} bytes, more than the {largest} that it can have; it was not read"
        return None

    def keep(self, files: Iterable[File]) -> None:
        """Read `files` now, because they may be gone later."""
        for file in files:
            if self._has(file):
                self._kept[file] = self._read(file)

    def read(self, file: File) -> bytes:
        """The bytes of a file. Raises FileNotFoundError if it is not there or is `unreadable`, OSError."""
        if file in self._kept:
            return self._kept[file]
        if not self._has(file):
            raise FileNotFoundError(file.path)
        return self._read(file)

    def _has(self, file: File) -> bool:
        return file.path in self.sizes and self.unreadable(file.path, file.largest) is None

    def _read(self, file: File) -> bytes:
        try:
            return read_regular(self._log / file.path, file.largest)
        except (FileNotFoundError, NotADirectoryError, VerificationFailed) as error:
            self.lost[file.path] = f"{file.path} was taken away or replaced while the log was read"
            raise FileNotFoundError(file.path) from error
