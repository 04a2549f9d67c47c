"""The rows of the catalogue that say how loud each stem is in each 100 ms of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from ..sound.energies import Energies

_AT_ONCE = 500
"""SQLite binds no more than some thousand values."""


Fitted = tuple[str, str]
"""A stem, and the grid to which it is conformed."""


def keep_energies(db: sqlite3.Connection, found: Mapping[Fitted, Energies]) -> None:
    """Keep the energies of stems within a transaction."""
    rows = [(stem, grid, each.encoded()) for (stem, grid), each in found.items()]
    db.executemany("INSERT OR REPLACE INTO energies VALUES (?, ?, ?)", rows)


def kept_energies(db: sqlite3.Connection, stems: Sequence[Fitted]) -> dict[Fitted, Energies]:
    """Those of these stems whose energies are known."""
    found: dict[Fitted, Energies] = {}
    for first in range(0, len(stems), _AT_ONCE):
        part = stems[first : first + _AT_ONCE]
        marks = ", ".join(["(?, ?)"] * len(part))
        question = f"SELECT stem, grid, levels FROM energies WHERE (stem, grid) IN (VALUES {marks})"
        bound = [word for each in part for word in each]
        found |= {(str(s), str(g)): Energies.decoded(levels) for s, g, levels in db.execute(question, bound)}
    return found
