"""Connections to the catalogue's file, or to a copy of it in memory where it cannot be written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from .sqlite_trouble import BUSY_SECONDS


def writable(path: Path) -> bool:
    """Whether the file can be written."""
    # SQLite writes beside the file as well. A disk that is mounted read-only refuses root, too.
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def connected(path: Path) -> sqlite3.Connection:
    """A connection that writes through to the disk."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def copied(path: Path) -> sqlite3.Connection:
    """The catalogue copied to memory, without a byte written to the disk."""
    # Without a write-ahead log beside it nobody has the file open, and SQLite cannot make one here.
    try:
        logged = path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        logged = False
    how = "mode=ro" if logged else "mode=ro&immutable=1"
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS)
        ) as source:
            source.backup(copy)
    except BaseException:
        copy.close()
        raise
    return copy
