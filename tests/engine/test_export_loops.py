"""Loops in a file: whole bars whose end leads into their beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from stemloom import Vault, render
from stemloom.engine.errors import NoEnd, OutputRefused, TakeRefused
from stemloom.engine.play import take as takes
from stemloom.engine.play.master_file import MasterFile, folded
from stemloom.engine.play.render import replay_to
from stemloom.script.check.check import accepted

from .test_export import RATE, home, sounds, vault

__all__ = ["home", "sounds", "vault"]


def test_what_rings_on_is_laid_over_the_beginning(tmp_path: Path) -> None:
    sound = np.arange(10, dtype=np.float32)[None].repeat(2, axis=0)
    master = MasterFile(tmp_path)
    master.write(sound[:, :4])
    master.write(sound[:, 4:])
    np.testing.assert_array_equal(folded(master.whole(), 4)[:, 0], [0 + 4 + 8, 1 + 5 + 9, 2 + 6, 3 + 7])
    master.close()


TURNS = """piece "Turns" for stream
tempo 120
seed 3
ceiling -1 dBTP
bus hall = delay 0.75 beats feedback 40%
pool beats = loops role beats, named "straight"
pool gongs = hits role fx
section a 2 bars
    bring drums from beats gain -12 dB to hall 50%
    play gong from gongs "................ ............x..." gain -12 dB to hall 50%
"""


def heard(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_a_loop_is_the_middle_turn_of_three(vault: Vault, tmp_path: Path) -> None:
    text = TURNS + "move a -> a at end\n"
    rendered = render(
        vault, accepted(text), tmp_path / "turn.wav", bars=2, loop=True, bits="32f", gain_db=0.0
    )
    turn = heard(tmp_path / "turn.wav")
    assert len(turn) == rendered.file.frames == 4 * RATE
    assert rendered.frames > len(turn)  # the take's mix holds what rings on
    render(vault, accepted(text), tmp_path / "three.wav", bars=8, bits="32f", gain_db=0.0)
    middle = heard(tmp_path / "three.wav")[4 * RATE : 8 * RATE]
    scale = np.abs(middle).max()
    assert scale > 0.01
    assert np.abs(turn - middle).max() < 2e-3 * scale
    # Without what rings on, the gong's and the echo's, it would be another.
    cut = tmp_path / "cut.wav"
    render(vault, accepted(text), cut, bars=3, bits="32f", gain_db=0.0)
    assert np.abs(heard(cut)[: 4 * RATE] - middle).max() > 0.05 * scale


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("ends", [True, False])
def test_a_loop_has_no_step_at_its_seam(vault: Vault, tmp_path: Path, rate: int, ends: bool) -> None:
    """A tone over the seam: it is as smooth there as anywhere else, and as loud."""
    text = TURNS.replace('role beats, named "straight"', "role voice").replace("a 2 bars", "a 3 bars")
    text = text.replace(
        '    play gong from gongs "................ ............x..." gain -12 dB to hall 50%\n', ""
    )
    text += "move a -> silence at end\n" if ends else "move a -> a at end\n"
    out = tmp_path / "turn.wav"
    rendered = render(vault, accepted(text), out, bars=None if ends else 3, loop=True, rate=rate)
    turn = heard(out)
    assert len(turn) == rendered.file.frames == 6 * rate
    twice = np.concatenate([turn, turn])
    bends = np.abs(np.diff(twice, 2, axis=0)).max(axis=1)
    seam = bends[len(turn) - 20 : len(turn) + 20].max()
    assert seam <= 1.2 * np.quantile(bends[rate : 2 * rate], 0.99)
    assert b"smpl" in out.read_bytes()[:4000]


def test_a_loop_is_replayed_as_one(vault: Vault, tmp_path: Path) -> None:
    out, again = tmp_path / "turn.flac", tmp_path / "again.flac"
    rendered = render(vault, accepted(TURNS + "move a -> a at end\n"), out, bars=2, loop=True)
    take = takes.load(rendered.take)
    assert take.loop
    assert replay_to(vault, take, again).same
    np.testing.assert_array_equal(heard(out), heard(again))


def test_a_take_of_a_loop_that_was_changed_breaks_nothing(vault: Vault, tmp_path: Path) -> None:
    rendered = render(vault, accepted(TURNS + "move a -> a at end\n"), tmp_path / "a.wav", bars=2, loop=True)
    take = takes.load(rendered.take)
    for name, changes in {
        "none": {"frames": 0, "mixed": 0},
        "short": {"frames": 6400, "mixed": 6656},
    }.items():
        out = tmp_path / f"{name}.wav"
        assert not replay_to(vault, msgspec.structs.replace(take, **changes), out).same
        assert soundfile.info(str(out)).frames == changes["frames"]
    path = tmp_path / "take.json"
    path.write_bytes(msgspec.structs.replace(take, limit_frames=None).encoded())
    with pytest.raises(TakeRefused, match="it is a loop without a length"):
        takes.load(path)


LOOP_MISTAKES = [
    ({"seconds": 4}, "out.wav", NoEnd, "a loop is whole bars: give its length with --bars"),
    ({}, "out.wav", NoEnd, "has no move to silence"),
    ({"bars": 2}, "out.mp3", OutputRefused, "MP3 adds silence at its ends"),
]


@pytest.mark.parametrize(("options", "name", "error", "said"), LOOP_MISTAKES)
def test_loops_that_cannot_be(
    vault: Vault, tmp_path: Path, options: dict[str, Any], name: str, error: type, said: str
) -> None:
    with pytest.raises(error, match=said):
        render(vault, accepted(TURNS + "move a -> a at end\n"), tmp_path / name, loop=True, **options)
    assert list(tmp_path.iterdir()) == []
