"""Ten pieces have their loudness and hold their ceiling, by ffmpeg's meter."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from stemloom import Vault
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted

from ..marks import slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 75
LOUD = """
piece "Loud" for stream
tempo 118
loudness -11 LUFS
ceiling -2 dBTP
pool drums = loops role beats
pool low = loops role bass
pool chords = loops role harmony
section all 64 bars
    bring drums from drums
    bring low from low at bar 5
    bring chords from chords at bar 9
move all -> all
"""
SOFT = LOUD.replace('"Loud"', '"Soft"').replace("-11 LUFS", "-23 LUFS").replace("role beats", "role pads")
PIECES = [
    *(
        (name, EXAMPLES.joinpath(f"{name}.loom").read_text(), seed)
        for name in ("harbour_night", "back_stairs", "last_train", "slow_weather")
        for seed in (1, 2)
    ),
    ("loud", LOUD, 1),
    ("soft", SOFT, 1),
]
FAST = ("harbour_night-1", "loud-1", "soft-1")


@pytest.fixture(scope="module")
def vault(demo_home: Callable[[], Path]) -> Iterator[Vault]:
    with Vault.open(demo_home()) as vault:
        yield vault


NAMES = [f"{name}-{seed}" for name, _, seed in PIECES]
ROWS = [row if name in FAST else slow(*row) for name, row in zip(NAMES, PIECES, strict=True)]


@pytest.mark.parametrize(("name", "script", "seed"), ROWS, ids=NAMES)
def test_a_piece_has_its_loudness_after_ten_seconds(
    vault: Vault, tmp_path: Path, name: str, script: str, seed: int
) -> None:
    """Over a minute, from the tenth second on: within 0.5 LU of the target, all peaks under the ceiling."""
    piece = accepted(script)
    session = Session(vault, piece, seed=seed, seconds=SECONDS, logged=False)
    session.prepare()
    path = tmp_path / "out.wav"
    with soundfile.SoundFile(path, "w", 48_000, 2, "FLOAT") as file:
        while not session.ended:
            file.write(session.read(48_000).T)
    session.abandon()
    loudness, peak = metered(path)
    assert abs(loudness - piece.loudness_lufs) <= 0.5
    assert peak <= piece.ceiling_dbtp


def metered(path: Path) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP of the minute from the tenth second on, by ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.fail("ffmpeg is needed as the independent meter")
    command = [program, "-nostats", "-hide_banner", "-ss", "10", "-t", "60", "-i", str(path)]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = said[said.rindex("Summary:") :]
    found = [float(re.search(rf"{label}:\s+(\S+)", summary)[1]) for label in ("I", "Peak")]
    return found[0], found[1]
