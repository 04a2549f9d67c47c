"""The one place that turns bars and beats into frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

QUANTUM = 64
"""Frames of a control step: all control-rate work happens at absolute frames divisible by this."""
MOST_BITS = 1024
"""How large the denominator of an exact frame may grow, in bits: that of a ramp of four bars has some 300.

Beyond it a frame is rounded to 2^-64: so many tempi, each with its own prime factors, are no music, and a
thousand million of them come to less than a frame.
"""
KEPT_BARS = 128
"""How many bars back a grid knows: twice the greatest length of a placement."""


@dataclass(frozen=True, slots=True)
class BarClock:
    """Bars, beats and frames at one tempo and one metre.

    A beat is the note value of the lower number of the head's metre, `counted`, whatever metre a section has;
    `tempo_bpm` counts those. Lengths are exact fractions of a beat; a frame is the nearest whole one, halves
    upwards. `counted` is 0 for that of `meter`.
    """

    tempo_bpm: Fraction
    meter: tuple[int, int]
    rate: int
    counted: int = 0

    @property
    def beats_per_bar(self) -> Fraction:
        return _notes(self.counted or self.meter[1], self.meter[1], self.meter[0])

    @property
    def meter_beat(self) -> Fraction:
        """Length in beats of what the script calls a beat: a note value of the metre's lower number."""
        return _notes(self.counted or self.meter[1], self.meter[1])

    @property
    def beats_per_step(self) -> Fraction:
        """Length of a sixteenth note in beats."""
        return _notes(self.counted or self.meter[1], 16)

    def frame(self, beats: Fraction | int) -> int:
        """The frames of a length in beats."""
        # 60 rate beats / tempo, in whole numbers: a Fraction of it takes four times as long.
        over = 60 * self.rate * beats.numerator * self.tempo_bpm.denominator
        under = beats.denominator * self.tempo_bpm.numerator
        return (2 * over + under) // (2 * under)

    def bar_frame(self, bars: int) -> int:
        """The frames of so many bars."""
        return self.frame(bars * self.beats_per_bar)

    def beats(self, frames: int) -> Fraction:
        """A length in frames as an exact number of beats."""
        return Fraction(frames) * self.tempo_bpm / (60 * self.rate)


