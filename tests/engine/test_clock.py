"""Bars, beats and frames."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from stemloom.engine.clock import BarClock

tempi = st.fractions(min_value=20, max_value=400, max_denominator=1000)
meters = st.tuples(st.integers(1, 15), st.sampled_from([2, 4, 8, 16]))


@given(tempo=tempi, meter=meters, bar=st.integers(0, 100_000))
def test_a_frame_is_the_nearest_to_the_exact_place(tempo: Fraction, meter: tuple[int, int], bar: int) -> None:
    clock = BarClock(tempo, meter, 48_000)
    exact = Fraction(60 * 48_000) * bar * meter[0] / tempo
    assert abs(clock.bar_frame(bar) - exact) <= Fraction(1, 2)


@given(tempo=tempi, frames=st.integers(0, 2**40))
def test_beats_and_frames_are_inverse(tempo: Fraction, frames: int) -> None:
    clock = BarClock(tempo, (4, 4), 48_000)
    assert clock.frame(clock.beats(frames)) == frames


def test_a_sixteenth_follows_the_metre() -> None:
    assert BarClock(Fraction(120), (4, 4), 48_000).beats_per_step == Fraction(1, 4)
    assert BarClock(Fraction(120), (6, 8), 48_000).beats_per_step == Fraction(1, 2)
    assert BarClock(Fraction(114), (4, 4), 48_000).bar_frame(1) == 101_053
