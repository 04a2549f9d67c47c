"""Sounds for the vault's tests: made here, so that each says what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from stemloom.vault.sound.declared import Declared
from stemloom.vault.vault import Vault

Write = Callable[..., Path]


def tone(seconds: float, *, hertz: float = 220.0, rate: int = 48_000, channels: int = 1, level: float = 0.25):
    """A sine, float32 `(frames, channels)`."""
    frames = round(seconds * rate)
    wave = level * np.sin(2 * np.pi * hertz * np.arange(frames) / rate)
    return np.repeat(wave.astype(np.float32)[:, None], channels, axis=1)


def clicks(seconds: float, beats: int, *, rate: int = 48_000) -> NDArray[np.float32]:
    """A short burst on each beat, float32 `(frames, 1)`, and noise between them at -50 dBFS."""
    frames = round(seconds * rate)
    sound = 0.003 * np.random.default_rng(5).standard_normal((frames, 1))
    for beat in range(beats):
        first = round(beat * frames / beats)
        sound[first : first + rate // 50, 0] += 0.5 * np.cos(
            np.arange(len(sound[first : first + rate // 50]))
        )
    return sound.astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes `(frames, channels)` as a float WAV, or as `format` and `subtype` say."""

    def write_sound(
        name: str,
        sound: NDArray[np.float32],
        rate: int = 48_000,
        *,
        format: str = "WAV",
        subtype: str = "FLOAT",
    ) -> Path:
        path = tmp_path / name
        soundfile.write(path, sound, rate, format=format, subtype=subtype)
        return path

    return write_sound


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """An empty vault with two holders, Ada and Ben."""
    with Vault.open(tmp_path / "home", create=True) as opened:
        opened.add_holder("Ada")
        opened.add_holder("Ben")
        yield opened


def add_one(vault: Vault, path: Path, holder: str = "Ada", role: str = "beats", **declared):
    """The stem of a file that the vault takes."""
    intake = vault.add([Declared(path, holder, role, **declared)])
    assert not intake.refused
    assert not intake.held
    return intake.added[0].stem
