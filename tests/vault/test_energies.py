"""How loud a stem is in each 100 ms: right, small, measured once, and gone with its stem."""

from __future__ import annotations

import sqlite3
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stemloom import Vault
from stemloom.vault.records import ENGINE_RATE
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.energies import Energies, energies, low_share
from stemloom.vault.sound.loudness import integrated_lufs

SECOND = np.arange(ENGINE_RATE) / ENGINE_RATE


def tone(hertz: float, seconds: int = 4) -> np.ndarray:
    time = np.arange(seconds * ENGINE_RATE) / ENGINE_RATE
    return np.stack([0.5 * np.sin(2 * np.pi * hertz * time)] * 2).astype(np.float32)


def test_a_steady_sound_has_its_loudness_in_each_step() -> None:
    plain, heard = energies(tone(1000))
    assert len(plain) == 40
    assert np.allclose(-0.691 + 10 * np.log10(plain[2:]), integrated_lufs(tone(1000)), atol=0.02)
    assert np.allclose(plain[1:-1], heard[1:-1], rtol=1e-3)


@pytest.mark.parametrize("hertz", [8, 18, 20, 23, 18_000, 23_000])
def test_what_nobody_hears_is_in_the_plain_row_alone(hertz: float) -> None:
    plain, heard = 10 * np.log10(energies(tone(hertz))[:, 5:-5].mean(axis=1))
    assert heard < plain - 35


@pytest.mark.parametrize("hertz", [30, 40, 100, 15_000])
def test_what_is_heard_is_in_both(hertz: float) -> None:
    plain, heard = 10 * np.log10(energies(tone(hertz))[:, 5:-5].mean(axis=1))
    assert heard == pytest.approx(plain, abs=0.05)


@given(st.lists(st.floats(1e-18, 1e6), min_size=1, max_size=50))
def test_levels_are_kept_to_a_two_hundredth_of_a_decibel(squares: list[float]) -> None:
    known = Energies(np.array(squares), np.zeros(len(squares)))
    again = Energies.decoded(known.encoded())
    assert np.abs(10 * np.log10(again.plain / known.plain)).max() <= 0.0026
    assert not again.heard.any()
    assert len(known.encoded()) == 4 * len(squares)


@pytest.mark.parametrize(("hertz", "share"), [(12, 1.0), (20, 1.0), (40, 0.0), (1000, 0.0)])
def test_the_share_below_what_is_heard(hertz: float, share: float) -> None:
    assert low_share(tone(hertz)) == pytest.approx(share, abs=0.01)
    assert low_share(tone(hertz) + np.float32(0.2)) == pytest.approx(share, abs=0.01)


def test_silence_and_a_single_frame_have_energies() -> None:
    for frames in (1, 4800, 4801):
        rows = energies(np.zeros((1, frames), np.float32))
        assert rows.shape == (2, -(-frames // 4800))
        assert low_share(np.zeros((1, frames), np.float32)) == 0


@pytest.fixture
def vault(tmp_path: Path):
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        sounds = [
            (Declared(Path(f"{hz}.wav"), "Ada", "pads", bpm=Fraction(120), beats=8), tone(hz))
            for hz in (200, 300)
        ]
        assert len(vault.add_sounds(sounds).added) == 2
        yield vault


def rows(vault: Vault) -> set[str]:
    with sqlite3.connect(vault.home / "vault" / "catalogue.db") as db:
        return {str(row[0]) for row in db.execute("SELECT stem FROM energies")}


def test_they_are_measured_at_intake_and_go_with_the_stem(vault: Vault) -> None:
    stems = list(vault.stems())
    assert rows(vault) == {stem.stem for stem in stems}
    found = vault.recordings.energies(stems)
    for stem in stems:
        expected = Energies.of(energies(vault.samples(stem.stem)))
        np.testing.assert_allclose(found[stem.stem].plain, expected.plain, rtol=1e-3)
    vault.remove(stems[0].stem)
    assert rows(vault) == {stems[1].stem}


def test_what_came_before_they_were_measured_is_measured_once(vault: Vault) -> None:
    stems = list(vault.stems())
    with sqlite3.connect(vault.home / "vault" / "catalogue.db") as db:
        db.execute("DELETE FROM energies")
    told: list[tuple[int, int]] = []
    with Vault.open(vault.home) as later:
        first = later.recordings.energies(stems, lambda done, all: told.append((done, all)))
    assert told == [(1, 2), (2, 2)]
    with Vault.open(vault.home) as later:
        again = later.recordings.energies(stems, lambda done, all: told.append((done, all)))
    assert len(told) == 2
    for stem in first:
        np.testing.assert_allclose(again[stem].plain, first[stem].plain, rtol=1e-3)


def test_one_whose_sound_is_lost_is_left_out(vault: Vault) -> None:
    stem, other = vault.stems()
    with sqlite3.connect(vault.home / "vault" / "catalogue.db") as db:
        db.execute("DELETE FROM energies")
    vault.original(stem.stem).unlink()
    vault.conformed_path(other.stem)
    next(vault.home.glob(f"vault/conformed/{stem.stem}.*.npy")).unlink()
    with Vault.open(vault.home) as later:
        assert later.recordings.energies([stem, other]).keys() == {other.stem}
