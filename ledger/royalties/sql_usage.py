"""Usage by SQL over the log's Parquet (`ledger/log/export.py`): one text each, for DuckDB and for Spark.

The texts, in the `.sql` files beside this, add up integers and count; money is divided in `division.py`
alone. A database here runs a text over the tables that the text names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from ..clock import milliseconds_of, text_at
from ..division.books import Books, gather
from ..division.usage import Amount, Played, StemUse, TimeInPlay
from ..division.windows import PlacementWindow
from ..entries.canonical import decode
from ..entries.entries import Entry
from .sql_table import SqlTable

_ENTRIES = "SELECT e.index, e.json FROM entries AS e WHERE e.kind <> 'placement' ORDER BY e.index"
_LAST = "SELECT MAX(e.index) FROM entries AS e"
_INDEX = 10**16
"""`uses.sql` multiplies a time by this, to put an index below it."""
_EVER, _NEVER = -(2**53), 2**53


class Database(Protocol):
    """Runs a text over `entries`, narrowed to some stems or not, and the small tables that go along."""

    def run(
        self, text: str, tables: Mapping[str, SqlTable], stems: Collection[str] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """The rows. Raises LedgerError."""
        ...


class SqlUsage:
    """The `usage.Usage` of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._books: Books | None = None

    @property
    def books(self) -> Books:
        if self._books is None:
            self._books = gather(self._entries())
            # The last entry may be a placement.
            ((last,),) = self._database.run(_LAST, {})
            self._books.size = 0 if last is None else last + 1
            self._books.days = {
                _day(day_ms): first for day_ms, first in self._database.run(_text("days"), {})
            }
        return self._books

    def _entries(self) -> Iterator[tuple[int, Entry]]:
        for index, text in self._database.run(_ENTRIES, {}):
            yield index, decode(text.encode())

    def time_in_play(self, questions: Sequence[Sequence[PlacementWindow]]) -> list[list[TimeInPlay]]:
        books = self.books
        answers: list[list[TimeInPlay]] = [[] for _ in questions]
        tables = {
            "windows": _windows(questions),
            "segments": _segments(questions),
            "periods": _periods(questions),
            "edges": _edges(books),
            "owners": _owners(books, questions),
        }
        for question, stem, period, splits, ms, placements in self._database.run(_text("usage"), tables):
            if splits is None:
                # Its owners never changed.
                known = books.rights.owned(stem, questions[question][0].last)
                splits = known[0].index if known else -1
            answers[question].append(TimeInPlay(stem, period, splits, int(ms), int(placements)))
        return [sorted(each, key=lambda heard: (heard.stem, heard.period, heard.splits)) for each in answers]

    def uses(self, window: PlacementWindow, stems: Collection[str] | None = None) -> dict[str, StemUse]:
        tables = {"windows": _windows([[window]])}
        found: dict[str, StemUse] = {}
        for stem, use, tier, role, section, day_ms, ms, placements, first, last in self._database.run(
            _text("uses"), tables, stems
        ):
            of = found.setdefault(stem, StemUse())
            amount = Amount(int(ms), placements)
            if use is not None:
                of.by_use[use] = amount
            elif tier is not None:
                of.by_tier[tier] = amount
            elif role is not None:
                of.by_role[role] = amount
            elif section is not None:
                of.by_section[section] = amount
            elif day_ms is not None:
                of.by_day[_day(day_ms)] = amount
            else:
                of.whole, of.first, of.last = amount, _at(first), _at(last)
        for stem, sessions in self._database.run(_text("sessions"), tables, stems):
            found[stem].sessions = sessions
        return found

    def played(self, windows: Sequence[PlacementWindow], floor_ms: int = 0) -> Iterator[Played]:
        rows = self._database.run(_text("played"), {"windows": _windows([windows], floor_ms)})
        for session, stem, ms, floored, placements, sections in sorted(rows):
            yield Played(session, stem, int(ms), int(floored), placements, sections)


@cache
def _text(name: str) -> str:
    return (Path(__file__).with_name(f"{name}.sql")).read_text("utf-8")


def _windows(questions: Sequence[Sequence[PlacementWindow]], floor_ms: int = 0) -> SqlTable:
    types = {"question": "INT", "period": "STRING"}
    types |= dict.fromkeys(("start_ms", "end_ms", "above", "last", "floor_ms"), "BIGINT")
    rows = [
        (at, of.text, milliseconds_of(of.start), milliseconds_of(of.end), each.above, each.last, floor_ms)
        for at, windows in enumerate(questions)
        for each in windows
        for of in (each.period,)
    ]
    return SqlTable(types, rows)


def _segments(questions: Sequence[Sequence[PlacementWindow]]) -> SqlTable:
    ends = sorted({end for windows in questions for each in windows for end in (each.above, each.last)})
    return SqlTable(dict.fromkeys(("above", "last"), "BIGINT"), list(pairwise(ends)))


def _periods(questions: Sequence[Sequence[PlacementWindow]]) -> SqlTable:
    every = dict.fromkeys(each.period for windows in questions for each in windows)
    types = {"period": "STRING", **dict.fromkeys(("start_ms", "end_ms"), "BIGINT")}
    return SqlTable(
        types, [(each.text, milliseconds_of(each.start), milliseconds_of(each.end)) for each in every]
    )


def _edges(books: Books) -> SqlTable:
    types = {"stem": "STRING", **dict.fromkeys(("start_ms", "end_ms"), "BIGINT")}
    rows = []
    for stem, known in books.rights.ownerships.items():
        if len(known) > 1:
            times = sorted({milliseconds_of(each.time) for each in known})
            rows += [(stem, start, end) for start, end in pairwise([_EVER, *times, _NEVER])]
    return SqlTable(types, rows)


def _owners(books: Books, questions: Sequence[Sequence[PlacementWindow]]) -> SqlTable:
    types = {"question": "INT", "stem": "STRING", "splits": "BIGINT"}
    types |= dict.fromkeys(("start_ms", "end_ms"), "BIGINT")
    rows = []
    changed = [stem for stem, known in books.rights.ownerships.items() if len(known) > 1]
    for at, windows in enumerate(questions):
        for stem in changed:
            splits = books.rights.owned(stem, windows[0].last)
            edges = [_EVER, *(milliseconds_of(each.time) for each in splits[1:]), _NEVER]
            rows += [
                (at, stem, each.index, start, end)
                for each, start, end in zip(splits, edges[:-1], edges[1:], strict=False)
            ]
    return SqlTable(types, rows)


def _at(packed: Any) -> tuple[str, int]:
    time, index = divmod(int(packed), _INDEX)
    return text_at(time), index


def _day(ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).date().isoformat()


@contextmanager
def sql_usage(engine: str, files: Sequence[Path], scratch: Path | None = None) -> Iterator[SqlUsage]:
    """The usage of Parquet files by `duckdb` or `spark`. `scratch`: a folder for what memory cannot hold.

    Raises LedgerError where the engine is not installed.
    """
    if engine == "spark":
        from .on_spark import Spark

        with Spark(files) as spark:
            yield SqlUsage(spark)
    else:
        from .on_duckdb import Duck

        with Duck(files, scratch) as duck:
            yield SqlUsage(duck)
