"""Royalties: how long it takes to add up placements and divide a period's income, and to write statements.

The placements lie as Parquet, as `ledger export` writes it: here DuckDB makes the same columns from numbers,
for a hundred million true entries would take half an hour to log. Each size runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from stemloom.ledger.division.division import divide_period
from stemloom.ledger.division.periods import Period
from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.entries.entries import Entry, Holder, Income
from stemloom.ledger.entries.signing import commitment
from stemloom.ledger.log.export import _write
from stemloom.ledger.royalties.accounting_formats import statement_csv
from stemloom.ledger.royalties.money_lock import CheckpointedLog
from stemloom.ledger.royalties.on_duckdb import Duck
from stemloom.ledger.royalties.settle import settlement_entry
from stemloom.ledger.royalties.sql_usage import SqlUsage
from stemloom.ledger.royalties.statement import Statements
from stemloom.ledger.royalties.statement_page import statement_page
from stemloom.ledger.royalties.statement_schema import Named, to_bytes

from .harness import Figure
from .ledger import _resident
from .made_entries import stem_entry

MILLION = 1_000_000
SIZES = tuple(int(each) for each in os.environ.get("STEMLOOM_ROYALTY_PLACEMENTS", "1,10,100").split(","))
"""Millions of placements."""
HOLDERS, STEMS = 1_000, 10_000
PERIOD = Period.parse("2026-11")
TIME = "2026-10-01T00:00:00.000Z"
FILE_ROWS = 1 << 20
SALT = "ab" * 16


def figures() -> Iterator[Figure]:
    """Settlements of several sizes, then the statements of a thousand holders."""
    seconds: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for millions in SIZES:
            place = Path(folder) / str(millions)
            make(place, millions * MILLION)
            found = _apart("settle", place)
            seconds[millions] = found["seconds"]
            growth = ""
            if len(seconds) > 1:
                before = list(seconds)[-2]
                each = (seconds[millions] / millions) / (seconds[before] / before)
                growth = f", {each:.2f} times as long for each as of {before} million"
            yield Figure(
                f"{millions} million placements of {STEMS:,} stems settled, among {HOLDERS:,} holders",
                {"duckdb": found["seconds"]},
                f"{found['seconds']:.1f} s, at most {found['mb'] / 1000:.1f} GB{growth}",
            )
            if millions == min(10, SIZES[-1]):
                made = _apart("statements", place)
                yield Figure(
                    f"statements for {HOLDERS:,} holders of {millions} million placements",
                    {"statements": made["seconds"]},
                    f"{made['seconds']:.1f} s, each as HTML, JSON and CSV; {made['adding']:.1f} s to add up",
                )


def make(place: Path, count: int) -> None:
    """A ledger of `count` placements in November 2026, as Parquet."""
    place.mkdir()
    books = _books()
    _write(place / "books.parquet", ((index, encode(each)) for index, each in enumerate(books)), place)
    _write_placements(place, len(books), count)


def _books() -> list[Entry]:
    """The holders, their stems, and a month's income."""
    people = [f"h{number:020x}" for number in range(HOLDERS)]
    entries: list[Entry] = [
        Holder(
            time=TIME,
            holder=holder,
            name=commitment(f"Holder {number}", SALT),
            public_key="A" * 43 + "=",
            custody="operator",
            proof="A" * 86 + "==",
        )
        for number, holder in enumerate(people)
    ]
    for number in range(STEMS):
        parties = sorted({people[number % HOLDERS], people[(7 * number + 1) % HOLDERS]})
        digest, title = f"{number:064x}", f"Stem {number}"
        entries.append(
            stem_entry(TIME, f"s{number:020x}", digest, people[number % HOLDERS], parties, title=title)
        )
    entries.append(
        Income(
            time="2026-11-20T00:00:00.000Z",
            source="subscription",
            currency="EUR",
            amount=1_000_000 * MILLION,
            period=PERIOD.text,
            reference="inv-1",
        )
    )
    return entries


