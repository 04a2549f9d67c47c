"""DuckDB, for `sql_usage.py`: in the process, out of core beyond its memory limit."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import duckdb

from ..errors import LedgerError
from .sql_table import SqlTable

MEMORY = os.environ.get("STEMLOOM_DUCKDB_MEMORY", "2GB")
"""The memory that DuckDB may use before it writes to disk."""
_ROWS = 10_000


class Duck:
    """A database of Parquet files. `scratch`: a folder for what does not fit into memory."""

    def __init__(self, files: Sequence[Path], scratch: Path | None = None) -> None:
        self._files, self._scratch = files, scratch

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix=".duckdb-", dir=self._scratch))
            config: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": MEMORY,
                "temp_directory": folder,
                "preserve_insertion_order": "false",
                # Nothing is fetched from anywhere.
                "autoinstall_known_extensions": "false",
                "TimeZone": "UTC",
            }
            try:
                self._database = stack.enter_context(duckdb.connect(config=config))
                names = [str(path) for path in self._files]
                self._database.from_parquet(names).create_view("every_entry")
            except duckdb.Error as error:
                raise _trouble(error) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(
        self, text: str, tables: Mapping[str, SqlTable], stems: Collection[str] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        try:
            for name, columns in tables.items():
                self._make(name, columns)
            narrowed = ""
            if stems is not None:
                self._make("wanted", SqlTable({"stem": "STRING"}, [(stem,) for stem in stems]))
                narrowed = " WHERE stem IN (SELECT stem FROM wanted)"
            self._database.execute(
                f"CREATE OR REPLACE TEMP VIEW entries AS SELECT * FROM every_entry{narrowed}"
            )
            cursor = self._database.execute(text)
            while rows := cursor.fetchmany(_ROWS):
                yield from rows
        except duckdb.Error as error:
            raise _trouble(error) from error

    def _make(self, name: str, columns: SqlTable) -> None:
        made = ", ".join(f'"{column}" {kind}' for column, kind in columns.types.items())
        self._database.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({made})")
        if columns.rows:
            lists = [list(column) for column in zip(*columns.rows, strict=True)]
            marks = ", ".join("unnest(?)" for _ in lists)
            self._database.execute(f"INSERT INTO {name} SELECT {marks}", lists)


def _trouble(error: duckdb.Error) -> LedgerError:
    return LedgerError(f"the ledger's Parquet cannot be added up: {error}")
