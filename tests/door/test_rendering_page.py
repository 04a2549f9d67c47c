"""docs/rendering.md holds: its commands run, and its table is that of the code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import soundfile

from stemloom.demo import PIECE
from stemloom.engine.play.shape import CONTAINERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rendering.md").read_text("utf-8")


def test_the_commands_run(demo_home: Callable[[], Path], tmp_path: Path) -> None:
    shutil.copy(PIECE, tmp_path / "harbour_night.loom")
    (text,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
    script = text.replace("stemloom ", f"{sys.executable} -m stemloom --home {demo_home()} ")
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    info = soundfile.info(str(tmp_path / "night.flac"))
    assert (info.frames, info.samplerate, info.subtype) == (20 * 44_100, 44_100, "PCM_16")
    assert soundfile.info(str(tmp_path / "night.mp3")).frames == 20 * 48_000


def test_the_table_is_right() -> None:
    rows = re.findall(r"^\| (`\..*?) \| (.*?)\| (.*?) \|", PAGE, re.M)
    found = {
        ending: (tuple(re.findall(r"\w+", bits)), tuple(map(int, rates.split(", "))))
        for endings, bits, rates in rows
        for ending in re.findall(r"`(\.\w+)`", endings)
    }
    assert found == {ending: (each.bits, each.rates) for ending, each in CONTAINERS.items()}
