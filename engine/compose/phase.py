"""Loops on the grid: how far into its loop a sound is, and the form in which it plays on from a beat.

In steady time a loop plays as a variant that repeats. Along a ramp it plays as one of its own, which follows
the grid from sixteenth to sixteenth and ends where the loop next begins, so that the loop in the new tempo
enters at its first frame.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from ...vault.records import Stem
from ..clock import BarClock, Grid, Ramp, nearest
from ..fades import OVERLAP_FRAMES
from ..plan import Placement, Variant
from .tempo_and_key import TempoFit, fit_tempo, variant_of

MOST_AFTER_BARS = 4
"""How long after a ramp a loop may go on along the grid, for its next beginning."""
MOST_PARTS = 96
"""Of a beat: the places at which a loop may be taken to be in its round."""
READINGS = (Fraction(1), Fraction(2), Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Read:
    """A stem as a line reads it. `time`: 1/2 and 2 for half and double time. `tempo_bpm`: the section's."""

    stem: Stem
    tempo_bpm: Fraction
    time: Fraction
    semitones: int
    reverse: bool

    @property
    def fit(self) -> TempoFit | None:
        return fit_tempo(self.stem, self.tempo_bpm)

    @property
    def beats(self) -> Fraction | None:
        """The length of a round in beats; None for a sound without a tempo."""
        fit = self.fit
        return None if fit is None or self.stem.shape != "loop" else fit.beats / self.time

    def variant(self, clock: BarClock) -> Variant:
        """The variant at the tempo of `clock`, in the reading of the section's."""
        fit = self.fit
        if fit is not None and clock.tempo_bpm != self.tempo_bpm:
            fit = TempoFit(fit.beats, fit.stretch * float(self.tempo_bpm / clock.tempo_bpm))
        return variant_of(
            self.stem, clock, self.time, fit=fit, semitones=self.semitones, reverse=self.reverse
        )


@dataclass(frozen=True, slots=True)
class Form:
    """A variant, the frame of it at which it begins, and for how many beats it is right.

    `over`: whether a song is at its end after those, so that its tail rings; they are 0 where it is past it.
    """

    variant: Variant
    offset: int
    beats: Fraction
    over: bool = False


def form(read: Read, grid: Grid, bar: int, start: Fraction, phase: Fraction, beats: Fraction) -> Form:
    """How a stem plays from a beat of a bar on, `phase` beats into its loop, for `beats` at most."""
    at = grid.bar_beat(bar) + start
    clock = grid.clock(bar, at)
    if read.stem.song is not None:
        return _song_form(read, grid, clock, at, phase, beats)
    length, ramp = read.beats, grid.ramp(at)
    if length is None or ramp is None or ramp.beat >= at + beats:
        steady = read.variant(clock)
        return Form(steady, 0 if length is None else clock.frame(phase) % steady.frames, beats)
    if ramp.beat > at:
        steady = read.variant(clock)
        return Form(steady, clock.frame(phase) % steady.frames, ramp.beat - at)
    stop = min(_next_round(ramp, at, phase, length, clock), at + beats)
    following = grid.ramp(ramp.end)
    if following is not None:
        stop = min(stop, following.beat)
    made = _anchors(_Course(read.stem.frames / length, phase - at), grid, ramp, at, stop)
    along = replace(read.variant(clock), frames=made[-1][1], loop_start=None, ramp=tuple(made))
    return Form(along, 0, stop - at)


def _song_form(
    read: Read, grid: Grid, clock: BarClock, at: Fraction, phase: Fraction, beats: Fraction
) -> Form:
    """How a stem of a song plays from the beat `at` on, up to the song's end, or the next change of tempo."""
    stem, steady, ramp = read.stem, read.variant(clock), grid.ramp(at)
    assert stem.beats is not None, "a song has beats"
    left = stem.beats - phase
    if left <= 0:
        return Form(steady, 0, Fraction(0), over=True)
    stop = at + min(beats, left)
    if ramp is None or ramp.beat >= stop or ramp.beat > at:
        lasts = (stop if ramp is None else min(stop, ramp.beat)) - at
        return Form(steady, clock.frame(phase), lasts, over=lasts == left)
    stop = min(stop, ramp.end)
    course = _Course(Fraction(stem.body_frames, stem.beats), phase - at)
    made = _anchors(course, grid, ramp, at, stop)
    along = replace(steady, frames=made[-1][1], loop_start=None, ramp=tuple(made))
    return Form(along, 0, stop - at)


