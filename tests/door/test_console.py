"""Consoles that have not every character: they get what they have, and nothing ends in a fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RIGHT = """piece "Тихо — é" for stream
tempo 114
pool p = loops role beats, set harbour
section тихо 1 bar
    bring d from p
"""
WRONG = RIGHT.replace("from p", "from q")
SHOWN = {"cp1252": "???? — é", "latin-1": "???? ? é", "ascii": "???? ? ?", "utf-8": "тихо — é"}


@pytest.fixture(scope="module")
def folder(demo_home: Callable[[], Path]) -> Path:
    """A home, and two scripts beside it."""
    folder = demo_home().parent
    (folder / "тихо.loom").write_text(RIGHT, encoding="utf-8")
    (folder / "wrong.loom").write_text(WRONG, encoding="utf-8")
    return folder


def said(folder: Path, encoding: str, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, as a console of that encoding shows them."""
    command = [sys.executable, "-m", "stemloom", "--home", str(folder / "home"), *words]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.mark.parametrize(("encoding", "shown"), SHOWN.items(), ids=SHOWN)
def test_a_console_shows_what_it_can(folder: Path, encoding: str, shown: str) -> None:
    code, out, err = said(folder, encoding, "check", "тихо.loom")
    assert (code, out.strip(), err) == (0, f"{shown[:4]}.loom: in order", "")
    code, out, err = said(folder, encoding, "check", "wrong.loom")
    assert (code, err) == (3, "")
    assert "unknown pool" in out
    code, out, err = said(folder, encoding, "plan", "тихо.loom", "--bars", "1")
    assert (code, err) == (0, "")
    assert f"  {shown[:4]}  " in out
    code, out, err = said(folder, encoding, "plan", "Жук — é.loom")
    assert (code, out) == (2, "")
    assert f"'{shown.replace('тихо', 'Жук').replace('????', '???')}.loom'" in err


@pytest.mark.parametrize("encoding", SHOWN)
def test_json_loses_nothing(folder: Path, encoding: str) -> None:
    code, out, _ = said(folder, encoding, "--json", "plan", "тихо.loom", "--bars", "1")
    assert code == 0
    assert json.loads(out)["placements"][0]["section"] == "тихо"
    code, out, _ = said(folder, encoding, "--json", "plan", "Жук.loom")
    assert code == 2
    assert "'Жук.loom'" in json.loads(out)["error"]


@pytest.mark.parametrize("encoding", SHOWN)
def test_a_formatted_script_is_utf_8(folder: Path, encoding: str) -> None:
    loose = folder / f"loose {encoding}.loom"
    loose.write_text(RIGHT.replace("    bring", "  bring"), encoding="utf-8")
    assert said(folder, encoding, "format", loose.name)[0] == 0
    assert loose.read_bytes().decode("utf-8") == RIGHT
