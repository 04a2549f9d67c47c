"""Bars, beats and frames."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings, strategies as st

from stemloom.engine.clock import MOST_BITS, BarClock, Grid, Ramp

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


# A session's grid: sections of any tempo and metre, with ramps, against the sum of each sixteenth by hand.

ramps = st.tuples(st.integers(0, 3), st.integers(1, 3), tempi)
sections = st.tuples(
    st.integers(1, 6), tempi, st.sampled_from([(4, 4), (7, 8), (3, 4), (5, 16)]), st.lists(ramps, max_size=3)
)
HEAD = BarClock(Fraction(120), (4, 4), 48_000)


class ByHand:
    """The exact frames of bar lines and sixteenths, counted up one sixteenth after the other."""

    def __init__(self) -> None:
        self.beat, self.frame = Fraction(0), Fraction(0)
        self.lines: list[tuple[Fraction, Fraction]] = []
        self.steps: list[tuple[Fraction, Fraction]] = []

    def section(self, bars: int, tempo: Fraction, length: Fraction, moves: list[Ramp]) -> None:
        first, last = self.beat, self.beat + bars * length
        bar_lines = {first + number * length for number in range(bars)}
        while self.beat < last:
            if self.beat in bar_lines:
                self.lines.append((self.beat, self.frame))
            self.steps.append((self.beat, self.frame))
            now = tempo
            for move in moves:
                if move.end <= self.beat:
                    tempo = now = move.tempo_bpm
                elif move.beat <= self.beat:
                    done = (self.beat + Fraction(1, 8) - move.beat) / move.beats
                    now = tempo + (move.tempo_bpm - tempo) * done
            self.beat, self.frame = (
                self.beat + Fraction(1, 4),
                self.frame + 60 * 48_000 * Fraction(1, 4) / now,
            )


@settings(max_examples=25)
@given(form=st.lists(sections, min_size=1, max_size=8), early=st.integers(0, 3))
def test_a_grid_is_that_counted_by_hand(form: list[tuple], early: int) -> None:  # type: ignore[type-arg]
    grid, hand, bar = Grid.of(HEAD), ByHand(), 0
    for bars, tempo, meter, moves in form:
        clock, beat = BarClock(tempo, meter, 48_000, 4), grid.bar_beat(bar)
        own: list[Ramp] = []
        for after, lasting, target in moves:
            since = own[-1].end if own else beat
            own.append(Ramp(since + after, Fraction(lasting), target))
        grid = grid.entered(bar, clock, own)
        # It may be left before its ramps are over.
        hand.section(max(bars - early, 1), tempo, clock.beats_per_bar, own)
        bar += max(bars - early, 1)
    grid = grid.entered(bar, HEAD)
    for number, (beat, frame) in enumerate(hand.lines):
        assert grid.bar_beat(number) == beat
        assert abs(grid.bar_frame(number) - frame) <= Fraction(1, 2)
        assert grid.bar_at(beat) == (number, 0)
    for beat, frame in hand.steps:
        assert abs(grid.frame(beat) - frame) <= Fraction(1, 2)
    # What follows begins where this ends: no frame is lost or played twice.
    assert abs(grid.bar_frame(bar) - hand.frame) <= Fraction(1, 2)
    for frame in range(0, grid.bar_frame(bar), 48_000):
        assert grid.frame(grid.beat(frame)) == frame


def test_a_grid_of_one_tempo_is_its_clock() -> None:
    clock = BarClock(Fraction(227, 2), (7, 8), 48_000)
    grid = Grid.of(clock)
    assert grid.entered(5, clock) is grid
    assert [grid.bar_frame(bar) for bar in range(500)] == [clock.bar_frame(bar) for bar in range(500)]


def test_a_grid_does_not_grow() -> None:
    grid, slow = Grid.of(HEAD), BarClock(Fraction(96), (7, 8), 48_000, 4)
    for bar in range(0, 2_000, 4):
        turn = Ramp(grid.bar_beat(bar), Fraction(1), Fraction(60))
        grid = grid.entered(bar, slow if bar % 8 else HEAD, [turn])
    assert max(len(grid.bars), len(grid.ramps)) < 70
    assert len(grid.tempi) < 400


def test_the_next_beat_is_of_the_metre_or_the_bar_line() -> None:
    grid = Grid.of(HEAD).entered(1, BarClock(Fraction(120), (7, 8), 48_000, 4))
    assert grid.next_beat(1) == 24_000
    assert grid.next_beat(96_001) == 96_000 + 12_000
    assert grid.next_beat(96_000 + 6 * 12_000 + 1) == grid.bar_frame(2) == 96_000 + 7 * 12_000


def test_a_grid_of_many_tempi_stays_quick_to_ask() -> None:
    grid = Grid.of(HEAD)
    for bar in range(100):
        turn = Ramp(grid.bar_beat(bar), Fraction(4), 100 + Fraction(bar, 997))
        grid = grid.entered(bar, HEAD, [turn])
    assert max(mark.frame.denominator.bit_length() for mark in grid.tempi) <= MOST_BITS
