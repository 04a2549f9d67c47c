"""A small page of a session, and what a mixer would have in it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from stemloom.ledger.log.session_page import TABLES_AT, HeardFrames, Layout

VOICES = 8
REPORTS = 8
_REPORTS_AT = TABLES_AT + 8 + VOICES * 40
PAGE = _REPORTS_AT + REPORTS * 48
LAYOUT = Layout(
    rate=48_000,
    frame_at=TABLES_AT,
    voices_at=TABLES_AT + 8,
    voices=VOICES,
    voice_size=40,
    voice_id=0,
    voice_phase=8,
    voice_start=16,
    voice_end=24,
    voice_heard=32,
    free=0,
    reports_at=_REPORTS_AT,
    reports=REPORTS,
    report_size=48,
    report_number=0,
    report_kind=8,
    report_id=16,
    report_start=24,
    report_end=32,
    report_heard=40,
    ended=1,
)


def show(page: memoryview, sounds: Sequence[HeardFrames]) -> None:
    """Have the page say that these sound."""
    struct.pack_into("<q", page, TABLES_AT, 1 << 40)
    for n in range(VOICES):
        struct.pack_into("<5q", page, TABLES_AT + 8 + 40 * n, 0, 0, 0, 0, 0)
    for n, each in enumerate(sounds):
        at = TABLES_AT + 8 + 40 * n
        struct.pack_into("<5q", page, at, each.id, 1, each.start_frame, each.end_frame, each.frames)


def report(page: memoryview, number: int, ended: HeardFrames) -> None:
    """Have the page say that this one has ended, as its report of that number, from 1."""
    at = _REPORTS_AT + 48 * ((number - 1) % REPORTS)
    fields = number, 1, ended.id, ended.start_frame, ended.end_frame, ended.frames
    struct.pack_into("<6q", page, at, *fields)
