"""The meters of the buses: what they read is what was played, and reading them changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stemloom import Player
from stemloom.engine.effects import PlacedBus, PlacedEffects, PlacedSend, bus_numbers
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.plan import Variant
from stemloom.vault.sound.loudness import integrated_lufs

from .test_mixer import placement
from .test_session import RATE, home as home

LOOP = 48_000
ROOM = PlacedBus("room", bus_numbers({"gain": -6.0}))


def sine(peak: float, hz: float = 997.0) -> np.ndarray:
    tone = peak * np.sin(2 * np.pi * hz * np.arange(LOOP) / RATE)
    return np.ascontiguousarray(np.stack([tone, tone]), np.float32)


def playing(
    mixer: Mixer, id: int, role: str, sound: np.ndarray, effects: PlacedEffects | None = None
) -> None:
    each = replace(placement(id, 0, 1 << 30), role=role, part=role, variant=Variant("s", LOOP, 0, 1.0))
    mixer.place(replace(each, effects=effects) if effects else each, sound, 0)


def test_a_sine_reads_what_the_standards_say() -> None:
    mixer = Mixer(0, -1, [ROOM])
    assert mixer.levels() is None
    playing(mixer, 1, "beats", sine(0.1))
    playing(mixer, 2, "pads", sine(0.01), PlacedEffects((PlacedSend("room", 0.5),)))
    mixer.advance(75 * 40)
    levels = mixer.levels()
    assert levels is not None
    roles, effects, _ = levels
    assert set(roles) == {"beats", "pads"}
    # EBU Tech 3341: a sine of 1 kHz on both channels at -20 dBFS reads -20 LUFS; so it is at 997 Hz.
    assert roles["beats"].peak_dbfs == pytest.approx(-20.0, abs=0.02)
    assert roles["beats"].rms_dbfs == pytest.approx(-23.01, abs=0.02)
    assert roles["beats"].momentary_lufs == pytest.approx(-20.0, abs=0.05)
    assert roles["beats"].short_term_lufs == pytest.approx(-20.0, abs=0.05)
    assert roles["pads"].momentary_lufs == pytest.approx(-40.0, abs=0.05)
    assert effects["room"].momentary_lufs == pytest.approx(-40.0 - 6.02 - 6.0, abs=0.05)
    out = mixer.advance(75 * 40)
    now = mixer.levels()
    assert now is not None
    assert now[2].short_term_lufs == pytest.approx(integrated_lufs(out[:, -3 * RATE :]), abs=0.1)
    assert now[2].peak_dbfs == pytest.approx(20 * math.log10(np.abs(out[:, -19_200:]).max()), abs=0.02)


def test_a_faded_role_reads_behind_its_fader_and_silence_reads_nothing() -> None:
    mixer = Mixer(0, -1)
    mixer.levels()
    playing(mixer, 1, "beats", sine(0.1))
    playing(mixer, 2, "pads", sine(0.1))
    mixer.set_fader("beats", 0.5, 0, at=0)
    mixer.set_fader("pads", 0.0, 0, at=0)
    mixer.advance(75 * 40)
    levels = mixer.levels()
    assert levels is not None
    assert levels[0]["beats"].momentary_lufs == pytest.approx(-26.02, abs=0.05)
    assert levels[0]["pads"].peak_dbfs == levels[0]["pads"].momentary_lufs == -math.inf


def test_whoever_looks_changes_nothing(home: Path) -> None:
    text = """piece "M" for stream
tempo 120
seed 3
pool beats = loops role beats
pool pads = loops role pads
bus room = reverb 1 s
section a 2 bars
    bring beats from beats to room 20%
    bring pads from pads
move a -> silence at end
"""
    with Player.from_text(home, text) as player:
        unseen = np.concatenate([player.read(4800) for _ in range(50)])
    with Player.from_text(home, text) as player:
        seen, levels = [], []
        for _ in range(50):
            seen.append(player.read(4800))
            levels.append(player.levels())
    np.testing.assert_array_equal(unseen, np.concatenate(seen))
    assert levels[0] is None
    last = levels[30]
    assert last is not None
    assert set(last.roles) == {"beats", "pads"}
    assert set(last.effects) == {"room"}
    assert -40 < last.output.momentary_lufs < 0
    assert last.roles["beats"].rms_dbfs < last.roles["beats"].peak_dbfs
