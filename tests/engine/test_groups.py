"""Groups: what goes wholly through a bus, and the effects that act on a group as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stemloom.engine.effects import PlacedBus, PlacedEffects, bus_numbers
from stemloom.engine.mix.mixer import Mixer
from stemloom.ledger.log.session_page import HeardFrames
from stemloom.script.effects import drive

from . import fx_twin
from .test_effects import DRY, noise, through_bus, wet
from .test_mixer import SOUND, placement
from .test_session import RATE

VIA = PlacedEffects(via="b")


def tone(hz: float, amplitude: float, frames: int = RATE) -> np.ndarray:
    sound = amplitude * np.sin(2 * np.pi * hz * np.arange(frames) / RATE)
    return np.stack([sound, sound]).astype(np.float32)


def test_what_goes_via_a_bus_is_heard_through_it_alone() -> None:
    mixer = Mixer(-14, -1, [DRY])
    mixer.place(replace(placement(1, 0, 1 << 30), effects=VIA), SOUND, at=0)
    mixer.advance(1)
    assert np.abs(mixer.rack.accumulator[0]).max() == 0
    np.testing.assert_allclose(np.abs(mixer.rack.voice), 0.1, rtol=1e-6)
    mixer.set_fader("beats", 0.0, 0, at=mixer.frame)
    mixer.advance(20)
    assert np.abs(mixer.rack.voice).max() == 0, "behind the fader of its role"


@pytest.mark.parametrize(("gain_db", "frames"), [(-12.0, 6400), (-70.0, 0)])
def test_it_is_in_play_by_the_gain_of_the_group(gain_db: float, frames: int) -> None:
    mixer = Mixer(-14, -1, [wet(gain=gain_db)])
    mixer.place(replace(placement(1, 0, 6400), effects=VIA), SOUND, at=0)
    mixer.advance(101)
    assert [each.frames for each in mixer.reports() if isinstance(each, HeardFrames)] == [frames]


def test_drive_equals_its_twin() -> None:
    sound = noise(64 * 40) * np.float32(4)
    for amount in (0.0, 0.02, 0.3, 1.0):
        levels = drive.levels({"drive": amount}, RATE)
        expected = fx_twin.drive(sound, *levels)
        np.testing.assert_allclose(through_bus(wet(drive=amount), sound), expected, atol=1e-5)


def test_drive_is_bounded_makes_odd_tones_and_folds_little_back() -> None:
    loud = through_bus(wet(drive=1.0), tone(5000, 8.0))
    assert np.abs(loud).max() <= 1
    heard = through_bus(wet(drive=0.8), tone(7000, 0.5))[0, RATE // 2 :]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    level = 20 * np.log10(spectrum / spectrum.max() + 1e-12)
    at = {hz: level[hz // 2 - 20 : hz // 2 + 20].max() for hz in (7000, 21_000, 13_000, 1000)}
    assert at[21_000] > -40
    # The fifth and the seventh tone, 35 and 49 kHz, would lie at 13 and 1 kHz at -14 and -17 dB.
    assert at[13_000] < -23
    assert at[1000] < -35


def test_drive_leaves_a_sound_about_as_loud() -> None:
    sound = noise(RATE) * np.float32(1.26)
    for amount in (0.3, 0.6, 1.0):
        out = through_bus(wet(drive=amount), sound[:, : RATE // 64 * 64])
        change = 20 * np.log10(out.std() / sound.std())
        assert abs(change) < 4, (amount, change)


def test_compress_equals_its_twin_and_takes_off_what_it_says() -> None:
    sound = noise(64 * 200) * np.linspace(0, 6, 64 * 200, dtype=np.float32)
    np.testing.assert_allclose(through_bus(wet(compress=6.0), sound), fx_twin.compress(sound, 6), atol=1e-5)
    for level, off in ((-18.0, 4.0), (-14.0, 7.0), (-40.0, 0.0), (0.0, 8.0)):
        steady = tone(1000, 10 ** ((level + 3.01) / 20), 64 * 1000)
        out = through_bus(wet(compress=4.0), steady)
        taken = 20 * np.log10(steady[:, -6400:].std() / out[:, -6400:].std())
        assert taken == pytest.approx(off, abs=0.1), level


def test_width_equals_its_twin_from_mono_to_wide() -> None:
    sound = noise(640)
    for amount in (0.0, 0.5, 1.0, 2.0):
        expected = fx_twin.width(sound, amount)
        np.testing.assert_allclose(through_bus(wet(width=amount), sound), expected, atol=1e-7)
    mono = through_bus(wet(width=0.0), sound)
    np.testing.assert_array_equal(mono[0], mono[1])


def test_effects_come_to_rest_in_silence() -> None:
    bus = PlacedBus("b", bus_numbers({"drive": 0.5, "compress": 12.0, "width": 1.5}))
    sound = np.concatenate([noise(6400), np.zeros((2, 4 * RATE), np.float32)], axis=1)
    out = through_bus(bus, sound[:, : sound.shape[1] // 64 * 64])
    assert np.abs(out[:, 6464:]).max() == 0
    assert np.isfinite(out).all()
