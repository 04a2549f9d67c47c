"""The mixer: places and stops, frees its voices in order, and makes room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stemloom.engine.mix.commands import pan_gains
from stemloom.engine.mix.mixer import Late, Mixer
from stemloom.engine.mix.page_layout import PAGE_SIZE
from stemloom.engine.mix.trial import endless
from stemloom.engine.plan import MOST_SOUNDING, Fade, Placement, Variant
from stemloom.ledger.log.session_page import HeardFrames, read_page

SOUND = np.tile(np.float32([0.1, -0.1]), (2, 32))


def placement(id: int, start: int, end: int, hit: bool = False) -> Placement:
    variant = Variant("s00", 64, None if hit else 0, 1.0)
    return replace(endless(id, "beats"), part="p", start_frame=start, end_frame=end, variant=variant, hit=hit)


def ends(mixer: Mixer) -> list[tuple[int, int, int]]:
    return [
        (each.id, each.frames, each.end_frame) for each in mixer.reports() if isinstance(each, HeardFrames)
    ]


def test_ended_placements_come_in_order_of_their_ends() -> None:
    mixer = Mixer(0, -1)
    for id, end in enumerate((900, 300, 600, 300)):
        mixer.place(placement(id, 100, end), SOUND, at=0)
    mixer.advance(20)
    assert ends(mixer) == [(1, 200, 300), (3, 200, 300), (2, 500, 600), (0, 800, 900)]
    assert mixer.idle


def test_a_stop_ends_early_and_never_jumps() -> None:
    mixer = Mixer(0, -1)
    mixer.place(placement(1, 0, 100_000), SOUND, at=0)
    mixer.advance(10)
    mixer.stop(1, 640 + 10, Fade(1000), at=640)
    mixer.advance(30)
    # The fade could not begin before it was known, so the end moved with it.
    assert ends(mixer) == [(1, 640 + 999, 640 + 1000)]


def test_a_stop_never_makes_longer() -> None:
    mixer = Mixer(0, -1)
    mixer.place(placement(1, 0, 500), SOUND, at=0)
    mixer.stop(1, 90_000, Fade(1000), at=0)
    mixer.advance(20)
    assert ends(mixer) == [(1, 500, 500)]


def test_what_is_stopped_before_it_begins_never_sounds() -> None:
    mixer = Mixer(0, -1)
    mixer.place(placement(1, 5_000, 100_000), SOUND, at=0)
    mixer.place(placement(2, 5_000, 100_000), SOUND, at=0)
    mixer.stop(1, 5_500, Fade(1000), at=64)
    mixer.stop(2, 9_000, Fade(1000), at=64)
    mixer.advance(200)
    assert ends(mixer) == [(1, 0, 5_000), (2, 3_999, 9_000)]
    assert mixer.idle


def test_closing_counts_what_was_heard_so_far() -> None:
    mixer = Mixer(0, -1)
    mixer.place(placement(1, 0, 100_000), SOUND, at=0)
    mixer.place(placement(2, 5_000, 100_000), SOUND, at=0)
    mixer.advance(10)
    assert [(heard.id, heard.frames) for heard in mixer.close()] == [(1, 640), (2, 0)]
    assert mixer.idle


def test_a_shared_page_tells_what_sounded_after_the_mixer_has_let_go_of_it() -> None:
    page = memoryview(bytearray(PAGE_SIZE))
    mixer = Mixer(0, -1)
    mixer.share(page, "this run")
    mixer.place(placement(1, 0, 300), SOUND, at=0)
    mixer.place(placement(2, 64, 100_000), SOUND, at=0)
    mixer.advance(10)
    closed = mixer.close()
    read = read_page(bytes(page), "this run")
    assert read is not None
    assert sorted((each.id, each.frames, each.end_frame) for each in read.heard) == [
        (each.id, each.frames, each.end_frame) for each in closed
    ]
    assert [(each.id, each.frames) for each in closed] == [(1, 300), (2, 576)]


def test_the_oldest_hit_makes_room() -> None:
    mixer = Mixer(0, -1)
    mixer.place(placement(0, 0, 1 << 30), SOUND, at=0)
    for id in range(1, MOST_SOUNDING):
        mixer.place(placement(id, id, 1 << 30, hit=True), np.zeros((1, 1 << 20), np.float32), at=0)
    mixer.advance(10)
    mixer.place(placement(999, 700, 1 << 30), SOUND, at=640)
    mixer.advance(20)
    assert [id for id, *_ in ends(mixer)] == [1]
    assert mixer.crowded == 1


def test_a_command_waits_for_its_frame() -> None:
    at_once, ahead = Mixer(0, -1), Mixer(0, -1)
    for mixer in (at_once, ahead):
        mixer.place(placement(1, 0, 1 << 30), SOUND, at=0)
    ahead.set_gain(1, -60.0, 0.5, at=640)
    ahead.set_fader("beats", 0.5, 4800, at=1280)
    first = at_once.advance(10)
    at_once.set_gain(1, -60.0, 0.5, at=640)
    second = at_once.advance(10)
    at_once.set_fader("beats", 0.5, 4800, at=1280)
    apart = np.concatenate([first, second, at_once.advance(30)], axis=1)
    np.testing.assert_array_equal(ahead.advance(50), apart)
    assert ahead.came_late == at_once.came_late == 0


def test_what_comes_late_enters_inside_its_sound_and_is_reported() -> None:
    # Of the highest tone that there is, which the master's high-pass leaves alone.
    ramp = (np.linspace(0, 0.5, 1 << 16) * (-1.0) ** np.arange(1 << 16)).astype(np.float32)[None]
    mixer, replayed = Mixer(0, -1), Mixer(0, -1)
    mixer.advance(50)
    mixer.place(placement(1, 100, 60_000, hit=True), ramp, at=0)
    mixer.place(placement(2, 100, 3_000, hit=True), ramp, at=0)
    sound = mixer.advance(100)
    said = mixer.reports()
    unheard = HeardFrames(id=2, start_frame=100, end_frame=3_000, frames=0)
    assert said == [Late(0, 3_200), unheard, Late(1, 3_200)]
    assert mixer.came_late == 2
    # It is where it would have been, after a fade of 1 000 frames; the master is 256 frames late.
    np.testing.assert_allclose(sound[0, 2_000], ramp[0, 3_200 - 100 + 2_000 - 256] * np.sqrt(0.5), rtol=1e-2)
    assert np.abs(np.diff(np.abs(sound[0]))).max() < 0.001
    replayed.late = {late.number: late.frame for late in said if isinstance(late, Late)}
    replayed.place(placement(1, 100, 60_000, hit=True), ramp, at=0)
    replayed.place(placement(2, 100, 3_000, hit=True), ramp, at=0)
    np.testing.assert_array_equal(replayed.advance(150)[:, 3_200:], sound)


def test_more_commands_than_the_ring_holds_are_kept_in_order() -> None:
    mixer = Mixer(0, -1)
    mixer.place(placement(1, 0, 1 << 30), SOUND, at=0)
    for number in range(10_000):
        mixer.set_gain(1, -60.0 if number < 9_999 else 0.0, 0.0, at=0)
    for _ in range(10):
        mixer.advance(1)
    assert mixer.rack.voices[0]["gain_target"] == 1.0


@given(st.floats(-1, 1))
def test_pan_keeps_power(pan: float) -> None:
    left, right = pan_gains(pan, 1)
    assert left**2 + right**2 == pytest.approx(1)
    assert pan_gains(0.0, 2) == pytest.approx((1, 1))


def test_a_changed_gain_is_a_ramp() -> None:
    mixer = Mixer(0, -1)
    mixer.place(replace(placement(1, 0, 1 << 30), variant=Variant("s00", 64, 0, 1.0)), SOUND, at=0)
    mixer.advance(200)
    mixer.set_gain(1, -60.0, 0.0, at=mixer.frame)
    sound = np.abs(mixer.advance(30)[0])
    assert np.abs(np.diff(sound)).max() <= 0.1 * 0.00101
