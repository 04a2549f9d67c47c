"""A constant offset is taken off what is played, and nothing else is; the original stays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.vault.records import ENGINE_RATE
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.offset import offset_of, without_offset

TIME = np.arange(2 * ENGINE_RATE) / ENGINE_RATE
MUSIC = np.stack([0.3 * np.sin(2 * np.pi * hz * TIME) for hz in (220, 330)]).astype(np.float32)
DEEP = np.exp(-8 * TIME) * np.sin(2 * np.pi * 40 * TIME)
HIT = np.stack([DEEP, DEEP]).astype(np.float32)
NOTES = np.tile(HIT[:, : ENGINE_RATE // 2], 4)


@pytest.mark.parametrize(
    ("sound", "shape"), [(MUSIC, "loop"), (NOTES, "loop"), (HIT, "hit"), (HIT, "sustained")]
)
def test_music_has_no_offset(sound: np.ndarray, shape: str) -> None:
    assert without_offset(sound, shape) is sound


@pytest.mark.parametrize("off", [0.002, -0.05, 0.2])
@pytest.mark.parametrize(("sound", "shape"), [(MUSIC, "loop"), (MUSIC, "sustained"), (HIT, "hit")])
def test_an_offset_is_taken_off(sound: np.ndarray, shape: str, off: float) -> None:
    moved = sound + np.array([[off], [0]], np.float32)
    assert offset_of(moved, shape) == pytest.approx([off, 0], abs=2e-4)
    np.testing.assert_allclose(without_offset(moved, shape), sound, atol=3e-4)


def test_silence_and_short_sounds_have_none() -> None:
    for frames in (1, 100, 5000):
        for shape in ("loop", "hit", "sustained"):
            assert not offset_of(np.zeros((2, frames), np.float32), shape).any()


def test_the_vault_says_it_plays_it_without_and_keeps_the_original(tmp_path: Path) -> None:
    path = tmp_path / "off.wav"
    rumble = 0.2 * np.sin(2 * np.pi * 15 * TIME)
    soundfile.write(path, (MUSIC + rumble + 0.05).T.astype(np.float32), ENGINE_RATE, subtype="FLOAT")
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        (added,) = vault.add([Declared(path, "Ada", "pads", bpm=Fraction(120), beats=4)]).added
        assert "its zero line is off by 5.0 % of full scale; the copy that is played" in " ".join(added.notes)
        assert "% of its energy lies below 25 Hz, where nobody hears it" in " ".join(added.notes)
        assert vault.original(added.stem.stem).read_bytes() == path.read_bytes()
        np.testing.assert_allclose(vault.samples(added.stem.stem).mean(axis=1), 0, atol=1e-5)
        # Made again, it is the same.
        before = vault.samples(added.stem.stem).copy()
        vault.conformed_path(added.stem.stem).unlink()
        np.testing.assert_array_equal(vault.samples(added.stem.stem), before)
