"""Role levels: four roles of the demo together, each of them heard."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import stft

from stemloom import Vault
from stemloom.engine.compose.levels import level_db
from stemloom.vault.records import Stem

from .pieces import stem

BARK_HZ = (20, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700)
BARK_HZ += (4400, 5300, 6400, 7700, 9500, 12_000, 15_500)
MIXES = 8
SECONDS = 6


@pytest.mark.parametrize(
    ("role", "shape", "wanted"),
    [
        ("beats", "loop", -19.0 + 18.0),
        ("melody", "loop", -20.0 + 18.0),
        ("kazoo", "loop", -24.0 + 18.0),
        ("beats", "hit", -6.0 + 3.0),
        ("tops", "hit", -9.0 + 3.0),
        ("kazoo", "hit", -11.0 + 3.0),
    ],
)
def test_a_stem_is_brought_to_the_level_of_its_role(role: str, shape: str, wanted: float) -> None:
    assert level_db(stem(1, role, shape)) == wanted


def test_what_is_nearly_silent_is_not_raised_to_its_noise() -> None:
    assert (
        level_db(stem(1, "beats", lufs=-80.0)) == level_db(stem(1, "fx", "hit", true_peak_dbtp=-90.0)) == 24.0
    )


def powers(vault: Vault, stem: Stem) -> np.ndarray:
    """Of a loop at its level: the power in Bark bands, (bands, times)."""
    samples = np.resize(vault.samples(stem.stem)[0], SECONDS * 48_000) * 10 ** (level_db(stem) / 20)
    frequencies, _, spectra = stft(samples, 48_000, nperseg=2048)
    power = np.abs(spectra) ** 2
    edges = np.searchsorted(frequencies, BARK_HZ)
    return np.add.reduceat(power[: edges[-1]], edges[:-1], axis=0)


def heard(role: np.ndarray, whole: np.ndarray) -> float:
    """The share of a role's bands and times, weighed by their loudness, that are within 6 dB of the sum."""
    weight = np.where(role > role.max() * 1e-4, role**0.3, 0)
    return float((weight * (role > whole / 4)).sum() / weight.sum())


def test_each_of_four_roles_is_heard_in_the_mix_and_the_lead_leads(demo_home: Callable[[], Path]) -> None:
    with Vault.open(demo_home()) as vault:
        loops = [stem for stem in vault.stems() if stem.shape == "loop"]
        of = {
            role: [s for s in loops if s.role == role]
            for role in ("beats", "bass", "melody", "pads", "harmony")
        }
        rng = np.random.default_rng(5)
        shares: dict[str, list[float]] = {role: [] for role in of}
        for _, backing in product(range(MIXES), ("harmony", "pads")):
            roles = ("beats", "bass", "melody", backing)
            mix = {role: powers(vault, of[role][rng.integers(len(of[role]))]) for role in roles}
            whole = np.sum(list(mix.values()), axis=0)
            for role, power in mix.items():
                shares[role].append(heard(power, whole))
    medians = {role: float(np.median(found)) for role, found in shares.items()}
    assert min(medians.values()) > 0.6
    assert medians["melody"] == max(medians.values()) > 0.8


def test_an_accent_is_as_high_as_the_hits_in_a_loop_of_its_role(demo_home: Callable[[], Path]) -> None:
    """A kick from a pool of hits and one in a loop of beats are heard as one kit."""
    with Vault.open(demo_home()) as vault:
        stems = vault.stems()
    for role in ("beats", "tops", "harmony"):
        peaks = {
            shape: np.median(
                [level_db(s) + s.true_peak_dbtp for s in stems if (s.role, s.shape) == (role, shape)]
            )
            for shape in ("loop", "hit")
        }
        assert abs(peaks["hit"] - peaks["loop"]) < 2.5
