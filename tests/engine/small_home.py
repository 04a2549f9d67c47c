"""A home of three beats and a piece for them that never ends, for tests of what hosts do with a player."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from stemloom import Vault
from stemloom.vault.sound.declared import Declared

RATE = 48_000
TEXT = """piece "Fuzzed" for stream
tempo 120
seed 3
pool beats = loops role beats
dial energy 0..1 = 0.5 at next bar
section a 4 bars
    bring drums from beats
move a -> a on cue "again" at next bar
move a -> a at end
"""


def small_home(folder: Path) -> Path:
    """A home in `folder` with three beats, all cleared for stream."""
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for number in range(3):
            path = folder / f"sound{number}.wav"
            sound = np.random.default_rng(number).standard_normal((2 * RATE, 2)) * 0.1
            soundfile.write(path, sound.astype(np.float32), RATE, subtype="FLOAT")
            offers.append(Declared(path, "Ada", "beats", bpm=Fraction(120), bars=1))
        assert len(vault.add(offers).added) == 3
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return folder / "home"
