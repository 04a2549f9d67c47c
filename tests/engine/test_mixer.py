"""The mixer: places and stops, frees its voices in order, and makes room."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemloom.engine.mixer import MOST_SOUNDING, Mixer, pan_gains
from stemloom.engine.plan import Fade, Placement, Variant

SOUND = np.full((2, 64), 0.1, np.float32)


def placement(id: int, start: int, end: int, hit: bool = False) -> Placement:
    return Placement(
        id=id,
        stem="s00",
        title="",
        holder="h00",
        role="beats",
        part="p",
        section="a",
        line=1,
        column=1,
        bar=0,
        beat=Fraction(0),
        bars=Fraction(1),
        start_frame=start,
        end_frame=end,
        variant=Variant("s00", 64, None if hit else 0, 1.0),
        offset_frames=0,
        gain_db=0.0,
        level_db=0.0,
        pan=0.0,
        fade_in=Fade(),
        fade_out=Fade(),
        consent=0,
        hit=hit,
    )


def test_ended_placements_come_in_order_of_their_ends() -> None:
    mixer = Mixer(-14, -1)
    for id, end in enumerate((900, 300, 600, 300)):
        mixer.place(placement(id, 100, end), SOUND)
    mixer.advance(20)
    assert [(heard.id, heard.frames, heard.end_frame) for heard in mixer.finished()] == [
        (1, 200, 300),
        (3, 200, 300),
        (2, 500, 600),
        (0, 800, 900),
    ]
    assert mixer.sounding == 0


def test_a_stop_ends_early_and_never_jumps() -> None:
    mixer = Mixer(-14, -1)
    mixer.place(placement(1, 0, 100_000), SOUND)
    mixer.advance(10)
    mixer.stop(1, 640 + 10, Fade(1000))
    mixer.advance(30)
    (heard,) = mixer.finished()
    # The fade could not begin before it was known, so the end moved with it.
    assert heard.end_frame == 640 + 1000
    assert heard.frames == 640 + 999


def test_a_stop_never_makes_longer() -> None:
    mixer = Mixer(-14, -1)
    mixer.place(placement(1, 0, 500), SOUND)
    mixer.stop(1, 90_000, Fade(1000))
    mixer.advance(20)
    assert mixer.finished()[0].end_frame == 500


def test_closing_counts_what_was_heard_so_far() -> None:
    mixer = Mixer(-14, -1)
    mixer.place(placement(1, 0, 100_000), SOUND)
    mixer.place(placement(2, 5_000, 100_000), SOUND)
    mixer.advance(10)
    assert [(heard.id, heard.frames) for heard in mixer.close()] == [(1, 640)]
    assert mixer.sounding == 0


def test_the_oldest_hit_makes_room() -> None:
    mixer = Mixer(-14, -1)
    mixer.place(placement(0, 0, 1 << 30), SOUND)
    for id in range(1, MOST_SOUNDING):
        mixer.place(placement(id, id, 1 << 30, hit=True), np.zeros((1, 1 << 20), np.float32))
    mixer.advance(10)
    assert mixer.place(placement(999, 700, 1 << 30), SOUND) == 1
    mixer.advance(20)
    assert [heard.id for heard in mixer.finished()] == [1]


@given(st.floats(-1, 1))
def test_pan_keeps_power(pan: float) -> None:
    left, right = pan_gains(pan, 1)
    assert left**2 + right**2 == pytest.approx(1)
    assert pan_gains(0.0, 2) == pytest.approx((1, 1))


def test_a_changed_gain_is_a_ramp() -> None:
    mixer = Mixer(-14, -1)
    mixer.place(replace(placement(1, 0, 1 << 30), variant=Variant("s00", 64, 0, 1.0)), SOUND)
    mixer.advance(10)
    mixer.set_gain(1, -60.0, 0.0)
    sound = mixer.advance(30)[0]
    assert np.abs(np.diff(sound)).max() <= 0.1 * 0.00101
