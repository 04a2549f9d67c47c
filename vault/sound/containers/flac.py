"""FLAC (RFC 9639): its length and its MD5 are those of the sound, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence

from .reading import File, Part, Reading, Spliced

_STREAMINFO = 34


def examine_flac(file: File, end: int, accept_length: bool) -> Reading | None:
    begin = _after_id3(file)
    file.seek(begin)
    head = file.read(8 + _STREAMINFO)
    if head[:4] != b"fLaC" or len(head) < 8 + _STREAMINFO or head[4] & 0x7F:
        return None
    info = head[8:]
    packed = int.from_bytes(info[10:18], "big")
    frames, bits = packed & (1 << 36) - 1, (packed >> 36 & 31) + 1
    md5 = info[18:34] if any(info[18:34]) and bits <= 24 else None
    streams = (Spliced(file, [(begin, end)]),) if begin else ()
    return Reading(streams, frames or None, (), md5, bits)


def _after_id3(file: File) -> int:
    file.seek(0)
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return 0
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def with_streaminfo(file: File, packets: Sequence[Sequence[Part]]) -> Spliced:
    """FLAC in Ogg as native FLAC: the first packet has 9 bytes of its own before "fLaC" (RFC 9639, 10.1)."""
    first = packets[0][0]
    assert isinstance(first, tuple)
    parts: list[Part] = [(first[0] + 9, first[1]), *(part for packet in packets[1:] for part in packet)]
    return Spliced(file, parts)
