"""The row of a stem as an earlier entry declared it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from ...ledger.entries import entries

Declared = entries.Stem | entries.Declaration
Past = Mapping[str, tuple[Declared, str]]
"""By stem: the entry that held then, and the name of its grid."""


_MEASURED = "frames", "channels", "lufs", "true_peak_dbtp", "sounding_frames", "chroma", "peak_frame"


def as_before(
    db: sqlite3.Connection, names: Sequence[str], row: Sequence[Any], entry: Declared, grid: str
) -> tuple[Any, ...]:
    """A stem's row, with these columns, as an earlier entry has it; measurements that are lost are `None`."""
    fields = dict(zip(names, row, strict=True))
    for name in ("title", "role", "shape", "bpm_milli", "beats", "key"):
        fields[name] = getattr(entry, name)
    fields["meter"], fields["grid"] = entry.meter or None, grid
    found = db.execute(
        f"SELECT {', '.join(_MEASURED)} FROM measured WHERE stem = ? AND grid = ?", (entry.stem, grid)
    ).fetchone()
    fields |= dict(zip(_MEASURED, found or [None] * len(_MEASURED), strict=True))
    return tuple(fields[name] for name in names)
