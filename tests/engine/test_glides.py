"""Glides: numbers of lines and buses that move in time, by ramps and never by leaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, lfilter

from stemloom import Vault
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.effects import PlacedBus, PlacedBusGlide, PlacedEffects, bus_numbers, in_force
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.plan import Bar, Placement
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.script.effects.filter import PlacedFilter
from stemloom.script.effects.glide import PlacedGlide

from .pieces import HEAD, NOW, snapshot, stem
from .test_effects import noise
from .test_mixer import SOUND, placement
from .test_session import RATE, home as home, read_all

BAR = 4 * RATE // 2
POOLS = """pool beats = loops role beats
pool haze = loops role pads
pool spark = hits role fx
bus room = reverb 1 s
"""
VAULT = snapshot(stem(1, "beats"), stem(2, "pads", "sustained"), stem(3, "fx", "hit"))


def glide(what: str, start: int, frames: int, value: float, to: float, curve: str = "linear") -> PlacedGlide:
    return PlacedGlide(what, start, frames, value, to, curve)  # type: ignore[arg-type]


def gliding(*glides: PlacedGlide, start: int = 0, **more: object) -> Placement:
    effects = PlacedEffects(glides=glides, **more)  # type: ignore[arg-type]
    return replace(placement(1, start, 1 << 30), effects=effects)


def gains(mixer: Mixer, quanta: int) -> np.ndarray:
    """The gain, left and right of the only voice at the end of each quantum."""
    found = []
    for _ in range(quanta):
        mixer.advance(1)
        found.append([mixer.rack.voices[0][name] for name in ("gain", "left", "right")])
    return np.array(found)


@pytest.mark.parametrize(
    ("curve", "halfway"),
    [("exponential", -12.0), ("linear", 20 * np.log10((1 + 10**-1.2) / 2)), ("smooth", None)],
)
def test_a_gain_goes_by_its_curve_from_its_frame(curve: str, halfway: float | None) -> None:
    moving = glide("gain", 6400, 64_000, -24.0, 0.0, curve)
    mixer = Mixer(-14, -1)
    mixer.place(replace(gliding(moving), gain_db=-24.0), SOUND, at=0)
    heard = 20 * np.log10(gains(mixer, 1200)[:, 0])
    np.testing.assert_allclose(heard[:100], -24, atol=1e-4)
    expected = [moving.at(max(64 * (q + 1), 6400)) for q in range(1200)]
    np.testing.assert_allclose(heard, expected, atol=1e-3)
    assert heard[-1] == 0
    if halfway is not None:
        assert heard[600 - 1] == pytest.approx(halfway, abs=0.01)


def test_a_step_is_a_ramp_and_a_later_one_takes_over() -> None:
    glides = glide("gain", 640, 0, -60.0, -60.0), glide("gain", 32_000, 6400, 0.0, -6.0, "exponential")
    mixer = Mixer(-14, -1)
    mixer.place(gliding(*glides), np.full((2, 64), 0.1, np.float32), at=0)
    mixer.advance(9)
    heard = gains(mixer, 900)[:, 0]
    assert heard[0] == 1
    assert np.abs(np.diff(heard)).max() <= 0.0641
    assert heard[300] == pytest.approx(10**-3)
    assert heard[-1] == pytest.approx(10 ** (-6 / 20))


def test_a_pan_goes_round_by_equal_power() -> None:
    mixer = Mixer(-14, -1)
    mixer.place(gliding(glide("pan", 0, 64_000, -1.0, 1.0)), SOUND, at=0)
    heard = gains(mixer, 1100)
    np.testing.assert_allclose((heard[50:, 1:] ** 2).sum(axis=1), 2, atol=1e-3)
    np.testing.assert_allclose(heard[499, 1:], [1, 1], atol=1e-6)
    np.testing.assert_allclose(heard[-1, 1:], [0, np.sqrt(2)], atol=1e-6)


def test_a_send_comes_in_at_its_time() -> None:
    mixer = Mixer(-14, -1, [PlacedBus("b", bus_numbers({}))])
    mixer.place(gliding(glide("to b", 6400, 6400, 0.0, 1.0)), SOUND, at=0)
    sent = []
    for _ in range(300):
        mixer.advance(1)
        sent.append(mixer.rack.sends_of[mixer._rows[1], 0, 0])
    np.testing.assert_allclose(sent[:100], 0)
    np.testing.assert_allclose(sent[100:200], np.arange(1, 101) / 100, atol=1e-6)
    np.testing.assert_allclose(sent[200:], 1)


def role_sum(mixer: Mixer, quanta: int) -> np.ndarray:
    """What the first role's bus gives to the mix, (2, frames)."""
    found = []
    for _ in range(quanta):
        mixer.advance(1)
        found.append(mixer.rack.accumulator[0, :, :64].copy())
    return np.concatenate(found, axis=1)


