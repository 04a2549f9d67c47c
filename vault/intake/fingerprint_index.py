"""The index of the fingerprints of a vault's stems, which tells the stems that a sound contains.

`vault/landmarks.db` is a cache: it follows the catalogue, and may be deleted at any time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..catalogue.catalogue import Catalogue
from ..catalogue.sqlite_trouble import BUSY_SECONDS, worded
from ..errors import AudioLost
from ..sound.fingerprint import Fingerprint, Landmarks, Played, alike, seconds_of
from .intake import Progress
from .worker_pool import WorkerPool

MOST_COVERED = 0.5
"""The part of a newcomer that may be another's recording, at one and the same offset."""
LEAST_SAME_ATTACK, LEAST_SHOWN = 0.8, 0.6
"""The least likeness of two short sounds that are the same (coded copies have 0.93, two hits of one drum kit
0.5), and the least that is reported."""
LEAST_PAIRS, LEAST_SHARE = 8, 0.1
"""Fewer pairs at one offset are chance. A copy keeps a larger share of its pairs than this; recordings that
share a sound, or a tempo and a key, have 0.03 in common."""
_CELL_STEPS = 10
"""A quarter of a second: the part of a sound that a pair covers."""
_PART = 900
VERSION = 2
"""Of the fingerprints in it: those of another are forgotten, and learnt anew."""
LEAST_OUTLINE, LEAST_SAME_OUTLINE = 0.9, 0.97
"""How alike the outlines of two sounds are of which one may be the other, played otherwise: where their
lengths tell how, and where they do not."""
MOST_TRIED = 3
_SPEEDS = (0.94, 1.065)
_EXACT = 0.002
"""Lengths that differ by less are the same."""
_PITCHES = tuple(1 + step / 200 for step in range(-6, 7) if step)
_TABLES = (
    "CREATE TABLE IF NOT EXISTS known (number INTEGER PRIMARY KEY, stem TEXT NOT NULL UNIQUE,"
    " steps INTEGER NOT NULL, attack BLOB, outline BLOB NOT NULL, frames INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS landmark (hash INTEGER NOT NULL, number INTEGER NOT NULL,"
    " time INTEGER NOT NULL, PRIMARY KEY (hash, number, time)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS landmark_number ON landmark (number)",
)


@dataclass(frozen=True, slots=True)
class FingerprintMatch:
    """A stem that a sound contains. `score`: the part of the sound that it covers, or for short sounds their
    likeness.

    `at`, `until`: seconds in the sound. `offset`: seconds into the stem at `at`.
    """

    stem: str
    score: float
    at: float
    until: float
    offset: float
    played: str = ""
    """How the sound is played, where it is not as it is in the vault."""

    @property
    def same(self) -> bool:
        """Whether the sound is the stem itself, and not one that shares something with it."""
        return self.score > MOST_COVERED


