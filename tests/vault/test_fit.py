from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from stemloom.vault.sound.decode import Sound
from stemloom.vault.sound.engine_format import fit, loop_frames

from .conftest import clicks, tone


def sound_of(samples: NDArray[np.float32], rate: int) -> Sound:
    return Sound(np.ascontiguousarray(samples.T), rate, "0" * 64, float(np.abs(samples).max()))


def test_a_loop_of_the_right_rate_and_length_keeps_its_samples() -> None:
    sound = sound_of(tone(2.0, channels=2), 48_000)
    assert fit(sound, 96_000) is sound.samples


rates = st.sampled_from([8_000, 22_050, 44_100, 48_000, 88_200, 96_000])


@settings(max_examples=40)
@given(
    rate=rates,
    bpm=st.integers(60_000, 240_000),
    beats=st.integers(1, 8),
    off=st.floats(-0.0049, 0.0049),
    channels=st.sampled_from([1, 2]),
)
def test_a_loop_gets_exactly_the_frames_of_its_beats(rate, bpm, beats, off, channels) -> None:
    tempo = Fraction(bpm, 1000)
    frames = loop_frames(tempo, beats)
    assert abs(Fraction(frames) - Fraction(60 * beats * 48_000) / tempo) <= Fraction(1, 2)
    source = tone(float(60 * beats / tempo) * (1 + off), rate=rate, channels=channels)
    fitted = fit(sound_of(source, rate), frames)
    assert fitted.shape == (channels, frames)
    assert fitted.dtype == np.float32
    assert fitted.flags.c_contiguous


@settings(max_examples=25)
@given(
    rate=st.sampled_from([22_050, 44_100, 88_200, 96_000]),
    turns=st.integers(20, 400),
    off=st.floats(-0.004, 0.004),
)
def test_the_seam_of_a_resampled_loop_is_as_smooth_as_the_rest(rate, turns, off) -> None:
    """A sine of whole turns stays one, everywhere, the seam included: nothing fades in or rings there."""
    source_frames = round(2 * rate * (1 + off))
    source = 0.5 * np.sin(2 * np.pi * turns * np.arange(source_frames) / source_frames)
    fitted = fit(sound_of(source.astype(np.float32)[:, None], rate), 96_000)[0]
    wanted = 0.5 * np.sin(2 * np.pi * turns * np.arange(96_000) / 96_000)
    np.testing.assert_allclose(fitted, wanted, atol=2e-4)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("extra_ms", [-8, 0, 8])
def test_onsets_stay_where_they_were_played_when_only_silence_is_wrong(rate: int, extra_ms: int) -> None:
    beats = clicks(2.0, 4, rate=rate)
    beats[np.abs(beats) < 0.05] = 0
    # A loop that ends in silence, exported a little long or short.
    beats[-rate // 20 :] = 0
    extra = rate * extra_ms // 1000
    sound = np.pad(beats, ((0, extra), (0, 0))) if extra > 0 else beats[: len(beats) + extra]
    fitted = np.abs(fit(sound_of(sound, rate), 96_000)[0])
    for beat in range(4):
        around = fitted[max(24_000 * beat - 480, 0) : 24_000 * beat + 480]
        first = np.flatnonzero(around > 0.2)[0] + max(24_000 * beat - 480, 0)
        assert abs(first - 24_000 * beat) < 48  # a millisecond


def test_a_sound_without_a_grid_takes_its_length_from_the_rate() -> None:
    fitted = fit(sound_of(tone(1.0, rate=44_100, hertz=1000), 44_100), None)
    assert fitted.shape == (1, 48_000)
    wanted = tone(1.0, hertz=1000).T
    np.testing.assert_allclose(fitted[0, 500:-500], wanted[0, 500:-500], atol=1e-3)
