"""A log's files as they lie at one moment: which there are, of which kind and how large; and their bytes.

A full tile or bundle never changes, and no entry is ever taken back. What a writer does replace, the partial
files and the checkpoint, is read while no writer is at work; so a view stays true while others write on.
Nothing is opened that is not a regular file, and nothing is read beyond what a file of its kind can hold:
a pipe that nobody writes to would hold the reader for ever, and a device would never end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ..errors import VerificationFailed
from .tiles import File

__all__ = ["FileView", "kind_of", "read_regular"]


def kind_of(mode: int) -> str | None:
    """What `mode` (st_mode) is of, in words; None for a regular file."""
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

    Raises FileNotFoundError; VerificationFailed for anything that is not such a file, unread; OSError.
    """
    # Looked at before it is opened, because to open a device may set it going ...
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
    """The folder `log` as it was found when this was made. Paths are relative to it, with forward slashes.

    Make it, and `keep` what may be replaced, while no writer is at work; read when you like.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._kept: dict[File, bytes] = {}
        self.sizes: dict[str, int] = {}
        """The regular files, and their bytes."""
        self.odd: dict[str, str] = {}
        """What is neither a file nor a folder, and what it is; and folders that hold nothing."""
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
        """Why what lies at `path` is no file of at most `largest` bytes; None if it is one or is missing."""
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