class FingerprintIndex:
    """The fingerprints of a vault's stems, in one file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with worded(path):
            self._db = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self._db.execute("DROP TABLE IF EXISTS landmark")
                self._db.execute("DROP TABLE IF EXISTS known")
            for table in _TABLES:
                self._db.execute(table)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        self._db.close()

    def forget_others(self, stems: Set[str]) -> list[str]:
        """Forget all other stems. Gives those of `stems` that the index lacks."""
        with self._turn, worded(self._path):
            known = {str(stem) for (stem,) in self._db.execute("SELECT stem FROM known")}
        for stem in known - stems:
            self.forget(stem)
        return sorted(stems - known)

    def add(self, stem: str, fingerprint: Fingerprint) -> None:
        """Add the fingerprint of a stem."""
        marks = fingerprint.landmarks
        kept = None if fingerprint.attacks is None else fingerprint.attacks[0].astype("<f4").tobytes()
        outline = fingerprint.outline.astype("<f4").tobytes()
        with self._transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO known (stem, steps, attack, outline, frames) VALUES (?, ?, ?, ?, ?)",
                (stem, marks.steps, kept, outline, fingerprint.frames),
            )
            (number,) = db.execute("SELECT number FROM known WHERE stem = ?", (stem,)).fetchone()
            rows = (
                (each, number, time)
                for part in (marks, fingerprint.side)
                if part is not None
                for each, time in zip(part.hashes.tolist(), part.times.tolist(), strict=True)
            )
            db.executemany("INSERT OR IGNORE INTO landmark VALUES (?, ?, ?)", rows)

    def forget(self, stem: str) -> None:
        """Delete the fingerprint of a stem."""
        with self._transaction() as db:
            row = db.execute("SELECT number FROM known WHERE stem = ?", (stem,)).fetchone()
            if row is not None:
                db.execute("DELETE FROM landmark WHERE number = ?", row)
                db.execute("DELETE FROM known WHERE number = ?", row)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn, worded(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def identify(self, fingerprint: Fingerprint) -> list[FingerprintMatch]:
        """The stems that a sound contains, best first; for a short sound also those with its attack."""
        found = {each.stem: each for each in self._by_landmarks(fingerprint.landmarks)}
        if fingerprint.attacks is not None:
            for each in self._by_attack(fingerprint.attacks, fingerprint.landmarks.steps):
                if each.stem not in found or found[each.stem].score < each.score:
                    found[each.stem] = each
        with self._turn, worded(self._path):
            steps = dict(self._db.execute("SELECT stem, steps FROM known").fetchall())
        # Of two with the same score the one of the same length: loops contain the hits that they are made of.
        length = fingerprint.landmarks.steps
        return sorted(
            found.values(), key=lambda each: (-each.score, abs(steps.get(each.stem, 0) - length), each.stem)
        )

    def otherwise(self, fingerprint: Fingerprint) -> list[tuple[str, tuple[Played, ...]]]:
        """Stems that a sound may be, played faster or higher; to each the ways to try.

        A copy has the outline of its original over its whole length, and the two lengths tell its speed.
        """
        if not fingerprint.outline.any():
            return []
        with self._turn, worded(self._path):
            rows = self._db.execute("SELECT stem, frames, outline FROM known").fetchall()
        if not rows:
            return []
        outlines = np.frombuffer(b"".join(row[2] for row in rows), "<f4").reshape(len(rows), -1)
        found: list[tuple[str, tuple[Played, ...]]] = []
        near = outlines @ fingerprint.outline
        for nth in np.argsort(-near)[: MOST_TRIED + 1].tolist():
            speed = rows[nth][1] / max(fingerprint.frames, 1)
            if near[nth] < LEAST_OUTLINE or not _SPEEDS[0] < speed < _SPEEDS[1]:
                continue
            if abs(speed - 1) > _EXACT:
                found.append((str(rows[nth][0]), (Played(speed, speed), Played(speed, 1.0))))
            elif near[nth] > LEAST_SAME_OUTLINE:
                found.append((str(rows[nth][0]), tuple(Played(1.0, pitch) for pitch in _PITCHES)))
        return found

    def holds(self, stem: str, sound: Landmarks) -> FingerprintMatch | None:
        """How much of a sound this stem covers."""
        return next((each for each in self._by_landmarks(sound) if each.stem == stem), None)

    def _by_landmarks(self, sound: Landmarks) -> list[FingerprintMatch]:
        hashes = np.unique(sound.hashes).tolist()
        rows: list[tuple[int, int, int]] = []
        with self._turn, worded(self._path):
            for first in range(0, len(hashes), _PART):
                part = hashes[first : first + _PART]
                marks = ", ".join("?" * len(part))
                # The text holds nothing but question marks.
                rows += self._db.execute(
                    f"SELECT hash, number, time FROM landmark WHERE hash IN ({marks})", part
                ).fetchall()
            names = dict(self._db.execute("SELECT number, stem FROM known").fetchall())
        if not rows:
            return []
        cells = len(np.unique(sound.times // _CELL_STEPS))
        best: dict[int, FingerprintMatch] = {}
        for number, offset, times in _together(sound, np.array(rows, np.int64)):
            if number not in names:
                continue
            share = len(times) / len(sound.hashes)
            covered = len(np.unique(times // _CELL_STEPS)) / cells
            score = covered * min(share / LEAST_SHARE, 1.0)
            if number not in best or score > best[number].score:
                begin = int(times.min())
                best[number] = FingerprintMatch(
                    names[number],
                    round(score, 3),
                    seconds_of(begin),
                    seconds_of(int(times.max()) + 1),
                    seconds_of(max(begin + offset, 0)),
                )
        return list(best.values())

    def _by_attack(self, attacks: NDArray[np.float32], steps: int) -> list[FingerprintMatch]:
        with self._turn, worded(self._path):
            rows = self._db.execute("SELECT stem, attack FROM known WHERE attack IS NOT NULL").fetchall()
        if not rows:
            return []
        others = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(len(rows), -1)
        found = alike(attacks, others)
        return [
            # On the scale of the landmarks, on which half and more is the same sound.
            FingerprintMatch(str(rows[nth][0]), _on_scale(float(found[nth])), 0.0, seconds_of(steps), 0.0)
            for nth in np.flatnonzero(found > LEAST_SHOWN)
        ]


class CurrentIndex:
    """The fingerprint index of a vault, up to date with its catalogue. `conformed`: a stem's ready sound."""

    def __init__(self, path: Path, catalogue: Catalogue, conformed: Callable[[str], Path]) -> None:
        self._path = path
        self._catalogue = catalogue
        self._conformed = conformed
        self._index: FingerprintIndex | None = None

    def index(self, workers: WorkerPool, progress: Progress | None = None) -> FingerprintIndex:
        """The index, after adding the stems that it lacked and forgetting those that were removed."""
        index = self._opened()
        unknown = index.forget_others({stem for stem, *_ in self._catalogue.all_stems()})

        def fingerprint(stem: str) -> Fingerprint | None:
            try:
                return workers.fingerprint_of_conformed(self._conformed(stem))
            except AudioLost:
                # Whoever asks for its sound is told; nothing else needs to fail for it.
                return None

        learnt = zip(unknown, workers.each(fingerprint, unknown), strict=True)
        for done, (stem, found) in enumerate(learnt, start=1):
            if found is not None:
                index.add(stem, found)
            if progress is not None:
                progress(done, len(unknown))
        return index

    def forget(self, stem: str) -> None:
        """Delete the fingerprint of a stem that was removed."""
        if self._path.exists():
            self._opened().forget(stem)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()

    def _opened(self) -> FingerprintIndex:
        if self._index is None:
            self._index = FingerprintIndex(self._path)
        return self._index


