"""The note that a writer leaves beside the log before it touches it: from which size to which it goes.

    stemloom append v1
    <size before> <size after>
    <name of a journal whose entries are among the new ones>
    ...
    <CRC-32 of the lines above, 8 hex digits>

Whoever takes the lock next reads it to finish or to clear away what a crash left.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

__all__ = ["Pending"]

_HEAD = "stemloom append v1"


@dataclass(frozen=True, slots=True)
class Pending:
    """An append from `before` to `after` entries, which takes in the whole journals named."""

    before: int
    after: int
    journals: tuple[str, ...]

    def encode(self) -> bytes:
        lines = [_HEAD, f"{self.before} {self.after}", *self.journals, ""]
        text = "\n".join(lines).encode()
        return text + b"%08x\n" % zlib.crc32(text)

    @classmethod
    def decode(cls, data: bytes) -> Pending | None:
        """The inverse of `encode`. None for a note that was cut short: then nothing came after it either."""
        text, crc = data[:-9], data[-9:]
        if crc != b"%08x\n" % zlib.crc32(text):
            return None
        head, sizes, *journals = text.decode().split("\n")[:-1]
        match = re.fullmatch(r"(\d+) (\d+)", sizes)
        if head != _HEAD or match is None:
            return None
        return cls(int(match[1]), int(match[2]), tuple(journals))
