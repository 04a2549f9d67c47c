"""In play is what can be heard: time in play cannot be made of what nobody hears."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared

RATE = 48_000
SECONDS = 12
HEAD = """piece "Attack" for stream
tempo 120
seed 3
pool beats = loops role beats
pool tops = loops role tops
section a 12 bars
    bring drums from beats
    bring ghost from tops {how}
move a -> a at end
"""
BAR = np.arange(2 * RATE) / RATE


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2 * RATE, 2)) * 0.1


def tone(hertz: float) -> np.ndarray:
    return np.stack([0.9 * np.sin(2 * np.pi * hertz * BAR)] * 2, axis=1)


def quarter_second_of_noise() -> np.ndarray:
    """Of eight seconds; below it the rest is no digital silence, so that intake has nothing to hold."""
    sound = np.tile(noise(7), (4, 1))
    sound[RATE // 4 :] *= 0.0011 / 0.1
    return sound


ATTACKS = {
    "a part at -54 dB": (noise(5), "gain -54 dB", 1),
    "a tone of 8 Hz": (tone(8), "gain 0 dB", 1),
    "a tone of 23 kHz": (tone(23_000), "gain 0 dB", 1),
    "noise behind filters that leave nothing": (
        noise(6),
        " ".join(["lowpass 20 Hz"] * 4),
        1,
    ),
    "a loop that is nearly silent": (quarter_second_of_noise(), "gain -12 dB", 4),
}
PAID_AT_MOST = {"a loop that is nearly silent": 0.65}
"""It is heard every eight seconds, and holds two on either side."""


def home_of(folder: Path, ghost: np.ndarray, bars: int) -> Path:
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        vault.add_holder("Ghost")
        soundfile.write(folder / "drums.wav", noise(1), RATE, subtype="FLOAT")
        soundfile.write(folder / "ghost.wav", ghost, RATE, subtype="FLOAT")
        offers = [
            Declared(folder / "drums.wav", "Ada", "beats", bpm=Fraction(120), bars=1),
            Declared(folder / "ghost.wav", "Ghost", "tops", bpm=Fraction(120), bars=bars),
        ]
        report = vault.add(offers)
        assert len(report.added) == 2, report
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return folder / "home"


def in_play(home: Path, text: str, block: int = 4800) -> Counter[str]:
    """The frames in play of each part."""
    with Vault.open(home) as vault:
        session = Session(vault, accepted(text), seconds=SECONDS)
        while not session.ended:
            session.read(block)
        session.close()
        found = Counter[str]()
        for each in session.sounded:
            found[each.placement.part] += each.frames
    return found


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_nobody_hears_is_not_in_play(tmp_path: Path, attack: str) -> None:
    ghost, how, bars = ATTACKS[attack]
    found = in_play(home_of(tmp_path, ghost, bars), HEAD.format(how=how))
    assert found["drums"] >= (SECONDS - 0.2) * RATE
    assert found["ghost"] <= PAID_AT_MOST.get(attack, 0.02) * SECONDS * RATE
