"""The engines that add up milliseconds: Python over the entries, DuckDB or Spark over their Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ..division.books import Books
from ..division.usage import EntriesUsage, Usage
from ..log.export import export_parquet
from ..tlog.disk import RealDisk
from ..tlog.note import parse_vkey
from ..tlog.reader import TileReader
from .money_lock import CheckpointedLog, ReadableLog

Engine = Literal["python", "duckdb", "spark"]
FEW = 200_000
"""The most entries that are read as they are; for more a Parquet copy is kept beside the log."""


@contextmanager
def usage_of(
    log: ReadableLog,
    seal: CheckpointedLog,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Usage]:
    """The usage of a log under a checkpoint; without `engine` the number of entries chooses one.

    SQL engines read `HOME/ledger/parquet`, which is brought up to the checkpoint first: `progress(done,
    total)` counts its entries. Raises VerificationFailed, OSError, LedgerError where an engine is not
    installed.
    """
    chosen = engine or ("python" if seal.size <= FEW else "duckdb")
    if chosen == "python":
        yield EntriesUsage(seal.read)
        return
    from .sql_usage import sql_usage

    with _parquet(log.home, log.vkey, seal, progress) as files, sql_usage(chosen, files) as usage:
        yield usage


def books_of(log: ReadableLog, seal: CheckpointedLog) -> Books:
    """All entries of a log but the placements, read by the engine for its size."""
    with usage_of(log, seal) as usage:
        return usage.books


@contextmanager
def _parquet(
    home: Path, vkey: str, seal: CheckpointedLog, progress: Callable[[int, int], None] | None
) -> Iterator[list[Path]]:
    """The files of a home's Parquet copy, which stays as it is while they are in use."""
    folder = home / "ledger" / "parquet"
    tiles = TileReader(home / "ledger" / "log")
    while True:
        made = export_parquet(tiles, seal.checkpoint.encode(), parse_vkey(vkey), folder, progress=progress)
        with RealDisk().lock(folder / ".lock"):
            # Another process may have brought it up to another checkpoint in between.
            if made.is_still_there():
                yield [folder / file.name for file in made.files]
                return