def _next_round(ramp: Ramp, at: Fraction, phase: Fraction, length: Fraction, clock: BarClock) -> Fraction:
    """The beat at or after the ramp's end at which the loop begins anew; its end where that is far off."""
    rounds = -(-(ramp.end - at + phase) // length)
    beat = at + rounds * length - phase
    return beat if beat - ramp.end <= MOST_AFTER_BARS * clock.beats_per_bar else ramp.end


@dataclass(frozen=True, slots=True)
class _Course:
    """Which frame of a recording sounds at a beat: `frames` go by in one, `since` beats into it at beat 0."""

    frames: Fraction
    since: Fraction

    def at(self, beat: Fraction) -> Fraction:
        return (self.since + beat) * self.frames


def _anchors(
    course: _Course, grid: Grid, ramp: Ramp, at: Fraction, stop: Fraction
) -> tuple[tuple[int, int], ...]:
    """The places of a variant along a ramp: its ends, the sixteenths between, and what may ring over.

    In whole numbers and whole rows, as a bar may have many loops with hundreds of sixteenths each.
    """
    first, last = grid.frame(at), grid.frame(stop)
    steps, after = grid.staircase(ramp)
    by = 60 * grid.rate * grid.step / after.tempo_bpm
    ringing = -(-OVERLAP_FRAMES // by) + 1
    more = max(0, -(-(stop - ramp.end) // grid.step)) + int(ringing)
    of = _row(course.at(ramp.beat), grid.step * course.frames, len(steps))
    of += _row(course.at(ramp.end), grid.step * course.frames, more)
    frames = [mark.nearest for mark in steps] + _row(after.frame, by, more)
    begin, end = (nearest(course.at(at)), 0), (nearest(course.at(stop)), last - first)
    # Of two places that are as good as one, the one that is an end stays.
    lo, hi = max(bisect_right(frames, first), bisect_right(of, begin[0])), bisect_left(frames, last)
    over = max(bisect_right(frames, last), bisect_right(of, end[0]))
    hi, rung = min(hi, bisect_left(of, end[0])), bisect_left(frames, last + OVERLAP_FRAMES) + 1
    places = list(zip(of, [frame - first for frame in frames], strict=True))
    return (begin, *places[lo:hi], end, *places[over:rung])


def _row(first: Fraction, step: Fraction, count: int) -> list[int]:
    """The nearest whole numbers to a row of equal steps."""
    under = lcm(first.denominator, step.denominator)
    start, by = first.numerator * (under // first.denominator), step.numerator * (under // step.denominator)
    return [(2 * (start + number * by) + under) // (2 * under) for number in range(count)]


def phase_of(old: Placement, stem: Stem, time: Fraction, grid: Grid, now: Fraction) -> Fraction | None:
    """How many beats into its loop a placement is at the beat `now`, by the grid and in its own reading.

    None for a sound that is not on the grid. `stem`: that of the placement, `time`: that of its line.
    """
    began = grid.bar_beat(old.bar) + old.beat
    then = grid.clock(old.bar, began)
    if stem.song is not None and stem.beats is not None:
        if old.variant.ramp:
            into, frame = Fraction(old.variant.ramp[0][0] * stem.beats, stem.body_frames), stem.body_frames
            return _unrounded(into, Fraction(stem.beats, frame)) + now - began
        return _unrounded(then.beats(old.offset_frames - old.drift_frames), then.beats(1)) + now - began
    length = _round_of(old.variant, stem, then.tempo_bpm, time)
    if length is None:
        return None
    if old.variant.ramp:
        into = Fraction(old.variant.ramp[0][0], stem.frames) * length
        return (_unrounded(into, length / stem.frames) + now - began) % length
    into = then.beats(old.offset_frames - old.drift_frames)
    if len(grid.tempi) > 1:
        into = _unrounded(into, then.beats(1))
    return (into + now - began) % length


def _unrounded(beats: Fraction, frame: Fraction) -> Fraction:
    """The musical place that a whole number of frames stands for, if one is as near. `frame`: its length.

    Else a round that is over by the grid would have a last frame to go.
    """
    near = beats.limit_denominator(MOST_PARTS)
    return near if abs(near - beats) <= frame else beats


def in_rounds(phase: Fraction, old: Placement, read: Read, grid: Grid) -> Fraction:
    """A phase of `old`'s rounds in those of another reading: a loop that is read in half time is longer."""
    tempo = grid.clock(old.bar, grid.bar_beat(old.bar) + old.beat).tempo_bpm
    was, length = _round_of(old.variant, read.stem, tempo, read.time), read.beats
    return phase if was is None or length is None else phase * length / was


def _round_of(variant: Variant, stem: Stem, tempo_bpm: Fraction, time: Fraction) -> Fraction | None:
    """The length in beats of a variant's round, that began at a tempo; None for a sustained sound."""
    if stem.bpm is None or stem.beats is None or not (variant.loop_start == 0 or variant.ramp):
        return None
    reading = variant.stretch * float(tempo_bpm * time / stem.bpm)
    best = min(READINGS, key=lambda each: abs(float(each) - reading))
    return stem.beats * best / time
