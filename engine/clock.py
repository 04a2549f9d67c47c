"""The one place that turns bars and beats into frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

QUANTUM = 64
"""Frames of a control step: all control-rate work happens at absolute frames divisible by this."""


@dataclass(frozen=True, slots=True)
class BarClock:
    """Bars, beats and frames of a session with one tempo and one metre.

    A beat is the note value of the metre's lower number; `tempo_bpm` counts those. Positions are exact
    fractions of a beat from the session's start; a frame is the nearest whole one, halves upwards.
    """

    tempo_bpm: Fraction
    meter: tuple[int, int]
    rate: int

    @property
    def beats_per_bar(self) -> int:
        return self.meter[0]

    @property
    def beats_per_step(self) -> Fraction:
        """Length of a sixteenth note in beats."""
        return Fraction(self.meter[1], 16)

    def frame(self, beats: Fraction | int) -> int:
        """The frame of a position or length in beats."""
        # 60 rate beats / tempo, in whole numbers: a Fraction of it takes four times as long.
        over = 60 * self.rate * beats.numerator * self.tempo_bpm.denominator
        under = beats.denominator * self.tempo_bpm.numerator
        return (2 * over + under) // (2 * under)

    def bar_frame(self, bar: int) -> int:
        """The first frame of a bar; bars count from 0."""
        return self.frame(bar * self.beats_per_bar)

    def beats(self, frames: int) -> Fraction:
        """A length in frames as an exact number of beats."""
        return Fraction(frames) * self.tempo_bpm / (60 * self.rate)