def test_a_filter_that_begins_inside_a_sound_leaves_it_as_it_was_before() -> None:
    sound = noise(64 * 400, seed=2)
    waits = PlacedFilter("highpass", 1000.0, 1000.0, 0, "linear", waits=True)
    step = glide("filter 0", 64 * 100, 0, 1000.0, 1000.0)
    placed = gliding(), gliding(step, filters=(waits,)), gliding(replace(step, start=0), filters=(waits,))
    heard = []
    for each in placed:
        mixer = Mixer(-14, -1)
        # Once round, so that it is the filter's own beginning that is compared.
        variant = replace(each.variant, frames=sound.shape[1])
        mixer.place(replace(each, variant=variant), sound, at=0)
        heard.append(role_sum(mixer, 400))
    plain, later, whole = heard
    np.testing.assert_array_equal(later[:, : 64 * 100], plain[:, : 64 * 100])
    expected = lfilter(*butter(2, 1000, "high", fs=RATE), plain.astype(float))
    np.testing.assert_allclose(whole, expected, atol=2e-6)
    np.testing.assert_allclose(later[:, 64 * 120 :], expected[:, 64 * 120 :], atol=1e-4)
    over = later[:, 64 * 100 : 64 * 116] - plain[:, 64 * 100 : 64 * 116]
    assert np.abs(over[:, :64]).max() < 0.064 * np.abs(plain).max() * 1.5, "it comes in by a ramp"


def test_of_what_has_begun_the_last_is_kept() -> None:
    some = [glide("gain", n, 0, -n, -n) for n in range(9)]
    other = glide("pan", 2, 0, 0.5, 0.5)
    kept = in_force(sorted([*some, other], key=lambda g: g.start), 5)
    assert [(each.what, each.start) for each in kept] == [
        ("pan", 2),
        ("gain", 5),
        ("gain", 6),
        ("gain", 7),
        ("gain", 8),
    ]


def test_a_bus_glides_from_the_pieces_start() -> None:
    bus = PlacedBus(
        "b", bus_numbers({"gain": -20.0}), (), (PlacedBusGlide("gain", 0.0, 64_000, "exponential"),)
    )
    mixer = Mixer(-14, -1, [bus])
    mixer.place(gliding(via="b"), np.full((2, 64), 0.1, np.float32), at=0)
    heard = []
    for _ in range(1100):
        mixer.advance(1)
        heard.append(20 * np.log10(np.abs(mixer.rack.voice[0, -1]) / 0.1))
    assert heard[499] == pytest.approx(-10, abs=0.1)
    assert heard[-1] == pytest.approx(0, abs=0.01)


def bars(lines: str, count: int = 8) -> list[Bar]:
    piece = accepted(HEAD + POOLS + lines)
    fixed = score(piece, VAULT, use="stream", at=NOW, rate=RATE)
    state = first_state(piece, {})
    made = []
    for _ in range(count):
        bar, state = next_bar(fixed, state)
        made.append(bar)
    return made


def test_a_roll_is_a_crescendo_and_each_hit_has_the_gain_of_its_moment() -> None:
    roll = bars(
        'section a 4 bars\n    play roll from spark "XXXX" at bar 2 gain -24 dB -> 0 dB over 2 bars '
        "pan -1 -> 1 over 2 bars to room 0 -> 1 over 2 bars\n"
    )
    hits = [each for bar in roll[:4] for each in bar.starts]
    passed = [(each.start_frame - BAR) / (2 * BAR) for each in hits]
    moments = [min(each, 1) for each in passed]
    np.testing.assert_allclose([each.gain_db for each in hits], [-24 + 24 * x for x in moments], atol=1e-9)
    np.testing.assert_allclose([each.pan for each in hits], [2 * x - 1 for x in moments], atol=1e-9)
    np.testing.assert_allclose([each.effects.sends[0].amount for each in hits], moments, atol=1e-9)
    assert not any(each.effects.glides for each in hits)


