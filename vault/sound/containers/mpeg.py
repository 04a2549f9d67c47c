"""MP3 (ISO 11172-3, 13818-3): its frames are counted, as nothing else tells its length for sure.

Without a Xing or Info tag (Xing VBR header revision 1.0) a decoder estimates the length from the first frame.
Such a file is read with a tag in front of it that has the number of its frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ...errors import Refused
from .reading import File, Reading, Spliced

_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SEARCHED = 1 << 20
"""How far into a file its first frame is looked for."""
_SURE_FRAMES = 3
_DECODER_DELAY = 529


@dataclass(frozen=True, slots=True)
class _Frame:
    version: int
    rate: int
    mono: bool
    size: int

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    @property
    def tag_at(self) -> int:
        """Where in the frame a Xing tag would be."""
        side = (17 if self.mono else 32) if self.version == 3 else (9 if self.mono else 17)
        return 4 + side


def _frame(head: bytes) -> _Frame | None:
    """The frame of layer III that begins with these four bytes."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer != 1 or rate == 3 or not 0 < kbits < 15:
        return None
    hertz = _RATES[version][rate]
    bits = (_KBITS_1 if version == 3 else _KBITS_2)[kbits]
    size = (144 if version == 3 else 72) * 1000 * bits // hertz + (head[2] >> 1 & 1)
    return _Frame(version, hertz, head[3] >> 6 == 3, size)


def examine_mp3(file: File, end: int, accept_length: bool, begin: int = 0) -> Reading | None:
    """An MP3 that begins at `begin`, after tags, zeros or junk, and goes up to `end`."""
    first = _first(file, begin, end)
    if first is None:
        return None
    frames, at, whole = _count(file, first, end)
    file.seek(first)
    head = file.read(512)
    kind = _frame(head)
    assert kind is not None
    tag = head[kind.tag_at : kind.tag_at + 12]
    tagged = tag[:4] in (b"Xing", b"Info")
    promised = None
    if tagged and tag[7] & 1:
        promised = struct.unpack(">I", tag[8:12])[0]
        frames -= 1
    if promised is not None and frames < promised and not accept_length:
        seconds = kind.samples / kind.rate
        raise Refused(
            f"the file is cut short: its header promises {promised * seconds:.2f} s "
            f"and it holds {frames * seconds:.2f} s; what is there is taken with --accept-length"
        )
    if not whole and not accept_length:
        raise Refused("the file is cut short: its last frame is not whole")
    own = tagged or head[36:40] == b"VBRI"
    if own and promised is not None and frames >= promised and _tagged_at(file, begin, first):
        return Reading()
    if own and promised is not None and frames >= promised:
        return Reading((Spliced(file, [(first, end)]),))
    rest = first + kind.size if own else first
    return Reading((Spliced(file, [_info(head, kind, frames, at - rest), (rest, at)]),))


def _tagged_at(file: File, begin: int, first: int) -> bool:
    """Whether nothing but an ID3 tag is in front, which decoders know."""
    return begin == 0 and first == _after_id3(file, 0)


def _after_id3(file: File, at: int) -> int:
    """Where an ID3v2 tag at this place ends (ID3v2.4.0 structure, 3.1)."""
    file.seek(at)
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return at
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return at + 10 + size + (10 if head[5] & 0x10 else 0)


def _first(file: File, begin: int, end: int) -> int | None:
    """Where the first of several frames in a row is."""
    begin = _after_id3(file, begin)
    file.seek(begin)
    searched = file.read(min(_SEARCHED, max(end - begin, 0)))
    stripped = len(searched) - len(searched.lstrip(b"\0"))
    after = _after_id3(file, begin + stripped)
    if after > begin + stripped:
        return _first(file, after, end)
    at = searched.find(b"\xff", stripped)
    while at >= 0:
        if _in_a_row(file, begin + at, end):
            return begin + at
        at = searched.find(b"\xff", at + 1)
    return None


def _in_a_row(file: File, at: int, end: int) -> bool:
    kind = None
    for _ in range(_SURE_FRAMES):
        if kind is not None and at == end:
            return True
        file.seek(at)
        found = _frame(file.read(4))
        if found is None or (kind is not None and (found.version, found.rate) != (kind.version, kind.rate)):
            return False
        kind, at = found, at + found.size
    return True


def _count(file: File, at: int, end: int) -> tuple[int, int, bool]:
    """The number of whole frames, where the last one ends, and whether no part of one follows."""
    frames = 0
    while True:
        file.seek(at)
        found = _frame(file.read(4)) if at + 4 <= end else None
        if found is None:
            return frames, at, True
        if at + found.size > end:
            return frames, at, False
        frames, at = frames + 1, at + found.size


def _info(head: bytes, kind: _Frame, frames: int, size: int) -> bytes:
    """Two frames to go in front of so many frames and bytes: an Info tag, and a silent one.

    A decoder that knows LAME's tag leaves out its own delay and the encoder's. Together they are made the
    silent frame, so that what comes out is all that the frames hold, from the first sample on.
    """
    kbits = 5 if kind.version == 3 else 8
    made = bytes([head[0], head[1] | 1, kbits << 4 | head[2] & 0x0C, head[3]])
    silent = _frame(made)
    assert silent is not None
    delay, padding = silent.samples - _DECODER_DELAY, _DECODER_DELAY
    tag = b"Info" + struct.pack(">III", 3, frames + 1, size + 2 * silent.size)
    tag += b"LAME3.100" + bytes(12) + (delay << 12 | padding).to_bytes(3, "big") + bytes(12)
    return (made + bytes(silent.tag_at - 4) + tag).ljust(silent.size, b"\0") + made.ljust(silent.size, b"\0")
