"""Statements are derived again from a copy of the log alone; whatever else was changed is found and told."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from stemloom import Player, Vault
from stemloom.cli import run
from stemloom.demo import PIECE
from stemloom.ledger.division.usage import EntriesUsage
from stemloom.ledger.entries.canonical import decode, encode
from stemloom.ledger.entries.entries import Entry, Income, Payout
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.money_lock import CheckpointedLog
from stemloom.ledger.royalties.payouts import record_payouts
from stemloom.ledger.royalties.recompute import _names
from stemloom.ledger.royalties.record import record_income
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.royalties.statement import Statements
from stemloom.ledger.royalties.statement_schema import Statement, to_bytes
from stemloom.ledger.tlog.checkpoint import open_checkpoint
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.tiles import bundle, in_bundle

SEED = int(os.environ.get("STEMLOOM_SEED", "1"))


def call(*words: str) -> int:
    """Run the command in this process; its exit code."""
    before, sys.argv = sys.argv, ["stemloom", *words]
    try:
        run()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    finally:
        sys.argv = before
    raise AssertionError("the command did not end")


class Demo:
    """The demo's home, settled and paid for this month, with everybody's statement and a copy of its log."""

    def __init__(self, home: Path) -> None:
        folder = home.parent
        self.home, self.copy, self.statements = home, folder / "copy", folder / "statements"
        with Player(self.home, PIECE) as player:
            for _ in range(8):
                player.read(48_000)
        with Vault.open(self.home) as vault:
            log = vault.log
            self.kept = folder / "kept.txt"
            self.kept.write_bytes(log.checkpoint())
            period = log.clock.now()[:7]
            record_income(log, 1_000_000_007, "EUR", "subscription", period, "inv-1")
            settle(log, period, early=True)
            record_payouts(log, "EUR", "transfer-1")
            self.vkey, self.period = log.vkey, period
        words = ("royalty", "statements", period, "--out", str(self.statements))
        assert call("--quiet", "--home", str(self.home), *words) == 0
        shutil.copytree(self.home / "ledger" / "log", self.copy)
        self.files = sorted(self.statements.glob("*.json"))


@pytest.fixture(scope="module")
def demo(demo_home: Callable[[], Path]) -> Demo:
    return Demo(demo_home())


@pytest.fixture
def recompute(demo: Demo, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command; its exit code, output and errors."""
    monkeypatch.setenv("STEMLOOM_HOME", str(demo.home.parent / "nowhere"))

    def ran(file: Path, log: Path | str | None = None, *more: str) -> tuple[int, str, str]:
        capfd.readouterr()
        place = str(log or demo.copy)
        code = call("royalty", "recompute", str(file), "--log", place, "--workers", "1", *more)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return ran


def richest(demo: Demo) -> Path:
    return max(demo.files, key=lambda path: json.loads(path.read_bytes())["amount"])


def test_every_holders_statement_follows_from_a_copy_of_the_log(demo: Demo, recompute: Any) -> None:
    assert len(demo.files) == 7
    for path in demo.files:
        code, out, err = recompute(path, None, "--vkey", demo.vkey, "--kept", str(demo.kept))
        assert (code, err) == (0, ""), err
        assert f"key trusted: {demo.vkey} (your own copy of it)" in out
    code, out, _ = recompute(richest(demo))
    assert (code, "as the statement names it" in out) == (0, True)


def test_what_json_prints_can_be_recomputed_as_well(
    demo: Demo, recompute: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    holder = json.loads(richest(demo).read_bytes())["holder"]
    capfd.readouterr()
    assert call("--json", "--home", str(demo.home), "royalty", "statement", holder, demo.period) == 0
    path = tmp_path / "statement.json"
    path.write_text(capfd.readouterr().out, "utf-8")
    for place in (demo.home / "ledger" / "log", demo.home / "ledger", demo.home):
        assert recompute(path, place)[0] == 0


@pytest.fixture
def served(demo: Demo) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(demo.copy))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class DoubleServer:
    """Serves the demo's log; `second`: what it answers for these files from the second time on."""

    def __init__(self, folder: Path) -> None:
        self.second: dict[str, bytes] = {}
        self.asked: set[str] = set()
        answers = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                again = self.path in answers.asked and answers.second.get(self.path)
                answers.asked.add(self.path)
                if not again:
                    super().do_GET()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(again)))
                self.end_headers()
                self.wfile.write(again)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        )
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def double(demo: Demo) -> Iterator[DoubleServer]:
    made = DoubleServer(demo.copy)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_from_a_plain_web_server(demo: Demo, recompute: Any, served: str) -> None:
    assert recompute(richest(demo), served, "--vkey", demo.vkey)[0] == 0
    code, _, err = recompute(richest(demo), f"{served}/nowhere")
    assert (code, "there is no ledger" in err) == (4, True)


