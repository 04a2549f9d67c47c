"""The content of a journal's file: frames, each whole or not there.

    stemloom journal v2\\n
    frame: length (uint32 big-endian) || CRC-32 of the payload (uint32) || payload
    payload, by its first byte:
        C  JSON of `Carried`: what the file before this one left open; only as the first frame
        W  nothing: all that the file takes over from the files that it replaces stands before this frame
        I  JSON of a list of `IntentionRow`
        H  JSON of a list of `SoundingRow`: what was heard so far of what sounds; it replaces the one before
        E  entries, as an entry bundle holds them
        P  count (uint32) || the number of each placement in its session (uint64) || their entries as in E

A session's files follow each other: a new one begins whenever what the last one holds is handed to the log.
A frame that a power loss has cut short, or filled with what never was written, ends what can be read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec

from ..entries.entries import Placement, Session, Tier, Use, ms_of
from ..errors import BadEntry
from ..tlog.tiles import bundle, split_bundle
from .session_page import HeardFrames

MAGIC = b"stemloom journal v2\n"
_FRAME = struct.Struct(">II")
_COUNT = struct.Struct(">I")

IntentionRow = tuple[int, str, str, Use, Tier, str, str, str, int, int, int, int, int, str]
"""The number of a placement in its session, then the fields `_AHEAD` of the entry that it will become."""
_AHEAD = (
    *("session", "stem", "use", "tier", "role", "part", "section", "line"),
    *("start_frame", "frames", "rate", "consent", "start"),
)
_ahead = attrgetter(*_AHEAD)
SoundingRow = tuple[int, int, int, int, str]
"""Number in the session, start frame, end frame and frames in play of a placement; its start, RFC 3339."""
Sounding = tuple[HeardFrames, str]
"""What was heard so far of a placement that sounds, and its start, RFC 3339."""


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it stands where a file begins: the sums of its entries so far, and what is open."""

    boot: str = ""
    """The run of the machine, as `Disk.boot` tells it."""
    replaces: tuple[int, ...] = ()
    """The numbers of the unreliable files whose content this one repeats."""
    session: Session | None = None
    closed: bool = False
    placements: int = 0
    ms: int = 0
    greatest: int | msgspec.UnsetType = msgspec.UNSET
    """The greatest number of a placement that was intended so far, -1 before the first."""
    intentions: tuple[IntentionRow, ...] = ()
    sounding: tuple[SoundingRow, ...] = ()


@dataclass(slots=True)
class JournalContent:
    """The content of a journal's file, as it was read."""

    carried: Carried = field(default_factory=Carried)
    whole: bool = False
    """Whether it was ever used. An unused file holds nothing that the file before it does not hold."""
    entries: list[bytes] = field(default_factory=list)
    """Canonical bytes, in the order written."""
    intentions: dict[int, Placement] = field(default_factory=dict)
    """By number, carried or new, the intended placements that became no entry in this file."""
    greatest: int | None = None
    """The greatest number of a placement that was ever intended; None where that is not known."""
    sounding: tuple[Sounding, ...] = ()
    length: int = 0
    """Bytes up to the end of the last whole frame."""
    damaged: bool = False
    """Whether a whole frame follows that was not written so: more than a write that was cut short."""


def _frame(kind: bytes, body: bytes) -> bytes:
    payload = kind + body
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


WHOLE = _frame(b"W", b"")


def carried_frame(carried: Carried) -> bytes:
    return _frame(b"C", msgspec.json.encode(carried))


def intention_rows(intentions: Mapping[int, Placement]) -> tuple[IntentionRow, ...]:
    """Intended placements as they are written.

    Each is, by its number in the session, the entry that it will become, with what is known ahead: `frames`
    and `start_frame` as planned, and as `start` the time of the grant that it rests on.
    """
    return tuple((id, *_ahead(entry)) for id, entry in intentions.items())


def intentions_frame(intentions: Mapping[int, Placement]) -> bytes:
    return _frame(b"I", msgspec.json.encode(intention_rows(intentions)))


def sounding_rows(sounding: Iterable[Sounding]) -> tuple[SoundingRow, ...]:
    return tuple((h.id, h.start_frame, h.end_frame, h.frames, start) for h, start in sounding)


def sounding_frame(sounding: Iterable[Sounding]) -> bytes:
    return _frame(b"H", msgspec.json.encode(sounding_rows(sounding)))


def entries_frame(entries: Sequence[bytes]) -> bytes:
    """`entries`: canonical."""
    return _frame(b"E", bundle(entries))


def placements_frame(ids: Sequence[int], entries: Sequence[bytes]) -> bytes:
    """`entries`: canonical, of the placements `ids`."""
    head = _COUNT.pack(len(ids)) + struct.pack(f">{len(ids)}Q", *ids)
    return _frame(b"P", head + bundle(entries))


def read_journal(data: bytes) -> JournalContent:
    """What the bytes of a journal's file hold, up to the first frame that is not whole."""
    found = JournalContent()
    if not data.startswith(MAGIC):
        found.damaged = not MAGIC.startswith(data)
        return found
    view = memoryview(data)
    at = found.length = len(MAGIC)
    while at + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, at)
        payload = bytes(view[at + _FRAME.size : at + _FRAME.size + length])
        if length == 0 or len(payload) < length:
            # A length of nothing is what a file has that was made longer and never written.
            break
        try:
            if zlib.crc32(payload) != crc:
                raise BadEntry("a frame is not what was written")
            _take(found, payload)
        except (BadEntry, msgspec.DecodeError, struct.error):
            found.damaged = True
            break
        at += _FRAME.size + length
        found.length = at
    return found


def _take(found: JournalContent, payload: bytes) -> None:
    kind, body = payload[:1], payload[1:]
    if kind == b"E":
        found.entries += split_bundle(body)
    elif kind == b"P":
        (count,) = _COUNT.unpack_from(body)
        ids = struct.unpack_from(f">{count}Q", body, _COUNT.size)
        entries = split_bundle(body[_COUNT.size + 8 * count :])
        if len(entries) != count:
            raise BadEntry("a frame has another number of placements than it says")
        found.entries += entries
        for id in ids:
            found.intentions.pop(id, None)
    elif kind == b"I":
        intended = _intended(msgspec.json.decode(body, type=tuple[IntentionRow, ...]))
        found.intentions |= intended
        if found.greatest is not None:
            found.greatest = max((*intended, found.greatest))
    elif kind == b"H":
        found.sounding = _sounding(msgspec.json.decode(body, type=tuple[SoundingRow, ...]))
    elif kind == b"C":
        found.carried = msgspec.json.decode(body, type=Carried)
        found.intentions = _intended(found.carried.intentions)
        if not isinstance(found.carried.greatest, msgspec.UnsetType):
            found.greatest = found.carried.greatest
        found.sounding = _sounding(found.carried.sounding)
        found.whole = not found.carried.replaces
    elif kind == b"W":
        found.whole = True
    else:
        raise BadEntry(f"a frame of the kind {kind!r} is of another version")


def _intended(rows: Iterable[IntentionRow]) -> dict[int, Placement]:
    """The inverse of `intention_rows`."""
    found = {}
    for id, *values in rows:
        known: dict[str, Any] = dict(zip(_AHEAD, values, strict=True))
        found[id] = Placement(seq=0, ms=ms_of(known["frames"], known["rate"]), **known)
    return found


def _sounding(rows: Iterable[SoundingRow]) -> tuple[Sounding, ...]:
    """The inverse of `sounding_rows`."""
    return tuple(
        (HeardFrames(id=id, start_frame=first, end_frame=end, frames=frames), start)
        for id, first, end, frames, start in rows
    )
