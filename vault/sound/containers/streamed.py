"""AIFF, AU, CAF and W64 whose writer could not come back to fill in the length: all that follows is sound."""

from __future__ import annotations

import struct

from .reading import File, Part, Reading, Spliced

_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
_MOST_CHUNKS = 10_000
_UNKNOWN = 1 << 62


def examine_streamed(file: File, end: int, accept_length: bool) -> Reading | None:
    file.seek(0)
    head = file.read(16)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff(file, end, accept_length)
    if head[:4] == b".snd" and len(head) >= 12:
        start, size = struct.unpack(">II", head[4:12])
        there = max(end - start, 0)
        if (size == 0 or (accept_length and there < size < 0xFFFF_FFFF)) and there:
            patched: list[Part] = [head[:8] + struct.pack(">I", there), (12, end)]
            return Reading((Spliced(file, patched),), notes=(_taken(size, there),))
        return Reading()
    if head[:4] == b"caff":
        return _caf(file, end, accept_length)
    if head == _W64_RIFF:
        return _w64(file, end, accept_length)
    return None


def _taken(size: int, there: int) -> str:
    if size == 0:
        return f"its header says 0 bytes of sound, and {there} follow: all of them were taken"
    return f"its header promises {size} bytes of sound, and the {there} that are there were taken"


def _aiff(file: File, end: int, accept_length: bool) -> Reading:
    place, common = 12, 0
    for _ in range(_MOST_CHUNKS):
        if place + 8 > end:
            break
        file.seek(place)
        name, size = struct.unpack(">4sI", file.read(8))
        if name == b"COMM":
            common = place
        if name == b"SSND":
            there = end - place - 16
            unknown = size in (0, 8, 0xFFFF_FFFF) or (accept_length and size - 8 > there)
            if not unknown or there <= 0 or not common:
                return Reading()
            file.seek(common + 8)
            form = file.read(8)
            channels, _, bits = struct.unpack(">HIH", form)
            frames = there // max(channels * -(-bits // 8), 1)
            parts: list[Part] = [
                (0, common + 10),
                struct.pack(">I", frames),
                (common + 14, place + 4),
                struct.pack(">I", there + 8),
                (place + 8, end),
            ]
            return Reading(
                (Spliced(file, parts),), notes=(_taken(max(size - 8, 0) if size < 1 << 31 else 0, there),)
            )
        place += 8 + size + size % 2
    return Reading()


def _caf(file: File, end: int, accept_length: bool) -> Reading:
    place = 8
    for _ in range(_MOST_CHUNKS):
        if place + 12 > end:
            break
        file.seek(place)
        name, size = struct.unpack(">4sq", file.read(12))
        if name == b"data":
            there = end - place - 12
            if there > 4 and (size in (-1, 0) or (accept_length and size > there)):
                parts: list[Part] = [(0, place + 4), struct.pack(">q", there), (place + 12, end)]
                notes = () if size == -1 else (_taken(size, there - 4),)
                return Reading((Spliced(file, parts),), notes=notes)
            return Reading()
        place += 12 + max(size, 0)
    return Reading()


def _w64(file: File, end: int, accept_length: bool) -> Reading:
    place = 40
    for _ in range(_MOST_CHUNKS):
        if place + 24 > end:
            break
        file.seek(place)
        head = file.read(24)
        size = int(struct.unpack("<Q", head[16:])[0])
        if head[:16] == _W64_DATA:
            there = end - place - 24
            unknown = size in (0, 24) or size >= _UNKNOWN or (accept_length and size - 24 > there)
            if not unknown or there <= 0:
                return Reading()
            parts: list[Part] = [
                (0, 16),
                struct.pack("<Q", end),
                (24, place + 16),
                struct.pack("<Q", there + 24),
                (place + 24, end),
            ]
            return Reading(
                (Spliced(file, parts),), notes=(_taken(size - 24 if 24 < size < _UNKNOWN else 0, there),)
            )
        place += (max(size, 24) + 7) & ~7
    return Reading()
