"""`stemloom ledger` as a person calls it: what it prints, and with what it exits."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from stemloom.cli.ledger import _KINDS
from stemloom.ledger.entries.entries import Entry
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.note import Verifier

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(log: Log, story: Any) -> Any:
    other = type(story)(log.origin, seed=2)
    log.append([*story.whole(8), other.joins(), other.enters()])
    return story


def test_show_as_a_table(call: Call, told: Any) -> None:
    code, out, _ = call("show")
    assert code == 0
    assert len(out.splitlines()) == 11
    assert "opened" in out
    assert "1000 ms for stream, verse/kit line 3" in out


def test_show_as_lines_of_json(call: Call, told: Any, log: Log) -> None:
    code, out, _ = call("show", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["index"] for row in rows] == list(range(10))
    assert rows[4]["entry"]["kind"] == "placement"


@pytest.mark.parametrize(
    ("words", "indices"),
    [
        (("--kind", "placement"), [4, 5, 6]),
        (("--kind", "holder", "--kind", "stem"), [0, 1, 8, 9]),
        (("--session", "x0000"), [3, 4, 5, 6, 7]),
        (("--stem", "{stem}"), [1, 2, 4, 5, 6]),
        (("--holder", "{holder}"), [0, 1, 2, 4, 5, 6]),
        (("--holder", "{holder}", "--kind", "consent"), [2]),
        (("--from", "2026-11-21"), list(range(10))),
        (("--from", "2026-11-22"), []),
        (("--to", "2026-11-20"), []),
        (("--to", "2026-11-21"), list(range(10))),
        (("--from", "2026-11-21T06:16:00.250Z", "--to", "2026-11-21T07:16:00.250+01:00"), list(range(10))),
        (("--from", "2026-11-21T06:16:00.251"), []),
        (("--stem", "s00"), []),
    ],
)
def test_show_chooses(call: Call, told: Any, words: tuple[str, ...], indices: list[int]) -> None:
    named = [word.format(stem=told.stem, holder=told.holder) for word in words]
    code, out, _ = call("show", "--json", *named)
    assert code == 0
    assert [json.loads(line)["index"] for line in out.splitlines()] == indices


def test_show_refuses_a_time_that_is_none(call: Call, told: Any) -> None:
    code, _, err = call("show", "--from", "yesterday")
    assert code == 2
    assert "'yesterday' is not a day" in err


def test_verify(call: Call, told: Any, log: Log, home: Path) -> None:
    code, out, _ = call("verify")
    assert (code, out) == (0, f"verified: 10 entries, root {log.root.hex()}\n")
    code, out, _ = call("verify", "--json")
    record = json.loads(out)
    nothing: dict[str, list[object]] = {"problems": [], "warnings": [], "witnesses": []}
    assert record == {"ok": True, "size": 10, "root": log.root.hex(), **nothing}
    code, _, err = call("verify", "--log", str(home / "ledger" / "log"))
    assert code == 2
    assert "--vkey" in err
    assert call("verify", "--log", str(home / "ledger" / "log"), "--vkey", log.vkey)[0] == 0


def test_verify_names_what_is_wrong(call: Call, told: Any, home: Path) -> None:
    bundle = home / "ledger/log/tile/entries/000.p/10"
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"verse", b"Verse", 1))
    code, out, _ = call("verify")
    assert code == 5
    assert out.startswith("entry 4 in tile/entries/000.p/10 is not the entry that was logged")
    code, out, _ = call("verify", "--json")
    record = json.loads(out)
    assert code == 5
    assert not record["ok"]
    assert [(each["index"], each["what"]) for each in record["problems"]] == [(4, "tile/entries/000.p/10")]


def test_key_checkpoint_and_receipt(call: Call, told: Any, log: Log, tmp_path: Path) -> None:
    assert call("key") == (0, log.vkey + "\n", "")
    assert json.loads(call("key", "--json")[1])["vkey"] == log.vkey
    assert call("checkpoint")[1].encode() == log.checkpoint()
    assert json.loads(call("checkpoint", "--json")[1])["checkpoint"].encode() == log.checkpoint()
    receipt = tmp_path / "receipt.tlog-proof"
    code, out, _ = call("prove", "4", "--out", str(receipt))
    assert (code, out) == (0, "")
    assert receipt.read_bytes() == log.prove(4)
    assert call("prove", "4")[1].encode() == log.prove(4)
    assert json.loads(call("prove", "4", "--json")[1]) == {"index": 4, "receipt": log.prove(4).decode()}
    code, out, _ = call("check-receipt", str(receipt), "--vkey", log.vkey, "--json")
    assert code == 0
    assert json.loads(out)["entry"]["kind"] == "placement"


def test_check_receipt_needs_no_ledger(call: Call, told: Any, log: Log, home: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt"
    receipt.write_bytes(log.prove(4))
    home.rename(tmp_path / "away")
    assert call("check-receipt", str(receipt), "--vkey", log.vkey)[0] == 0
    receipt.write_bytes(receipt.read_bytes().replace(b"index 4", b"index 5"))
    code, _, err = call("check-receipt", str(receipt), "--vkey", log.vkey)
    assert code == 5
    assert "does not prove" in err


VKEY = Verifier("other", bytes(32)).vkey


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("prove", "10"), 1, "there is no entry 10"),
        (("prove", "-1"), 2, "-1"),
        (("prove", "three"), 2, "'three' is not the index of an entry: write a whole number such as 3"),
        (("prove", "1.5"), 2, "'1.5' is not the index of an entry"),
        (("prove", "0", "--out", "{home}/none/receipt"), 2, "there is no folder '{home}/none'"),
        (("prove", "999", "--out", "none/p"), 2, "there is no folder 'none' to write 'p' to"),
        (("prove", "0", "--out", "{home}"), 2, "'{home}' is a folder"),
        (("check-receipt", "{home}/none", "--vkey", "x"), 2, "'{home}/none' does not exist"),
        (("check-receipt", "{home}", "--vkey", "x"), 2, "'{home}' is a directory"),
        (("verify", "--log", "{home}/none"), 4, "there is no ledger in {home}/none"),
        (("verify", "--log", "{home}/ledger/lock"), 4, "there is no ledger in {home}/ledger/lock"),
        (("verify", "--log", "http://127.0.0.1:9/", "--vkey", VKEY), 1, "cannot be read"),
        (("verify", "--from", "{home}/none"), 2, "'{home}/none' does not exist"),
        (("verify", "--from", "{home}/ledger/lock"), 5, "cut short"),
        (("check-receipt", "{home}/ledger/log/checkpoint", "--vkey", "x"), 2, "not a verifier key"),
        (("show", "--kind", "song"), 2, "song"),
    ],
)
def test_mistakes(
    call: Call, told: Any, home: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    got, _, err = call(*[word.format(home=home) for word in words])
    assert got == code
    # click folds long messages at spaces.
    assert sentence.format(home=home) in " ".join(err.split())


@pytest.mark.parametrize("words", [("show",), ("verify",), ("key",), ("checkpoint",), ("prove", "0")])
def test_no_ledger(call: Call, words: tuple[str, ...]) -> None:
    code, _, err = call(*words)
    assert code == 4
    assert "there is no ledger in" in err


def test_a_log_that_is_gone_does_not_verify(call: Call, told: Any, home: Path) -> None:
    shutil.rmtree(home / "ledger" / "log")
    code, out, _ = call("verify")
    assert code == 5
    assert "ledger/signed still knows 10 entries" in out
    code, out, _ = call("verify", "--json")
    assert (code, json.loads(out)["size"], len(json.loads(out)["problems"])) == (5, 10, 1)
    for words in (("show",), ("key",), ("checkpoint",), ("prove", "0")):
        code, _, err = call(*words)
        assert code == 5
        assert "still knows 10 entries; see 'stemloom ledger verify'" in err


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda log: (log / "checkpoint").unlink(), "checkpoint"),
        (lambda log: (log / "checkpoint").write_text("x"), "checkpoint"),
        (lambda log: (log / "tile/0/000.p/10").unlink(), "tile/0/000.p/10"),
        (lambda log: (log / "tile/0/000.p/10").write_bytes(b"x"), "tile/0/000.p/10"),
        (lambda log: (log / "more").write_text("x"), "more"),
    ],
)
def test_verify_says_each_thing_once(
    call: Call, told: Any, home: Path, damage: Callable[[Path], object], name: str
) -> None:
    damage(home / "ledger" / "log")
    code, out, _ = call("verify")
    assert code == 5
    *problems, last = out.splitlines()
    assert last.startswith("NOT verified")
    assert any(name in line for line in problems)
    for line in problems:
        assert line.count(name) <= 1


def test_an_older_log_is_said_to_be_one(call: Call, told: Any, log: Log, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "ledger" / "log", tmp_path / "old")
    log.append([told.session_entry("opened")])
    shutil.rmtree(home / "ledger" / "log")
    shutil.copytree(tmp_path / "old", home / "ledger" / "log")
    code, out, _ = call("verify")
    assert code == 5
    assert "has 10 entries, though ledger/signed still knows 11 entries: the log is an older copy" in out


def test_a_file_that_cannot_be_written_is_named_as_the_user_did(
    call: Call, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    folder = tmp_path / "out"
    folder.mkdir()
    code, _, err = call("prove", "3", "--out", str(folder / "p"))
    assert code == 1
    assert f"while writing '{folder / 'p'}'" in err
    assert list(folder.iterdir()) == []


def test_every_kind_of_entry_can_be_asked_for() -> None:
    tags = {each.__struct_config__.tag for each in get_args(Entry)}
    assert tags == set(_KINDS)
