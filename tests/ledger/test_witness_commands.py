"""`stemloom ledger witness`, `cosign` and what trusts them, at the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.cosignature import parse_witness_vkey
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.policy import Policy
from stemloom.ledger.tlog.witness import Witness

from .by_hand import (
    KEYS,
    LEAVES,
    LOG,
    VERIFIER,
    WITNESSES,
    body,
    root_of,
    signed,
    vkey,
)

ROOT = Path(__file__).resolve().parents[2]
Call = Callable[..., tuple[int, str, str]]


def test_the_whole_way(call: Call, log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(9))
    folder, w = str(home / "ledger" / "log"), str(tmp_path / "w")
    code, out, err = call("witness", folder, "--vkey", log.vkey, "--dir", w, "--name", "w.example.com")
    key = Witness.open(tmp_path / "w").vkey
    assert code == 0
    assert out.encode().startswith(log.checkpoint())
    assert Policy((parse_witness_vkey(key),), 1).check(out.encode()) == ("w.example.com",)
    assert key in err
    assert f"sees {log.origin} for the first time" in err
    assert call("witness-key", "--dir", w) == (0, key + "\n", "")
    assert json.loads(call("witness-key", "--dir", w, "--json")[1]) == {"vkey": key, "name": "w.example.com"}
    code, out, err = call("witness", folder, "--vkey", log.vkey, "--dir", w, "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record == {
        "origin": log.origin,
        "size": 9,
        "root": log.root.hex(),
        "time": record["time"],
        "vkey": key,
        "checkpoint": record["checkpoint"],
        "first": False,
    }
    note = tmp_path / "cosigned"
    code, out, err = call("witness", folder, "--vkey", log.vkey, "--dir", w, "--out", str(note))
    assert (code, out) == (0, "")
    assert f"is in {note}" in err

    trust = ("--witness", key)
    assert call("verify", *trust)[0] == 5
    code, out, _ = call("cosign", str(note), *trust)
    assert code == 0
    assert out.startswith("cosigned by w.example.com at 20")
    assert log.checkpoint() == note.read_bytes()
    record = json.loads(call("cosign", str(note), *trust, "--json")[1])
    assert record["checkpoint"].encode() == log.checkpoint()
    assert [each["name"] for each in record["witnesses"]] == ["w.example.com"]
    code, out, _ = call("verify", *trust)
    assert (code, out.splitlines()[-2]) == (0, "cosigned by at least 1 of 1 witnesses")
    assert out.splitlines()[-1].startswith("cosigned by w.example.com at 20")
    assert json.loads(call("verify", *trust, "--json")[1])["witnesses"] == record["witnesses"]
    assert json.loads(call("verify", "--json")[1])["witnesses"] == []
    assert call("verify", "--log", folder, "--vkey", log.vkey, *trust)[0] == 0

    receipt = tmp_path / "receipt"
    call("prove", "4", "--out", str(receipt))
    check = ("check-receipt", str(receipt), "--vkey", log.vkey)
    code, out, _ = call(*check, *trust)
    assert code == 0
    assert out.splitlines()[-1].startswith("cosigned by w.example.com at 20")
    assert json.loads(call(*check, *trust, "--json")[1])["witnesses"] == record["witnesses"]
    assert json.loads(call(*check, "--json")[1])["witnesses"] == []
    other = ("--witness", WITNESSES[0].vkey)
    assert call(*check, *trust, *other, "--require", "1")[0] == 0
    for words in ((*check, *other), (*check, *trust, *other), ("verify", *trust, *other, "--require", "2")):
        code, out, err = call(*words)
        assert code == 5
        assert "are required" in out + err


def test_a_rollback_and_a_fork_exit_5(call: Call, log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(4))
    shutil.copytree(home, tmp_path / "backup")
    log.append(story.whole(8)[4:])
    words = ("witness", str(home / "ledger" / "log"), "--vkey", log.vkey, "--dir", str(tmp_path / "w"))
    assert call(*words, "--name", "w")[0] == 0
    honest = log.root.hex()
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    code, out, err = call(*words)
    assert (code, out) == (5, "")
    assert "has 4 entries" in err
    assert f"8 entries and the root {honest}" in err
    Log.open(home).append([story.sounds(seq) for seq in range(4)])
    code, out, err = call(*words, "--out", str(tmp_path / "out"))
    assert (code, out) == (5, "")
    assert "two histories" in err
    assert not (tmp_path / "out").exists()
    assert call("verify")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("witness", "{log}", "--vkey", "{witness}", "--dir", "{dir}"), 2, "that of a log is needed here"),
        (("witness", "{log}", "--vkey", "x", "--dir", "{dir}"), 2, "is not a verifier key"),
        (
            ("witness", "{log}", "--vkey", "{other}", "--dir", "{dir}"),
            5,
            "no signature of a key that is known",
        ),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{none}"), 4, "there is no witness in {none}"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{none}", "--name", "a b"), 2, "cannot name"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{dir}", "--name", "x"), 2, "keeps its name"),
        (
            ("witness", "{dir}", "--vkey", "{vkey}", "--dir", "{dir}"),
            4,
            "there is no checkpoint in {dir}",
        ),
        (("witness", "{none}", "--vkey", "{vkey}", "--dir", "{dir}"), 4, "there is no ledger in {none}"),
        (("witness", "--vkey", "{vkey}", "--dir", "{dir}"), 2, "name a LOG to cosign, or an address"),
        (("witness", "{log}", "--vkey", "{vkey}", "--vkey", "{vkey}", "--dir", "{dir}"), 2, "has one key"),
        (("witness", "--serve", "x", "--vkey", "{vkey}", "--dir", "{dir}"), 2, "is not HOST:PORT"),
        (("witness", "--serve", "127.0.0.1:99999", "--vkey", "{vkey}", "--dir", "{dir}"), 2, "HOST:PORT"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{log}/checkpoint"), 2, "is a file"),
        (("witness", "{log}", "--dir", "{dir}"), 2, "--vkey"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{dir}", "--out", "{home}"), 2, "is a folder"),
        (("witness-key", "--dir", "{none}"), 4, "there is no witness in {none}"),
        (("cosign", "--witness", "{witness}"), 2, "FILE"),
        (("cosign", "{log}/checkpoint"), 2, "--witness"),
        (("cosign", "{log}/checkpoint", "--witness", "{vkey}"), 2, "that of a witness is needed here"),
        (("cosign", "{log}/checkpoint", "--witness", "{witness}"), 5, "no cosignature of a witness"),
        (("cosign", "{none}", "--witness", "{witness}"), 2, "'{none}' does not exist"),
        (("verify", "--require", "1"), 2, "--require needs witnesses"),
        (("verify", "--witness", "{witness}", "--require", "2"), 2, "more than the 1 witnesses"),
        (("verify", "--witness", "{witness}", "--require", "0"), 2, "--require"),
        (("verify", "--witness", "{vkey}"), 2, "that of a witness is needed here"),
        (("verify", "--witness", "{witness}", "--witness", "{witness}"), 2, "are one witness"),
        (("verify", "--witness", "{witness}"), 5, ""),
    ],
)
def test_mistakes(
    call: Call,
    log: Log,
    home: Path,
    witness: Witness,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    names = {
        "log": home / "ledger" / "log",
        "home": home,
        "vkey": log.vkey,
        "other": vkey(log.origin, 1, KEYS[0]),
        "witness": witness.vkey,
        "dir": tmp_path / "w",
        "none": tmp_path / "none",
    }
    before = log.checkpoint()
    got, _, err = call(*[word.format(**names) for word in words])
    assert got == code
    assert "".join(sentence.format(**names).split()) in "".join(err.split())
    assert log.checkpoint() == before
    assert not (tmp_path / "none").exists()
    assert witness.last(parse_vkey(log.vkey)) is None


def test_a_log_without_a_ledger_of_ours(call: Call, witness: Witness, tmp_path: Path) -> None:
    """A witness needs no home, and any log of the format will do; one that is cut short will not."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_text(signed(body(3, root_of(LEAVES[:3]))))
    words = ("witness", str(tmp_path / "log"), "--vkey", VERIFIER.vkey, "--dir", str(tmp_path / "w"), "-q")
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    assert out.startswith(LOG)
    (tmp_path / "log" / "checkpoint").write_text(signed(body(4, root_of(LEAVES[:4]))))
    code, out, err = call(*words)
    assert (code, out) == (5, "")
    assert "is missing from the log" in err


@cache
def free_ports() -> list[int]:
    """Four ports in a row that nobody has."""
    for first in range(20_000 + os.getpid() % 10_000, 32_000, 7):
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + 4):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return list(range(first, first + 4))
    raise AssertionError("no four ports in a row are free")


def test_the_page_holds(tmp_path: Path) -> None:
    """The commands of docs/witness.md run as they stand, in one shell."""
    page = (ROOT / "docs" / "witness.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    # Other tests may use the ports of the page at the same time.
    for port in re.findall(r"\b847[0-9]\b", "".join(blocks)):
        blocks = [each.replace(port, str(free_ports()[int(port) - 8471])) for each in blocks]
    launcher = tmp_path / "bin" / "stemloom"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stemloom "$@"\n')
    launcher.chmod(0o755)
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        ["bash", "-euc", "".join(blocks)],
        cwd=tmp_path / "work",
        env={
            **os.environ,
            "PATH": f"{launcher.parent}{os.pathsep}{os.environ['PATH']}",
            "STEMLOOM_HOME": str(tmp_path / "home"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cosigned by" in done.stdout
    assert "cosigned by at least 2 of 2 witnesses" in done.stdout
    assert "— ben.example.com/1 " in done.stdout
