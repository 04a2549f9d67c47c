"""Where the tables of a mixer that tell what was heard lie in the page of a session."""

from __future__ import annotations

import numpy as np

from ...ledger.log.session_page import TABLES_AT, Layout, write_header
from ...vault.records import ENGINE_RATE
from .rack import ENDED, FRAME, FREE, REPORT, REPORTS, STATUS, VOICE, VOICES, Rack

_VOICES_AT = TABLES_AT + 8 * STATUS
_REPORTS_AT = _VOICES_AT + VOICES * VOICE.itemsize
_TABLES = {"status": TABLES_AT, "voices": _VOICES_AT, "reports": _REPORTS_AT}
PAGE_SIZE = _REPORTS_AT + REPORTS * REPORT.itemsize
assert TABLES_AT % 128 == 0


def _places(record: np.dtype[np.void], table: str, *names: str) -> dict[str, int]:
    """How far into a record of a table each field lies, in bytes, by the name that `Layout` has for it."""
    assert record.fields is not None
    offsets: dict[str, int] = {name: field[1] for name, field in record.fields.items()}
    return {f"{table}_{name}": offsets[name] for name in names}


PAGE_LAYOUT = Layout(
    rate=ENGINE_RATE,
    frame_at=TABLES_AT + 8 * FRAME,
    voices_at=_VOICES_AT,
    voices=VOICES,
    voice_size=VOICE.itemsize,
    free=FREE,
    reports_at=_REPORTS_AT,
    reports=REPORTS,
    report_size=REPORT.itemsize,
    ended=ENDED,
    **_places(VOICE, "voice", "id", "phase", "start", "end", "heard"),
    **_places(REPORT, "report", "number", "kind", "id", "start", "end", "heard"),
)


def moved_into(page: memoryview, rack: Rack, boot: str) -> Rack:
    """The rack with these tables in a page of `PAGE_SIZE` zeros. `boot`: this run of the machine."""
    moved = {}
    for name, at in _TABLES.items():
        old = getattr(rack, name)
        moved[name] = np.frombuffer(page, old.dtype, old.size, at)
        moved[name][:] = old
    write_header(page, PAGE_LAYOUT, boot)
    return rack._replace(**moved)
