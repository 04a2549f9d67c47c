"""The compiled mixer equals its NumPy twin bit for bit, and its laws hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stemloom.engine.mix import kernel
from stemloom.engine.mix.kernel import no_effects
from stemloom.engine.mix.machine import outer
from stemloom.engine.mix.rack import BUS, DONE, PLAYING, RAMPS, SPAN, SPAN_QUANTA, VOICE
from stemloom.engine.mix.ramps import MOST_STEP

from . import twin

mix_span, longest_span = outer(kernel.mix_span), outer(kernel.longest_span)
power_curve = outer(kernel.power_curve)
QUANTA = 12
BUS_COUNT = 3


def run_kernel(
    voices: list[dict], buses: dict[int, list], quanta: int, most: int = SPAN_QUANTA
) -> tuple[np.ndarray, np.ndarray]:
    """Mix in spans of `most` quanta at most."""
    table = np.zeros(len(voices), VOICE)
    for row, voice in zip(table, voices, strict=True):
        for name, value in voice.items():
            if name != "sound":
                row[name] = value
        row["phase"], row["effects"], row["part"] = PLAYING, -1, -1
        row["address"] = voice["sound"].ctypes.data
        row["channels"], row["frames"] = voice["sound"].shape
    gains = np.array([(g, t, MOST_STEP) for g, t in buses.values()], BUS)
    accumulator, envelope = np.zeros((len(buses), 2, SPAN), np.float32), np.zeros(64, np.float32)
    out = np.zeros((2, quanta * 64), np.float32)
    block, ramps = np.zeros((2, SPAN), np.float32), np.zeros(1, RAMPS)
    starts = sorted({voice["start"] // 64 for voice in voices})
    q = 0
    while q < quanta:
        until = min([quanta, q + most, *(start for start in starts if start > q)])
        span = longest_span(q * 64, until - q, table, gains) if most > 1 else 1
        mix_span(q * 64, span, table, gains, (accumulator, envelope, ramps), no_effects(), block)
        out[:, q * 64 : (q + span) * 64] = block[:, : span * 64]
        q += span
    return out, table


gains = st.floats(0, 2, width=32).map(np.float32)


@st.composite
def voice(draw) -> dict:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, frames = draw(st.integers(1, 2)), draw(st.integers(1, 400))
    start = draw(st.integers(0, QUANTA * 64 - 1))
    length = draw(st.integers(1, QUANTA * 64))
    loops = draw(st.booleans())
    sound = (rng.standard_normal((channels, frames)) * 0.3).astype(np.float32)
    made = {
        "sound": sound,
        "loop_start": draw(st.integers(0, frames - 1)) if loops else -1,
        "position": draw(st.integers(0, frames - 1)),
        "start": start,
        "end": start + length,
        "fade_in": draw(st.sampled_from([0, 1, 50, 300])),
        "fade_in_power": draw(st.integers(0, 1)),
        "fade_out": draw(st.sampled_from([0, 1, 50, 300])),
        "fade_out_power": draw(st.integers(0, 1)),
        "bus": draw(st.integers(0, BUS_COUNT - 1)),
        "heard": 0,
        "level": draw(gains),
    }
    made["faded"] = draw(st.integers(0, made["fade_in"]))
    for name in ("gain", "left", "right"):
        made[name] = draw(gains)
        made[f"{name}_target"] = draw(st.one_of(st.just(made[name]), gains))
    return made


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    voices=st.lists(voice(), min_size=1, max_size=4),
    targets=st.lists(st.one_of(st.just(np.float32(1)), gains), min_size=BUS_COUNT, max_size=BUS_COUNT),
    most=st.integers(1, SPAN_QUANTA),
)
def test_kernel_equals_its_twin(voices: list[dict], targets: list, most: int) -> None:
    buses = {b: [np.float32(1), t] for b, t in enumerate(targets)}
    kernel_out, table = run_kernel(voices, buses, QUANTA, most)
    copies = [dict(v) for v in voices]
    twin_out = twin.mix(copies, {b: [np.float32(1), t] for b, t in enumerate(targets)}, QUANTA)
    np.testing.assert_array_equal(kernel_out, twin_out)
    assert [int(row["heard"]) for row in table] == [v["heard"] for v in copies]


def plain(sound: np.ndarray, end: int, **changes: object) -> dict:
    one = np.float32(1)
    base = dict.fromkeys(("start", "position", "fade_in", "fade_in_power", "fade_out", "fade_out_power"), 0)
    base |= {"faded": 0, "bus": 0, "heard": 0, "loop_start": 0, "end": end, "sound": sound, "level": one}
    for name in ("gain", "left", "right"):
        base[name] = base[f"{name}_target"] = one
    return base | changes


def test_a_repeated_loop_is_the_tiled_loop() -> None:
    sound = np.random.default_rng(5).standard_normal((2, 331)).astype(np.float32)
    quanta = 331 * 10_000 // 64
    out, _ = run_kernel([plain(sound, quanta * 64)], {0: [1, 1]}, quanta)
    np.testing.assert_array_equal(out, np.tile(sound, 10_001)[:, : quanta * 64])


def test_a_placement_handed_over_has_no_seam() -> None:
    sound = np.random.default_rng(6).standard_normal((2, 3001)).astype(np.float32)
    whole, _ = run_kernel([plain(sound, 64 * 200)], {0: [1, 1]}, 200)
    cut = 5000
    first = plain(sound, cut)
    second = plain(sound, 64 * 200, start=cut, position=cut % 3001)
    parted, table = run_kernel([first, second], {0: [1, 1]}, 200)
    np.testing.assert_array_equal(parted, whole)
    assert table["heard"].sum() == 64 * 200


def test_ended_voices_are_done_with_all_frames_heard() -> None:
    sound = np.ones((1, 100), np.float32)
    _, table = run_kernel([plain(sound, 130), plain(sound, 1000)], {0: [1, 1]}, 3)
    assert list(table["phase"]) == [DONE, PLAYING]
    assert list(table["heard"]) == [130, 192]


@pytest.mark.parametrize(("gain_db", "counted"), [(-59.9, True), (-60.0, False), (-80.0, False)])
def test_frames_at_or_below_minus_60_db_are_not_in_play(gain_db: float, counted: bool) -> None:
    gain = np.float32(10 ** (gain_db / 20))
    quiet = plain(np.ones((1, 64), np.float32), 64, gain=gain, gain_target=gain)
    _, table = run_kernel([quiet], {0: [1, 1]}, 1)
    assert int(table["heard"][0]) == (64 if counted else 0)


def test_no_gain_moves_faster_than_a_thousandth_a_frame() -> None:
    faded = plain(np.ones((1, 64), np.float32), 6400, fade_in=1572, fade_in_power=1, fade_out=1000)
    ramped = plain(np.ones((1, 64), np.float32), 6400, gain=np.float32(0.2))
    for voice_ in (faded, ramped):
        out, _ = run_kernel([voice_], {0: [1, 1]}, 99)
        assert np.abs(np.diff(out[0, :6336])).max() <= 0.001 + 1e-6


def test_the_power_curve_is_a_quarter_sine() -> None:
    x = np.linspace(0, 1, 1001, dtype=np.float32)
    curve = np.array([power_curve(v) for v in x])
    assert np.abs(curve - np.sin(np.pi / 2 * x.astype(float))).max() < 4e-6
    assert curve[-1] <= 1
