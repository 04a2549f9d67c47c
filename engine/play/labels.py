"""The words on an output file: what it is, which session made it, and which recordings it holds.

An ISRC names one recording, and a mix is another than those in it. So the stems' ISRCs stand in the comment
and not in the field for the ISRC of the file itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ... import __version__

MOST_ISRCS = 1000
"""How many are written; the ledger has all."""
MOST_BYTES = 60_000
SOFTWARE = f"Stemloom {__version__}"


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written on a file. `time`: when its session was opened, ISO 8601 in UTC, or empty."""

    title: str
    artist: str | None
    piece: str
    session: str
    time: str
    isrcs: tuple[str, ...]

    @property
    def date(self) -> str:
        return self.time[:10]

    @property
    def comment(self) -> str:
        """The piece, the session, its date and the stems' ISRCs, in a line."""
        of = f" of {self.date}" if self.date else ""
        found = f'"{self.piece}", session {self.session}{of}'
        if self.isrcs:
            found += f"; made of recordings with the ISRCs {', '.join(self.isrcs[:MOST_ISRCS])}"
        return found

    @property
    def fields(self) -> dict[str, str]:
        """By libsndfile's name of each field."""
        found = {
            "title": self.title,
            "artist": self.artist or "",
            "album": self.piece,
            "date": self.date,
            "comment": self.comment,
            "software": SOFTWARE,
        }
        return {name: text for name, text in found.items() if text}


_NAMES = {
    "title": (b"INAM", b"TIT2"),
    "artist": (b"IART", b"TPE1"),
    "album": (b"IPRD", b"TALB"),
    "date": (b"ICRD", b"TDRC"),
    "comment": (b"ICMT", b"COMM"),
    "software": (b"ISFT", b"TSSE"),
}
"""What INFO and ID3 call each field."""


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of RIFF: its name, its length and its body, on an even number of bytes."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def info(labels: Labels) -> bytes:
    """The labels as a LIST chunk of INFO, in UTF-8 (Multimedia Programming Interface 1.0)."""
    items = [chunk(_NAMES[name][0], text.encode() + b"\0") for name, text in labels.fields.items()]
    return chunk(b"LIST", b"INFO" + b"".join(items))


def bext(labels: Labels, history: str) -> bytes:
    """The labels as a chunk of the Broadcast Wave Format, version 1 (EBU Tech 3285), in ASCII."""

    def text(words: str, length: int) -> bytes:
        return words.encode("ascii", "replace")[:length].ljust(length, b"\0")

    return chunk(
        b"bext",
        text(labels.title, 256)
        + text(SOFTWARE, 32)
        + text(labels.session, 32)
        + text(labels.date, 10)
        + text(labels.time[11:19], 8)
        + struct.pack("<QH", 0, 1)
        + bytes(64 + 190)
        + f"{history}\r\n".encode("ascii"),
    )


def id3(labels: Labels) -> bytes:
    """The labels as a tag of ID3v2.4, in UTF-8."""

    def safe(number: int) -> bytes:
        return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))

    frames = b""
    for name, text in labels.fields.items():
        body = b"\x03" + (b"eng\0" if name == "comment" else b"") + text.encode()
        frames += _NAMES[name][1] + safe(len(body)) + b"\0\0" + body
    return b"ID3\x04\0\0" + safe(len(frames)) + frames
