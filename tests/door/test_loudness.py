"""Pieces have their loudness, hold their ceiling and keep their form, by ffmpeg's meter."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from stemloom import Vault
from stemloom.engine.play.render import render
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.script.piece import Piece

from ..marks import slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("harbour_night", slow("back_stairs"), slow("last_train"), slow("slow_weather"))


@pytest.fixture(scope="module")
def vault(demo_home: Callable[[], Path]) -> Iterator[Vault]:
    with Vault.open(demo_home()) as vault:
        yield vault


def example(name: str, loudness: str = "") -> Piece:
    """An example; `loudness`: what it says of that instead."""
    text = EXAMPLES.joinpath(f"{name}.loom").read_text()
    return accepted(re.sub(r"^loudness .*$", f"loudness {loudness}", text, flags=re.M) if loudness else text)


def mixed(vault: Vault, piece: Piece, path: Path, gain_db: float | None = None) -> list[float]:
    """Mix a piece to its end; gives the seconds at which its sections begin, and that of its end."""
    session = Session(vault, piece, logged=False, gain_db=gain_db)
    session.prepare()
    with soundfile.SoundFile(path, "w", 48_000, 2, "FLOAT") as file:
        while not session.ended:
            file.write(session.read(48_000).T)
    begins = [bar.start_frame / 48_000 for bar in session.bars if bar.section_bar == 0 and not bar.ended]
    end = session.frame / 48_000
    session.abandon()
    return [*begins, end]


def metered(path: Path, first: float = 0.0, last: float | None = None) -> dict[str, float]:
    """Integrated loudness (I), range (LRA) and true peak (Peak) between two seconds, by ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.fail("ffmpeg is needed as the independent meter")
    part = [] if last is None else ["-ss", f"{first:.6f}", "-t", f"{last - first:.6f}"]
    command = [program, "-nostats", "-hide_banner", *part, "-i", str(path)]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = said[said.rindex("Summary:") :]
    return {
        label: float(re.search(rf"{label}:\s+(\S+)", summary)[1])  # type: ignore[index]
        for label in ("I", "LRA", "Peak")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_render_has_its_loudness_on_the_whole(vault: Vault, tmp_path: Path, name: str) -> None:
    piece = example(name)
    rendered = render(vault, piece, tmp_path / "out.wav")
    found = metered(rendered.audio)
    assert piece.loudness_lufs is not None
    assert found["I"] == pytest.approx(piece.loudness_lufs, abs=0.3)
    assert found["Peak"] <= piece.ceiling_dbtp


@pytest.mark.parametrize("name", NAMES)
def test_a_set_that_is_pulled_is_as_loud_as_foretold(vault: Vault, tmp_path: Path, name: str) -> None:
    piece = example(name)
    mixed(vault, piece, tmp_path / "out.wav")
    found = metered(tmp_path / "out.wav")
    assert piece.loudness_lufs is not None
    assert found["I"] == pytest.approx(piece.loudness_lufs, abs=1.5)
    assert found["Peak"] <= piece.ceiling_dbtp


@pytest.mark.parametrize("name", NAMES)
def test_what_is_heard_has_the_form_of_the_mix(vault: Vault, tmp_path: Path, name: str) -> None:
    """Where the limiter rests: the sections' differences, and the range of the whole."""
    piece = example(name, "-24 LUFS")
    heard, mix = tmp_path / "heard.wav", tmp_path / "mix.wav"
    edges = mixed(vault, piece, heard)
    assert mixed(vault, example(name, "off"), mix, gain_db=-15.0) == edges
    assert metered(heard)["LRA"] == pytest.approx(metered(mix)["LRA"], abs=0.5)
    levels = [(metered(heard, *part)["I"], metered(mix, *part)["I"]) for part in pairwise(edges)]
    gains = [one - other for one, other in levels]
    assert max(gains) - min(gains) <= 0.5
    assert max(one for one, _ in levels) - min(one for one, _ in levels) > 2
