"""A hook that returns, as it is heard: the same chords, and others where it is to be another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stemloom import Vault
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.vault.sound.measure import chroma

SCRIPT = """piece "Hooks" for stream
tempo 92
key A minor
seed {}
pool heavy = loops role beats, mood heavy
pool low = loops role bass, mood dusty, key fits
pool chords = loops role harmony, mood dusty, key fits
pool tunes = loops role melody, mood dusty, key fits
pool snares = hits role beats, mood snare
section stairs 2 bars
    bring keys from chords
section hook 4 bars{}
    bring beats from heavy
    bring keys from chords
    bring low from low
    bring tune from tunes at bar 3
    play snare from snares "....X.......X..."
    vary keys every 2 bars
section last_hook 4 bars as hook
move stairs -> hook
move hook -> stairs
move hook -> last_hook after 2 visits
move last_hook -> silence
"""


def hooks(home: Path, head: str, seed: int) -> list[tuple[list[tuple[str, str]], np.ndarray]]:
    """Of each visit of the hook, and of the last: the stems that start in it, and its chroma by bar."""
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT.format(seed, head)), use="stream")
        clock, found = session.score.clock, []
        sound = session.read(clock.bar_frame(16))
        take = session.close()
        for first in (2, 8, 12):
            begin, end = clock.bar_frame(first), clock.bar_frame(first + 4)
            stems = sorted((p.part, p.stem) for p in take.placements if begin <= p.start_frame < end)
            found.append((stems, chroma(sound[:, begin:end].astype(np.float32), 4)))
    return found


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.slow
def test_hooks_share_every_stem_and_sound_alike_unless_they_are_fresh(demo_home: Callable[[], Path]) -> None:
    home = demo_home()
    (stems, first), (again, second), (last, third) = hooks(home, "", 66)
    assert len(set(stems)) >= 5
    assert stems == again == last
    assert alike(first, second) > 0.95
    assert alike(first, third) > 0.95
    (stems, first), (again, second), _ = hooks(home, " fresh", 66)
    assert stems != again
    assert alike(first, second) < 0.95
