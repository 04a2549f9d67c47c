"""The bass lines: one channel, four bars over the roots of the progression."""

from __future__ import annotations

import numpy as np

from ..vault.records import ENGINE_RATE
from . import voices
from .drums import clock
from .grid import Grid, Noise, Sound, lay
from .harmony import hertz
from .spectrum import bell, finish, low

Line = tuple[tuple[float, int, float, float], ...]
"""(beat, note, beats held, velocity) each."""

_LOW_WATER: Line = (
    (0.0, 38, 1.35, 0.95), (1.75, 38, 0.2, 0.6), (2.0, 45, 0.7, 0.75), (3.0, 41, 0.4, 0.7),
    (3.5, 36, 0.45, 0.75), (4.0, 34, 1.35, 0.95), (5.75, 34, 0.2, 0.6), (6.0, 41, 0.7, 0.75),
    (7.0, 38, 0.4, 0.7), (7.5, 40, 0.45, 0.7), (8.0, 41, 1.35, 0.95), (9.75, 41, 0.2, 0.6),
    (10.0, 36, 0.7, 0.75), (11.0, 45, 0.4, 0.65), (11.5, 40, 0.45, 0.7), (12.0, 36, 1.35, 0.95),
    (13.75, 36, 0.2, 0.6), (14.0, 43, 0.7, 0.75), (15.0, 40, 0.4, 0.7), (15.5, 36, 0.4, 0.75),
)  # fmt: skip

_KEEL: Line = (
    (0.0, 38, 0.9, 0.95), (1.0, 38, 0.4, 0.6), (1.5, 41, 0.4, 0.7), (2.0, 45, 0.9, 0.85),
    (3.0, 43, 0.4, 0.65), (3.5, 36, 0.4, 0.7), (4.0, 34, 0.9, 0.95), (5.0, 34, 0.4, 0.6),
    (5.5, 38, 0.4, 0.7), (6.0, 41, 0.9, 0.85), (7.0, 46, 0.4, 0.65), (7.5, 45, 0.4, 0.7),
    (8.0, 41, 0.9, 0.95), (9.0, 41, 0.4, 0.6), (9.5, 45, 0.4, 0.7), (10.0, 48, 0.9, 0.85),
    (11.0, 45, 0.4, 0.65), (11.5, 40, 0.4, 0.7), (12.0, 36, 0.9, 0.95), (13.0, 36, 0.4, 0.6),
    (13.5, 40, 0.4, 0.7), (14.0, 43, 0.9, 0.85), (15.0, 45, 0.4, 0.65), (15.5, 40, 0.4, 0.7),
)  # fmt: skip

_SLOW_SWELL: Line = (
    (0.0, 38, 3.3, 0.85), (3.5, 36, 0.45, 0.6), (4.0, 34, 3.7, 0.85),
    (8.0, 41, 2.9, 0.85), (11.0, 40, 0.9, 0.65), (12.0, 36, 2.9, 0.85), (15.0, 36, 0.9, 0.6),
)  # fmt: skip


def sung(grid: Grid, noise: Noise, line: Line, growl: float, slide: bool = False) -> Sound:
    loop = grid.silence(channels=1)
    before = line[-1][1]
    for beat, note, beats, velocity in line:
        softer = velocity * (1 + 0.05 * float(noise.random() - 0.5))
        sound = voices.bass(
            note, grid.seconds(beats), softer, growl=growl, slide_from=before if slide else None
        )
        lay(loop, sound, grid.frame(grid.swung(beat)))
        before = note
    return loop


def rounded(grid: Grid, noise: Noise, line: Line) -> Sound:
    """A line on a bass of few harmonics, a few milliseconds behind the beat."""
    loop = grid.silence(channels=1)
    for beat, note, beats, velocity in line:
        softer = velocity * (1 + 0.05 * float(noise.random() - 0.5))
        behind = int(noise.integers(0, 200))
        lay(loop, voices.deep(note, grid.seconds(beats), softer), grid.frame(grid.swung(beat)) + behind)
    return loop


def low_water(grid: Grid, noise: Noise) -> Sound:
    """Round, with a lift to the fifth and a step into the next bar."""
    return finish(sung(grid, noise, _LOW_WATER, 0.5), bell(250, -2, 0.9), bell(1800, 4, 0.6), low(7000))


def undertow(grid: Grid, noise: Noise) -> Sound:
    """Octaves against the beat, rougher."""
    line = []
    for bar, root in enumerate((38, 34, 41, 36)):
        for beat, up, beats, velocity in (
            (0.0, 0, 0.42, 1.0), (0.75, 0, 0.2, 0.6), (1.5, 12, 0.3, 0.85), (2.25, 0, 0.22, 0.65),
            (2.5, 0, 0.42, 0.9), (3.25, 12, 0.22, 0.7), (3.5, 7, 0.4, 0.75),
        ):  # fmt: skip
            line.append((4 * bar + beat, root + up, beats, velocity))
    return finish(sung(grid, noise, tuple(line), 0.75), bell(220, -2, 0.9), bell(1600, 4, 0.6), low(9000))


def plucked(grid: Grid, noise: Noise, line: Line, ring: float = 1.9, under: float = 0.42) -> Sound:
    """A line on a plucked bass, with a sine `under` it that keeps its body."""
    loop = grid.silence(channels=1)
    for beat, note, beats, velocity in line:
        string = voices.pluck(note, round(velocity, 2), ring, 0.12, 31)
        time = clock(len(string) / ENGINE_RATE)
        late = int(noise.integers(0, 120))
        damped = string * voices.held(time, grid.seconds(beats), 0.001, 0.09)
        body = voices.sine(hertz(note), len(time)) * voices.held(time, grid.seconds(beats), 0.008, 0.08)
        lay(loop, damped + np.float32(under * velocity) * body, grid.frame(grid.swung(beat)) + late)
    return loop


def keel(grid: Grid, noise: Noise) -> Sound:
    """A plucked bass that walks."""
    return finish(np.tanh(1.4 * plucked(grid, noise, _KEEL)), bell(260, -3, 0.9), low(4500))


def slow_swell(grid: Grid, noise: Noise) -> Sound:
    """Long notes that slide into each other."""
    return finish(sung(grid, noise, _SLOW_SWELL, 0.34, slide=True), bell(1600, 3, 0.6), low(5000))
