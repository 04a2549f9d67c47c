"""The note that a writer leaves beside the log before it changes it: the sizes before and after.

    stemloom append v2
    <size before> <size after>
    <0, or when all files are durable the Merkle root of the size after, 64 hex digits>
    <name of a journal whose entries are among the new ones>
    ...
    <CRC-32 of the lines above, 8 hex digits>

The next writer that takes the lock reads it, and finishes or removes an append that a crash interrupted. An
append with a root is finished: its checkpoint may be signed already, and there must be no other of that size.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

_FORM = r"stemloom append v2\n(\d+) (\d+)\n(0|[0-9a-f]{64})\n((?:.+\n)*)"
_HEAD = "stemloom append v2"


@dataclass(frozen=True, slots=True)
class Pending:
    """An append from `before` to `after` entries, which takes in all of the journals named.

    `root`: 32 bytes, of the tree of `after`; None until all its files are durable.
    """

    before: int
    after: int
    root: bytes | None
    journals: tuple[str, ...]

    def encode(self) -> bytes:
        root = "0" if self.root is None else self.root.hex()
        lines = [_HEAD, f"{self.before} {self.after}", root, *self.journals, ""]
        text = "\n".join(lines).encode()
        return text + b"%08x\n" % zlib.crc32(text)

    @classmethod
    def decode(cls, data: bytes) -> Pending | None:
        """The inverse of `encode`. None for a note that was cut short: nothing was written after it."""
        text, crc = data[:-9], data[-9:]
        if crc != b"%08x\n" % zlib.crc32(text):
            return None
        match = re.fullmatch(_FORM, text.decode())
        if match is None:
            return None
        root = None if match[3] == "0" else bytes.fromhex(match[3])
        return cls(int(match[1]), int(match[2]), root, tuple(match[4].split("\n")[:-1]))
