"""The README holds: its script is the demo's, and its commands run in order as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_readme_shows_the_demos_script() -> None:
    shown, first = blocks("loom")
    assert shown == (ROOT / "examples" / "harbour_night.loom").read_text(encoding="utf-8")
    assert first.startswith('piece "First"')


def test_the_example_is_the_packaged_piece() -> None:
    from stemloom.demo import PIECE

    assert (ROOT / "examples" / "harbour_night.loom").resolve() == PIECE.resolve()


def test_every_file_that_the_readme_names_exists() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


@pytest.fixture(scope="module")
def newcomer(demo_folder: Callable[[], Path]) -> Path:
    """Where `stemloom demo` has run, with the examples and what the README says that a reader brings."""
    folder = demo_folder()
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "first.loom").write_text(blocks("loom")[1], encoding="utf-8")
    rng = np.random.default_rng(2)
    beat = np.exp(-np.arange(24_000) / 2500)
    loop = np.tile(rng.standard_normal(24_000) * beat * 0.3, 16)
    soundfile.write(folder / "drums.wav", np.stack([loop, loop], axis=1), 48_000)
    return folder


def test_the_readmes_commands_run_as_they_stand(newcomer: Path) -> None:
    """Each shell block but the installing ones, in one shell, with `stemloom` of this environment."""
    commands = "\n".join(b for b in blocks("sh") if "pip install" not in b)
    assert commands.count("stemloom ") >= 12
    tools = newcomer / "bin"
    tools.mkdir()
    launcher = tools / "stemloom"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stemloom "$@"\n')
    launcher.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if k != "STEMLOOM_HOME"}
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=newcomer,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (newcomer / "first.flac").exists()
    assert (newcomer / "statement.html").exists()


def test_the_readmes_python_runs(newcomer: Path) -> None:
    (block,) = blocks("python")
    subprocess.run([sys.executable, "-c", block], cwd=newcomer, check=True, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("pull", [], "placements heard"),
        ("game", ["--seconds", "2"], "turns of the dial"),
        ("file", ["embedded.wav", "--seconds", "3"], "LUFS, session"),
        ("service", ["--seconds", "1"], '"placements"'),
        ("async", ["--seconds", "1"], "Cyd heard"),
    ],
)
def test_the_embedding_examples_run(newcomer: Path, name: str, more: list[str], said: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / f"embed_{name}.py"),
            "stemloom-demo/home",
            "examples/harbour_night.loom",
            *more,
        ],
        cwd=newcomer,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said in done.stdout
