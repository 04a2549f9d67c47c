"""The master keeps the form and holds its ceiling, by measures that are not its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, lfilter, resample_poly

from stemloom.engine.clock import QUANTUM
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.mix.machine import outer
from stemloom.engine.mix.master import Master, integrated_lufs, master_quantum as inner_quantum

RATE = 48_000
master_quantum = outer(inner_quantum)


def through(master: Master, sound: np.ndarray) -> np.ndarray:
    """`sound` (2, frames) through the master, its latency taken off."""
    quanta = -(-(sound.shape[1] + LATENCY_FRAMES) // QUANTUM)
    padded = np.zeros((2, quanta * QUANTUM), np.float32)
    padded[:, : sound.shape[1]] = sound
    peaks = np.zeros(QUANTUM, np.float32)
    for q in range(quanta):
        block = padded[:, q * QUANTUM : (q + 1) * QUANTUM].copy()
        master_quantum(q * QUANTUM, block, master.state, peaks)
        padded[:, q * QUANTUM : (q + 1) * QUANTUM] = block
    return padded[:, LATENCY_FRAMES : LATENCY_FRAMES + sound.shape[1]]


def true_peak(sound: np.ndarray) -> float:
    """In dBTP, by SciPy's polyphase resampler at eight times the rate."""
    return float(20 * np.log10(np.abs(resample_poly(sound.astype(float), 8, 1, axis=1)).max()))


def noise(seconds: float, peak: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(-peak, peak, (2, int(seconds * RATE)))).astype(np.float32)


def bursts(seconds: float) -> np.ndarray:
    """Full-scale bursts of a quarter of the rate, where peaks fall between samples."""
    t = np.arange(int(seconds * RATE))
    gate = (t // 4800) % 5 == 0
    wave = 1.9 * np.sin(np.pi / 2 * t + np.pi / 4) * gate
    return np.stack([wave, wave]).astype(np.float32)


@pytest.mark.parametrize("ceiling", [-1.0, -3.0])
@pytest.mark.parametrize(
    "sound",
    [noise(4, 2.0, 1), bursts(3), np.sign(noise(3, 1.0, 2)), noise(2, 8.0, 3)],
    ids=["noise", "bursts", "square", "loud"],
)
def test_true_peaks_stay_under_the_ceiling(sound: np.ndarray, ceiling: float) -> None:
    out = through(Master(0.0, ceiling), sound)
    assert true_peak(out) <= ceiling
    assert true_peak(out) > ceiling - 4


@pytest.mark.parametrize("gain_db", [0.0, -7.5, 3.0])
def test_what_is_under_the_ceiling_passes_with_one_gain(gain_db: float) -> None:
    """However loud or quiet it was before: the form is kept."""
    sound = np.concatenate([noise(1, 0.3, 4), noise(8, 0.003, 5), noise(1, 0.3, 6)], axis=1)
    out = through(Master(gain_db, -1.0), sound)
    passed = lfilter(*butter(2, 20, "highpass", fs=RATE), sound.astype(float))
    np.testing.assert_allclose(out, passed * 10 ** (gain_db / 20), atol=1e-6)


@pytest.mark.parametrize(("hertz", "decibels"), [(5, -24.1), (10, -12.3), (20, -3.0), (40, -0.26), (1000, 0)])
def test_what_is_too_deep_to_be_heard_goes(hertz: float, decibels: float) -> None:
    """12 dB an octave below 20 Hz."""
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(4 * RATE) / RATE)
    out = through(Master(0.0, -1.0), np.stack([wave, wave]).astype(np.float32))
    assert 20 * np.log10(np.abs(out[0, 2 * RATE :]).max() / 0.5) == pytest.approx(decibels, abs=0.1)


def test_a_constant_offset_is_not_heard() -> None:
    out = through(Master(0.0, -1.0), np.full((2, 2 * RATE), 0.5, np.float32))
    assert np.abs(out[:, RATE:]).max() < 1e-6


def test_another_gain_comes_in_by_a_ramp() -> None:
    master, sound = Master(0.0, -1.0), np.tile(np.float32([0.1, -0.1]), (2, RATE // 2))
    before = through(master, sound)
    master.control["gain_target"] = 0.25
    after = np.abs(through(master, sound))
    assert np.abs(before[0, -1]) == pytest.approx(0.1, rel=1e-3)
    assert np.abs(np.diff(after[0, 300:])).max() <= 0.1 * 0.0025
    assert after[0, 2000] == pytest.approx(0.025, rel=1e-2)


def test_it_is_counted_how_much_the_limiter_takes() -> None:
    assert Master(0.0, -1.0).reduction_db(0.01) == 0
    for above, share in ((6.0, 0.9), (3.0, 0.5), (1.0, 0.1)):
        master = Master(above - 1.0, -1.0)
        wave = np.sin(2 * np.pi * 1000 * np.arange(10 * RATE) / RATE)
        wave[round(share * len(wave)) :] *= 0.01
        through(master, np.stack([wave, wave]).astype(np.float32))
        assert master.reduction_db(0.01) == pytest.approx(above, abs=0.4)
        assert master.reduction_db(0.95) < 0.5


def meter(sound: np.ndarray) -> float:
    """Integrated loudness by the K-weighting of the standard, in SciPy."""
    shelf = (
        [1.53512485958697, -2.69169618940638, 1.19839281085285],
        [1, -1.69065929318241, 0.73248077421585],
    )
    high = ([1.0, -2.0, 1.0], [1, -1.99004745483398, 0.99007225036621])
    weighted = lfilter(*high, lfilter(*shelf, sound.astype(float)))
    squares = (weighted**2).sum(axis=0)
    return integrated_lufs(squares[: len(squares) // 4800 * 4800].reshape(-1, 4800).mean(axis=1))


def test_a_sine_reads_as_the_standard_says() -> None:
    t = np.arange(5 * RATE) / RATE
    sine = (10 ** (-23 / 20) * np.sin(2 * np.pi * 997 * t)).astype(np.float32)
    assert abs(meter(np.stack([sine, sine])) + 23.0) < 0.1


def test_silence_has_no_loudness() -> None:
    assert integrated_lufs(np.zeros(100)) == -np.inf
    assert integrated_lufs(np.zeros(2)) == -np.inf


def test_the_fade_ends_in_silence() -> None:
    master = Master(0.0, -1.0)
    master.fade(RATE, 2 * RATE)
    out = through(master, noise(2.5, 0.2, 8))
    assert np.abs(out[:, 2 * RATE :]).max() == 0
    assert np.abs(out[:, :RATE]).max() > 0.19
