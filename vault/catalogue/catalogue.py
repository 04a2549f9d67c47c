"""The catalogue: a projection of the ledger in SQLite, and the private text and measurements beside it.

Order of every change: private data is committed here first, then the entry is sequenced in the ledger, then
`apply` projects it. After a crash in between, the next `apply` continues where the last one ended.
"""

from __future__ import annotations

import errno
import gc
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ...ledger.entries import entries
from ..errors import CatalogueTrouble
from ..records import AS_ENTERED, Chroma, Clearance, Holder
from ..sound.detection import Detected
from ..sound.ends import Cut, cut_of
from ..sound.energies import Energies
from ..sound.measure import Measured
from .connection import connected, copied, writable
from .earlier_rows import Past, as_before
from .kept_energies import keep_energies
from .projection import project
from .schema import VERSION, migrate
from .sqlite_trouble import worded
from .stems import Clearances, Facts, Listen, Stems, allowed_by, cleared


class MeasuredRow(NamedTuple):
    """What was measured and detected in a stem, conformed to a grid. `file_sha256`: of its original."""

    stem: str
    file_sha256: str
    frames: int
    channels: int
    measured: Measured
    heard: Detected
    grid: str = AS_ENTERED


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """One consent statement on a stem. `index`: of its entry in the ledger."""

    stem: str
    uses: tuple[str, ...]
    index: int
    time: str
    action: str
    until: str | None
    holder: str
    allows: tuple[str, ...] = ()
    """What a grant allows to be done to the sound."""