def test_a_server_that_answers_otherwise_the_second_time(
    demo: Demo, recompute: Any, tmp_path: Path, double: DoubleServer
) -> None:
    """It shows the log to be hashed, and then one in which a payout was greater, as its statement says."""
    holder = json.loads(richest(demo).read_bytes())["holder"]
    lying, entries = {}, []
    for number, path in enumerate(sorted(demo.copy.glob("tile/entries/*"))):
        path = path if path.is_file() else next(path.iterdir())
        found, _ = in_bundle(path.read_bytes())
        for place, data in enumerate(found):
            entry = decode(data)
            if isinstance(entry, Payout) and entry.holder == holder:
                found[place] = encode(msgspec.structs.replace(entry, amount=entry.amount - 7))
                lying[f"/{path.relative_to(demo.copy)}"] = number
        entries += found
        if number in lying.values():
            double.second[f"/{path.relative_to(demo.copy)}"] = bundle(found)
    assert len(lying) == 1
    said = json.loads(richest(demo).read_bytes())
    log = parse_vkey(demo.vkey)
    under = open_checkpoint(said["checkpoint"].encode(), log)

    def read() -> Iterator[tuple[int, Entry]]:
        return ((index, decode(data)) for index, data in enumerate(entries[: under.size]))

    seal = CheckpointedLog(under.size, under.root.hex(), said["checkpoint"], read)
    names = _names(msgspec.convert(said, Statement))
    made = Statements(
        EntriesUsage(read), seal, log.name, log.vkey, said["period"], names, said["currency"], holder
    ).of(holder)
    assert made != msgspec.convert(said, Statement)
    false = tmp_path / "false.json"
    false.write_bytes(to_bytes(made))
    code, out, err = recompute(false, double.url, "--vkey", demo.vkey)
    assert (code, out) == (5, "")
    assert "are others now than when the log was verified" in err or "the ledger gives" in err
    double.asked.clear()
    assert recompute(richest(demo), double.url, "--vkey", demo.vkey)[0] in (0, 5)


def test_any_changed_byte_of_the_log_is_found(demo: Demo, recompute: Any, tmp_path: Path) -> None:
    chance = Random(SEED)
    copy = tmp_path / "copy"
    shutil.copytree(demo.copy, copy)
    paths = sorted(path for path in copy.rglob("*") if path.is_file())
    for number in range(60):
        path = paths[number % len(paths)]
        data = path.read_bytes()
        at = chance.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :])
        code, out, _ = recompute(richest(demo), copy)
        assert (code, out) == (5, ""), f"{path.name}, byte {at}"
        path.write_bytes(data)
    assert recompute(richest(demo), copy)[0] == 0


def test_any_changed_byte_of_a_statement_is_found(demo: Demo, recompute: Any, tmp_path: Path) -> None:
    chance = Random(SEED)
    data = richest(demo).read_bytes()
    path = tmp_path / "statement.json"
    for _ in range(60):
        at = chance.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :])
        code, out, err = recompute(path)
        assert code in (2, 4, 5), f"byte {at}: {data[at : at + 20]!r}"
        assert (out, err.count("\n") >= 1) == ("", True)


def integers(value: Any, at: str = "") -> Iterator[tuple[str, Callable[[int], None]]]:
    """Every integer of a JSON value: its path, and a way to add to it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in pairs:
        path = f"{at}[{name}]" if isinstance(value, list) else f"{at}.{name}" if at else name
        if isinstance(each, int) and not isinstance(each, bool):
            yield path, functools.partial(lambda key, by: value.__setitem__(key, value[key] + by), name)
        else:
            yield from integers(each, path)


def test_one_micro_unit_in_any_number_is_told_by_its_place(
    demo: Demo, recompute: Any, tmp_path: Path
) -> None:
    record = json.loads(richest(demo).read_bytes())
    path = tmp_path / "statement.json"
    found = list(integers(record))
    assert len(found) > 60
    for place, add in found[:: max(1, len(found) // 40)]:
        add(1)
        path.write_bytes(to_bytes(msgspec.convert(record, Statement)))
        code, _, err = recompute(path)
        if place != "v":
            assert (code, f"{place} is " in err) == (5, True), (place, err)
        assert code == 5
        add(-1)
    path.write_bytes(to_bytes(msgspec.convert(record, Statement)))
    assert recompute(path)[0] == 0


def test_another_form_of_the_same_numbers_is_no_original(demo: Demo, recompute: Any, tmp_path: Path) -> None:
    path = tmp_path / "statement.json"
    path.write_bytes(richest(demo).read_bytes() + b" ")
    code, _, err = recompute(path)
    assert (code, "is not the file that was written" in err) == (5, True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a statement"),
        (b"[]", "is not a statement"),
        (b"[" * 100_000, "is not a statement"),
        (b"<!doctype html><p>Statement", "is not a statement"),
        (b'{"v": 2}', "is not a statement"),
        (b'{"v": ' + b"9" * 10_000 + b"}", "is not a statement"),
        (b"\xff\xfe\x00", "is not a statement"),
    ],
)
def test_what_is_no_statement(recompute: Any, tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "statement.json"
    path.write_bytes(data)
    code, _, err = recompute(path)
    assert (code, message in err) == (5, True), err


def test_places_and_keys_that_are_not_the_statements(demo: Demo, recompute: Any, tmp_path: Path) -> None:
    other = Log.open(tmp_path / "other", create=True)
    kept = tmp_path / "kept.txt"
    kept.write_bytes(other.checkpoint())
    path = richest(demo)
    code, _, err = recompute(path, tmp_path / "other" / "ledger" / "log")
    assert code == 5, err
    code, _, err = recompute(path, None, "--vkey", other.vkey)
    assert (code, "is of another log" in err) == (5, True)
    code, _, err = recompute(path, None, "--kept", str(kept))
    assert code == 5, err
    assert recompute(path, tmp_path / "nowhere")[0] == 4
    assert recompute(tmp_path, None)[0] == 2
    older = tmp_path / "older"
    shutil.copytree(demo.copy, older)
    with Vault.open(demo.home) as vault:
        record_income(vault.log, 5, "EUR", "sync", demo.period, "inv-2")
        assert isinstance(vault.log.entry(vault.log.size - 1), Income)
    newer = tmp_path / "statements"
    assert call("--home", str(demo.home), "royalty", "statements", demo.period, "--out", str(newer)) == 0
    code, _, err = recompute(newer / path.name, older)
    assert (code, "take a newer copy" in err) == (5, True)
    # An older statement follows from a newer log.
    assert recompute(path, demo.home / "ledger" / "log")[0] == 0
