from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from stemloom.vault.sound.loudness import FLOOR, _interpolator, integrated_lufs, true_peak_dbtp

RATE = 48_000
LOUDNESS_TOLERANCE = 0.1
FFMPEG_DECIMALS = 0.051
"""ffmpeg prints one decimal."""


def sine(
    hertz: float, dbfs: float, seconds: float, channels: int = 2, phase: float = 0.0
) -> NDArray[np.float32]:
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE + phase)
    return np.tile(wave.astype(np.float32), (channels, 1))


def test_a_full_scale_sine_of_997_hz_on_one_channel_is_minus_3_lufs() -> None:
    """BS.1770-4, annex 1."""
    assert integrated_lufs(sine(997, 0, 20, channels=1)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_the_gates_of_ebu_tech_3341(parts: list[tuple[float, float]], lufs: float) -> None:
    """Cases 1 to 5 of EBU Tech 3341: stereo sines of 1 kHz."""
    sound = np.concatenate([sine(1000, level, seconds) for level, seconds in parts], axis=1)
    assert integrated_lufs(sound) == pytest.approx(lufs, abs=0.1)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(480, 120_000), channels=st.sampled_from([1, 2]))
def test_equals_its_sample_by_sample_twin(seed: int, frames: int, channels: int) -> None:
    generator = np.random.default_rng(seed)
    envelope = np.interp(np.arange(frames), [0, frames / 2, frames], generator.uniform(0, 1, 3))
    sound = (generator.standard_normal((channels, frames)) * envelope * 0.3 + 1e-4).astype(np.float32)
    assert integrated_lufs(sound) == pytest.approx(_twin(sound), abs=0.001)


def _twin(sound: NDArray[np.float32]) -> float:
    from scipy.signal import lfilter

    padded = np.pad(sound.astype(np.float64), ((0, 0), (0, max(0, 19_200 - sound.shape[1]))))
    shelf = lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285],
        [1, -1.69065929318241, 0.73248077421585],
        padded,
    )
    weighted = lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], shelf)
    starts = range(0, padded.shape[1] - 19_200 + 1, 4_800)
    power = np.array([(weighted[:, s : s + 19_200] ** 2).mean(axis=1).sum() for s in starts])
    loud = power[-0.691 + 10 * np.log10(power) > -70]
    if loud.size:
        loud = loud[loud > loud.mean() / 10]
    else:
        loud = power[[power.argmax()]]
    return float(-0.691 + 10 * np.log10(loud.mean()))


def test_what_the_weighting_leaves_nothing_of_has_a_finite_loudness() -> None:
    assert integrated_lufs(np.full((1, 48_000), 1e-12, dtype=np.float32)) == FLOOR


def test_finds_the_peak_between_samples() -> None:
    """A quarter of the rate, 45 degrees off: every sample is 3 dB under the peak (Tech 3341, case 15)."""
    sound = sine(12_000, -6, 1, channels=1, phase=np.pi / 4)
    assert 20 * np.log10(np.abs(sound).max()) == pytest.approx(-9.01, abs=0.01)
    assert true_peak_dbtp(sound) == pytest.approx(-6, abs=0.2)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 5_000), channels=st.sampled_from([1, 2]),
    spiky=st.booleans(),
)  # fmt: skip
def test_leaving_quiet_neighbourhoods_out_changes_nothing(
    seed: int, frames: int, channels: int, spiky: bool
) -> None:
    sound = np.random.default_rng(seed).standard_normal((channels, frames)).astype(np.float32)
    if spiky:
        sound **= 5
    padded = np.pad(sound, ((0, 0), (16, 16)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 32, axis=1)
    everywhere = max(np.abs(sound).max(), np.abs(windows @ _interpolator()).max())
    assert true_peak_dbtp(sound) == pytest.approx(20 * np.log10(max(everywhere, 1e-9)), abs=1e-3)


def by_ffmpeg(path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak as libavfilter's ebur128 has them."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("THE COMPARISON WITH EBUR128 DID NOT RUN: ffmpeg is not installed")
    said = subprocess.run(
        [program, "-nostats", "-hide_banner", "-i", path, "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stderr  # fmt: skip
    loudness = re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1]
    return float(loudness), float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", said)[-1])


@pytest.mark.parametrize("kind", ["noise", "gated", "bass", "mono", "sparse"])
def test_agrees_with_ebur128(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(3).standard_normal((2, 5 * RATE)).astype(np.float32) * np.float32(0.1)
    sounds = {
        "noise": noise,
        "gated": noise * np.where(np.arange(5 * RATE) // RATE % 2, 1, 0.01).astype(np.float32),
        "bass": sine(45, -6, 5),
        "mono": noise[:1],
        "sparse": noise * (np.arange(5 * RATE) % RATE < 2_000).astype(np.float32),
    }
    _check_against_ffmpeg(sounds[kind], tmp_path)


def test_agrees_with_ebur128_on_recordings(tmp_path: Path, recordings: Path) -> None:
    import soxr

    compared = 0
    for path in sorted(recordings.glob("*.flac")):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        # Shorter than one block of 0.4 s there is no integrated loudness.
        if len(sound) >= 0.4 * rate:
            _check_against_ffmpeg(np.ascontiguousarray(soxr.resample(sound, rate, RATE).T), tmp_path)
            compared += 1
    assert compared >= 40


def _check_against_ffmpeg(sound: NDArray[np.float32], folder: Path) -> None:
    path = folder / "sound.wav"
    soundfile.write(path, sound.T, RATE, subtype="FLOAT")
    loudness, peak = by_ffmpeg(path)
    if loudness == -70.0:
        pytest.fail("ebur128 heard nothing: the sound under test is too short")
    assert integrated_lufs(sound) == pytest.approx(loudness, abs=LOUDNESS_TOLERANCE)
    assert true_peak_dbtp(sound) == pytest.approx(peak, abs=0.2 + FFMPEG_DECIMALS)
