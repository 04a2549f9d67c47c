"""What a journal's file holds: frames, each whole or not there.

    stemloom journal v2\\n
    frame: length (uint32 big-endian) || CRC-32 of the payload (uint32) || payload
    payload, by its first byte:
        C  JSON of `Carried`: what the file before this one left open; only as the first frame
        W  nothing: all that the file takes over from those that it replaces stands before this
        I  JSON of a list of `Intention`
        H  JSON of a list of `Sounding`: what was heard so far of what sounds, instead of what was said before
        E  entries, as an entry bundle holds them
        P  how many (uint32) || the number of each placement in its session (uint64) || their entries as in E

A session's files follow each other: a new one begins whenever what the last one holds is handed to the log.
Where a power loss has cut a frame short, or left what never was written, it ends what can be read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from ..entries.entries import Session, Tier, Use
from ..errors import BadEntry
from ..tlog.tiles import bundle, split_bundle

__all__ = [
    "MAGIC",
    "WHOLE",
    "Carried",
    "Found",
    "Intention",
    "Sounding",
    "carried_frame",
    "entries_frame",
    "intentions_frame",
    "placements_frame",
    "read_journal",
    "sounding_frame",
]

MAGIC = b"stemloom journal v2\n"
_FRAME = struct.Struct(">II")
_COUNT = struct.Struct(">I")


class Intention(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A placement that is about to sound, by its number `id` in the session: all that its entry will say.

    `start_frame` and `frames` are as planned. `since`: the time of the grant that it rests on.
    """

    id: int
    session: str
    stem: str
    use: Use
    tier: Tier
    role: str
    part: str
    section: str
    line: int
    start_frame: int
    frames: int
    rate: int
    consent: int
    since: str


class Sounding(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How long a placement has been heard so far. `start`: RFC 3339."""

    id: int
    start_frame: int
    end_frame: int
    frames: int
    start: str


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it stands where a file begins: what its entries so far add up to, and what is open."""

    boot: str = ""
    """Of the run of the machine: see `page.boot`."""
    replaces: tuple[int, ...] = ()
    """The numbers of the files that could not be relied on, and whose content this one has as well."""
    session: Session | None = None
    closed: bool = False
    placements: int = 0
    ms: int = 0
    intentions: tuple[Intention, ...] = ()
    sounding: tuple[Sounding, ...] = ()


@dataclass(slots=True)
class Found:
    """What a journal's file holds."""

    carried: Carried = field(default_factory=Carried)
    whole: bool = False
    """Whether it was ever used: one that was not has nothing that the file before it has not."""
    entries: list[bytes] = field(default_factory=list)
    """Canonical bytes, in the order written."""
    intentions: dict[int, Intention] = field(default_factory=dict)
    """By number, of the carried ones too, those that became no entry here."""
    sounding: tuple[Sounding, ...] = ()
    length: int = 0
    """Bytes up to the end of the last whole frame."""
    damaged: bool = False
    """A whole frame follows that is not what was written: more than a write that was cut short."""


def _frame(kind: bytes, body: bytes) -> bytes:
    payload = kind + body
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


WHOLE = _frame(b"W", b"")


def carried_frame(carried: Carried) -> bytes:
    return _frame(b"C", msgspec.json.encode(carried))


def intentions_frame(intentions: Sequence[Intention]) -> bytes:
    return _frame(b"I", msgspec.json.encode(intentions))


def sounding_frame(sounding: Sequence[Sounding]) -> bytes:
    return _frame(b"H", msgspec.json.encode(sounding))


def entries_frame(entries: Sequence[bytes]) -> bytes:
    """`entries`: canonical."""
    return _frame(b"E", bundle(entries))


def placements_frame(ids: Sequence[int], entries: Sequence[bytes]) -> bytes:
    """`entries`: canonical, of the placements `ids`."""
    head = _COUNT.pack(len(ids)) + struct.pack(f">{len(ids)}Q", *ids)
    return _frame(b"P", head + bundle(entries))


def read_journal(data: bytes) -> Found:
    """What the bytes of a journal's file hold, up to the first frame that is not whole."""
    found = Found()
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


def _take(found: Found, payload: bytes) -> None:
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
        for each in msgspec.json.decode(body, type=list[Intention]):
            found.intentions[each.id] = each
    elif kind == b"H":
        found.sounding = msgspec.json.decode(body, type=tuple[Sounding, ...])
    elif kind == b"C":
        found.carried = msgspec.json.decode(body, type=Carried)
        found.intentions = {each.id: each for each in found.carried.intentions}
        found.sounding = found.carried.sounding
        found.whole = not found.carried.replaces
    elif kind == b"W":
        found.whole = True
    else:
        raise BadEntry(f"a frame of the kind {kind!r} is of another version")