def _together(sound: Landmarks, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """By stem and offset, the times in the sound of the pairs that agree, where enough of them do.

    `rows`: hash, number of a stem and time in it, for each landmark of the index that the sound has as well.
    """
    order = np.argsort(sound.hashes, kind="stable")
    hashes, times = sound.hashes[order], sound.times[order]
    first = np.searchsorted(hashes, rows[:, 0], "left")
    count = np.searchsorted(hashes, rows[:, 0], "right") - first
    # Each row of the index with each of the sound's landmarks of the same hash.
    row = np.repeat(np.arange(len(rows)), count)
    own = times[np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)]
    number, offset = rows[row, 1], rows[row, 2] - own
    order = np.lexsort((offset, number))
    number, offset, own = number[order], offset[order], own[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(number) != 0) | (np.diff(offset) != 0)])
    ends = np.r_[begins[1:], len(own)]
    # A copy may lie between two steps: pairs that agree on the next offset count as well.
    of, at = number[begins], offset[begins]
    joins = np.r_[(of[1:] == of[:-1]) & (at[1:] == at[:-1] + 1), False]
    last = np.where(joins, np.r_[ends[1:], ends[-1:]], ends)
    for group in np.flatnonzero(last - begins >= LEAST_PAIRS).tolist():
        begin = begins[group]
        yield int(number[begin]), int(offset[begin]), own[begin : last[group]]


def _on_scale(likeness: float) -> float:
    """The likeness of two attacks on the scale of `FingerprintMatch.score`."""
    above = (likeness - LEAST_SAME_ATTACK) / (1 - LEAST_SAME_ATTACK)
    if above >= 0:
        return round(MOST_COVERED + 0.01 + (1 - MOST_COVERED - 0.01) * above, 3)
    return round(MOST_COVERED * likeness / LEAST_SAME_ATTACK, 3)
