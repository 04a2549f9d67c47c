"""The page of a session: its sounding placements and their frames heard, in memory that outlives the process.

    magic               8 bytes
    header              int64 little-endian, by `Layout`: the places and forms of the tables below
    CRC-32 of both      int64
    anchor              int64: the number of the valid pair of two; frame and ms since 1970, twice
    counted             the same for how many placements that were heard have ended, and the last one's number
    ...                 the mixer's own tables of voices and of reports, at the places that the header says

The mixer works in these tables, so that nothing has to be copied while it mixes. A process that is killed
leaves them as they were at most one block after its last output. The process that adopts the session's
journal reads them. A report that was being written has another number than its place asks for.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import astuple, dataclass, fields

_MAGIC = b"stemlpg1"
_INT = struct.Struct("<q")
_BOOT = struct.Struct("<36s4x")


@dataclass(frozen=True, slots=True)
class Layout:
    """The places in a page, in bytes from its beginning, each number an int64.

    `free` is the phase of a voice without a placement. A report's `number` counts from 1, and the report lies
    at that place, less one, modulo `reports`; `ended` is the kind that counts.
    """

    rate: int
    frame_at: int
    """Frames mixed so far."""
    voices_at: int
    voices: int
    voice_size: int
    voice_id: int
    voice_phase: int
    voice_start: int
    voice_end: int
    voice_heard: int
    free: int
    reports_at: int
    reports: int
    report_size: int
    report_number: int
    report_kind: int
    report_id: int
    report_start: int
    report_end: int
    report_heard: int
    ended: int


_HEADER = struct.Struct(f"<8s{len(fields(Layout))}q")
_CRC_AT = _HEADER.size + _BOOT.size
ANCHOR_AT = -(-(_CRC_AT + _INT.size) // 64) * 64
"""The place of the anchor: five int64."""
_COUNTED_AT = ANCHOR_AT + 64
TABLES_AT = ANCHOR_AT + 64 + 64
"""The first place for a page's own tables, a multiple of 64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardFrames:
    """How many frames of a placement, by its number in the session, were in play.

    They lie from `start_frame` to `end_frame` (exclusive), as mixed. A placement that never began has none.
    """

    id: int
    start_frame: int
    end_frame: int
    frames: int


@dataclass(frozen=True, slots=True)
class Page:
    """The contents of a page: `heard` holds placements that sounded or had just ended."""

    rate: int
    heard: tuple[HeardFrames, ...]
    anchor: tuple[int, int] | None
    """A frame, and its ms since 1970."""
    ended: int = 0
    """How many placements that were heard have ended, as far as the session's process had counted."""
    counted: frozenset[int] = frozenset()
    """Those of `heard` that are among them."""

    def start_ms(self, frame: int) -> int | None:
        """When the frame was mixed, in ms since 1970."""
        if self.anchor is None:
            return None
        at, ms = self.anchor
        return ms + (frame - at) * 1000 // self.rate


def write_header(page: memoryview, layout: Layout, boot: str) -> None:
    """Make a page of zeros readable. To be called when all tables are in place.

    `boot`: the id of this run of the machine (`Disk.boot`).
    """
    head = _HEADER.pack(_MAGIC, *astuple(layout)) + _BOOT.pack(boot.encode())
    page[: len(head)] = head
    page[_CRC_AT : _CRC_AT + _INT.size] = _INT.pack(zlib.crc32(head))


def read_page(data: bytes, boot: str) -> Page | None:
    """The contents of a page; None for an unfinished one, or one of another run of the machine."""
    if len(data) < TABLES_AT or data[:8] != _MAGIC:
        return None
    head = data[:_CRC_AT]
    if _int(data, _CRC_AT) != zlib.crc32(head) or head[_HEADER.size :] != _BOOT.pack(boot.encode()):
        return None
    layout = Layout(*_HEADER.unpack_from(data)[1:])
    now = _int(data, layout.frame_at)
    found: dict[int, HeardFrames] = {}
    for n in range(layout.voices):
        at = layout.voices_at + n * layout.voice_size
        if _int(data, at + layout.voice_phase) != layout.free:
            id = _int(data, at + layout.voice_id)
            start, end = _int(data, at + layout.voice_start), _int(data, at + layout.voice_end)
            frames = _int(data, at + layout.voice_heard)
            found[id] = HeardFrames(id=id, start_frame=start, end_frame=min(end, now), frames=frames)
    reports: list[tuple[int, int]] = []
    for n in range(layout.reports):
        at = layout.reports_at + n * layout.report_size
        number = _int(data, at + layout.report_number)
        if number == 0 or (number - 1) % layout.reports != n:
            continue
        if _int(data, at + layout.report_kind) == layout.ended:
            id = _int(data, at + layout.report_id)
            reports.append((number, id))
            start, end = _int(data, at + layout.report_start), _int(data, at + layout.report_end)
            frames = _int(data, at + layout.report_heard)
            found[id] = HeardFrames(id=id, start_frame=start, end_frame=end, frames=frames)
    ended, last = _pair(data, _COUNTED_AT) or (0, -1)
    over = [id for _, id in sorted(reports)]
    if last in over:
        counted = over[: over.index(last) + 1]
    else:
        # What still sounds is counted only when everything was cut at the session's end.
        counted = list(found) if last in found else []
    return Page(layout.rate, tuple(found.values()), _pair(data, ANCHOR_AT), ended, frozenset(counted))


def set_anchor(page: memoryview, frame: int, ms: int) -> None:
    """Write the time at which a frame was mixed."""
    _set_pair(page, ANCHOR_AT, frame, ms)


def set_counted(page: memoryview, count: int, last: int) -> None:
    """Write how many placements that were heard have ended, and the number of the last one."""
    _set_pair(page, _COUNTED_AT, count, last)


def _set_pair(page: memoryview, at: int, one: int, two: int) -> None:
    """Write into the pair that is not valid first, then its number."""
    (which,) = _INT.unpack_from(page, at)
    other = 2 if which == 1 else 1
    struct.pack_into("<2q", page, at + 8 + 16 * (other - 1), one, two)
    _INT.pack_into(page, at, other)


def _pair(data: bytes, at: int) -> tuple[int, int] | None:
    """The inverse."""
    which, *pairs = struct.unpack_from("<5q", data, at)
    return (pairs[2 * (which - 1)], pairs[2 * which - 1]) if which in (1, 2) else None


def _int(data: bytes, at: int) -> int:
    number: int = _INT.unpack_from(data, at)[0]
    return number
