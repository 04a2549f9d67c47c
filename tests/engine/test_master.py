"""The master holds its ceiling and its loudness, by measures that are not its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from stemloom.engine.clock import QUANTUM
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.mix.machine import outer
from stemloom.engine.mix.master import Master, integrated_lufs
from stemloom.engine.mix.master import master_quantum as inner_quantum

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
    out = through(Master(-14.0, ceiling), sound)
    assert true_peak(out) <= ceiling
    assert true_peak(out) > ceiling - 4


def test_quiet_sound_passes_with_nothing_but_a_slow_gain() -> None:
    sound = noise(2, 0.1, 4)
    out = through(Master(-14.0, -1.0), sound)
    loud = np.flatnonzero(np.abs(sound[0]) > 0.02)
    ratio = out[0][loud] / sound[0][loud]
    assert (np.abs(np.diff(ratio)) / np.diff(loud)).max() < 1e-5
    assert ratio.min() > 0.999


def test_loudness_comes_to_its_target() -> None:
    rng = np.random.default_rng(7)
    sound = (rng.standard_normal((2, 40 * RATE)) * 0.04).astype(np.float32)
    master = Master(-16.0, -1.0)
    out = through(master, sound)
    late = Master(0.0, 0.0)
    through(late, out[:, 20 * RATE :])
    assert abs(meter(out[:, 20 * RATE :]) + 16.0) < 0.5


def meter(sound: np.ndarray) -> float:
    """Integrated loudness by the K-weighting of the standard, in SciPy."""
    from scipy.signal import lfilter

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
    master = Master(-14.0, -1.0)
    master.fade(RATE, 2 * RATE)
    out = through(master, noise(2.5, 0.2, 8))
    assert np.abs(out[:, 2 * RATE :]).max() == 0
    assert np.abs(out[:, :RATE]).max() > 0.19
