"""What whoever keeps a log or a checkpoint of it can do: consistency, reconciliation, export to Parquet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stemloom.ledger.clock import milliseconds_of
from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.entries.entries import Placement
from stemloom.ledger.errors import BadNote, LedgerError, RefusesToSign, VerificationFailed
from stemloom.ledger.log.export import export_parquet
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog import merkle
from stemloom.ledger.tlog.consistency import check_continues
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.source import FolderSource
from stemloom.ledger.verify.reconcile import reconcile
from stemloom.ledger.verify.verify import verify


def tiles_of(log: Log) -> TileReader:
    folder = log.home / "ledger" / "log"
    return TileReader(folder, FolderSource(folder).read)


# Consistency.


@pytest.mark.parametrize("old", [0, 1, 4, 255, 256, 257, 599, 600])
def test_a_log_goes_on_from_every_checkpoint_of_before(log: Log, story: Any, old: int) -> None:
    entries = story.whole(600)
    log.append(entries[:old])
    kept = log.checkpoint()
    log.append(entries[old:])
    shown = check_continues(kept, log.checkpoint(), parse_vkey(log.vkey), tiles_of(log))
    assert (shown.old.size, shown.new.size) == (old, 600)
    assert merkle.check_consistency(shown.proof, old, 600, shown.old.root, shown.new.root)


def test_a_fork_and_an_older_copy_are_refused(log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    entries = story.whole(600)
    log.append(entries[:300])
    shutil.copytree(home, tmp_path / "fork")
    older = log.checkpoint()
    log.append(entries[300:])
    fork = Log.open(tmp_path / "fork")
    fork.append(entries[300:][::-1])
    key = parse_vkey(log.vkey)
    with pytest.raises(VerificationFailed, match="was rewritten"):
        check_continues(fork.checkpoint(), log.checkpoint(), key, tiles_of(log))
    with pytest.raises(VerificationFailed, match="was cut back"):
        check_continues(log.checkpoint(), older, key, tiles_of(log))
    with pytest.raises(BadNote):
        check_continues(b"no note", log.checkpoint(), key, tiles_of(log))
    damaged = home / "ledger" / "log" / "tile" / "0" / "001"
    damaged.write_bytes(bytes(len(damaged.read_bytes())))
    with pytest.raises(VerificationFailed):
        check_continues(older, log.checkpoint(), key, tiles_of(log))


Call = Callable[..., tuple[int, str, str]]


def test_consistency_at_the_command_line(
    call: Call, log: Log, home: Path, story: Any, tmp_path: Path
) -> None:
    entries = story.whole(300)
    log.append(entries[:100])
    kept = tmp_path / "kept"
    kept.write_bytes(log.checkpoint())
    log.append(entries[100:])
    code, out, _ = call("consistency", str(kept))
    assert (code, out.split(":")[0]) == (0, "consistent")
    copy = tmp_path / "copy"
    shutil.copytree(home / "ledger" / "log", copy)
    code, out, _ = call("consistency", str(kept), "--log", str(copy), "--vkey", log.vkey)
    assert code == 0
    assert call("consistency", str(kept), "--log", str(copy))[0] == 2
    kept.write_bytes(kept.read_bytes().replace(b"100", b"101"))
    assert call("consistency", str(kept))[0] == 5


# Reconciliation.


def state(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()
    }


def test_a_sound_home_has_nothing_to_do(call: Call, log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(300))
    before = state(home)
    plan = reconcile(home)
    assert (plan.steps, plan.done) == ((), False)
    assert state(home) == before
    code, out, _ = call("reconcile")
    assert code == 0
    assert "there is nothing to do" in out


def test_an_older_log_goes_on_from_a_newer_copy(
    call: Call, log: Log, home: Path, story: Any, tmp_path: Path
) -> None:
    entries = story.whole(700)
    log.append(entries[:300])
    shutil.copytree(home, tmp_path / "backup")
    log.append(entries[300:600])
    published = tmp_path / "published"
    shutil.copytree(home / "ledger" / "log", published)
    kept = tmp_path / "kept"
    kept.write_bytes(log.checkpoint())
    # The backup of log/ alone is put back.
    shutil.rmtree(home / "ledger" / "log")
    shutil.copytree(tmp_path / "backup" / "ledger" / "log", home / "ledger" / "log")
    with pytest.raises(RefusesToSign):
        log.append(entries[600:601])
    before = state(home)
    with pytest.raises(VerificationFailed, match="two histories of one log"):
        reconcile(home)
    code, _, err = call("reconcile")
    assert code == 5
    assert "Find a newer copy" in err
    plan = reconcile(home, copy=FolderSource(published), copy_place=str(published))
    assert plan.steps == ("take over the entries 300 to 599 from the copy, and sign on from there",)
    assert state(home) == before
    code, out, _ = call("reconcile", "--log", str(published), "--trust", str(kept), "--yes")
    assert code == 0
    assert "done: take over" in out
    log.append(entries[600:])
    report = verify(home)
    assert (report.ok, report.size, report.warnings) == (True, 700, ())


def test_a_whole_home_that_was_put_back_is_told_by_a_kept_checkpoint(
    log: Log, home: Path, story: Any, tmp_path: Path
) -> None:
    entries = story.whole(300)
    log.append(entries[:100])
    shutil.copytree(home, tmp_path / "backup")
    log.append(entries[100:200])
    kept = log.checkpoint()
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    assert reconcile(home).steps == ()
    with pytest.raises(VerificationFailed, match=r"100 entries.* and 200 entries were signed"):
        reconcile(home, kept=[kept])


def test_a_copy_that_is_another_history_is_refused(log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    entries = story.whole(300)
    log.append(entries[:100])
    shutil.copytree(home, tmp_path / "other")
    log.append(entries[100:200])
    Log.open(tmp_path / "other").append(entries[100:][::-1])
    published = tmp_path / "other" / "ledger" / "log"
    before = state(home)
    with pytest.raises(VerificationFailed, match=r"does not verify|rewritten"):
        reconcile(home, copy=FolderSource(published), copy_place=str(published), do=True)
    assert state(home) == before


def test_a_lost_copy_of_what_was_signed(call: Call, log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    entries = story.whole(300)
    log.append(entries[:100])
    kept = tmp_path / "kept"
    kept.write_bytes(log.checkpoint())
    log.append(entries[100:200])
    (home / "ledger" / "signed").unlink()
    with pytest.raises(VerificationFailed, match="nobody can tell"):
        reconcile(home)
    code, out, _ = call("reconcile", "--trust", str(kept))
    assert code == 0
    assert "--yes does it" in out
    assert not (home / "ledger" / "signed").exists()
    assert call("reconcile", "--trust", str(kept), "--yes")[0] == 0
    log.append(entries[200:])
    assert verify(home).ok


def test_a_crash_at_every_step_of_taking_over(
    home: Path, log: Log, story: Any, tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException]
) -> None:
    entries = story.whole(600)
    log.append(entries[:250])
    shutil.copytree(home, tmp_path / "start")
    log.append(entries[250:520])
    published = tmp_path / "published"
    shutil.copytree(home / "ledger" / "log", published)
    shutil.copy(home / "ledger" / "signed", tmp_path / "start" / "ledger" / "signed")

    def run(where: Path, disk: Any) -> None:
        reconcile(where, copy=FolderSource(published), copy_place=str(published), do=True, disk=disk)

    counted = faulty()
    shutil.copytree(tmp_path / "start", tmp_path / "counted")
    run(tmp_path / "counted", counted)
    assert len(counted.steps) > 15
    for after in range(len(counted.steps)):
        where = tmp_path / f"crash{after}"
        shutil.copytree(tmp_path / "start", where)
        with pytest.raises(crash):
            run(where, faulty(after, crash()))
        run(where, faulty())
        again = Log.open(where, create=True)
        assert again.size == 520
        again.append(entries[520:])
        report = verify(where)
        assert (report.problems, report.warnings) == ((), ()), counted.steps[after]
        shutil.rmtree(where)


# Export.


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        return database.execute(query.replace("LOG", f"'{folder}/entries-*.parquet'")).fetchall()


def test_the_parquet_says_what_the_log_does(call: Call, log: Log, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(1000))
    folder = tmp_path / "export"
    made = export_parquet(tiles_of(log), log.checkpoint(), parse_vkey(log.vkey), folder, rows=512)
    assert [file.name for file in made.files] == [
        "entries-000000000000.parquet",
        "entries-000000000512.parquet",
    ]
    plain: dict[str, int] = {}
    for _, entry in log.entries():
        if isinstance(entry, Placement):
            plain[entry.stem] = plain.get(entry.stem, 0) + entry.ms
    query = "SELECT stem, sum(ms)::BIGINT FROM LOG WHERE kind = 'placement' GROUP BY stem"
    assert dict(rows(folder, query)) == plain
    got = rows(folder, 'SELECT "index", kind, time_ms, json FROM LOG ORDER BY "index"')
    assert [index for index, *_ in got] == list(range(1000))
    for (_, kind, time_ms, text), (_, entry) in zip(got, log.entries(), strict=True):
        assert kind == entry.__struct_config__.tag
        time = entry.start if isinstance(entry, Placement) else entry.time
        assert time_ms == milliseconds_of(time)
        assert text == (None if isinstance(entry, Placement) else encode(entry).decode())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["size"], manifest["root"]) == (1000, log.root.hex())
    assert manifest["checkpoint"].encode() == log.checkpoint()


def test_an_export_goes_on(log: Log, story: Any, tmp_path: Path) -> None:
    entries = story.whole(1600)
    folder, key = tmp_path / "export", parse_vkey(log.vkey)

    def export() -> tuple[list[str], list[str]]:
        made = export_parquet(tiles_of(log), log.checkpoint(), key, folder, rows=512)
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [".lock", "manifest.json", *(file.name for file in made.files)]
        )
        assert rows(folder, 'SELECT count(*), count(DISTINCT "index") FROM LOG') == [(log.size, log.size)]
        return [each[-11:-8] for each in made.written], [each[-11:-8] for each in made.kept]

    log.append(entries[:700])
    assert export() == (["000", "512"], [])
    log.append(entries[700:1300])
    assert export() == (["512", "024"], ["000"])
    (folder / ".export-left.parquet").write_text("left")
    assert export() == (["024"], ["000", "512"])
    whole = folder / "entries-000000000000.parquet"
    whole.write_bytes(whole.read_bytes()[:-1])
    assert export() == (["000", "512", "024"], [])
    log.append(entries[1300:1536])
    assert export() == (["024"], ["000", "512"])
    assert export() == ([], ["000", "512", "024"])


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/entries/000", "tile/0/000"])
def test_what_does_not_hash_right_is_not_exported(
    log: Log, home: Path, story: Any, tmp_path: Path, name: str
) -> None:
    log.append(story.whole(700))
    path = home / "ledger" / "log" / name
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    folder = tmp_path / "export"
    if name == "tile/0/000":
        # The tiles are not what is exported: the entries are.
        export_parquet(tiles_of(log), log.checkpoint(), parse_vkey(log.vkey), folder, rows=512)
        return
    with pytest.raises(VerificationFailed):
        export_parquet(tiles_of(log), log.checkpoint(), parse_vkey(log.vkey), folder, rows=512)
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_export_at_the_command_line(call: Call, log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(300))
    folder = tmp_path / "export"
    code, out, _ = call("export", "--parquet", str(folder))
    assert code == 0
    assert "300 entries in 1 file" in out
    other = Log.open(tmp_path / "other", create=True)
    with pytest.raises(LedgerError, match="export elsewhere"):
        export_parquet(tiles_of(other), other.checkpoint(), parse_vkey(other.vkey), folder)
    (folder / "manifest.json").write_text("{")
    code, _, err = call("export", "--parquet", str(folder))
    assert code == 1
    assert "is not of an export" in err
    assert call("export")[0] == 2
    assert call("export", "--parquet", str(home / "ledger" / "lock"))[0] == 2
