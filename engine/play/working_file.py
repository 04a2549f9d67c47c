"""The output file under a working name in its folder, until it is whole; gone if that never comes.

The working file is locked while its process lives, so that the next render into the folder, by whatever name,
can tell what a killed one left, and clear it away.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from ...ledger.tlog.locks import close_locked, locked, open_locked
from ..errors import OutputFailed
from .labels import MOST_BYTES, Labels, id3
from .shape import Shape
from .wav import head

_MOVED = 1 << 20


class WorkingFile:
    """What becomes `out` by `publish`. Raises OutputFailed where it cannot be written."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._part = out.parent
        self._lock: int | None = None

    def __enter__(self) -> Self:
        with self.failing():
            self._clear_abandoned()
            while self._lock is None:
                self._part = self.out.parent / f".stemloom-{os.getpid()}-{secrets.token_hex(4)}.part"
                lock = open_locked(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
                if self._part.exists():
                    self._lock = lock
                else:
                    # Between its making and its locking another render took it for abandoned.
                    close_locked(lock)
        return self

    def write(self, blocks: Iterable[NDArray[Any]], shape: Shape, frames: int, labels: Labels) -> None:
        """Write the whole file, and make it durable under its working name."""
        with self.failing():
            if shape.container.format == "WAV":
                self._write_wav(blocks, shape, frames, labels)
            else:
                self._write_other(blocks, shape, labels)
            if shape.container.format == "MP3":
                _put_before(self._part, id3(labels))
            with self._part.open("rb+") as file:
                os.fsync(file.fileno())

    def _write_wav(self, blocks: Iterable[NDArray[Any]], shape: Shape, frames: int, labels: Labels) -> None:
        with self._part.open("wb") as file:
            file.write(head(shape, frames, labels))
            for block in blocks:
                file.write(_little_endian(block, shape))

    def _write_other(self, blocks: Iterable[NDArray[Any]], shape: Shape, labels: Labels) -> None:
        container = shape.container
        with soundfile.SoundFile(
            self._part,
            "w",
            samplerate=shape.rate,
            channels=2,
            format=container.format,
            subtype=shape.subtype,
            compression_level=container.level,
            bitrate_mode="CONSTANT" if container.format == "MP3" else None,
        ) as file:
            if container.format != "MP3":
                # libsndfile writes UTF-8 there and calls it Latin-1.
                for name, text in labels.fields.items():
                    setattr(file, name, text.encode()[:MOST_BYTES].decode(errors="ignore"))
            for block in blocks:
                file.write(block << 8 if shape.bits == "24" else block)

    def publish(self) -> None:
        """Give the file its name."""
        self._part.replace(self.out)

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._part.unlink(missing_ok=True)
            close_locked(self._lock)
            self._lock = None

    def _clear_abandoned(self) -> None:
        """Remove the working files of killed renders from the folder."""
        for left in self.out.parent.glob(".stemloom-*-*.part"):
            with suppress(FileNotFoundError, PermissionError, BlockingIOError), locked(left, wait=False):
                left.unlink(missing_ok=True)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Say of an error of the system that `out` could not be written."""
        try:
            yield
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._failed(error) from error

    def _failed(self, error: soundfile.LibsndfileError | OSError) -> OutputFailed:
        """The library says only that the system failed; a full disk is the usual reason."""
        with suppress(OSError):
            if shutil.disk_usage(self.out.parent).free < 1 << 16:
                return self._told("no space is left on its disk")
        if isinstance(error, OSError):
            return self._told(error.strerror or str(error))
        return self._told(error.error_string.rstrip("."))

    def _told(self, reason: str) -> OutputFailed:
        return OutputFailed(f"{str(self.out)!r} could not be written: {reason}; nothing of it was kept")


def check_space(out: Path, shape: Shape, mixed: int) -> None:
    """Raise OutputFailed where the disk has no room for a render of so many frames: the mix and the file."""
    needed = mixed * 8 + shape.frames(mixed) * (shape.frame_bytes if shape.bits else 1)
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise OutputFailed(
            f"{str(out)!r} could not be written: it takes {needed / 1e9:.2f} GB on its disk while it is "
            f"made, and {free / 1e9:.2f} GB are free"
        )


def _little_endian(block: NDArray[Any], shape: Shape) -> bytes:
    if shape.bits == "24":
        return block.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return block.astype("<i2" if shape.bits == "16" else "<f4", copy=False).tobytes()


def _put_before(path: Path, tag: bytes) -> None:
    """Put bytes before what a file holds, from its end on, so that it needs no second file."""
    with path.open("rb+") as file:
        at = file.seek(0, os.SEEK_END)
        while at > 0:
            first = max(at - _MOVED, 0)
            file.seek(first)
            moved = file.read(at - first)
            file.seek(first + len(tag))
            file.write(moved)
            at = first
        file.seek(0)
        file.write(tag)
