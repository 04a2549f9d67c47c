"""The melodies: four bars each that answer the harmony and leave it room."""

from __future__ import annotations

from . import voices
from .grid import Grid, Noise, Sound, lay
from .harmony import PROGRESSION
from .low import Line
from .spectrum import CLUB, HALL, QUAY, bell, finish, high, low


def echoed(loop: Sound, grid: Grid, beats: float, level: float, times: int = 3) -> Sound:
    """Echoes in time, from side to side, that come round with the loop."""
    result = loop.copy()
    for count in range(1, times + 1):
        turned = loop[::-1] if count % 2 else loop
        lay(result, turned, grid.frame(count * beats), level**count)
    return result


def whistled(grid: Grid, noise: Noise, line: Line, channels: int = 2, *breath: float) -> Sound:
    """A line on a pipe, in one breath."""
    sung = [(grid.seconds(beat), note, grid.seconds(beats), velocity) for beat, note, beats, velocity in line]
    loop = grid.silence(channels)
    lay(loop, voices.whistle(sung, noise, *breath), 0, 0.6)
    return loop


def ferry_bell(grid: Grid, noise: Noise) -> Sound:
    """Few bells, far apart."""
    line = (
        (0.0, 81, 0.8), (1.5, 84, 0.6), (2.5, 76, 0.55), (4.5, 86, 0.7),
        (6.0, 81, 0.55), (7.0, 77, 0.45), (8.0, 79, 0.8), (9.5, 84, 0.6),
        (10.5, 76, 0.55), (12.5, 74, 0.7), (14.0, 79, 0.55), (15.0, 76, 0.45),
    )  # fmt: skip
    loop = grid.silence()
    for count, (beat, note, velocity) in enumerate(line):
        lay(loop, voices.chime(note, velocity, 2.4, 0.6), grid.frame(beat), 0.4, 0.4 * (-1) ** count)
    loop = echoed(loop, grid, 0.75, 0.34)
    return finish(loop, high(250), bell(3200, 3, 0.6), low(14_000), room=HALL, wet=0.28)


def mooring_line(grid: Grid, noise: Noise) -> Sound:
    """A plucked figure that turns three against four."""
    loop = grid.silence()
    for bar, chord in enumerate(PROGRESSION):
        notes = sorted({note + 12 for note in chord.keys} | set(chord.top))
        order = (0, 2, 4, 3, 1, 4, 2, 3, 4, 1)
        beats = (0.0, 0.5, 0.75, 1.25, 1.5, 2.0, 2.25, 2.75, 3.25, 3.5)
        for place, beat in zip(order, beats, strict=True):
            velocity = 0.9 if beat in (0.0, 0.75, 1.5, 2.25) else 0.6
            note = notes[place % len(notes)]
            late = int(noise.integers(-100, 140))
            sound = voices.pluck(note, velocity, 1.1, 0.62, 9)
            lay(loop, sound, grid.frame(grid.swung(4 * bar + beat)) + late, 0.5, 0.5 * (place - 2) / 2)
    loop = echoed(loop, grid, 0.75, 0.25, 2)
    return finish(loop, high(220), bell(3200, 2.5, 0.7), low(13_000), room=CLUB, wet=0.25)


def far_lamp(grid: Grid, noise: Noise) -> Sound:
    """A pipe that sings the tune."""
    line = (
        (0.0, 69, 1.3, 0.7), (1.5, 72, 0.4, 0.6), (2.0, 76, 1.3, 0.85), (3.5, 74, 0.45, 0.65),
        (4.0, 74, 0.9, 0.75), (5.0, 72, 0.4, 0.6), (5.5, 69, 1.9, 0.7), (8.0, 67, 0.4, 0.6),
        (8.5, 69, 0.4, 0.65), (9.0, 72, 1.3, 0.8), (10.5, 76, 0.4, 0.75), (11.0, 79, 0.9, 0.9),
        (12.0, 76, 1.4, 0.8), (13.5, 74, 0.4, 0.65), (14.0, 72, 0.45, 0.6), (14.5, 67, 1.0, 0.55),
    )  # fmt: skip
    loop = echoed(whistled(grid, noise, line), grid, 1.5, 0.22, 2)
    return finish(loop, high(220), bell(3000, 6, 0.5), low(11_000), room=HALL, wet=0.28)


def brass_buttons(grid: Grid, noise: Noise) -> Sound:
    """A short brass riff that asks, and in the fourth bar answers."""
    line = (
        (0.0, 74, 0.22, 0.8), (0.75, 72, 0.2, 0.65), (1.5, 69, 0.4, 0.85), (2.5, 72, 0.22, 0.7),
        (3.0, 74, 0.6, 0.85), (4.0, 74, 0.22, 0.8), (4.75, 72, 0.2, 0.65), (5.5, 69, 0.4, 0.85),
        (6.5, 65, 0.9, 0.75), (8.0, 72, 0.22, 0.8), (8.75, 72, 0.2, 0.65), (9.5, 69, 0.4, 0.85),
        (10.5, 72, 0.22, 0.7), (11.0, 76, 0.6, 0.9), (12.0, 74, 0.8, 0.85), (13.25, 72, 0.2, 0.7),
        (13.5, 69, 0.4, 0.75), (14.5, 67, 1.0, 0.8),
    )  # fmt: skip
    loop = grid.silence()
    for beat, note, beats, velocity in line:
        at = grid.frame(grid.swung(beat)) + int(noise.integers(-90, 160))
        lay(loop, voices.brass(note, grid.seconds(beats), velocity), at, 0.4)
        lay(loop, voices.brass(note - 12, grid.seconds(beats), round(velocity * 0.7, 2)), at, 0.28)
    tone = (high(200), bell(340, -2, 0.9), bell(3000, 6, 0.5), low(12_000))
    return finish(loop, *tone, room=QUAY, wet=0.26, wide=1.2)


def night_bus(grid: Grid, noise: Noise) -> Sound:
    """A thumb piano going round."""
    loop = grid.silence()
    bars = (
        (74, 69, 72, 77, 69, 74, 76),
        (74, 69, 72, 77, 69, 74, 77),
        (72, 69, 76, 79, 69, 72, 76),
        (74, 67, 72, 76, 67, 74, 79),
    )
    for bar, notes in enumerate(bars):
        for place, (beat, note) in enumerate(zip((0.0, 0.5, 1.0, 1.5, 2.25, 2.75, 3.5), notes, strict=True)):
            velocity = round((0.9 if place in (0, 3) else 0.6) * (1 + 0.1 * float(noise.random() - 0.5)), 2)
            late = int(noise.integers(-120, 120))
            at = grid.frame(grid.swung(4 * bar + beat)) + late
            lay(loop, voices.kalimba(note, velocity), at, 0.5, 0.3 * (-1) ** place)
    loop = echoed(loop, grid, 0.75, 0.3)
    return finish(loop, high(200), bell(3200, 5, 0.6), low(14_000), room=CLUB, wet=0.28, wide=1.1)
