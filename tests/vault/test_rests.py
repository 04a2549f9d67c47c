"""Silence between the hits of a rhythm is music; silence that goes on is not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stemloom.vault.sound.decode import Sound
from stemloom.vault.sound.ends import Cut, cut_to
from stemloom.vault.sound.rests import Rest, rest_of
from stemloom.vault.vault import Vault

from .conftest import Write, add_one, tone
from .drums import PATTERNS, RATE, drums

ORDINARY = [(name, bpm) for name in sorted(PATTERNS) for bpm in (80, 110, 124, 174)]


def rest(samples: np.ndarray, rate: int, bars: float) -> Rest | None:
    frames = round(len(samples) * 48_000 / rate)
    sound = Sound(np.ascontiguousarray(samples.T), rate, "", 1.0)
    return rest_of(cut_to(sound, Cut(0, "cut"), frames), bars)


@pytest.mark.parametrize("bars", [1, 4])
@pytest.mark.parametrize(("name", "bpm"), ORDINARY)
def test_an_ordinary_pattern_is_not_idle(name: str, bpm: int, bars: int) -> None:
    found = rest(drums(PATTERNS[name], bpm, bars), RATE, bars)
    assert found is None or not found.idle


def silence(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.zeros((round(seconds * rate), 1), np.float32)


KICK = {"kick": "x---------------"}
HOUSE = PATTERNS["house"]


@pytest.mark.parametrize(
    ("parts", "bars"),
    [
        ([drums(KICK, 120, 1), silence(14)], 8),
        ([drums(KICK, 120, 1), silence(4.2)], 3.1),
        ([tone(0.5, rate=RATE), silence(1.5)], 1),
        ([tone(2, rate=RATE), silence(6)], 4),
        ([silence(6), tone(2, rate=RATE)], 4),
        ([drums(HOUSE, 120, 1), silence(2)], 2),
        ([drums(HOUSE, 120, 4), silence(8)], 8),
        ([silence(8), drums(HOUSE, 120, 4)], 8),
        ([drums(HOUSE, 120, 4), silence(5), drums(HOUSE, 120, 4)], 10.5),
        # Both ends: they meet where the loop goes round.
        ([silence(2.5), drums(HOUSE, 120, 8), silence(2.5)], 10.5),
        ([drums(HOUSE, 120, 4), silence(8) + np.float32(0.0009)], 8),
        ([silence(2)], 1),
    ],
)
def test_silence_that_goes_on_is_idle(parts: list[np.ndarray], bars: float) -> None:
    found = rest(np.concatenate(parts), RATE, bars)
    assert found is not None
    assert found.idle


def test_a_dry_kick_on_each_beat_is_taken(vault: Vault, write: Write) -> None:
    path = write("Four.wav", drums(PATTERNS["four on the floor"], 124, 1), RATE)
    stem = add_one(vault, path, bpm=Fraction(124), bars=1)
    assert (stem.bpm, stem.beats) == (124, 4)


def test_a_rest_says_where_it_is() -> None:
    found = rest(np.concatenate([tone(2), silence(6, 48_000)]), 48_000, 4)
    assert str(found) == "from 2.00 s on it is silent (below -60 dBFS) for 3.0 bars"
