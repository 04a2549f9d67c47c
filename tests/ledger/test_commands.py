"""`stemloom ledger` as a person calls it: what it prints, and with what it exits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom.cli import run
from stemloom.ledger.log import Log

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stemloom", "--home", str(home), "ledger", *words])
        with pytest.raises(SystemExit) as exit:
            run()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(exit.value.code or 0), out, err

    return call


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
    assert record == {"ok": True, "size": 10, "root": log.root.hex(), "problems": [], "warnings": []}
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
    assert "tile/entries/000.p/10: entry 4 in" in out
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


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("prove", "10"), 1, "there is no entry 10"),
        (("prove", "-1"), 2, "-1"),
        (("prove", "0", "--out", "{home}/none/receipt"), 1, "there is no"),
        (("check-receipt", "{home}/none", "--vkey", "x"), 1, "there is no"),
        (("check-receipt", "{home}", "--vkey", "x"), 1, "is a folder"),
        (("check-receipt", "{home}/ledger/log/checkpoint", "--vkey", "x"), 2, "not a verifier key"),
        (("show", "--kind", "song"), 2, "song"),
    ],
)
def test_mistakes(
    call: Call, told: Any, home: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    got, _, err = call(*[word.format(home=home) for word in words])
    assert got == code
    assert sentence in err


@pytest.mark.parametrize("words", [("show",), ("verify",), ("key",), ("checkpoint",), ("prove", "0")])
def test_no_ledger(call: Call, words: tuple[str, ...]) -> None:
    code, _, err = call(*words)
    assert code == 1
    assert "there is no ledger in" in err
