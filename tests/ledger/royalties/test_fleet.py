"""A fleet's income is divided by what the logs have signed, whatever their Parquet says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stemloom.cli import main
from stemloom.ledger.division.errors import NothingHeard
from stemloom.ledger.division.periods import Period
from stemloom.ledger.entries.entries import Placement
from stemloom.ledger.errors import LedgerError, VerificationFailed
from stemloom.ledger.log import export
from stemloom.ledger.log.export import export_parquet
from stemloom.ledger.royalties import hashed_rows
from stemloom.ledger.royalties.fleet import FleetPart, divide_over_fleet
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.reader import TileReader

from .. import making
from .settled_home import Home, session_entries

MARCH = Period.parse("2025-03")


class Fleet:
    """Two logs with their exports, checkpoints and a manifest."""

    def __init__(self, path: Path) -> None:
        self.path = path / "fleet.json"
        self.homes = [Home(path / "home-0"), Home(path / "home-1", "x" + "1" * 20)]
        more = self.homes[1]
        more.log.append(session_entries(more.stems, more.grants, [("Bell", 50_000)], "x" + "2" * 20))
        for number, home in enumerate(self.homes):
            self.export(home, path / f"export-{number}")
            (path / f"{number}.checkpoint").write_bytes(home.log.checkpoint())
        self.logs = [
            {"parquet": f"export-{number}", "vkey": home.log.vkey, "checkpoint": f"{number}.checkpoint"}
            for number, home in enumerate(self.homes)
        ]

    @staticmethod
    def export(home: Home, folder: Path) -> None:
        tiles = TileReader(home.path / "ledger" / "log")
        export_parquet(tiles, home.log.checkpoint(), parse_vkey(home.log.vkey), folder)

    def divide(self, amount: int = 1000, engine: Any = "duckdb") -> tuple[FleetPart, ...]:
        self.path.write_text(json.dumps({"version": 1, "logs": self.logs}))
        return divide_over_fleet(self.path, MARCH, amount, "EUR", engine)

    def forge(self, number: int, sql: str) -> Path:
        """Change the rows of an export as SQL says, and the SHA-256 in its manifest with them."""
        folder = self.path.parent / f"export-{number}"
        (file,) = folder.glob("*.parquet")
        with duckdb.connect() as database:
            database.execute(f"CREATE TABLE t AS SELECT * FROM '{file}'")
            database.execute(sql)
            database.execute(f"COPY (SELECT * FROM t ORDER BY index) TO '{file}' (FORMAT parquet)")
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][0]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_income_is_divided_by_what_each_log_has_signed(fleet: Fleet) -> None:
    found = {each.vkey: (each.ms, each.amount) for each in fleet.divide()}
    assert found == {
        fleet.homes[0].log.vkey: (100_001, 400),
        fleet.homes[1].log.vkey: (150_001, 600),
    }


def test_a_byte_of_a_parquet_that_is_changed_is_named(fleet: Fleet) -> None:
    (path,) = (fleet.path.parent / "export-1").glob("*.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(VerificationFailed, match=rf"{path} was changed: its SHA-256"):
        fleet.divide()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET ms = ms * 10 WHERE kind = 'placement'",
        "UPDATE t SET time_ms = time_ms + 1 WHERE kind = 'placement'",
        "UPDATE t SET session = 'x1' WHERE kind = 'placement'",
        "INSERT INTO t SELECT * REPLACE (index + 100 AS index) FROM t WHERE kind = 'placement'",
        "INSERT INTO t SELECT * FROM t WHERE kind = 'placement'",
        "INSERT INTO t SELECT * REPLACE ((SELECT max(index) + 1 FROM t) AS index) FROM t "
        "WHERE kind = 'placement' LIMIT 1",
        "DELETE FROM t WHERE index = (SELECT max(index) FROM t)",
        "UPDATE t SET json = replace(json, 'Bass', 'Bess') WHERE kind = 'stem'",
        "UPDATE t SET json = NULL WHERE kind = 'stem'",
        "UPDATE t SET ms = NULL WHERE kind = 'placement'",
        "UPDATE t SET kind = 'note' WHERE kind = 'placement'",
        "ALTER TABLE t ALTER ms TYPE DOUBLE",
        "ALTER TABLE t ALTER ms TYPE VARCHAR",
        "ALTER TABLE t ALTER time_ms TYPE VARCHAR",
    ],
)
def test_rows_that_are_changed_with_the_manifest_are_found_by_the_checkpoint(fleet: Fleet, sql: str) -> None:
    folder = fleet.forge(1, sql)
    with pytest.raises(VerificationFailed, match=str(folder)):
        fleet.divide()


def test_a_row_that_is_said_to_be_no_placement_is_refused(fleet: Fleet) -> None:
    """Its bytes are those of the log, and its milliseconds would not be counted."""
    home = fleet.homes[1]
    index, data = next((at, data) for at, data in home.log.stored(0, home.log.size) if b'"ms":65000' in data)
    fleet.forge(1, f"UPDATE t SET kind = 'gap', json = '{data.decode()}' WHERE index = {index}")
    with pytest.raises(VerificationFailed, match="is a placement that is said to be a gap"):
        fleet.divide()


def test_a_file_whose_root_in_the_manifest_is_right_is_told_from_the_others(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Of three files the second is changed."""
    home, folder = fleet.homes[0], tmp_path / "export-0"
    for _ in range(2):
        home.log.append([making.income(number, period="2025-03") for number in range(300)])
    shutil.rmtree(folder)
    tiles = TileReader(home.path / "ledger" / "log")
    export_parquet(tiles, home.log.checkpoint(), parse_vkey(home.log.vkey), folder, rows=256)
    (tmp_path / "0.checkpoint").write_bytes(home.log.checkpoint())
    second = folder / "entries-000000000256.parquet"
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE t AS SELECT * FROM '{second}'")
        database.execute("UPDATE t SET frames = frames + 1 WHERE kind = 'income'")
        database.execute("UPDATE t SET json = replace(json, 'no 1', 'no 2')")
        database.execute(f"COPY (SELECT * FROM t ORDER BY index) TO '{second}' (FORMAT parquet)")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][1]["sha256"] = hashlib.sha256(second.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(VerificationFailed, match=rf"{second} does not hold the entries 256 to 511"):
        fleet.divide()


def test_one_log_twice_is_refused_whatever_its_checkpoints(fleet: Fleet, tmp_path: Path) -> None:
    fleet.logs.append(dict(fleet.logs[0]))
    with pytest.raises(VerificationFailed, match="is there twice"):
        fleet.divide()
    home = fleet.homes[0]
    before = home.log.size
    home.income()
    Fleet.export(home, tmp_path / "again")
    (tmp_path / "again.checkpoint").write_bytes(home.log.checkpoint())
    fleet.logs[2] |= {"parquet": "again", "checkpoint": "again.checkpoint"}
    with pytest.raises(VerificationFailed, match=rf"with {before} entries and in .* with {before + 1}: "):
        fleet.divide()


def test_an_export_of_another_checkpoint_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    home = fleet.homes[0]
    home.income()
    (tmp_path / "0.checkpoint").write_bytes(home.log.checkpoint())
    with pytest.raises(VerificationFailed, match=r"export-0 is an export of the log .* export the log again"):
        fleet.divide()


def test_another_logs_key_is_refused(fleet: Fleet) -> None:
    one, other = fleet.logs
    one["vkey"], kept = other["vkey"], one["vkey"]
    with pytest.raises(VerificationFailed, match=r"0\.checkpoint is not a checkpoint of the log"):
        fleet.divide()
    one["vkey"], other["parquet"] = kept, one["parquet"]
    with pytest.raises(VerificationFailed, match="export-0 is an export of the log"):
        fleet.divide()


def test_a_copy_under_another_key_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    """Signed anew, with a name of its own: it has sessions of the first."""
    copy = Home(tmp_path / "copy")
    placed = [entry for _, entry in copy.log.entries() if isinstance(entry, Placement)]
    assert placed
    Fleet.export(copy, tmp_path / "copied")
    (tmp_path / "copy.checkpoint").write_bytes(copy.log.checkpoint())
    fleet.logs.append({"parquet": "copied", "vkey": copy.log.vkey, "checkpoint": "copy.checkpoint"})
    with pytest.raises(VerificationFailed, match=r"the session x[0-9a-f]+ is in .*a copy of the other under"):
        fleet.divide()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not the manifest of a fleet"),
        ('{"version": 2, "logs": []}', "is not the manifest of a fleet"),
        ('{"version": 1, "logs": []}', "names no log"),
        ('{"version": 1, "logs": [{"parquet": "a", "vkey": "b", "checkpoint": "c"}]}', "log 1 names no key"),
    ],
)
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "fleet.json").write_text(text)
    with pytest.raises(LedgerError, match=message):
        divide_over_fleet(tmp_path / "fleet.json", MARCH, 5, "EUR")


