"""WAV and its kin (IBM and Microsoft 1991; RF64 of EBU Tech 3306, BW64 of ITU-R BS.2088).

A chunk that was padded to four bytes, or not at all, is found nevertheless; a length of 0 means all that
follows. What libsndfile would misread is read behind a header of our own.
"""

from __future__ import annotations

import struct

from ...errors import Refused
from .mpeg import examine_mp3
from .reading import File, Reading, Spliced

_PCM, _ADPCM, _IMA, _MP3 = 1, 2, 0x11, 0x55
_MOST_CHUNKS = 10_000
_MOST_KEPT = 1 << 16
"""The longest `fmt` or `fact` chunk that is one."""
_NAMES = frozenset((
    b"fmt ", b"fact", b"data", b"LIST", b"PEAK", b"bext", b"iXML", b"acid", b"smpl", b"inst", b"cue ",
    b"plst", b"id3 ", b"ID3 ", b"JUNK", b"junk", b"FLLR", b"PAD ", b"ds64", b"axml", b"chna", b"qlty",
    b"levl", b"minf", b"elm1", b"regn", b"umid", b"DISP", b"strc", b"cart", b"LGWV", b"ResU", b"AFAn",
))  # fmt: skip


def examine_wav(file: File, end: int, accept_length: bool) -> Reading | None:
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    order = ">" if head[:4] == b"RIFX" else "<"
    chunks, odd = _chunks(file, end, order)
    if b"data" not in chunks or b"fmt " not in chunks:
        return None
    form = _content(file, chunks[b"fmt "])
    fact = _content(file, chunks[b"fact"]) if b"fact" in chunks else b""
    if len(form) < 14:
        return None
    tag = struct.unpack(order + "H", form[:2])[0]
    start, size = chunks[b"data"]
    there = max(end - start, 0)
    notes: tuple[str, ...] = ()
    # Its items may be padded in other ways, over which libsndfile loses its place.
    mend = odd or head[:4] == b"BW64" or b"LIST" in chunks
    if head[:4] in (b"RF64", b"BW64") and size == 0xFFFF_FFFF and b"ds64" in chunks:
        size = struct.unpack("<Q", _content(file, chunks[b"ds64"])[8:16].ljust(8, b"\0"))[0]
    if size == 0 and there and not _goes_on(file, start, end, order):
        notes = (f"its header says 0 bytes of sound, and {there} follow: all of them were taken",)
        size, mend = there, True
    if size > there and accept_length:
        notes = (f"its header promises {size} bytes of sound, and the {there} that are there were taken",)
        size, mend = there, True
    if tag == _MP3:
        found = examine_mp3(file, start + min(size, there), accept_length, start)
        if found is None:
            raise Refused("it says that it holds MP3, and no frame of MP3 is in it")
        return found
    frames = None
    if tag in (_ADPCM, _IMA) and len(fact) >= 4:
        frames = struct.unpack(order + "I", fact[:4])[0] or None
    if not mend or size > there:
        return Reading(frames=frames, notes=notes)
    body = b"WAVE" + _chunk(b"fmt ", form, order) + (_chunk(b"fact", fact, order) if fact else b"")
    body += b"data" + struct.pack(order + "I", size)
    whole = (b"RIFX" if order == ">" else b"RIFF") + struct.pack(
        order + "I", min(len(body) + size, 0xFFFF_FFFF)
    )
    return Reading((Spliced(file, [whole + body, (start, start + size)]),), frames, notes)


def _chunk(name: bytes, content: bytes, order: str) -> bytes:
    return name + struct.pack(order + "I", len(content)) + content + bytes(len(content) % 2)


def _content(file: File, chunk: tuple[int, int]) -> bytes:
    file.seek(chunk[0])
    return file.read(min(chunk[1], _MOST_KEPT))


def _chunks(file: File, end: int, order: str) -> tuple[dict[bytes, tuple[int, int]], bool]:
    """Start and size of the first chunk of each name, up to the sound; whether one was padded otherwise."""
    found: dict[bytes, tuple[int, int]] = {}
    place, odd = 12, False
    for _ in range(_MOST_CHUNKS):
        moved = _next(file, place, end)
        if moved is None:
            break
        odd = odd or (moved != place and b"data" not in found)
        place = moved
        file.seek(place)
        name, size = struct.unpack(order + "4sI", file.read(8))
        found.setdefault(name, (place + 8, size))
        if name == b"data" and b"fmt " in found:
            break
        place += 8 + size + size % 2
    return found, odd


def _next(file: File, place: int, end: int) -> int | None:
    """Where the chunk begins that should begin here: one that was padded otherwise lies beside it."""
    for moved in (place, place - 1, place + 1, place + 2, place + 3):
        if moved + 8 > end:
            continue
        file.seek(moved)
        name = file.read(4)
        if name in _NAMES or (moved == place and _printable(name)):
            return moved
    return None


def _printable(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= each < 127 for each in name)


def _goes_on(file: File, place: int, end: int, order: str) -> bool:
    """Whether chunks follow up to the end, so that a sound of no length is meant."""
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack(order + "4sI", file.read(8))
        if name not in _NAMES:
            return False
        place += 8 + size + size % 2
    return place in (end, end + 1)
