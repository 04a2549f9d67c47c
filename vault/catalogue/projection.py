"""The changes that each entry of the ledger makes in the catalogue's tables.

Of clearances, standing consents and shares they say what `ledger/entries/rights.py` says: a test holds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from ...ledger.entries import entries
from ..sound.ends import Cut, cut_of


def project(db: sqlite3.Connection, index: int, entry: entries.Entry) -> bool:
    """Bring the tables up to date with one entry, and say whether they hold entries of its kind."""
    match entry:
        case entries.Holder():
            row = entry.holder, entry.public_key, entry.custody, index
            db.execute("INSERT INTO holder VALUES (?, ?, ?, ?)", row)
        case entries.Stem():
            db.execute(
                "INSERT INTO stem VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
                (entry.stem, entry.pcm_sha256, entry.file_sha256, entry.holder, entry.title, entry.role,
                 entry.shape, entry.bpm_milli, entry.beats, entry.key, entry.energy_milli, entry.set,
                 entry.isrc, index),
            )  # fmt: skip
            _project_moods_and_form(db, entry)
            if entry.song is not UNSET:
                db.execute("INSERT INTO song VALUES (?, ?)", (entry.stem, entry.song))
            _project_shares(db, entry.stem, entry.master, entry.publishing)
            db.execute(
                "INSERT INTO clearance SELECT ?1, use, entry, max(since, ?2), until, allows FROM stands"
                " WHERE holder = ?3 AND (until IS NULL OR until > ?2)",
                (entry.stem, entry.time, entry.holder),
            )
            db.execute("DELETE FROM removed WHERE stem = ?", (entry.stem,))
        case entries.Declaration():
            _project_declaration(db, index, entry)
        case entries.Removal():
            db.execute(
                "INSERT OR REPLACE INTO removed SELECT stem, title, ? FROM stem WHERE stem = ?",
                (entry.time, entry.stem),
            )
            for table in ("stem", "mood", "clearance", "share", "form", "song", "declaration"):
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
        case _:
            return False
    return True


def grid_name(stem: entries.Stem | entries.Declaration) -> str:
    """All on which a conformed copy and its measurements depend, as part of the name of a file."""
    return _named(stem.shape, stem.bpm_milli, stem.beats, stem.meter, stem.lead_frames, stem.tail)


def _named(shape: str, bpm_milli: int | None, beats: int | None, meter: Any, lead: Any, tail: Any) -> str:
    """Of a meter, lead and tail that are left out, as an entry or a row has it."""
    in_bar, note = (meter or "4/4").split("/")
    ends = f"-{lead or 0}{tail}" if tail else ""
    return f"{shape}-{bpm_milli or 0}-{beats or 0}-{in_bar}of{note}{ends}"


def cut_in(name: str) -> Cut | None:
    """What is cut off a recording that is conformed to the grid of that name."""
    ends = name.split("-")[4:]
    digits = ends[0].rstrip("cutwrap") if ends else ""
    return cut_of(int(digits), ends[0].removeprefix(digits)) if ends else None


def _project_moods_and_form(db: sqlite3.Connection, entry: entries.Stem | entries.Declaration) -> None:
    db.executemany("INSERT INTO mood VALUES (?, ?)", [(entry.stem, mood) for mood in entry.mood])
    if entry.meter is not UNSET or entry.tail is not UNSET:
        db.execute(
            "INSERT INTO form VALUES (?, ?, ?, ?)",
            (entry.stem, entry.meter or None, entry.lead_frames or 0, entry.tail or None),
        )


def _project_declaration(db: sqlite3.Connection, index: int, entry: entries.Declaration) -> None:
    """The stem's row says what holds now. By `declaration` it can be told what held before."""
    name, first = grid_name(entry), first_name(db, entry.stem)
    if db.execute("SELECT 1 FROM declaration WHERE stem = ?", (entry.stem,)).fetchone() is None:
        db.execute(
            "INSERT INTO declaration SELECT entry, stem, ?, '' FROM stem WHERE stem = ?", (first, entry.stem)
        )
    grid = "" if name == first else name
    db.execute("INSERT INTO declaration VALUES (?, ?, ?, ?)", (index, entry.stem, name, grid))
    db.execute(
        "UPDATE stem SET title = ?, role = ?, shape = ?, bpm_milli = ?, beats = ?, key = ?, isrc = ?,"
        " grid = ? WHERE stem = ?",
        (entry.title, entry.role, entry.shape, entry.bpm_milli, entry.beats, entry.key, entry.isrc, grid,
         entry.stem),
    )  # fmt: skip
    for table in ("mood", "form"):
        db.execute(f"DELETE FROM {table} WHERE stem = ?", (entry.stem,))
    _project_moods_and_form(db, entry)
    db.execute("UPDATE ledger SET declared = ?", (index + 1,))


def first_name(db: sqlite3.Connection, stem: str) -> str:
    """The name of the grid with which a stem entered the vault."""
    first = db.execute(
        "SELECT name FROM declaration WHERE stem = ? ORDER BY entry LIMIT 1", (stem,)
    ).fetchone()
    if first is not None:
        return str(first[0])
    shape, bpm_milli, beats, meter, lead, tail = db.execute(
        "SELECT shape, bpm_milli, beats, meter, lead_frames, tail FROM stem LEFT JOIN form USING (stem)"
        " WHERE stem = ?",
        (stem,),
    ).fetchone()
    return _named(shape, bpm_milli, beats, meter, lead, tail)


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
