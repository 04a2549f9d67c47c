"""Ogg (RFC 3533): its pages are walked, so that a cut, a gap and a second link are seen.

Links that follow each other are decoded one after the other; FLAC in Ogg is read as native FLAC.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ...errors import Refused
from .flac import examine_flac, with_streaminfo
from .reading import File, Part, Reading, Spliced

_BEGINS, _ENDS, _CONTINUES = 2, 4, 1
_MOST_LINKS = 100


@dataclass(slots=True)
class _Link:
    start: int
    serial: int
    head: bytes
    end: int = 0
    ended: bool = False
    pages: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Start and size of each page's content, and its lacing values."""


def examine_ogg(file: File, end: int, accept_length: bool) -> Reading | None:
    file.seek(0)
    if file.read(4) != b"OggS":
        return None
    links = _links(file, end, accept_length)
    if not links[-1].ended and not accept_length:
        raise Refused("the file is cut short: its last page does not end the stream")
    if any(link.head.startswith(b"\x7fFLAC") for link in links):
        if len(links) > 1:
            raise Refused("several FLAC streams one after the other in Ogg are not taken: export one FLAC")
        native = with_streaminfo(file, _packets(links[0]))
        read = examine_flac(native, native.seek(0, 2), accept_length)
        return (
            read
            if read is None or read.streams
            else Reading((native,), read.frames, read.notes, read.md5, read.bits)
        )
    for link in links:
        if not link.head.startswith((b"\x01vorbis", b"OpusHead")):
            kind = (
                "Speex"
                if link.head.startswith(b"Speex")
                else "video"
                if b"theora" in link.head
                else "another"
            )
            raise Refused(f"{kind} stream in Ogg is not taken: export Vorbis or Opus in Ogg, WAV or FLAC")
    if len(links) == 1:
        return Reading()
    return Reading(tuple(Spliced(file, [(link.start, link.end)]) for link in links))


def _links(file: File, end: int, accept_length: bool) -> list[_Link]:
    links: list[_Link] = []
    at, expected = 0, 0
    while at < end:
        file.seek(at)
        page = file.read(27)
        lacing = file.read(page[26]) if len(page) == 27 and page[:4] == b"OggS" else b""
        size = 27 + len(lacing) + sum(lacing)
        if not lacing and page[:4] != b"OggS":
            if links and links[-1].ended:
                break  # Tags of other programs may follow.
            raise Refused("it is damaged: what should be a page of Ogg is none")
        if at + size > end:
            if links and accept_length:
                break
            raise Refused("the file is cut short: its last page is not whole")
        kind, serial, number = page[5], *struct.unpack("<II", page[14:22])
        if kind & _BEGINS:
            if links and not links[-1].ended and links[-1].end == at and len(links[-1].pages) <= 1:
                raise Refused("several streams at once in Ogg are not taken: export one")
            if links and not links[-1].ended and not accept_length:
                raise Refused("it is damaged: a stream begins in it before the one before has ended")
            if len(links) >= _MOST_LINKS:
                raise Refused(f"more than {_MOST_LINKS} streams follow each other in it")
            file.seek(at + 27 + len(lacing))
            links.append(_Link(at, serial, file.read(min(sum(lacing), 64))))
        elif not links or serial != links[-1].serial:
            raise Refused("it is damaged: a page in it is of no stream")
        elif number != expected:
            raise Refused("it is damaged: pages are missing in the middle of it")
        expected = number + 1
        links[-1].pages.append((at + 27 + len(lacing), sum(lacing), lacing))
        links[-1].ended = bool(kind & _ENDS)
        at += size
        links[-1].end = at
    return links


def _packets(link: _Link) -> list[list[Part]]:
    """The packets of a link, each as the parts of the file that it lies in."""
    packets: list[list[Part]] = []
    now: list[Part] = []
    for start, _, lacing in link.pages:
        begin = at = start
        for value in lacing:
            at += value
            if value < 255:
                packets.append([*now, (begin, at)])
                now, begin = [], at
        if begin < at:
            now.append((begin, at))
    return packets
