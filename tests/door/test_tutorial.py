"""docs/tutorial.md holds: a newcomer who types all of it gets what it shows, and a piece of two minutes."""

from __future__ import annotations

import re
import runpy
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.script.text.format import format_text

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "examples.py")))
PAGE = EXAMPLES.TUTORIAL.read_text(encoding="utf-8")
BLOCKS = EXAMPLES.blocks(PAGE)
FILES = {block.info[-1]: block for block in BLOCKS if block.kind == "loom"}
RATE = 48_000


@pytest.mark.slow
def test_a_newcomer_gets_what_is_shown(tmp_path: Path) -> None:
    found = []
    for block, output in zip(BLOCKS, EXAMPLES.tutorial(PAGE, tmp_path), strict=True):
        if output is not None and not EXAMPLES.alike(block, output):
            found.append(
                f"line {block.line} shows what is no longer so; run `python docs/examples.py`:\n{output}"
            )
    assert not found, "\n".join(found)
    _stems_are_called_drawn_where_they_are(tmp_path / "stemloom-demo" / "home")
    _it_is_two_minutes_of_music(tmp_path / "boat.wav")
    whole, cued = (soundfile.info(tmp_path / name).duration for name in ("boat.wav", "short.wav"))
    assert 55 < cued < 0.6 * whole


def _stems_are_called_drawn_where_they_are(home: Path) -> None:
    """So that the page holds on every machine."""
    with Vault.open(home) as vault:
        snapshot = vault.snapshot()
    plans = 0
    for commands, shown in pairwise(BLOCKS):
        for file, options in re.findall(r"^stemloom plan (\S+)(.*)$", commands.text, re.M):
            asked = EXAMPLES.Block(("text", "plan", *options.split()), "", "", commands.line)
            assert EXAMPLES.by_chance(FILES[file].text, asked, snapshot) == shown.drawn, commands.line
            plans += 1
    assert plans >= 7


def _it_is_two_minutes_of_music(file: Path) -> None:
    """It has its length and its dynamics, no hole, and an end that dies away."""
    sound, rate = soundfile.read(file)
    assert rate == RATE
    assert 118 < len(sound) / RATE < 128
    assert np.abs(sound).max() < 1
    bar = round(4 * 60 * RATE / 114)
    level = 10 * np.log10((sound[: 57 * bar].reshape(57, bar, 2) ** 2).mean(axis=(1, 2)))
    enters, boat, water, town, leaves = (
        np.median(level[first:last]) for first, last in ((0, 4), (8, 24), (24, 32), (32, 48), (52, 56))
    )
    assert enters < water < min(boat, town) - 3
    assert leaves < water
    assert level[32] > level[31] + 3, "the town begins a step up"
    assert level[:56].min() > -50
    seconds = np.sqrt((sound[-4 * RATE :] ** 2).mean(axis=1).reshape(4, RATE).mean(axis=1))
    assert np.all(np.diff(seconds) < 0)
    assert seconds[-1] < 10 ** (-45 / 20)


def test_each_file_is_named_in_the_text_before_it() -> None:
    lines = PAGE.split("\n")
    assert len(FILES) >= 11
    for name, block in FILES.items():
        before = " ".join(lines[block.line - 6 : block.line - 1])
        assert f"`{name}`" in before, name


def test_each_script_is_checked_and_in_canonical_form() -> None:
    commands = "".join(block.text for block in BLOCKS if block.kind == "sh")
    for name, block in FILES.items():
        if block.kind == "loom":
            assert format_text(block.text, name) == block.text or name == "oops.loom"
            assert f"stemloom check {name}\n" in commands
