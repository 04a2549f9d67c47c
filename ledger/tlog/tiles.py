"""The files of a log (C2SP tlog-tiles): the path of each tile, the tiles of a size, and entry bundles.

tile/<level>/<N>[.p/<W>]     hashes, 32 bytes each: 256 in a full tile, W in a partial one
tile/entries/<N>[.p/<W>]     repeated (length of the entry, uint16 big-endian || entry)

N is written in groups of three digits, all but the last with an x before it: 1234067 -> x001/x234/067.
For size s the partial tile of a level has W = floor(s / 256^level) mod 256; a width of 0 has no file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import BadEntry

TILE = 256
"""Hashes in a full tile, entries in a full bundle."""

ENTRIES = -1
"""The `level` of entry bundles."""

_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class File:
    """One file under `log/tile/`."""

    level: int
    number: int
    width: int = TILE

    @property
    def path(self) -> str:
        """Relative to `log/`, with forward slashes."""
        name = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < TILE else ""
        return f"tile/{name}/{_number(self.number)}{partial}"

    @property
    def largest(self) -> int:
        """The most bytes that it can have."""
        return self.width * (_LENGTH.size + 0xFFFF if self.level == ENTRIES else 32)

    def belongs_to(self, size: int) -> bool:
        """Whether a log of `size` entries has this file."""
        full, width = divmod(_count(self.level, size), TILE)
        return self.number < full if self.width == TILE else (self.number, self.width) == (full, width)


def _number(number: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def _count(level: int, size: int) -> int:
    """The number of hashes (or entries) of the level in all its tiles."""
    return size if level == ENTRIES else size >> (8 * level)


def width_at(level: int, number: int, size: int) -> int:
    """The number of hashes or entries in the file `number` of a level, in a log of `size`; 0: no file."""
    return max(0, min(TILE, _count(level, size) - number * TILE))


def levels_of(size: int) -> range:
    """The levels of hashes of a log of `size` entries."""
    return range((size.bit_length() + 7) // 8)


def files_of(size: int, since: int = 0) -> Iterator[File]:
    """The files that a log of `size` entries has and a log of `since` entries has not."""
    for level in (ENTRIES, *levels_of(size)):
        if _count(level, size) == _count(level, since):
            continue
        full, width = divmod(_count(level, size), TILE)
        for number in range(_count(level, since) // TILE, full):
            yield File(level, number)
        if width:
            yield File(level, full, width)


def partial_files(size: int) -> list[File]:
    """The partial tiles and the partial bundle of a log of `size` entries, lowest level first."""
    found: list[File] = []
    for level in (ENTRIES, *levels_of(size)):
        full, width = divmod(_count(level, size), TILE)
        if width:
            found.append(File(level, full, width))
    return found


def bundle(entries: Iterable[bytes]) -> bytes:
    """The bundle of `entries`."""
    parts: list[bytes] = []
    for entry in entries:
        parts.append(_LENGTH.pack(len(entry)))
        parts.append(entry)
    return b"".join(parts)


def in_bundle(data: bytes) -> tuple[list[bytes], bool]:
    """The whole entries at the beginning of `data`, and whether nothing else follows them."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at + 2 <= end:
        stop = at + 2 + (data[at] << 8 | data[at + 1])
        if stop > end:
            break
        entries.append(data[at + 2 : stop])
        at = stop
    return entries, at == end


def split_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. `split_bundle(bundle(entries)) == entries`. Raises BadEntry."""
    entries, whole = in_bundle(data)
    if not whole:
        raise BadEntry(f"an entry bundle is cut short after {len(entries)} entries")
    return entries
