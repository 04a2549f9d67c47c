"""Time in a loop: beats to frames, and sounds laid round a circle that has no end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vault.records import ENGINE_RATE

Sound = NDArray[np.floating[Any]]
"""One channel `(frames,)` or several `(channels, frames)`, float32, at the engine's rate.

Type checkers do not agree on what arithmetic with NumPy's scalars gives, so the width is not in the type.
"""

Noise = np.random.Generator

BEATS_IN_A_BAR = 4
STEPS_IN_A_BEAT = 4
VELOCITY = {"X": 1.0, "x": 0.72, "o": 0.4}
"""What the letters of a pattern mean; anything else is a rest."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The time of one loop in 4/4. `swing`: where in an eighth its second half falls; 0.5 is straight."""

    bpm: int
    bars: int
    swing: float = 0.5

    @property
    def beats(self) -> int:
        return self.bars * BEATS_IN_A_BAR

    @property
    def frames(self) -> int:
        return round(Fraction(60 * self.beats * ENGINE_RATE, self.bpm))

    def frame(self, beat: float) -> int:
        """The frame nearest to a beat, counted from 0."""
        return round(60 * beat * ENGINE_RATE / self.bpm)

    def swung(self, beat: float) -> float:
        """A beat with its off-beat sixteenths put late by the swing."""
        step = beat * STEPS_IN_A_BEAT
        return beat + (2 * self.swing - 1) / STEPS_IN_A_BEAT if step % 2 == 1 else beat

    def seconds(self, beats: float) -> float:
        return 60 * beats / self.bpm

    def silence(self, channels: int = 2) -> Sound:
        return np.zeros((channels, self.frames), np.float32)

    def steps(self, pattern: str) -> Iterator[tuple[float, float]]:
        """(beat, velocity) of each hit of a pattern of sixteenths, repeated through the loop and swung.

        Spaces are for the eye only.
        """
        letters = pattern.replace(" ", "")
        for step in range(self.beats * STEPS_IN_A_BEAT):
            velocity = VELOCITY.get(letters[step % len(letters)])
            if velocity is not None:
                yield self.swung(step / STEPS_IN_A_BEAT), velocity


def lay(loop: Sound, sound: Sound, frame: int, gain: float = 1.0, pan: float = 0.0) -> None:
    """Add `sound` to `loop` from `frame` on; what goes over the end comes round to the start.

    `pan`: -1 left to 1 right, of equal power and unity in the middle; a stereo sound is balanced by it. A
    loop of one channel takes the sound as it is.
    """
    length = loop.shape[1]
    angle = (pan + 1) * math.pi / 4
    sides = (math.sqrt(2) * math.cos(angle), math.sqrt(2) * math.sin(angle)) if len(loop) == 2 else (1.0,)
    for channel, side in enumerate(sides):
        source = sound if sound.ndim == 1 else sound[channel]
        scaled = source * np.float32(gain * side)
        done, at = 0, frame % length
        while done < len(scaled):
            count = min(len(scaled) - done, length - at)
            loop[channel, at : at + count] += scaled[done : done + count]
            done, at = done + count, 0


def white(noise: Noise, *shape: int) -> Sound:
    """White noise of a shape, `(frames,)` or `(channels, frames)`."""
    return noise.standard_normal(shape, dtype=np.float32)


def turning(frames: int, turns: int, phase: float = 0.0) -> Sound:
    """A slow sine that makes `turns` whole turns in `frames`, so that it closes on itself."""
    return sine_of(np.arange(frames) * (turns / frames) + phase)


def sine_of(phase: NDArray[np.floating[Any]]) -> Sound:
    """The sine of a phase in turns.

    Whole turns are taken off first: the sine of a large float32 would hiss. By `floor`, since `%` takes ten
    times as long.
    """
    radians: Sound = ((phase - np.floor(phase)) * (2 * np.pi)).astype(np.float32)
    return np.sin(radians, dtype=np.float32)
