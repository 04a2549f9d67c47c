"""docs/royalties.md and docs/scaling.md: their commands run, and what is worked by hand is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from stemloom import Player, Vault
from stemloom.demo import PIECE
from stemloom.ledger.division.divide import largest_remainder
from stemloom.vault.sound.declared import Declared

ROOT = Path(__file__).resolve().parents[2]
MONTH = datetime.now(UTC).strftime("%Y-%m")
SCRIPT = """piece "One" for stream
tempo 240
pool all = loops role pads, key any
section one 1 bars
    bring x from all
move one -> one at end
"""


@pytest.fixture(scope="module")
def home(demo_home: Callable[[], Path]) -> Path:
    """A home with the demo's stems and a few seconds of a session."""
    home = demo_home()
    with Player(home, PIECE) as player:
        for _ in range(10):
            player.read(48_000)
    return home


def run(text: str, home: Path, *, code: int = 0) -> str:
    script = re.sub(r"^stemloom ", f"{sys.executable} -m stemloom --home {home} ", text, flags=re.M)
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_commands_of_royalties_run(home: Path) -> None:
    page = (ROOT / "docs" / "royalties.md").read_text("utf-8")
    text = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S))
    key = run("stemloom ledger key", home).strip()
    index = int(run("stemloom ledger checkpoint", home).splitlines()[1])
    with Vault.open(home) as vault:
        name = next(each.name for each in vault.holders() if each.name == "Marit Solheim")
    text = (
        text.replace("2026-10", MONTH).replace("Ada Quimby", name).replace("correct 246", f"correct {index}")
    )
    text = text.replace(f"settle {MONTH}", f"settle {MONTH} --early").replace(
        "--log LOG", f"--log {home}/ledger/log"
    )
    said = run(text.replace("--vkey K", f"--vkey {key}"), home)
    assert "the statement follows from the log" in said
    assert "900.00" in said
    assert {"ada.html", "ada.json", "ada.csv", "fairness.html"} <= {
        each.name for each in home.parent.iterdir()
    }


def test_a_fleet_divides_income_over_logs_by_their_milliseconds(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "home"
    tone = (0.3 * np.sin(2 * np.pi * 220 * np.arange(48_000) / 48_000)).astype(np.float32)[None, :]
    with Vault.open(other, create=True) as vault:
        vault.add_holder("Ada")
        (added,) = vault.add_sounds([(Declared(Path("a"), "Ada", "pads", bars=1), tone)]).added
        vault.grant([added.stem.stem], ["stream"])
    with Player.from_text(other, SCRIPT) as player:
        for _ in range(4):
            player.read(48_000)
    exports = []
    for number, each in enumerate((home, other)):
        exports.append(str(tmp_path / f"export-{number}"))
        run(f"stemloom ledger export --parquet {exports[-1]}", each)
    words = [sys.executable, str(ROOT / "examples" / "fleet.py"), MONTH, "100.00", "EUR", *exports]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    micro = [round(float(row[0]) * 1_000_000) for row in rows]
    heard = [int(row[2]) for row in rows]
    assert len(rows) == 2
    assert micro == largest_remainder(100_000_000, heard, [row[4] for row in rows])
    twice = subprocess.run([*words, exports[0]], capture_output=True, text=True, check=False)
    assert (twice.returncode, twice.stderr.strip()) == (1, "a log is there twice")


def test_what_is_worked_by_hand() -> None:
    assert largest_remainder(100, [30, 60], ["bass", "pad"]) == [33, 67]
    assert largest_remainder(33, [1, 1], ["master", "publishing"]) == [17, 16]
    assert largest_remainder(17, [60, 40], ["ada", "ben"]) == [10, 7]


def test_the_pages_name_what_is_there() -> None:
    for page in ("royalties.md", "scaling.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        for path in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / "docs" / path).exists(), path
