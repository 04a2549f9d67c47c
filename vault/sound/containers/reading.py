"""A file as the decoder is to read it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Part = bytes | tuple[int, int]
"""Bytes, or from where to where in the file."""


class File(Protocol):
    """What the examinations need of a file."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def read(self, size: int = -1, /) -> bytes: ...


class Spliced(io.RawIOBase):
    """A file that is read as if it were made of these parts; nothing is copied."""

    def __init__(self, file: File, parts: Sequence[Part]) -> None:
        super().__init__()
        self._file, self._at = file, 0
        self._parts: list[tuple[int, int, Part]] = []
        begin = 0
        for part in parts:
            end = begin + (len(part) if isinstance(part, bytes) else part[1] - part[0])
            self._parts.append((begin, end, part))
            begin = end
        self._size = begin

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = max((0, self._at, self._size)[whence] + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """As much as there is: a short answer would be taken for the end."""
        buffer, done = memoryview(buffer), 0
        for begin, end, part in self._parts:
            while begin <= self._at < end and done < len(buffer):
                count = min(len(buffer) - done, end - self._at)
                at = self._at - begin
                if isinstance(part, bytes):
                    buffer[done : done + count] = part[at : at + count]
                else:
                    self._file.seek(part[0] + at)
                    data = self._file.read(count)
                    count = len(data)
                    buffer[done : done + count] = data
                    if not count:
                        return done
                self._at, done = self._at + count, done + count
        return done


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is decoded.

    `streams`: what libsndfile reads, one after the other; empty for the file as it is. `frames`: how many the
    container promises, where libsndfile would not know it: more are padding, fewer a cut. `notes`: for the
    holder. `md5`: of the samples that were put in, of so many `bits` (RFC 9639, 8.2).
    """

    streams: tuple[Spliced, ...] = ()
    frames: int | None = None
    notes: tuple[str, ...] = ()
    md5: bytes | None = None
    bits: int = 0


Examine = Callable[[File, int, bool], Reading | None]
"""Reads the structure of a file of so many bytes; `accept_length`: what is there is taken, whatever is
promised. None for another kind of file."""
