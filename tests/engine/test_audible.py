"""In play is what can be heard: time in play cannot be made of what nobody hears."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from msgspec import UNSET

from stemloom import Vault
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import AUDIBLE, Placement, Session as SessionEntry
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


QUIET = HEAD.format(how="gain -54 dB")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two loops of noise."""
    return home_of(tmp_path_factory.mktemp("audible"), noise(5), 1)


@pytest.mark.parametrize("block", [64, 1000, 4801, 48_000])
def test_it_does_not_depend_on_the_size_of_blocks(home: Path, block: int) -> None:
    text = HEAD.format(how="gain -36 dB lowpass 900 Hz")
    assert in_play(home, text, block) == in_play(home, text, 12_345)


def test_what_sounds_alone_is_in_play_however_soft(home: Path) -> None:
    alone = HEAD.format(how="gain -40 dB").replace("    bring drums from beats\n", "")
    assert in_play(home, alone)["ghost"] == SECONDS * RATE


def test_a_replay_counts_the_same(home: Path) -> None:
    text = HEAD.format(how="gain -34 dB")
    with Vault.open(home) as vault:
        session = Session(vault, accepted(text), seconds=SECONDS)
        while not session.ended:
            session.read(7777)
        take = session.close()
        assert take.in_play == AUDIBLE
        _, again = replay(vault, take, lambda block: None, logged=False)
    assert again.same
    assert again.take.placements == take.placements


def test_a_take_of_before_is_compared_by_the_rule_that_it_was_made_with(home: Path) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(QUIET), seconds=SECONDS, logged=False)
        session.conductor._energies._rule = UNSET
        while not session.ended:
            session.read(4800)
        take = msgspec.structs.replace(session.finish(), in_play=None)
        assert {each.part for each in take.placements} == {"drums", "ghost"}
        _, again = replay(vault, take, lambda block: None, logged=False)
        assert again.same
        assert again.take.in_play is None
        # What is heard once more earns by today's rule.
        loud, heard = replay(vault, take, lambda block: None)
        loud.seal()
        assert heard.same_sound
        assert {each.part for each in heard.take.placements} == {"drums"}


def test_the_entry_says_how_long_it_sounded_and_how_much_of_it_was_in_play(home: Path) -> None:
    ghosts = HEAD.format(how="gain -36 dB")
    with Vault.open(home) as vault:
        session = Session(vault, accepted(ghosts), seconds=SECONDS)
        session.read(SECONDS * RATE)
        session.close()
        entries = [each for _, each in vault.log.entries() if getattr(each, "session", "") == session.session]
    opened, *placements, closed = entries
    assert isinstance(opened, SessionEntry)
    assert opened.in_play == closed.in_play == AUDIBLE
    assert placements
    for each in placements:
        assert isinstance(each, Placement)
        assert each.span is not UNSET
        assert 0 < each.frames <= each.span


def test_what_pends_when_the_session_is_cut_is_not_in_play(home: Path) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(QUIET), logged=False)
        session.read(1000)
        session.finish()
        assert session.sounded == []
