"""A home whose changes sessions follow, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stemloom import Vault
from stemloom.engine.compose.score import Score
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared

from ..conftest import copied

RATE = 48_000
WAIT = 20
BEATS = """piece "Beats" for stream, live
tempo 240
seed 3
pool beats = loops role beats, key any
section a 4 bars
    bring x from beats
move a -> a at end
"""
PADS = BEATS.replace('"Beats"', '"Pads"').replace("role beats", "role pads")
NOW, SOON, LATER = (f"203{year}-01-01T00:00:00.000Z" for year in range(3))


def sounds(seed: int, *kinds: tuple[str, str]) -> list[tuple[Declared, np.ndarray]]:
    """A bar of noise for each role and title."""
    rng = np.random.default_rng(seed)
    return [
        (
            Declared(Path(title), "Ada", role, bars=1, title=title),
            (0.1 * rng.standard_normal((1, RATE))).astype(np.float32),
        )
        for role, title in kinds
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three beats and two pads; all but one beat and one pad are cleared for streaming."""
    home = tmp_path_factory.mktemp("watched") / "home"
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        kinds = [("beats", title) for title in ("one", "two", "shy")] + [("pads", "air"), ("pads", "low")]
        assert len(vault.add_sounds(sounds(1, *kinds)).added) == 5
        vault.grant(["one", "two", "air"], ["stream"])
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return copied(filled, tmp_path / "home")


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Score]:
    """The scores that were made anew since the test began, in this process."""
    scores: list[Score] = []
    with_snapshot = Score.with_snapshot

    def counted(self: Score, *given: object) -> Score:
        scores.append(with_snapshot(self, *given))  # type: ignore[arg-type]
        return scores[-1]

    monkeypatch.setattr(Score, "with_snapshot", counted)
    return scores


def session_of(vault: Vault, text: str = BEATS, **options: object) -> Session:
    return Session(vault, accepted(text), logged=False, **options)  # type: ignore[arg-type]


def titles(session: Session) -> set[str]:
    """Who may sound in the session now, as the thread that decides sees it."""
    session.conductor.see_changes()
    return {stem.title for stem in session.score.stems.values()}
