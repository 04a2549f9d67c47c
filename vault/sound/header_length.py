"""Finds the number of bytes of sound that a file's header promises, where libsndfile mends it silently.

For a WAV, AIFF, AU or W64 file that is cut short, libsndfile gives the remaining length, and no error.
Layouts: RIFF, AIFF and CAF by IBM/Microsoft 1991 and Apple 1989 and 2005, RF64 by EBU Tech 3306, W64 by
Sonic Foundry.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_UNKNOWN_BYTES = 0x7F00_0000
"""A program that writes to a pipe cannot come back to fill in the length, and leaves a number from here up.

A file that truly holds as much is longer than the vault takes at all but the highest rates.
"""

_W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")


def promised_bytes(file: BinaryIO) -> tuple[int, int] | None:
    """The bytes of sound that the header promises, and the bytes that are there, which may be fewer or more.

    `None`: the header promises no number that could be compared. The file's position is left anywhere.
    """
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(16)
    match head[:4]:
        case b"RIFF":
            found = _chunk(file, end, 12, "<I", b"data")
        case b"RIFX":
            found = _chunk(file, end, 12, ">I", b"data")
        case b"RF64" | b"BW64":
            found = _rf64(file, end)
        case b"FORM" if head[8:12] in (b"AIFF", b"AIFC"):
            found = _aiff(file, end)
        case b".snd" if len(head) >= 12:
            start, size = struct.unpack(">II", head[4:12])
            found = start, size
        case b"caff":
            found = _caf(file, end)
        case b"riff":
            found = _w64(file, end)
        case _:
            return None
    if found is None:
        return None
    start, size = found
    if size >= _UNKNOWN_BYTES and head[:4] not in (b"RF64", b"BW64", b"riff", b"caff"):
        return None
    return size, max(end - start, 0)


def _chunk(file: BinaryIO, end: int, place: int, size_form: str, name: bytes) -> tuple[int, int] | None:
    """The start of the first chunk of that name, and the number of bytes that it claims to have."""
    while place + 8 <= end:
        file.seek(place)
        header = file.read(8)
        size = int(struct.unpack(size_form, header[4:])[0])
        if header[:4] == name:
            return place + 8, size
        place += 8 + size + size % 2
    return None


def _aiff(file: BinaryIO, end: int) -> tuple[int, int] | None:
    found = _chunk(file, end, 12, ">I", b"SSND")
    # The sound comes after an offset and a block size, which count as the chunk's.
    return found and (found[0] + 8, max(found[1] - 8, 0))


def _rf64(file: BinaryIO, end: int) -> tuple[int, int] | None:
    found = _chunk(file, end, 12, "<I", b"data")
    large = _chunk(file, end, 12, "<I", b"ds64")
    if found is None or large is None or found[1] != 0xFFFF_FFFF or large[0] + 16 > end:
        return found
    file.seek(large[0] + 8)
    return found[0], int(struct.unpack("<Q", file.read(8))[0])


def _caf(file: BinaryIO, end: int) -> tuple[int, int] | None:
    place = 8
    while place + 12 <= end:
        file.seek(place)
        name, size = struct.unpack(">4sq", file.read(12))
        if name == b"data":
            # Its first four bytes count edits; -1 is the length of what was never closed.
            return None if size < 4 else (place + 16, size - 4)
        place += 12 + max(size, 0)
    return None


def _w64(file: BinaryIO, end: int) -> tuple[int, int] | None:
    place = 40
    while place + 24 <= end:
        file.seek(place)
        header = file.read(24)
        size = int(struct.unpack("<Q", header[16:])[0])
        if header[:16] == _W64_DATA:
            return place + 24, max(size - 24, 0)
        # A size counts its own header; less would go round for ever.
        place += (max(size, 24) + 7) & ~7
    return None