class Catalogue:
    """An open catalogue. Safe to use from several threads; a thread's transaction excludes the others.

    If the file or its folder cannot be written, it is a copy in memory: the ledger is projected there, and
    private data can be read but not changed.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, kept: bool = True) -> None:
        self._path = path
        self._connection = connection
        self._kept = kept
        self._inode = path.stat().st_ino
        self._turn = threading.RLock()
        self.listen: Listen | None = None
        """Gives the onsets of a stem, which are not kept here."""

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Catalogue:
        """Open the file and migrate its tables. `create`: make it if it is missing.

        Raises `CatalogueTrouble`, `OSError`.
        """
        if not path.exists():
            if not create:
                raise CatalogueTrouble(f"there is no catalogue at {path}")
            # SQLite would make it readable by all.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        kept = create or writable(path)
        with worded(path):
            connection = connected(path) if kept else copied(path)
            try:
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                if version > VERSION:
                    raise CatalogueTrouble(
                        f"the catalogue at {path} was written by a newer Stemloom (its version is {version}, "
                        f"this one knows {VERSION}); use that one"
                    )
                migrate(connection)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection, kept=kept)

    def check_kept(self) -> None:
        """Check that changes will be kept. Raises `OSError` for a file that may not be written."""
        if not self._kept:
            raise OSError(errno.EACCES, "no permission to write", str(self._path))
        if not self._path.exists() or self._path.stat().st_ino != self._inode:
            raise CatalogueTrouble(f"the catalogue at {self._path} was replaced: open the vault again")

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it, durable, or nothing."""
        with self._turn, worded(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: all reads in it see one state."""
        with self._turn, worded(self._path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    # The projection of the ledger.

    def follow(self, origin: str) -> None:
        """Tie the catalogue to a ledger; refuse one that is tied to another."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO ledger VALUES (1, ?, 0, 0, 0, 0)", (origin,))
            mine = str(db.execute("SELECT origin FROM ledger").fetchone()[0])
        if mine != origin:
            raise CatalogueTrouble(
                f"the catalogue at {self._path} belongs to the ledger '{mine}', and the one beside it is "
                f"'{origin}'; put both back from the same backup"
            )

    def applied(self) -> int:
        """The number of entries of the ledger that are projected."""
        with self.reading() as db:
            return int(db.execute("SELECT applied FROM ledger").fetchone()[0])

    def touched(self) -> tuple[int, int]:
        """The ledger's sizes after the last entry that changed a table, and that changed the set of stems."""
        with self.reading() as db:
            touched, peopled = db.execute("SELECT touched, peopled FROM ledger").fetchone()
        return int(touched), int(peopled)

    def apply(self, numbered: Iterable[tuple[int, entries.Entry]], size: int) -> None:
        """Project entries, by index, up to the ledger's `size`; skips those that are projected already."""
        with self.transaction() as db:
            applied, touched, peopled = db.execute("SELECT applied, touched, peopled FROM ledger").fetchone()
            for index, entry in numbered:
                if index >= applied and project(db, index, entry):
                    touched = index + 1
                    if isinstance(entry, entries.Stem | entries.Removal | entries.Declaration):
                        peopled = index + 1
            db.execute(
                "UPDATE ledger SET applied = max(applied, ?), touched = ?, peopled = ?",
                (size, touched, peopled),
            )

    # Private data, which the ledger does not hold.

    def name_holder(self, holder: str, name: str, salt: str) -> None:
        self.check_kept()
        with self.transaction() as db:
            db.execute("INSERT INTO named VALUES (?, ?, ?)", (holder, name, salt))

    def erase_name(self, holder: str) -> None:
        """Replace the name of a holder by their id, and overwrite its bytes."""
        self.check_kept()
        with self.transaction() as db:
            # Of this table alone: overwriting costs time.
            db.execute("PRAGMA secure_delete = ON")
            db.execute("UPDATE named SET name = holder, salt = '' WHERE holder = ?", (holder,))
        with self._turn, worded(self._path):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def keep_measured(self, rows: Sequence[MeasuredRow]) -> None:
        """Keep the measurements of stems that are about to enter."""
        self.check_kept()
        with self.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (stem, grid, digest, frames, channels, m.lufs, m.true_peak_dbtp, m.sounding_frames,
                     np.ascontiguousarray(m.chroma, dtype="<f4").tobytes(),
                     msgspec.json.encode(heard).decode(), m.peak_frame)
                    for stem, digest, frames, channels, m, heard, grid in rows
                ],
            )  # fmt: skip
            keep_energies(db, {(row.stem, row.grid): Energies.of(row.measured.energies) for row in rows})

    def abandoned(self) -> tuple[list[str], list[tuple[str, str | None]], list[tuple[str, str]]]:
        """Holders, stems with their files, and stems with grids, that never reached the ledger.

        The file is `None` if another stem has the same.
        """
        with self.reading() as db:
            holders = db.execute("SELECT holder FROM named WHERE holder NOT IN (SELECT holder FROM holder)")
            named = [str(row[0]) for row in holders]
            grids = db.execute(
                "SELECT stem, grid FROM measured m WHERE grid <> '' AND stem IN (SELECT stem FROM stem)"
                " AND NOT EXISTS (SELECT 1 FROM declaration d WHERE d.stem = m.stem AND d.grid = m.grid)"
            ).fetchall()
            stems = db.execute(
                "SELECT DISTINCT stem, CASE WHEN file_sha256 IN (SELECT file_sha256 FROM stem) THEN NULL"
                " ELSE file_sha256 END FROM measured WHERE stem NOT IN (SELECT stem FROM stem)"
            ).fetchall()
        return named, stems, grids

    def forget_abandoned(
        self, holders: Sequence[str], stems: Sequence[str], grids: Sequence[tuple[str, str]]
    ) -> None:
        self.check_kept()
        with self.transaction() as db:
            db.executemany("DELETE FROM named WHERE holder = ?", [(holder,) for holder in holders])
            for table in ("measured", "energies"):
                db.executemany(f"DELETE FROM {table} WHERE stem = ?", [(stem,) for stem in stems])
                db.executemany(f"DELETE FROM {table} WHERE stem = ? AND grid = ?", grids)

    # Questions.

    def holders(self) -> tuple[Holder, ...]:
        """All holders, by name."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT h.holder, n.name, n.salt, h.public_key, h.custody FROM holder h"
                " LEFT JOIN named n USING (holder) ORDER BY n.name, h.holder"
            ).fetchall()
        for row in rows:
            if row[1] is None:
                raise self._incomplete(f"the name of holder {row[0]}")
        return tuple(Holder(*row) for row in rows)

    def stems(self, ids: Sequence[str] | None = None, past: Past | None = None) -> Stems:
        """All stems, or those with these whole `ids`, ordered by id; those in `past` as it has them."""
        text = "" if ids is None else f" WHERE s.stem IN ({_marks(ids)})"
        # The parts of this text are constants of this module and question marks; all values are bound.
        question = (
            "SELECT s.stem, s.pcm_sha256, s.title, s.holder, s.role, s.shape, m.frames, m.channels,"
            " s.bpm_milli, s.beats, s.key, s.energy_milli, s.set_name AS 'set', m.lufs, m.true_peak_dbtp,"
            " m.sounding_frames, m.chroma, m.peak_frame, f.meter, g.song, s.grid"
            " FROM stem s LEFT JOIN measured m USING (stem, grid) LEFT JOIN form f USING (stem)"
            f" LEFT JOIN song g USING (stem){text} ORDER BY s.stem"
        )
        with without_collector(), self.reading() as db:
            found = db.execute(question, ids or ())
            names, rows = [name for name, *_ in found.description], found.fetchall()
            only = f" WHERE stem IN ({_marks(rows)})" if len(rows) <= 500 else ""
            of_rows = [row[0] for row in rows] if only else []
            moods: dict[str, tuple[str, ...]] = {}
            for stem, mood in db.execute(f"SELECT stem, mood FROM mood{only} ORDER BY stem, mood", of_rows):
                moods[stem] = (*moods.get(stem, ()), mood)
            granted = db.execute(
                f"SELECT stem, use, entry, since, until, allows FROM clearance{only} ORDER BY stem, use",
                of_rows,
            ).fetchall()
            if past:
                rows = [as_before(db, names, row, *past[row[0]]) if row[0] in past else row for row in rows]
                moods |= {stem: entry.mood for stem, (entry, _) in past.items()}
            return Stems(self._facts(names, rows, moods), Clearances(granted))

    def _facts(
        self, names: Sequence[str], rows: Sequence[Any], moods: Mapping[str, tuple[str, ...]]
    ) -> Facts:
        # Not checked one by one, for there may be a hundred thousand: the tables allow no other types.
        values = zip(*rows, strict=True) if rows else [()] * len(names)
        columns: dict[str, Any] = dict(zip(names, values, strict=True))
        if None in columns["chroma"]:
            missing = columns["stem"][columns["chroma"].index(None)]
            raise self._incomplete(f"the measurements of stem {missing}")
        columns["bpm"] = [_bpm(milli) for milli in columns["bpm_milli"]]
        columns["meter"] = [_meter(text) for text in columns["meter"]]
        columns["mood"] = [moods.get(each, ()) for each in columns["stem"]]
        columns["energy"] = [milli / 1000 for milli in columns["energy_milli"]]
        columns["chroma"] = [Chroma(data) for data in columns["chroma"]]
        return Facts(columns, self.listen)

    def restated(self, since: int) -> dict[str, dict[str, Clearance]]:
        """The clearances, by stem and use, of the stems that statements from entry `since` on are about."""
        with self.reading() as db:
            found: dict[str, dict[str, Clearance]] = {
                str(stem): {}
                for (stem,) in db.execute(
                    "SELECT DISTINCT s.stem FROM statement t JOIN stem s USING (stem) WHERE t.entry >= ?",
                    (since,),
                )
            }
            for part in parts_of(list(found)):
                for stem, use, *grant in db.execute(
                    "SELECT stem, use, entry, since, until, allows FROM clearance"
                    f" WHERE stem IN ({_marks(part)}) ORDER BY stem, use",
                    part,
                ):
                    found[stem][use] = cleared(*grant)
        return found

    def heard(self, stem: str) -> Detected:
        """What was detected in a stem when it was added; empty for stems older than detection."""
        with self.reading() as db:
            row = db.execute(
                "SELECT heard FROM measured JOIN stem USING (stem, grid) WHERE stem = ?", (stem,)
            ).fetchone()
        return msgspec.json.decode("{}" if row is None else row[0], type=Detected)

    def stem_ids(self, like: str, *, exact_title: bool = False) -> list[str]:
        """Ids of the stems whose id starts with `like`, or whose title is `like` (any case)."""
        with self.reading() as db:
            if exact_title:
                rows = db.execute(
                    "SELECT stem FROM stem WHERE title = ? COLLATE NOCASE ORDER BY stem", (like,)
                )
            else:
                # A range, not LIKE: it uses the primary key, and the id may hold no wildcard.
                rows = db.execute("SELECT stem FROM stem WHERE stem >= ? AND stem < ? ORDER BY stem",
                                  (like, like + "~"))  # fmt: skip
            return [str(row[0]) for row in rows]

    def titles(self) -> list[str]:
        with self.reading() as db:
            return [str(row[0]) for row in db.execute("SELECT DISTINCT title FROM stem ORDER BY title")]

    def title_and_holder(self, stem: str) -> tuple[str, str] | None:
        """Title and holder's id of a stem, if it is there."""
        with self.reading() as db:
            row = db.execute("SELECT title, holder FROM stem WHERE stem = ?", (stem,)).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def isrcs(self, stems: Iterable[str]) -> tuple[str, ...]:
        """The ISRCs of those of the stems that have one, in order."""
        with self.reading() as db:
            rows = [db.execute("SELECT isrc FROM stem WHERE stem = ?", (stem,)).fetchone() for stem in stems]
        return tuple(sorted({str(row[0]) for row in rows if row is not None and row[0] is not None}))

    def digests(self, stem: str) -> tuple[str, str]:
        """SHA-256 of the stem's original file, and of its sound."""
        with self.reading() as db:
            row = db.execute("SELECT file_sha256, pcm_sha256 FROM stem WHERE stem = ?", (stem,)).fetchone()
        return str(row[0]), str(row[1])

    def statements(self, stem: str | None = None) -> tuple[ConsentStatement, ...]:
        """Consent statements in the ledger's order, of one stem or of all."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT stem, uses, entry, time, action, until, holder, allows FROM statement"
                " WHERE ?1 IS NULL OR stem = ?1 ORDER BY entry",
                (stem,),
            ).fetchall()
        return tuple(
            ConsentStatement(
                stem,
                tuple(uses.split(",")),
                index,
                time,
                action,
                until,
                holder,
                tuple(sorted(allowed_by(allows))),
            )
            for stem, uses, index, time, action, until, holder, allows in rows
        )

    def last_statement(self, stem: str, holder: str) -> int | None:
        """Index of the holder's last consent entry on the stem."""
        with self.reading() as db:
            row = db.execute(
                "SELECT max(entry) FROM statement WHERE stem = ? AND holder = ?", (stem, holder)
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def removed(self) -> dict[str, tuple[str, str]]:
        """Title, and time of removal, of each stem that was removed."""
        with self.reading() as db:
            return {str(s): (str(title), str(time)) for s, title, time in db.execute("SELECT * FROM removed")}

    def all_stems(self) -> list[tuple[str, str, str]]:
        """Id, original's SHA-256 and grid of each stem, also where its measurements are missing."""
        with self.reading() as db:
            rows = db.execute("SELECT stem, file_sha256, grid FROM stem ORDER BY stem")
            return [(str(stem), str(digest), str(grid)) for stem, digest, grid in rows]

    def terms_of(
        self, stem: str
    ) -> tuple[str, Fraction | None, int | None, str, str, tuple[int, int], Cut | None]:
        """Role, tempo, beats, shape, PCM SHA-256, meter and cut that a stem has in the ledger now."""
        with self.reading() as db:
            role, bpm, beats, shape, pcm, meter, lead, tail = db.execute(
                "SELECT role, bpm_milli, beats, shape, pcm_sha256, meter, lead_frames, tail"
                " FROM stem LEFT JOIN form USING (stem) WHERE stem = ?",
                (stem,),
            ).fetchone()
        return str(role), _bpm(bpm), beats, str(shape), str(pcm), _meter(meter), cut_of(lead, tail)

    def last_standing(self, holder: str) -> int | None:
        """Index of the holder's last standing entry."""
        with self.reading() as db:
            row = db.execute("SELECT max(entry) FROM standing WHERE holder = ?", (holder,)).fetchone()
        return None if row[0] is None else int(row[0])

    def stands(self, holder: str) -> dict[str, Clearance]:
        """The standing consents of a holder, by use."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT use, entry, since, until, allows FROM stands WHERE holder = ? ORDER BY use", (holder,)
            )
            return {str(use): cleared(*grant) for use, *grant in rows}

    def has_signature(self, signature: str) -> bool:
        """Whether a consent with that signature is in the ledger."""
        with self.reading() as db:
            return db.execute("SELECT 1 FROM made WHERE signature = ?", (signature,)).fetchone() is not None

    def shares(self, stem: str) -> dict[str, dict[str, int]]:
        """Parts per million by side (`master`, `publishing`) and holder."""
        sides: dict[str, dict[str, int]] = {"master": {}, "publishing": {}}
        with self.reading() as db:
            for side, holder, ppm in db.execute(
                "SELECT side, holder, ppm FROM share WHERE stem = ? ORDER BY side, holder", (stem,)
            ):
                sides[side][holder] = ppm
        return sides

    def _incomplete(self, what: str) -> CatalogueTrouble:
        return CatalogueTrouble(
            f"the catalogue at {self._path} has lost {what}, which the ledger does not hold; "
            "put the catalogue back from a backup"
        )


@cache
def _bpm(milli: int | None) -> Fraction | None:
    return None if milli is None else Fraction(milli, 1000)


def _meter(text: str | None) -> tuple[int, int]:
    if text is None:
        return 4, 4
    beats, note = text.split("/")
    return int(beats), int(note)


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the collector of cycles: it costs a second over a hundred thousand new objects without cycles."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def parts_of(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """A few hundred at a time: SQLite binds no more than some thousand values."""
    return (ids[first : first + 500] for first in range(0, len(ids), 500))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
