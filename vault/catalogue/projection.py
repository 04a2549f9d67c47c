"""The changes that each entry of the ledger makes in the catalogue's tables.

Of clearances, standing consents and shares they say what `ledger/entries/rights.py` says: a test holds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import UNSET

from ...ledger.entries import entries


def project(db: sqlite3.Connection, index: int, entry: entries.Entry) -> bool:
    """Bring the tables up to date with one entry, and say whether they hold entries of its kind."""
    match entry:
        case entries.Holder():
            _project_holder(db, index, entry)
        case entries.Stem():
            db.execute(
                "INSERT INTO stem VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (entry.stem, entry.pcm_sha256, entry.file_sha256, entry.holder, entry.title, entry.role,
                 entry.shape, entry.bpm_milli, entry.beats, entry.key, entry.energy_milli, entry.set,
                 entry.isrc, index),
            )  # fmt: skip
            db.executemany("INSERT INTO mood VALUES (?, ?)", [(entry.stem, mood) for mood in entry.mood])
            if entry.meter is not UNSET or entry.tail is not UNSET:
                db.execute(
                    "INSERT INTO form VALUES (?, ?, ?, ?)",
                    (entry.stem, entry.meter or None, entry.lead_frames or 0, entry.tail or None),
                )
            if entry.song is not UNSET:
                db.execute("INSERT INTO song VALUES (?, ?)", (entry.stem, entry.song))
            _project_shares(db, entry.stem, entry.master, entry.publishing)
            db.execute(
                "INSERT INTO clearance SELECT ?1, use, entry, max(since, ?2), until, allows FROM stands"
                " WHERE holder = ?3 AND (until IS NULL OR until > ?2)",
                (entry.stem, entry.time, entry.holder),
            )
            db.execute("DELETE FROM removed WHERE stem = ?", (entry.stem,))
        case entries.Removal():
            db.execute(
                "INSERT OR REPLACE INTO removed SELECT stem, title, ? FROM stem WHERE stem = ?",
                (entry.time, entry.stem),
            )
            for table in ("stem", "mood", "clearance", "share", "form", "song"):
                db.execute(f"DELETE FROM {table} WHERE stem = ?", (entry.stem,))
        case entries.Key():
            db.execute(
                "UPDATE holder SET public_key = ?, custody = ? WHERE holder = ?",
                (entry.public_key, entry.custody, entry.holder),
            )
        case entries.Standing():
            uses = ",".join(entry.uses)
            db.execute(
                "INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?, ?)",
                (index, entry.holder, uses, entry.action, entry.until, entry.since, ",".join(entry.extent)),
            )
            db.execute("INSERT OR IGNORE INTO made VALUES (?, ?)", (entry.signature, index))
            _project_uses(db, "stands", "holder", entry.holder, index, entry)
        case entries.Splits():
            _project_shares(db, entry.stem, entry.master, entry.publishing)
        case entries.Consent():
            db.execute(
                "INSERT INTO statement VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    index,
                    entry.stem,
                    entry.holder,
                    ",".join(entry.uses),
                    entry.action,
                    entry.until,
                    entry.since,
                    ",".join(entry.extent),
                ),
            )
            db.execute("INSERT OR IGNORE INTO made VALUES (?, ?)", (entry.signature, index))
            _project_uses(db, "clearance", "stem", entry.stem, index, entry)
        case entries.Likeness() | entries.Distinct():
            _project_alike(db, index, entry)
        case _:
            return False
    return True


def _project_holder(db: sqlite3.Connection, index: int, entry: entries.Holder) -> None:
    row = entry.holder, entry.public_key, entry.custody, index
    db.execute("INSERT INTO holder VALUES (?, ?, ?, ?)", row)


def _project_alike(db: sqlite3.Connection, index: int, entry: entries.Likeness | entries.Distinct) -> None:
    if isinstance(entry, entries.Distinct):
        db.execute("DELETE FROM alike WHERE entry = ?", (entry.likeness,))
    else:
        db.execute(
            "INSERT INTO alike VALUES (?, ?, ?, ?, ?)",
            (index, entry.stem, entry.like, entry.score_milli, entry.time),
        )


def _project_shares(
    db: sqlite3.Connection, stem: str, master: Sequence[entries.Share], publishing: Sequence[entries.Share]
) -> None:
    db.execute("DELETE FROM share WHERE stem = ?", (stem,))
    db.executemany(
        "INSERT INTO share VALUES (?, ?, ?, ?)",
        [(stem, side, share.holder, share.ppm)
         for side, shares in (("master", master), ("publishing", publishing)) for share in shares],
    )  # fmt: skip


def _project_uses(
    db: sqlite3.Connection,
    table: str,
    column: str,
    of: str,
    index: int,
    said: entries.Consent | entries.Standing,
) -> None:
    """Set the uses granted for a stem, or by a holder for future stems. `table`, `column`: constants."""
    for use in said.uses:
        db.execute(f"DELETE FROM {table} WHERE {column} = ? AND use = ?", (of, use))
        if said.action == "grant":
            db.execute(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?)",
                (of, use, index, said.since, said.until, ",".join(said.extent)),
            )