@pytest.mark.slow
def test_spark_divides_as_duckdb_does_and_finds_the_same(fleet: Fleet) -> None:
    pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'stemloom[spark]'")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, and there is no java")
    expected = [(each.vkey, each.ms, each.amount) for each in fleet.divide()]
    words = [sys.executable, "-m", "stemloom", "--json", "royalty", "settle", "2025-03", "--currency", "EUR"]
    words += ["--fleet", str(fleet.path), "--amount", "0.001", "--engine", "spark"]
    environment = dict(os.environ, SPARK_LOCAL_IP="127.0.0.1")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)

    said = json.loads(run().stdout)
    assert [(each["vkey"], each["ms"], each["amount"]) for each in said["logs"]] == expected
    folder = fleet.forge(1, "UPDATE t SET ms = ms * 10 WHERE kind = 'placement'")
    done = run()
    assert done.returncode == 5
    assert str(folder) in done.stderr


def test_a_month_in_which_nothing_was_heard_is_not_divided(fleet: Fleet) -> None:
    fleet.divide()
    with pytest.raises(NothingHeard):
        divide_over_fleet(fleet.path, Period.parse("2025-04"), 5, "EUR")


def test_an_export_has_every_field_of_a_placement() -> None:
    """Else its rows could not be turned back into the entries that were signed."""
    fields = {*Placement.__struct_fields__} - {"v", "start"} | {"time_ms"}
    assert fields == {*hashed_rows._FIELDS}
    assert {*Placement.__struct_fields__} - {"v"} <= {*export._COLUMNS}


def test_the_command_divides_and_writes_nothing(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.divide()
    sizes = [home.log.size for home in fleet.homes]
    words = ["--json", "royalty", "settle", "2025-03", "--fleet", str(fleet.path), "--currency", "EUR"]
    main.main(args=[*words, "--amount", "0.001"], prog_name="stemloom", standalone_mode=False)
    said = json.loads(capsys.readouterr().out)
    assert sorted(each["amount"] for each in said["logs"]) == [400, 600]
    assert [home.log.size for home in fleet.homes] == sizes
