from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.vault.sound.measure import (
    chroma,
    energy,
    measure,
    peak_frame,
    silent_part,
    sounding_frames,
)

from .conftest import clicks, tone


@pytest.mark.parametrize(
    ("hertz", "pitch"),
    [(130.81, 0), (220.0, 9), (440.0, 9), (466.16, 10), (987.77, 11), (1046.5, 0), (110.0, 9)],
)
def test_a_tone_has_its_own_pitch_class(hertz: float, pitch: int) -> None:
    row = chroma(tone(2.0, hertz=hertz).T, 1)[0]
    assert row.argmax() == pitch
    assert row[pitch] > 0.9


def test_each_bar_has_its_own_row() -> None:
    sound = np.concatenate([tone(2.0, hertz=261.63), tone(2.0, hertz=392.0)]).T
    rows = chroma(sound, 4)
    assert rows.argmax(axis=1).tolist() == [0, 0, 7, 7]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(480, 60_000), bars=st.integers(1, 9))
def test_rows_of_chroma_sum_to_one(seed: int, frames: int, bars: int) -> None:
    sound = np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)
    rows = chroma(sound, bars)
    assert rows.shape == (bars, 12)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_a_part_without_pitch_is_even_over_the_twelve() -> None:
    sound = np.concatenate([tone(1.0), np.zeros((96_000, 1), dtype=np.float32)]).T
    np.testing.assert_allclose(chroma(sound, 3)[2], 1 / 12)


def test_what_is_at_the_sides_alone_has_a_chroma() -> None:
    noise = np.random.default_rng(2).standard_normal(96_000).astype(np.float32)
    np.testing.assert_allclose(chroma(np.array([noise, -noise]), 2), 1 / 12)


def test_energy_goes_from_a_low_drone_over_a_pulse_to_a_bright_beat() -> None:
    drone = energy(tone(4.0, hertz=80).T)
    slow = energy(clicks(4.0, 4).T)
    fast = energy(clicks(4.0, 32).T)
    assert 0 <= drone < 0.1 < slow < fast <= 1


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(480, 60_000), level=st.floats(0.01, 1.0))
def test_energy_does_not_follow_the_level(seed: int, frames: int, level: float) -> None:
    sound = np.random.default_rng(seed).standard_normal((1, frames)).astype(np.float32)
    assert energy(sound) == pytest.approx(energy(sound * np.float32(level)), abs=0.01)


def test_a_hit_sounds_until_it_is_below_minus_70_for_good() -> None:
    sound = np.zeros((2, 1000), dtype=np.float32)
    sound[1, 400] = 10 ** (-69 / 20)
    sound[0, 100] = 1.0
    sound[0, 700:] = 10 ** (-71 / 20)
    assert sounding_frames(sound) == 401


@pytest.mark.parametrize("end", [2_400, 30_000, 95_952, 96_000])
def test_the_loudest_50_ms_end_where_they_end(end: int) -> None:
    sound = np.full((2, 96_000), 0.1, dtype=np.float32)
    sound[1, end - 2_400 : end] = 0.5
    assert abs(peak_frame(sound) - end) < 48


def test_a_riser_peaks_at_its_loudest_and_a_hit_at_its_begin() -> None:
    rising = np.concatenate([np.linspace(0, 1, 90_000), np.exp(-np.arange(30_000) / 4_000)])
    rising = (rising * np.sin(np.arange(120_000))).astype(np.float32)[None]
    assert abs(peak_frame(rising) - 91_000) < 1_500
    assert peak_frame(rising[:, ::-1][:, 28_000:]) < 5_000
    assert peak_frame(rising[:, :1_000]) == 1_000


def test_silence_is_counted_in_ticks_of_ten_milliseconds() -> None:
    sound = np.zeros((1, 48_000), dtype=np.float32)
    sound[0, :4_800:480] = 0.1
    assert silent_part(sound) == pytest.approx(0.9)


def test_every_measurement_of_the_shortest_sound_is_finite() -> None:
    measured = measure(tone(0.01).T, bars=1)
    numbers = (measured.lufs, measured.true_peak_dbtp, measured.energy, measured.silent, measured.dc)
    assert np.isfinite(numbers).all()
    assert np.isfinite(measured.chroma).all()
