"""A file that is given is no file, has no end or means harm: the command ends soon, in a sentence."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stemloom.cli import main
from stemloom.engine.errors import TakeRefused
from stemloom.engine.play import render, take as takes  # noqa: F401  compiled before time is counted
from stemloom.engine.play.earlier import read_take
from stemloom.engine.play.take import MOST_FRAMES, Take, TakePlacement

from ..ledger.hostile_server import within

SECONDS = 30.0
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
COMMANDS = {
    "a checkpoint from which to verify": f"ledger verify --log {{folder}} --vkey {VKEY} --from {{file}}",
    "a checkpoint of before": "ledger consistency {file}",
    "a checkpoint that somebody kept": "ledger reconcile --trust {file}",
    "a receipt": f"ledger check-receipt {{file}} --vkey {VKEY}",
    "a cosigned checkpoint": "ledger cosign {file} --witness w",
    "a statement": "royalty recompute {file}",
    "a checkpoint for a statement": "royalty recompute {text} --kept {file}",
    "a request to sign": "vault sign {file} --key {text}",
    "a key": "vault sign {request} --key {file}",
    "a request that comes back": "vault submit {file}",
    "a request to look at": "vault request {file}",
    "a manifest": "vault add {folder} --manifest {file}",
    "a manifest in JSON": "vault add {folder} --manifest {file}",
    "a take": "replay {file} --check",
    "a take to hold against the ledger": "ledger check-take {file}",
    "the manifest of a fleet": "royalty settle 2025-03 --currency EUR --amount 10 --fleet {file}",
    "a script": "check {file}",
    "figures of before": "benchmark --quick --compare {file}",
}


@pytest.fixture(scope="module")
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def large(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def nested(path: Path) -> None:
    path.write_bytes(b'{"a":' * 100_000)


def listed(path: Path) -> None:
    path.write_bytes(b"[" * 1_000_000)


def digits(path: Path) -> None:
    path.write_bytes(b'{"version": ' + b"9" * 1_000_000 + b"}")


@pytest.mark.parametrize("make", [fifo, zero, large, nested, listed, digits])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_soon(
    home: Path, tmp_path: Path, command: str, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ("given.json" if "JSON" in command else "given")
    make(file)
    (tmp_path / "text").write_text("text")
    request = {"stemloom": "request v1", "origin": "x", "asked": []}
    (tmp_path / "request").write_text(json.dumps(request))
    places = {name: tmp_path / name for name in ("text", "request")} | {"file": file, "folder": tmp_path}
    words = [word.format(**places) for word in COMMANDS[command].split(" ")]
    depth = sys.getrecursionlimit()
    found = within(
        SECONDS, lambda: main.main(["--home", str(home), *words], prog_name="stemloom", standalone_mode=False)
    )
    assert sys.getrecursionlimit() == depth
    assert isinstance(found, Exception | int), found
    assert getattr(found, "exit_code", found) not in (0, None), repr(found)


# Takes: what they hold is what they are.


def take(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "version": takes.VERSION,
        "engine": "e",
        "session": "x",
        "script": "",
        "use": "stream",
        "tier": "free",
        "seed": 1,
        "rate": 48_000,
        "tempo_bpm": "120",
        "key": None,
        "dials": {},
        "gain_db": 0.0,
        "vault": "",
        "limit_frames": None,
        "frames": 64,
        "mixed": 64,
        "pcm_sha256": None,
    } | dict.fromkeys(("candidates", "changes", "swaps", "unready", "late", "gestures", "placements"), ())
    return msgspec.json.encode(Take(**fields | changes))


def placed(frames: int) -> TakePlacement:
    return TakePlacement(
        seq=0, stem="s", role="r", part="p", section="a", line=1, start_frame=0, frames=frames, ms=0
    )


YEAR = MOST_FRAMES // 64 * 64


@pytest.mark.parametrize(
    "changes",
    [
        {"tempo_bpm": "1e999999999"},
        {"tempo_bpm": "1e-999999999"},
        {"tempo_bpm": "9" * 1_000_000},
        {"tempo_bpm": "١٢٠"},
        {"tempo_bpm": "120/0"},
        {"tempo_bpm": "nan"},
        {"frames": YEAR, "mixed": YEAR},
        {"frames": YEAR, "mixed": YEAR, "placements": (placed(YEAR),)},
        {"frames": 64, "mixed": 64, "placements": (placed(-YEAR), placed(YEAR))},
        {"limit_frames": 2**62},
    ],
)
def test_a_take_of_what_no_session_was_is_refused_at_once(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "x.take"
    path.write_bytes(take(**changes))
    assert isinstance(within(5.0, lambda: read_take(path)), TakeRefused)


@pytest.mark.parametrize(
    "changes",
    [{}, {"tempo_bpm": "187/2"}, {"frames": 128_000, "mixed": 128_000}, {"placements": (placed(64),)}],
)
def test_a_take_of_what_a_session_was_is_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "x.take"
    path.write_bytes(take(**changes))
    assert isinstance(read_take(path), Take)
