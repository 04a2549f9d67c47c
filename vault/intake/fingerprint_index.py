"""The index of what the vault's recordings are known by, and what a sound contains of them.

`vault/landmarks.db` is a cache: it follows the catalogue, and may be deleted at any time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..catalogue.sqlite_trouble import BUSY_SECONDS, worded
from ..records import ENGINE_RATE
from ..sound.fingerprint import Landmarks, alike, attack, landmarks, seconds_of

SHORT_SECONDS = 1.6
"""What is shorter has too few landmarks, and is known by its attack."""
MOST_COVERED = 0.5
"""The part of a newcomer that may be another's recording, at one and the same offset."""
LEAST_SAME_ATTACK, LEAST_SHOWN = 0.8, 0.6
"""From here up two short sounds are the same: coded copies have 0.93, two of one drum kit 0.5; and from where
on they are worth a word."""
LEAST_PAIRS, LEAST_SHARE = 8, 0.1
"""Fewer pairs at one offset are chance; and a copy keeps more than such a part of its pairs, where recordings
that share a sound, or a tempo and a key, have 0.03 in common."""
_CELL_STEPS = 10
"""A quarter of a second: the part of a sound that a pair covers."""
_PART = 900
_TABLES = (
    "CREATE TABLE IF NOT EXISTS known (number INTEGER PRIMARY KEY, stem TEXT NOT NULL UNIQUE,"
    " steps INTEGER NOT NULL, attack BLOB)",
    "CREATE TABLE IF NOT EXISTS landmark (hash INTEGER NOT NULL, number INTEGER NOT NULL,"
    " time INTEGER NOT NULL, PRIMARY KEY (hash, number, time)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS landmark_number ON landmark (number)",
)


@dataclass(frozen=True, slots=True)
class Marks:
    """What a sound is known by. `attack`: of a short one, else null."""

    landmarks: Landmarks
    attack: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Likeness:
    """A stem that a sound contains. `score`: the part of it that it covers, or how alike short ones are.

    `at`, `until`: seconds in the sound. `offset`: seconds into the stem at `at`.
    """

    stem: str
    score: float
    at: float
    until: float
    offset: float

    @property
    def same(self) -> bool:
        """Whether the sound is the stem's, and not one that shares something with it."""
        return self.score > MOST_COVERED


def marks_of(samples: NDArray[np.float32]) -> Marks:
    """What a sound at 48 kHz, float32 (channels, frames), is known by."""
    short = samples.shape[1] < SHORT_SECONDS * ENGINE_RATE
    return Marks(landmarks(samples), attack(samples) if short else None)


class Index:
    """The marks of a vault's stems, in one file. Safe to use from several threads and processes."""

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
            for table in _TABLES:
                self._db.execute(table)

    def close(self) -> None:
        self._db.close()

    def forget_others(self, stems: Set[str]) -> list[str]:
        """Forget all but these stems. Gives those of them that are not known yet."""
        with self._turn, worded(self._path):
            known = {str(stem) for (stem,) in self._db.execute("SELECT stem FROM known")}
        for stem in known - stems:
            self.forget(stem)
        return sorted(stems - known)

    def add(self, stem: str, marks: Marks) -> None:
        """Know a stem by its marks from now on."""
        with self._turn, worded(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                kept = None if marks.attack is None else marks.attack.astype("<f4").tobytes()
                self._db.execute(
                    "INSERT OR IGNORE INTO known (stem, steps, attack) VALUES (?, ?, ?)",
                    (stem, marks.landmarks.steps, kept),
                )
                (number,) = self._db.execute("SELECT number FROM known WHERE stem = ?", (stem,)).fetchone()
                self._db.executemany(
                    "INSERT OR IGNORE INTO landmark VALUES (?, ?, ?)",
                    zip(
                        marks.landmarks.hashes.tolist(),
                        [number] * len(marks.landmarks.hashes),
                        marks.landmarks.times.tolist(),
                        strict=True,
                    ),
                )
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def forget(self, stem: str) -> None:
        """Know a stem no more."""
        with self._turn, worded(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                row = self._db.execute("SELECT number FROM known WHERE stem = ?", (stem,)).fetchone()
                if row is not None:
                    self._db.execute("DELETE FROM landmark WHERE number = ?", row)
                    self._db.execute("DELETE FROM known WHERE number = ?", row)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def identify(self, marks: Marks) -> list[Likeness]:
        """The stems that a sound contains, best first; for a short one those of its attack as well."""
        found = {each.stem: each for each in self._by_landmarks(marks.landmarks)}
        if marks.attack is not None:
            for each in self._by_attack(marks.attack, marks.landmarks.steps):
                if each.stem not in found or found[each.stem].score < each.score:
                    found[each.stem] = each
        with self._turn, worded(self._path):
            steps = dict(self._db.execute("SELECT stem, steps FROM known").fetchall())
        # Of two that cover it alike, the one that is as long: a hit is in the loops that are played with it.
        length = marks.landmarks.steps
        return sorted(
            found.values(), key=lambda each: (-each.score, abs(steps.get(each.stem, 0) - length), each.stem)
        )

    def _by_landmarks(self, sound: Landmarks) -> list[Likeness]:
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
        best: dict[int, Likeness] = {}
        for number, offset, times in _together(sound, np.array(rows, np.int64)):
            if number not in names:
                continue
            share = len(times) / len(sound.hashes)
            covered = len(np.unique(times // _CELL_STEPS)) / cells
            score = covered * min(share / LEAST_SHARE, 1.0)
            if number not in best or score > best[number].score:
                begin = int(times.min())
                best[number] = Likeness(
                    names[number],
                    round(score, 3),
                    seconds_of(begin),
                    seconds_of(int(times.max()) + 1),
                    seconds_of(max(begin + offset, 0)),
                )
        return list(best.values())

    def _by_attack(self, one: NDArray[np.float32], steps: int) -> list[Likeness]:
        with self._turn, worded(self._path):
            rows = self._db.execute("SELECT stem, attack FROM known WHERE attack IS NOT NULL").fetchall()
        if not rows:
            return []
        others = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(len(rows), -1)
        found = alike(one, others)
        return [
            # On the scale of the landmarks, on which half and more is the same sound.
            Likeness(str(rows[nth][0]), _on_scale(float(found[nth])), 0.0, seconds_of(steps), 0.0)
            for nth in np.flatnonzero(found > LEAST_SHOWN)
        ]


def _together(sound: Landmarks, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """By stem and offset, the times in the sound of the pairs that agree on them, where there are enough.

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
    """An attack's likeness so that what counts as the same lies above `MOST_COVERED`."""
    above = (likeness - LEAST_SAME_ATTACK) / (1 - LEAST_SAME_ATTACK)
    if above >= 0:
        return round(MOST_COVERED + 0.01 + (1 - MOST_COVERED - 0.01) * above, 3)
    return round(MOST_COVERED * likeness / LEAST_SAME_ATTACK, 3)
