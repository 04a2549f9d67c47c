"""The salts of users, which link the sessions of a log to a user for as long as they are kept.

A session's entry holds a commitment to its user's name, made with a salt of its own (`signing.commitment`).
The salt and the name are kept here, in `HOME/private/salts.db`, for the operator alone and never in the log:
with them a user can be shown their sessions, and can prove them to others. Once they are destroyed, nobody
can link a session to its user, and the log verifies as before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import LedgerError
from ..tlog.disk import RealDisk
from .signing import new_salt

_TABLE = (
    "CREATE TABLE IF NOT EXISTS salted (session TEXT PRIMARY KEY, user TEXT NOT NULL, salt TEXT NOT NULL)"
    " WITHOUT ROWID"
)
_SECONDS = 10.0
"""How long to wait for another process that is writing."""


@dataclass(frozen=True, slots=True)
class Salted:
    """A session, its user, and the salt of the commitment in its entry."""

    session: str
    user: str
    salt: str


class Salts:
    """The store of one home. Any number of processes may use it; nothing is held open between calls.

    Methods raise LedgerError if the store cannot be read or written.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "private"
        self.path = self._folder / "salts.db"

    def new(self, session: str, user: str) -> str:
        """A new salt for a session. It is durable when this returns, unless the user has no name."""
        salt = new_salt()
        if user:
            with self._open(create=True) as database:
                database.execute("INSERT INTO salted VALUES (?, ?, ?)", (session, user, salt))
        return salt

    def users(self) -> dict[str, int]:
        """The number of sessions of each known user, by name."""
        with self._open() as database:
            rows = database.execute("SELECT user, count(*) FROM salted GROUP BY user ORDER BY user")
            return dict(rows.fetchall())

    def of_user(self, user: str) -> list[Salted]:
        """The sessions of a user."""
        return self._chosen("user", user)

    def of_session(self, session: str) -> Salted | None:
        """The user and salt of a session; None if they are not known, or not any more."""
        return next(iter(self._chosen("session", session)), None)

    def erase(self, *, user: str | None = None, session: str | None = None) -> int:
        """Destroy the salts of a user or of a session, overwrite their bytes, and give their number."""
        column, value = ("user", user) if user is not None else ("session", session)
        with self._open() as database:
            count = database.execute(f"DELETE FROM salted WHERE {column} = ?", (value,)).rowcount
        if count:
            with self._open() as database:
                database.execute("VACUUM")
        return count

    def _chosen(self, column: str, value: str) -> list[Salted]:
        with self._open() as database:
            rows = database.execute(
                f"SELECT session, user, salt FROM salted WHERE {column} = ? ORDER BY session", (value,)
            )
            return [Salted(*row) for row in rows]

    @contextmanager
    def _open(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        there = self.path.exists()
        if create and not there:
            disk = RealDisk()
            if disk.make_folder(self._folder, 0o700):
                disk.sync(self._folder.parent)
            self.path.touch(0o600)
            disk.sync(self._folder)
        try:
            database = sqlite3.connect(self.path if there or create else ":memory:", timeout=_SECONDS)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        try:
            # Overwrites what is deleted; a rollback journal keeps no copy of it, as a write-ahead log would.
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("PRAGMA synchronous = FULL")
            database.execute(_TABLE)
            yield database
            database.commit()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        finally:
            database.close()

    def _trouble(self, error: sqlite3.Error) -> LedgerError:
        return LedgerError(f"the salts of users in {self.path} cannot be read or written: {error}")