@lru_cache(maxsize=64)
def _notes(counted: int, note: int, count: int = 1) -> Fraction:
    return Fraction(count * counted, note)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A tempo that moves in a straight line: from `beat` on, for `beats`, to `tempo_bpm`."""

    beat: Fraction
    beats: Fraction
    tempo_bpm: Fraction

    @property
    def end(self) -> Fraction:
        return self.beat + self.beats


@dataclass(frozen=True, slots=True)
class BarMark:
    """From `bar` on, which begins at `beat`, bars are as long as `clock` says."""

    bar: int
    beat: Fraction
    clock: BarClock


@dataclass(frozen=True, slots=True)
class TempoMark:
    """From `beat` on, which is at the exact `frame`, the tempo is `tempo_bpm`."""

    beat: Fraction
    frame: Fraction
    tempo_bpm: Fraction
    nearest: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the bars and beats of a session lie, on its counter of frames.

    Beats count from the session's start; each is a fraction of the beat that the head's tempo counts. A grid
    is never changed: entering a section gives another, the same up to that section's first bar. A frame is
    the nearest whole one of an exact time, so that nothing drifts however often the tempo changes.
    """

    rate: int
    step: Fraction
    """A sixteenth, in beats."""
    bars: tuple[BarMark, ...]
    tempi: tuple[TempoMark, ...]
    ramps: tuple[Ramp, ...] = ()

    @classmethod
    def of(cls, clock: BarClock) -> Grid:
        """The grid of a session that begins by `clock`."""
        zero = Fraction(0)
        start = TempoMark(zero, zero, clock.tempo_bpm, 0)
        return cls(clock.rate, clock.beats_per_step, (BarMark(0, zero, clock),), (start,))

    def bar_beat(self, bar: int) -> Fraction:
        """The beat at which a bar begins; bars count from 0."""
        mark = self._bars(bar)
        return mark.beat + (bar - mark.bar) * mark.clock.beats_per_bar

    def bar_frame(self, bar: int) -> int:
        """The first frame of a bar."""
        return self.frame(self.bar_beat(bar))

    def frame(self, beat: Fraction | int) -> int:
        """The frame of a beat."""
        mark = self._tempo(beat)
        passed = beat - mark.beat if mark.beat else beat
        first, tempo = mark.frame, mark.tempo_bpm
        # first + 60 rate passed / tempo, in whole numbers: see BarClock.frame.
        over = 60 * self.rate * passed.numerator * tempo.denominator
        under = passed.denominator * tempo.numerator
        over, under = over * first.denominator + first.numerator * under, under * first.denominator
        return (2 * over + under) // (2 * under)

    def beat(self, frame: int) -> Fraction:
        """The exact beat of a frame."""
        place = bisect_right(self.tempi, Fraction(frame), key=lambda mark: mark.frame)
        mark = self.tempi[max(place - 1, 0)]
        return mark.beat + (frame - mark.frame) * mark.tempo_bpm / (60 * self.rate)

    def bar_at(self, beat: Fraction) -> tuple[int, Fraction]:
        """The bar that holds a beat, and how many beats of it have passed."""
        place = bisect_right(self.bars, beat, key=lambda mark: mark.beat)
        mark = self.bars[max(place - 1, 0)]
        bars, passed = divmod(beat - mark.beat, mark.clock.beats_per_bar)
        return mark.bar + int(bars), passed

    def next_beat(self, frame: int) -> int:
        """The frame of the first beat of a metre at `frame` or after it; a bar line is one."""
        bar, passed = self.bar_at(self.beat(frame))
        clock = self._bars(bar).clock
        passed = min(-(-passed // clock.meter_beat) * clock.meter_beat, clock.beats_per_bar)
        return self.frame(self.bar_beat(bar) + passed)

    def clock(self, bar: int, beat: Fraction | None = None) -> BarClock:
        """The metre of a bar with the tempo of a beat, by default of the bar's first."""
        clock = self._bars(bar).clock
        tempo = self._tempo(self.bar_beat(bar) if beat is None else beat).tempo_bpm
        return clock if tempo == clock.tempo_bpm else replace(clock, tempo_bpm=tempo)

    def tempo(self, beat: Fraction) -> Fraction:
        """The tempo at a beat."""
        return self._tempo(beat).tempo_bpm

    def ramp(self, beat: Fraction) -> Ramp | None:
        """The ramp that a beat lies in, or the next one after it."""
        return next((ramp for ramp in self.ramps if ramp.end > beat), None)

    def staircase(self, ramp: Ramp) -> tuple[tuple[TempoMark, ...], TempoMark]:
        """The steps of a ramp that is not cut short, and what comes after it."""
        first = bisect_right(self.tempi, ramp.beat, key=lambda mark: mark.beat) - 1
        last = first + int(-(-ramp.beats // self.step))
        return self.tempi[first:last], self.tempi[last]

    def entered(self, bar: int, clock: BarClock, ramps: Sequence[Ramp] = ()) -> Grid:
        """The grid with a section that begins at `bar` by `clock`; what was foretold from there on goes.

        `ramps`: those of the section, in order, each after the end of the one before.
        """
        now, beat = self.clock(bar), self.bar_beat(bar)
        later = any(mark.beat > beat for mark in self.tempi)
        if now == clock and not (later or ramps):
            return self
        frame, since = self._exact(beat), self.bar_beat(max(bar - KEPT_BARS, self.bars[0].bar))
        bars = [mark for mark in self.bars if mark.bar < bar]
        tempi = [mark for mark in self.tempi if mark.beat < beat]
        if not bars or bars[-1].clock != clock:
            bars.append(BarMark(bar, beat, clock))
        if not tempi or tempi[-1].tempo_bpm != clock.tempo_bpm:
            tempi.append(TempoMark(beat, frame, clock.tempo_bpm, nearest(frame)))
        for ramp in ramps:
            tempi += _staircase(tempi[-1], ramp, self.step, self.rate)
        old_bars = bisect_right(bars, since, key=lambda mark: mark.beat) - 1
        old_tempi = bisect_right(tempi, since, key=lambda mark: mark.beat) - 1
        kept = [
            ramp if ramp.end <= beat else replace(ramp, beats=beat - ramp.beat)
            for ramp in self.ramps
            if since < ramp.end and ramp.beat < beat
        ]
        return Grid(
            self.rate,
            self.step,
            tuple(bars[max(old_bars, 0) :]),
            tuple(tempi[max(old_tempi, 0) :]),
            (*kept, *ramps),
        )

    def _bars(self, bar: int) -> BarMark:
        if self.bars[-1].bar <= bar:
            return self.bars[-1]
        return self.bars[max(bisect_right(self.bars, bar, key=lambda mark: mark.bar) - 1, 0)]

    def _tempo(self, beat: Fraction | int) -> TempoMark:
        if self.tempi[-1].beat <= beat:
            return self.tempi[-1]
        return self.tempi[max(bisect_right(self.tempi, beat, key=lambda mark: mark.beat) - 1, 0)]

    def _exact(self, beat: Fraction) -> Fraction:
        return _passed(self._tempo(beat), beat, self.rate)


def _passed(mark: TempoMark, beat: Fraction, rate: int) -> Fraction:
    """The exact frame of a beat at the tempo of the mark before it."""
    frame = mark.frame + 60 * rate * (beat - mark.beat) / mark.tempo_bpm
    return frame if frame.denominator.bit_length() <= MOST_BITS else Fraction(round(frame * 2**64), 2**64)


def nearest(number: Fraction) -> int:
    """The nearest whole number, halves upwards."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def _staircase(before: TempoMark, ramp: Ramp, step: Fraction, rate: int) -> list[TempoMark]:
    """A ramp as steps of a sixteenth, each at the tempo of its middle, and the tempo after it.

    The last step is shorter where the ramp is not a whole number of sixteenths.
    """
    marks, first = [before], before.tempo_bpm

    def mark(beat: Fraction, tempo_bpm: Fraction) -> None:
        frame = _passed(marks[-1], beat, rate)
        marks.append(TempoMark(beat, frame, tempo_bpm, nearest(frame)))

    beat = ramp.beat
    while beat < ramp.end:
        after = min(beat + step, ramp.end)
        done = ((beat + after) / 2 - ramp.beat) / ramp.beats
        mark(beat, first + (ramp.tempo_bpm - first) * done)
        beat = after
    mark(ramp.end, ramp.tempo_bpm)
    return marks[1:]
