from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stemloom.vault.sound.clipping import clipped_runs
from stemloom.vault.sound.declared import Declared
from stemloom.vault.vault import Vault

from .conftest import Write
from .drums import PATTERNS, RATE, drums


@pytest.mark.parametrize(
    ("samples", "runs"),
    [
        ([1, 1, 0.5, 1], 0),
        ([1, 1, 1], 1),
        ([1, 1, 1, 1, 0, -1, -1, -1, 1], 2),
        ([0, 1, 1, 1, 0.2, 1, 1, 1], 2),
        ([0, 0.5, 0.5, 0.5, 0.2], 0),
        # Above full scale, as floats have it: what matters is whether the tops are flat.
        ([0, 1.5, 1.6, 1.55, 1.2, -1.7], 0),
        ([0, 1.6, 1.6, 1.6, 0.2, -1.7], 1),
    ],
)
def test_counts_flat_tops(samples: list[float], runs: int) -> None:
    assert clipped_runs(np.array([samples], dtype=np.float32)) == runs


def sine(hertz: float, gain: float) -> np.ndarray:
    return gain * np.sin(2 * np.pi * hertz * np.arange(48_000) / 48_000)[None, :]


@pytest.mark.parametrize("hertz", [20, 41, 100, 440, 5_000])
@pytest.mark.parametrize("scale", [1 << 15, 1 << 23])
def test_a_tone_is_clipped_where_it_was_cut(hertz: float, scale: int) -> None:
    def coded(wave: np.ndarray) -> np.ndarray:
        return (np.clip(np.round(wave * scale), -scale, scale - 1) / scale).astype(np.float32)

    assert clipped_runs(coded(sine(hertz, 1 - 1 / scale))) == 0
    assert clipped_runs(sine(hertz, 1.6).astype(np.float32)) == 0
    if hertz < 1_000:
        assert clipped_runs(coded(sine(hertz, 1.3))) == pytest.approx(2 * hertz, abs=1)
        # Cut at full scale, and made louder as floats.
        assert clipped_runs(1.6 * np.clip(sine(hertz, 1.3), -1, 1).astype(np.float32)) >= 2 * hertz - 1


def test_floats_above_full_scale_are_taken_as_they_are(vault: Vault, write: Write) -> None:
    loud = drums(PATTERNS["house"], 120, 1)
    loud *= 1.6 / np.abs(loud).max()
    files = [write("Loud.wav", loud, RATE), write("Flat.wav", np.clip(loud, -1, 1)[::-1] * 1.6, RATE)]
    added = vault.add([Declared(path, "Ada", "beats", bpm=Fraction(120), bars=1) for path in files]).added
    clipped = {each.path.name: any("clipped" in note for note in each.notes) for each in added}
    assert clipped == {"Loud.wav": False, "Flat.wav": True}