def test_a_deeper_line_with_a_colon_moves_itself_and_without_one_the_line() -> None:
    (first, *_) = bars(
        "section a 8 bars\n    bring low from beats\n"
        "        at bar 5 beat 3: lowpass 400 Hz -> 12 kHz over 2 bars\n"
    )
    (low,) = first.starts
    assert (low.start_frame, low.gain_db) == (0, 0)
    assert [each.waits for each in low.effects.filters] == [True]
    expected = PlacedGlide("filter 0", 4 * BAR + BAR // 2, 2 * BAR, 400.0, 12_000.0, "exponential")
    assert low.effects.glides == (expected,)
    late = bars("section a 8 bars\n    bring low from beats\n        at bar 5 lowpass 400 Hz\n")
    assert [len(bar.starts) for bar in late[:5]] == [0, 0, 0, 0, 1]


def test_a_time_after_the_sections_end_as_drawn_never_comes() -> None:
    lines = "section a 4..8 bars\n    bring low from beats\n        at bar 5: gain -6 dB\n"
    made = bars(lines + "section b 4 bars\n    hold low\n", 12)
    long = sum(bar.section == "a" for bar in made) > 4
    assert bool(made[0].starts[0].effects.glides) == long


def test_a_held_loop_goes_on_from_where_it_is_and_keeps_what_no_later_line_moves() -> None:
    made = bars(
        "section a 4 bars\n    bring low from beats gain -3 dB pan 0 -> 1 over 2 bars\n"
        "section b 4 bars\n    hold low gain 0 dB -> -12 dB over 2 bars lowpass 1 kHz\n"
        "section c 4 bars\n    hold low\n        at bar 3: gain -20 dB\n",
        12,
    )
    first, second, third = (bar.starts[0] for bar in (made[0], made[4], made[8]))
    assert second.continues == first.id
    assert third.continues == second.id
    assert [(each.what, each.start // BAR) for each in second.effects.glides] == [
        ("pan", 0),
        ("gain", 4),
        ("filter 0", 4),
    ]
    assert [(each.what, each.start // BAR, each.to) for each in third.effects.glides] == [
        ("pan", 0, 1.0),
        ("gain", 4, -12.0),
        ("filter 0", 4, 1000.0),
        ("gain", 10, -20.0),
    ]


LIVE = """piece "Turned" for stream
tempo 120
seed 3
dial loud -30..0 dB = -12 dB now
dial tone 200..8000 Hz = 400 Hz now
pool beats = loops role beats
pool pads = loops role pads
pool ticks = hits role tops
bus band = drive 20%, compress 4 dB, width 150%, gain loud -> 0 dB over 3 bars
section a 4 bars
    bring beats from beats via band gain loud -> 0 dB over 2 bars
        at bar 3: lowpass tone -> 8 kHz over 1 bars, pan -0.5 -> 0.5 over 1 bars
    bring haze from pads
    play tick from ticks "xxxx" gain -20 dB -> 0 dB over 4 bars duck 6 dB under beats
section b 4 bars
    hold haze gain loud -> -20 dB over 2 bars
        at bar 3: highpass 100 Hz -> tone over 1 bars
move b -> silence at end
"""


def test_all_of_it_is_the_same_however_it_is_read_and_again_from_its_take(home: Path) -> None:
    with Vault.open(home) as vault:
        sounds = []
        for sizes in ([4096], [64, 1000, 7]):
            session = Session(vault, accepted(LIVE))
            blocks = [session.read(3 * RATE)]
            session.gestures.set("loud", -3.0)
            blocks.append(session.read(3 * RATE))
            session.gestures.set("tone", 5000.0)
            blocks.append(session.read(4 * RATE))
            session.gestures.set("loud", -24.0)
            blocks.append(read_all(session, sizes))
            sounds.append(np.concatenate(blocks, axis=1))
            take = session.close()
        again: list[np.ndarray] = []
        session, replayed = replay(vault, take, again.append, logged=False)
        session.abandon()
    assert replayed.same
    np.testing.assert_array_equal(sounds[0], sounds[1])
    np.testing.assert_array_equal(np.concatenate(again, axis=1), sounds[0])


def test_a_dial_moves_the_end_of_a_glide_that_is_under_way() -> None:
    mixer = Mixer(-14, -1)
    first = gliding(glide("gain", 0, 64_000, -20.0, -20.0))
    mixer.place(replace(first, gain_db=-20.0), SOUND, at=0)
    mixer.advance(500)
    mixer.set_effects(1, PlacedEffects(glides=(glide("gain", 0, 64_000, -20.0, 0.0, "exponential"),)), 32_000)
    heard = gains(mixer, 600)[:, 0]
    assert np.abs(np.diff(heard)).max() <= 0.0641
    assert heard[-1] == 1
