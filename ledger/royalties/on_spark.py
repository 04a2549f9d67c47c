"""Spark, for `sql_usage.py`: on a cluster where one is set up, else on all cores of this machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ..errors import LedgerError
from .sql_table import SqlTable


class Spark:
    """A database of Parquet files, which every worker of the cluster must be able to read."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def __enter__(self) -> Self:
        try:
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise LedgerError("Spark is not installed; add it with pip install 'stemloom[spark]'") from error
        # What spark-submit, or a session that is there already, has set up goes before these.
        active = SparkSession.getActiveSession()
        self._ours = active is None
        try:
            self._session = active or (
                SparkSession.builder.appName("stemloom royalties")
                .config("spark.ui.enabled", "false")
                .config("spark.ui.showConsoleProgress", "false")
                .config("spark.log.level", "ERROR")
                .config("spark.sql.session.timeZone", "UTC")
                .config("spark.sql.shuffle.partitions", "8")
                .getOrCreate()
            )
        except Exception as error:  # the gateway fails in ways of its own: no Java, no memory, no cluster
            raise LedgerError(
                f"Spark did not start; it needs Java 17 or later: {_first_line(error)}"
            ) from error
        try:
            self._session.read.parquet(*map(str, self._files)).createOrReplaceTempView("every_entry")
        except Exception as error:
            self.__exit__(None, None, None)
            raise LedgerError(f"Spark cannot read the ledger's Parquet: {_first_line(error)}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._session.stop()

    def run(
        self, text: str, tables: Mapping[str, SqlTable], stems: Collection[str] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        narrowed = ""
        try:
            for name, columns in tables.items():
                self._make(name, columns)
            if stems is not None:
                self._make("wanted", SqlTable({"stem": "STRING"}, [(stem,) for stem in stems]))
                narrowed = " WHERE stem IN (SELECT stem FROM wanted)"
            self._session.sql(f"CREATE OR REPLACE TEMP VIEW entries AS SELECT * FROM every_entry{narrowed}")
            for row in self._session.sql(text).toLocalIterator():
                yield tuple(row)
        except Exception as error:
            raise LedgerError(f"Spark cannot add up the ledger's Parquet: {_first_line(error)}") from error

    def _make(self, name: str, columns: SqlTable) -> None:
        schema = ", ".join(f"`{column}` {kind}" for column, kind in columns.types.items())
        self._session.createDataFrame(list(columns.rows), schema).createOrReplaceTempView(name)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
