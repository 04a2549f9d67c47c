"""Turns the error codes of SQLite into errors about the disk and the catalogue."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CatalogueTrouble

BUSY_SECONDS = 60.0
"""The longest wait for another process's transaction."""

_LEAST_FREE_BYTES = 64 << 10
"""SQLite takes disk in steps of 32 KB for the index of its write-ahead log: with less, none is left."""

_OTHER_TABLES = ("no such table", "no such column", "already exists", "has no column", " columns but ")
"""SQLite's messages, under its general error code, for tables that do not have their version's form."""


@contextmanager
def worded(path: Path) -> Iterator[None]:
    """Turn errors of SQLite about the catalogue at `path` into `OSError` or `CatalogueTrouble`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        # Writing or making a file can fail under these codes, too, when the disk is full.
        if code == sqlite3.SQLITE_FULL or (
            code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(path.parent)
        ):
            raise OSError(errno.ENOSPC, "no space left on the disk", str(path)) from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise OSError(errno.EACCES, "no permission", str(path)) from error
        if code == sqlite3.SQLITE_IOERR:
            raise OSError(errno.EIO, f"the disk fails ({error})", str(path)) from error
        if code == sqlite3.SQLITE_BUSY:
            raise CatalogueTrouble(
                f"another process has held the catalogue at {path} for {BUSY_SECONDS:.0f} s; try again"
            ) from error
        # A row that is there already when the ledger brings it did not come from the ledger.
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT) or (
            code == sqlite3.SQLITE_ERROR and any(words in str(error) for words in _OTHER_TABLES)
        ):
            raise CatalogueTrouble(
                f"the catalogue at {path} is damaged ({error}); put it back from a backup: "
                "the ledger then brings it up to date by itself"
            ) from error
        raise


def _is_full(folder: Path) -> bool:
    """Whether the disk has no bytes left, or no room for the name of another file."""
    disk = os.statvfs(folder)
    # Some file systems do not count names, and say 0 of 0.
    no_names = disk.f_files > 0 and disk.f_favail == 0
    return no_names or shutil.disk_usage(folder).free < _LEAST_FREE_BYTES
