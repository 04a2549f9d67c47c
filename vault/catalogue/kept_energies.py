"""The rows of the catalogue that say how loud each stem is in each 100 ms of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from ..sound.energies import Energies

_AT_ONCE = 500
"""SQLite binds no more than some thousand values."""


def keep_energies(db: sqlite3.Connection, found: Mapping[str, Energies]) -> None:
    """Keep the energies of stems, by id, within a transaction."""
    rows = [(stem, each.encoded()) for stem, each in found.items()]
    db.executemany("INSERT OR REPLACE INTO energies VALUES (?, ?)", rows)


def kept_energies(db: sqlite3.Connection, stems: Sequence[str]) -> dict[str, Energies]:
    """Those of these stems whose energies are known."""
    found: dict[str, Energies] = {}
    for first in range(0, len(stems), _AT_ONCE):
        part = stems[first : first + _AT_ONCE]
        question = f"SELECT stem, levels FROM energies WHERE stem IN ({', '.join('?' * len(part))})"
        found |= {str(stem): Energies.decoded(levels) for stem, levels in db.execute(question, part)}
    return found
