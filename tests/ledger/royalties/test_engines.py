"""The same numbers from plain Python, from DuckDB and from Spark, row by row, on ledgers told at random."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.treasury import Treasury
from stemloom.ledger.division.usage import Usage
from stemloom.ledger.division.windows import PlacementWindow
from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.errors import LedgerError, VerificationFailed
from stemloom.ledger.log.export import _write
from stemloom.ledger.royalties.on_duckdb import Duck
from stemloom.ledger.royalties.sql_usage import SqlUsage
from stemloom.ledger.royalties.statement import Statements

PEOPLE = ("ada", "ben", "cleo", "dov")
TITLES = ("Pad", "Bass", "Tick", "Ünïcode 🎹", "O'Hara; DROP TABLE entries; --")
PERIODS = ("2026-09", "2026-10", "2026-11", "2026-12")


def told_at_random(story: Any, chance: Random, placements: int = 120) -> Any:
    """Four months with owners that change, settlements in two currencies, and entries that come late."""
    told = story()
    told.holder(*PEOPLE, time="2026-08-01T00:00:00.000Z")
    for title in TITLES:
        told.stem(title, chance.choice(PEOPLE), role=chance.choice(("pads", "bass", "tops")))
    for number in range(placements):
        month, day, hour = chance.randrange(9, 13), chance.randrange(1, 31), chance.randrange(24)
        start = f"2026-{month:02d}-{day:02d}T{hour:02d}:00:00.{number % 1000:03d}Z"
        match chance.randrange(14):
            case 0:
                to = dict.fromkeys(chance.sample(PEOPLE, 2), 500_000)
                told.splits(chance.choice(TITLES), "ada", to, to, start)
            case 1:
                told.income(chance.randrange(1, 10**9), chance.choice(PERIODS), chance.choice(("EUR", "USD")))
            case 2:
                settle_some(told, chance)
            case _:
                told.place(
                    chance.choice(TITLES),
                    chance.choice((0, 1, 999, 12_345, 10**7)),
                    start,
                    session=f"x{chance.randrange(6):02d}",
                    use=chance.choice(("stream", "live")),
                    tier=chance.choice(("free", "subscriber")),
                    section=chance.choice(("verse", "hook", "a 'quoted' one")),
                    role=chance.choice(("pads", "bass")),
                )
    settle_some(told, chance)
    return told


def settle_some(told: Any, chance: Random) -> None:
    books = told.usage.books
    currency, period = chance.choice(("EUR", "USD")), chance.choice(PERIODS)
    done = {entry.period for _, _, entry in books.settlements if entry.currency == currency}
    if period not in done and any(
        entry.currency == currency and entry.period == period for _, _, entry in books.income
    ):
        told.settle(period, currency)


def questions_of(usage: Usage, last: int) -> list[tuple[PlacementWindow, ...]]:
    books = usage.books
    treasury = Treasury(books)
    return [
        *(
            income.windows
            for _, of, entry in books.settlements
            for income in treasury.funds(of, entry.currency, entry.last).divided_income
        ),
        *((PlacementWindow(of, -1, last),) for _, of, _ in books.settlements),
        *((PlacementWindow(Period.parse(period), -1, last),) for period in (*PERIODS, "2026", "2025")),
    ]


def assert_same(one: Usage, other: Usage, size: int) -> None:
    """Row by row."""
    assert one.books == other.books
    questions = questions_of(one, size - 1)
    assert one.time_in_play(questions) == other.time_in_play(questions)
    for windows in (questions[0], questions[-2]):
        assert one.uses(windows[0]) == other.uses(windows[0])
        some = sorted(one.books.stems)[:2]
        assert one.uses(windows[0], some) == other.uses(windows[0], some)
        assert list(one.played(windows, 500)) == list(other.played(windows, 500))


def parquet_of(told: Any, folder: Path) -> list[Path]:
    """The entries as an export writes them, in two files."""
    folder.mkdir(exist_ok=True)
    entries = [(index, encode(entry)) for index, entry in told.read()]
    half = len(entries) // 2
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, part in zip(paths, (entries[:half], entries[half:]), strict=True):
        _write(path, iter(part), folder)
    return paths


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_duckdb_says_what_python_says(story: Any, tmp_path: Path, seed: int) -> None:
    told = told_at_random(story, Random(seed))
    with Duck(parquet_of(told, tmp_path / "parquet")) as duck:
        assert_same(told.usage, SqlUsage(duck), len(told.entries))


def test_statements_are_the_same_from_both(story: Any, tmp_path: Path) -> None:
    told = told_at_random(story, Random(7), 600)
    with Duck(parquet_of(told, tmp_path / "parquet")) as duck:
        settled = [(of, entry.currency) for _, of, entry in told.usage.books.settlements]
        assert len(settled) > 4
        for of, currency in settled:
            by_python, by_duckdb = (
                Statements(usage, told.seal, "example.org/log", "key", of, told.names, currency)
                for usage in (told.usage, SqlUsage(duck))
            )
            assert by_python.holders == by_duckdb.holders
            for holder in by_python.holders:
                assert by_python.of(holder) == by_duckdb.of(holder)


def test_sums_beyond_64_bits_are_exact(story: Any, tmp_path: Path) -> None:
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    for _ in range(1100):
        told.add(msgspec.structs.replace(told.entries[told.place("Pad", 1)], ms=2**53 - 1, seq=0))
    whole = 1100 + 1100 * (2**53 - 1)
    assert whole > 2**63
    windows = [[PlacementWindow(Period.parse("2026-11"), -1, len(told.entries))]]
    with Duck(parquet_of(told, tmp_path / "parquet")) as duck:
        for usage in (told.usage, SqlUsage(duck)):
            assert [each.ms for each in usage.time_in_play(windows)[0]] == [whole]


def test_a_stem_that_never_entered_is_no_line_that_is_lost(story: Any, tmp_path: Path) -> None:
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    told.place("Ghost", 10)
    told.income(10)
    windows = [[PlacementWindow(Period.parse("2026-11"), -1, 9)]]
    with Duck(parquet_of(told, tmp_path / "parquet")) as duck:
        usage = SqlUsage(duck)
        assert usage.time_in_play(windows) == told.usage.time_in_play(windows)
        assert [each.splits for each in usage.time_in_play(windows)[0]] == [-1]
    with pytest.raises(VerificationFailed, match="was placed, but no entry"):
        told.divide()


def test_files_that_are_no_parquet_are_told(tmp_path: Path) -> None:
    path = tmp_path / "entries.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(LedgerError, match="cannot be added up"), Duck([path]) as duck:
        SqlUsage(duck).time_in_play([])


@pytest.mark.slow
def test_spark_says_what_python_says(story: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'stemloom[spark]'")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, and there is no java")
    asked, expected = [], []
    for seed in (3,):
        told = told_at_random(story, Random(seed), 300)
        usage, stems = told.usage, sorted(told.usage.books.stems)[:2]
        questions = questions_of(usage, len(told.entries) - 1)
        asked.append((parquet_of(told, tmp_path / str(seed)), questions, stems))
        expected.append(
            (
                usage.books,
                usage.time_in_play(questions),
                usage.uses(questions[0][0]),
                usage.uses(questions[0][0], stems),
                list(usage.played(questions[-2], 500)),
            )
        )
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("spark_driver.py"))],
        input=pickle.dumps(asked),
        capture_output=True,
        check=False,
        env=dict(os.environ, SPARK_LOCAL_IP="127.0.0.1"),
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert pickle.loads(done.stdout) == expected