def _write_placements(place: Path, first: int, count: int) -> None:
    month = 30 * 86_400_000
    with duckdb.connect(config={"preserve_insertion_order": "false"}) as database:
        for start in range(0, count, FILE_ROWS):
            rows = min(FILE_ROWS, count - start)
            database.execute(
                f"COPY (SELECT {first + start} + i AS index, 'placement' AS kind,"
                f" 1793491200000 + CAST(({start} + i) * ({month} / {count}) AS BIGINT) AS time_ms,"
                f" 'x' || lpad(CAST(({start} + i) // 900 AS VARCHAR), 20, '0') AS session,"
                f" ({start} + i) % 900 AS seq,"
                f" 's' || lpad(lower(hex(CAST(hash({start} + i) % {STEMS} AS BIGINT))), 20, '0') AS stem,"
                " CASE WHEN i % 7 = 0 THEN 'live' ELSE 'stream' END AS use,"
                " CASE WHEN i % 3 = 0 THEN 'free' ELSE 'subscriber' END AS tier,"
                " CASE WHEN i % 2 = 0 THEN 'pads' ELSE 'bass' END AS role,"
                " 'part' AS part, 'section ' || (i % 5) AS section, 3 AS line,"
                " CAST(i AS BIGINT) * 480 AS start_frame, 48000 AS frames, 48000 AS rate,"
                " 20 + CAST(hash(i) % 9000 AS BIGINT) AS ms, 2 AS consent,"
                " CAST(NULL AS VARCHAR) AS recovered, CAST(NULL AS VARCHAR) AS json"
                f" FROM range({rows}) AS r(i))"
                f" TO '{place}/entries-{first + start:012d}.parquet' (FORMAT parquet, COMPRESSION zstd)"
            )


def settling(place: Path) -> dict[str, float]:
    """Add up and divide, once; seconds and the largest memory."""
    begun = time.perf_counter()
    with Duck(sorted(place.glob("*.parquet"))) as duck:
        _divide(SqlUsage(duck))
    return {"seconds": time.perf_counter() - begun, "mb": _resident() / 1e6}


def _divide(usage: SqlUsage):  # type: ignore[no-untyped-def]
    division = divide_period(usage, PERIOD, "EUR", usage.books.size - 1)
    assert sum(each.amount for each in division.stems) == division.for_holders
    assert len(division.stems) == STEMS
    return settlement_entry(division, "0" * 64, "2026-12-01T08:00:00.000Z")


def stating(place: Path) -> dict[str, float]:
    """The statements of all holders, written; seconds."""
    with Duck(sorted(place.glob("*.parquet"))) as duck:
        usage = SqlUsage(duck)
        entry = _divide(usage)
        size = usage.books.size + 1
        usage.books.settlements.append((size - 1, PERIOD, entry))
        usage.books.size = size
        names = {f"h{number:020x}": Named(f"Holder {number}", SALT) for number in range(HOLDERS)}
        seal = CheckpointedLog(size, "0" * 64, "a checkpoint\n", lambda: iter(()))
        begun = time.perf_counter()
        made = Statements(usage, seal, "example.org/log", "key", PERIOD, names)
        adding = time.perf_counter() - begun
        for holder in made.holders:
            each = made.of(holder)
            (place / f"{holder}.json").write_bytes(to_bytes(each))
            (place / f"{holder}.csv").write_text(statement_csv(each))
            (place / f"{holder}.html").write_text(statement_page(each))
        assert len(made.holders) == HOLDERS
    return {"seconds": time.perf_counter() - begun, "adding": adding}


def _apart(what: str, place: Path) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.royalties", what, str(place)]
    found: dict[str, float] = json.loads(
        subprocess.run(words, check=True, capture_output=True, text=True).stdout
    )
    return found


if __name__ == "__main__":
    print(json.dumps({"settle": settling, "statements": stating}[sys.argv[1]](Path(sys.argv[2]))))
