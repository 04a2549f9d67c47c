"""The chunks of samplers in WAV and AIFF: acid, smpl, inst, bext, iXML, and those of Apple Loops.

Layouts: acid as its readers describe it (its maker published none); smpl and inst by Microsoft 1994; bext by
EBU Tech 3285; iXML 2.0; INST by Apple 1989; `basc` of Apple Loops in AIFF as libsndfile reads it. Apple Loops
in CAF have texts in a `uuid` chunk, laid out like those of `info` in Apple's Core Audio Format Specification.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import unescape

from ....ground.pitch import NOTES, TONICS
from .tag import Reader, Tags

_MOST_CHUNKS, _MOST_BYTES = 1_000, 1 << 18
_ONE_SHOT, _ROOTED = 1, 2
_APPLE_MODES = {1: " minor", 2: " major"}
_APPLE_LOOP = bytes.fromhex("29819273b5bf4aefb78d62d1ef90bb2c")
_METER = re.compile(r"\s*([0-9]{1,5})\s*/\s*([0-9]{1,5})\s*", re.ASCII)


def tags_of_chunks(path: Path) -> Iterator[Tags]:
    """What they say; nothing of chunks that are cut or make no sense."""
    with open(path, "rb") as file:
        for name, content, order in _chunks(file):
            if name == b"acid" and len(content) >= 24:
                yield from _acid(content, order)
            elif name == b"smpl" and len(content) >= 16:
                yield from _smpl(content, order)
            elif name.lower() == b"inst" and content:
                yield from _rooted(Reader(f"{name.decode()} chunk"), content[0]).tags()
            elif name == b"iXML":
                yield from _ixml(content)
            elif name == b"bext":
                yield from _bext(content)
            elif name == b"basc" and len(content) >= 20:
                yield from _apple(content)
            elif name == b"uuid" and content.startswith(_APPLE_LOOP):
                yield from _texts("Apple Loops chunk", content[16:])
            elif name == b"info":
                yield from _texts("info chunk", content)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes, str]]:
    """The chunks of a RIFF, AIFF or CAF file: name, content as far as it is worth reading, byte order."""
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX"):
        place, order, form, even = 12, ">" if head[:4] == b"RIFX" else "<", "4sI", True
    elif head[:4] == b"FORM":
        place, order, form, even = 12, ">", "4sI", True
    elif head[:4] == b"caff":
        place, order, form, even = 8, ">", "4sq", False
    else:
        return
    long = struct.calcsize(order + form)
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        header = file.read(long)
        if len(header) < long:
            return
        name, size = struct.unpack(order + form, header)
        if name != b"data":
            yield name, file.read(min(max(size, 0), _MOST_BYTES)), order
        elif size < 0:
            return
        place += long + max(size, 0) + (size % 2 if even else 0)


def _acid(content: bytes, order: str) -> Iterator[Tags]:
    flags, root = struct.unpack(order + "IH", content[:6])
    beats, note, in_bar, tempo = struct.unpack(order + "IHHf", content[12:24])
    reader = Reader("acid chunk")
    if flags & _ROOTED and 0 < root < 128:
        reader.root(TONICS[root % 12])
    if flags & _ONE_SHOT:
        # Its tempo is that of its maker's project.
        reader.one_shot()
    else:
        reader.tempo(tempo)
        reader.beats(beats)
        reader.meter(in_bar, note)
    yield from reader.tags()


def _smpl(content: bytes, order: str) -> Iterator[Tags]:
    reader = _rooted(Reader("smpl chunk"), struct.unpack(order + "I", content[12:16])[0])
    if len(content) >= 52 and struct.unpack(order + "I", content[28:32])[0]:
        reader.loop(*struct.unpack(order + "II", content[44:52]))
    yield from reader.tags()


def _rooted(reader: Reader, note: int) -> Reader:
    # 0 and 60 are what is written where nobody chose a note.
    if 0 < note < 128 and note != 60:
        reader.root(TONICS[note % 12])
    return reader


def _ixml(content: bytes) -> Iterator[Tags]:
    text = content.decode("utf-8", "replace")
    reader = Reader("iXML chunk")
    takes = {"TEMPO": reader.tempo, "BPM": reader.tempo, "KEY": reader.key, "TITLE": reader.title}
    for name, take in takes.items():
        found = re.search(rf"<{name}>([^<]{{1,200}})</{name}>", text, re.IGNORECASE)
        if found is not None:
            take(unescape(found[1]).strip())
    yield from reader.tags()


def _bext(content: bytes) -> Iterator[Tags]:
    """Its description may name a tempo or an ISRC as `bpm=120` does."""
    text = content[:256].split(b"\0")[0].decode("latin-1")
    reader = Reader("bext chunk")
    if (found := re.search(r"\b(?:bpm|tempo)\s*[=:]\s*([0-9.,]{2,7})", text, re.IGNORECASE)) is not None:
        reader.tempo(found[1])
    isrc = r"\bISRC\s*[=:]?\s*([A-Z]{2}-?[A-Z0-9]{3}-?[0-9]{2}-?[0-9]{5})\b"
    if (found := re.search(isrc, text)) is not None:
        reader.isrc(found[1])
    yield from reader.tags()


def _apple(content: bytes) -> Iterator[Tags]:
    _, beats, note, mode, in_bar, value, kind = struct.unpack(">IIHHHHH", content[:18])
    reader = Reader("Apple Loops chunk")
    if kind == 1:
        reader.one_shot()
    else:
        reader.beats(beats)
        reader.meter(in_bar, value)
    if mode in _APPLE_MODES and 0 < note < 128:
        reader.key(TONICS[note % 12] + _APPLE_MODES[mode])
    yield from reader.tags()


def _texts(source: str, content: bytes) -> Iterator[Tags]:
    """A number of pairs, and their names and values, each of which a zero ends."""
    each = [text[:200].decode("utf-8", "replace") for text in content[4:].split(b"\0", 2 * _MOST_CHUNKS)]
    values = dict(zip(each[::2], each[1::2], strict=False))
    reader = Reader(source)
    for name, take in {"tempo": reader.tempo, "beat count": reader.beats, "title": reader.title}.items():
        if values.get(name, "").strip():
            take(values[name])
    meter = _METER.fullmatch(values.get("time signature", ""))
    if meter is not None:
        reader.meter(int(meter[1]), int(meter[2]))
    key, mode = values.get("key signature", "").strip(), values.get("key type", "").strip().lower()
    if mode in ("", "major", "minor"):
        reader.key(f"{key} {mode}".strip())
    elif re.fullmatch("[A-G][#b]?", key):
        # Its type is "both" or "neither".
        reader.root(TONICS[NOTES[key]])
    yield from reader.tags()
