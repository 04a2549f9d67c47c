"""A DAW export in a piece: to the sample at its own tempo, and on the grid within a millisecond at others."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from stemloom import Vault
from stemloom.engine.clock import BarClock
from stemloom.engine.compose.tempo_and_key import variant_of
from stemloom.engine.play.conform import Conformer
from stemloom.engine.play.render import render
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem

from .song_export import RATE, ROLES, beat_frame, rang, script_of, song_home

SIZES = [
    pytest.param((6, 8), id="short"),
    pytest.param((12, 70), id="12 stems of 3 minutes", marks=pytest.mark.long),
]


@pytest.fixture(scope="module", params=SIZES)
def export(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[NDArray[np.float32]], int]:
    stems, bars = request.param
    return *song_home(tmp_path_factory.mktemp("song"), stems, bars), bars


def lag(heard: NDArray[np.float32], played: NDArray[np.float32], at: int, reach: int = 256) -> int:
    """By how many frames what was heard around a frame is late, where it is most like what was played."""
    # In their differences, so that the high-pass of the master is not heard.
    window = np.diff(played[at : at + 2 * RATE], n=4)
    around = np.diff(heard[max(at - reach, 0) : at + 2 * RATE + reach], n=4)
    size = 1 << (len(around) + len(window)).bit_length()
    product = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(window, size)))
    return int(np.argmax(product[: 2 * reach + 1])) - min(at, reach)


def test_it_plays_in_step_to_the_sample_at_its_own_tempo(
    export: tuple[Path, list[NDArray[np.float32]], int], tmp_path: Path
) -> None:
    home, sounds, bars = export
    half = bars // 2
    text = script_of(
        len(sounds), 93.5, f"section a {half} bars\n{{lines}}section b {bars - half + 4} bars\n{{lines}}"
    )
    text += "move b -> silence at end\n"
    with Vault.open(home) as vault:
        stems = {stem.title: stem for stem in vault.stems()}
        for number, sound in enumerate(sounds):
            kept = vault.samples(stems[f"stem {number}"].stem)
            assert np.array_equal(kept[:, : sound.shape[1]], sound), (
                "it is what the holder gave, sample by sample"
            )
        made = render(vault, accepted(text), tmp_path / "out.wav", tier="subscriber")
        alone = [
            render(vault, accepted(_only(text, number)), tmp_path / f"{number}.wav", tier="subscriber")
            for number in range(min(len(sounds), 3))
        ]
    assert {heard.placement.start_frame - heard.placement.offset_frames for heard in made.sounded} == {0}
    for number, each in enumerate(alone):
        heard = soundfile.read(each.audio, dtype="float32")[0].mean(axis=1)
        played = sounds[number][0]
        places = (beat_frame(8), beat_frame(4 * half) - RATE, beat_frame(4 * bars) - 2 * RATE)
        assert {lag(heard, played, at) for at in places} == {0}, number
    whole = soundfile.read(made.audio, dtype="float32")[0]
    longest = max(sound.shape[1] for sound in sounds)
    assert np.abs(whole[longest - RATE // 10 : longest]).max() > 1e-4, "the tail is played out"
    assert np.abs(whole[longest + RATE :]).max() < 1e-3


def _only(text: str, number: int) -> str:
    lines = (line for line in text.splitlines() if "bring" not in line or f"part{number} " in line)
    used = (line for line in lines if not line.startswith("pool") or line.startswith(f"pool p{number} "))
    return "\n".join(used) + "\n"


@pytest.mark.parametrize("tempo", [90, 97])
def test_it_is_on_the_grid_within_a_millisecond_at_other_tempi(
    export: tuple[Path, list[NDArray[np.float32]], int], tempo: int
) -> None:
    home, sounds, bars = export
    clock = BarClock(Fraction(tempo), (4, 4), RATE)
    worst = {}
    with Vault.open(home) as vault, Conformer(vault) as conformer:
        stems: dict[str, Stem] = {stem.title: stem for stem in vault.stems()}
        for number in range(len(sounds)):
            stem = stems[f"stem {number}"]
            variant = variant_of(stem, clock)
            made = conformer.sound(stem, variant)
            assert variant.loop_start is not None
            assert not made[:, variant.loop_start :].any()
            beats = range(4 * (number % 3), 4 * bars)
            late = [_late(made[0], number, stem.role, beat, Fraction(tempo)) for beat in beats]
            worst[number, stem.role] = max(map(abs, late)) * 1000 / RATE
    assert max(worst.values()) <= 1, worst


def _late(made: NDArray[np.float32], number: int, role: str, beat: int, bpm: Fraction) -> int:
    """How late a beat's attack is, in frames: where its first 10 ms are most like what is there."""
    assert role == ROLES[number % len(ROLES)]
    place = beat_frame(beat, bpm)
    attack = np.diff(np.concatenate([np.zeros(48, np.float32), rang(number, role, 480)]))
    first = place - 48 - 240
    around = np.diff(np.take(made, np.arange(first, first + 48 + 480 + 480), mode="clip"))
    energy = np.convolve(around**2, np.ones(len(attack)), "valid") * (attack**2).sum()
    return int(np.argmax(np.correlate(around, attack, "valid") / np.sqrt(energy + 1e-12))) - 240
