"""The harmony loops: four bars of chords, played by different hands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..vault.records import ENGINE_RATE
from . import voices
from .drums import clock, closing
from .grid import Grid, Noise, Sound, lay, turning
from .harmony import PROGRESSION, Progression, hertz
from .spectrum import CLUB, QUAY, bell, finish, high, low

Hits = tuple[tuple[float, float, float], ...]
"""(beat of the bar, beats held, velocity) of each chord."""


def late(noise: Noise, milliseconds: float) -> int:
    """A hand's unevenness: never more than twice `milliseconds`."""
    return round(float(np.clip(noise.standard_normal(), -2, 2)) * milliseconds * ENGINE_RATE / 1000)


def comp(grid: Grid, noise: Noise, chords: Progression, bars: tuple[Hits, ...], with_top: bool) -> Sound:
    """Chords on the tine piano: low notes to the left, the hand rolled by a few milliseconds."""
    loop = grid.silence()
    for bar, chord in enumerate(chords):
        for beat, beats, velocity in bars[bar % len(bars)]:
            at = grid.frame(grid.swung(4 * bar + beat)) + late(noise, 2.5)
            notes = chord.keys + (chord.top[:1] if with_top or velocity > 0.75 else ())
            for place, note in enumerate(notes):
                touch = round(
                    velocity * (0.92 if place in (1, 2) else 1.0) + 0.05 * float(noise.random() - 0.5), 2
                )
                sound = voices.electric_piano(note, grid.seconds(beats), touch)
                rolled = at + place * int(0.004 * ENGINE_RATE) + late(noise, 0.8)
                lay(loop, sound, rolled, 0.3, (place - 2) * 0.14)
    return loop


def handful(notes: Sequence[tuple[Sound, float]], roll_ms: float) -> Sound:
    """A chord as one sound of two channels: (note, pan) each, the hand rolled upwards by `roll_ms` a note."""
    roll = int(roll_ms * ENGINE_RATE / 1000)
    frames = max(sound.shape[-1] for sound, _ in notes) + roll * (len(notes) - 1)
    chord = np.zeros((2, frames), np.float32)
    for place, (sound, pan) in enumerate(notes):
        lay(chord, sound, place * roll, 1.0, pan)
    return chord


def let_go(sound: Sound, seconds: float, release: float = 0.1) -> Sound:
    """The beginning of a sound, as long as its keys are down."""
    frames = min(int((seconds + release) * ENGINE_RATE), sound.shape[-1])
    return closing(sound[..., :frames].copy(), min(release, frames / ENGINE_RATE))


def panned(loop: Sound, turns: int, depth: float) -> Sound:
    """A tremolo that wanders from side to side, in whole turns."""
    swing = np.float32(depth) * turning(loop.shape[1], turns)
    return loop * np.stack((1 + swing, 1 - swing))


def window_seat(grid: Grid, noise: Noise) -> Sound:
    """Warm chords that leave room, each bar answered off the beat."""
    bars: tuple[Hits, ...] = (
        ((0.0, 2.2, 0.78), (2.75, 0.3, 0.5), (3.5, 0.4, 0.42)),
        ((0.0, 1.6, 0.74), (1.75, 0.5, 0.48), (2.75, 1.0, 0.56)),
        ((0.0, 2.2, 0.78), (2.75, 0.3, 0.5), (3.5, 0.4, 0.42)),
        ((0.0, 1.1, 0.74), (1.5, 0.3, 0.46), (2.25, 1.3, 0.6), (3.75, 0.2, 0.4)),
    )
    loop = panned(comp(grid, noise, PROGRESSION, bars, with_top=False), 8 * grid.bars // 4 * 2, 0.22)
    return finish(loop, high(110), bell(310, -3, 0.8), bell(3000, 6, 0.5), room=CLUB, wet=0.22, wide=1.2)


def second_window(grid: Grid, noise: Noise) -> Sound:
    """Short bright stabs, three against two."""
    one: Hits = ((0.0, 0.3, 0.8), (0.75, 0.25, 0.62), (1.5, 0.35, 0.85), (2.5, 0.25, 0.7), (3.25, 0.35, 0.78))
    two: Hits = ((0.0, 0.3, 0.8), (0.75, 0.25, 0.62), (1.5, 0.35, 0.85), (2.25, 0.2, 0.6), (2.75, 0.5, 0.82))
    loop = comp(grid, noise, PROGRESSION, (one, two), with_top=True)
    for bar, chord in enumerate(PROGRESSION):
        for beat, beats, velocity in (one, two)[bar % 2]:
            for place, note in enumerate((*chord.keys, chord.top[0])):
                stab = voices.brass(note, grid.seconds(beats) * 0.7, round(velocity * 0.55, 2))
                lay(loop, stab, grid.frame(grid.swung(4 * bar + beat)), 0.05, (place - 2) * 0.2)
    return finish(loop, high(150), bell(350, -3, 0.8), bell(3200, 5, 0.5), room=CLUB, wet=0.24, wide=1.25)


def net_menders(grid: Grid, noise: Noise) -> Sound:
    """Two nylon strings picking through the chords."""
    loop = grid.silence()
    order = (0, 2, 3, 1, 4, 2, 3, 1)
    for bar, chord in enumerate(PROGRESSION):
        notes = (chord.root + 12 if chord.root > 34 else 46, *chord.keys, *chord.top)
        for step, place in enumerate(order):
            beat = 4 * bar + step / 2
            velocity = (0.85 if step in (0, 3, 6) else 0.58) * (1 + 0.1 * float(noise.random() - 0.5))
            string = voices.pluck(notes[place], round(velocity, 1), 1.5, 0.55, 7)
            lay(loop, string, grid.frame(beat) + late(noise, 3), 0.5, -0.35 + 0.1 * place)
        for beat, place in ((1.75, 5), (3.25, 6)):
            string = voices.pluck(notes[place], 0.5, 1.4, 0.65, 8)
            lay(loop, string, grid.frame(grid.swung(4 * bar + beat)) + late(noise, 3), 0.45, 0.45)
    return finish(loop, high(90), bell(240, -2.5, 0.9), bell(3000, 5, 0.6), low(12_000), room=QUAY, wet=0.2)


def glass_ferry(grid: Grid, noise: Noise) -> Sound:
    """A soft organ whose turning speaker is four bars round."""
    loop = grid.silence()
    for bar, chord in enumerate(PROGRESSION):
        time = clock(grid.seconds(4.25))
        frames = len(time)
        shape = voices.held(time, grid.seconds(3.9), 0.06, grid.seconds(0.35))
        for place, note in enumerate((*chord.keys, chord.top[0])):
            pitch = hertz(note)
            pipes = (
                voices.sine(pitch, frames)
                + 0.45 * voices.sine(2 * pitch, frames)
                + 0.2 * voices.sine(3 * pitch, frames)
                + 0.16 * voices.sine(4 * pitch, frames)
                + 0.1 * voices.sine(8 * pitch, frames)
                + 0.06 * voices.sine(12 * pitch, frames)
            )
            lay(loop, pipes * shape, grid.frame(4 * bar) + late(noise, 2), 0.16, (place - 2) * 0.1)
    swirl = turning(grid.frames, 26)
    loop *= np.stack((1 + 0.2 * swirl, 1 - 0.2 * swirl)) * (1 + 0.08 * turning(grid.frames, 52, 0.2))
    pulse = grid.silence(1)[0]
    for beat in range(grid.beats * 2):
        soft = np.hanning(int(grid.seconds(0.5) * ENGINE_RATE)).astype(np.float32)
        lay(pulse[None], soft, grid.frame(beat / 2), 0.5 if beat % 2 else 0.28)
    return finish(loop * (0.6 + pulse), high(120), bell(300, -2, 0.9), room=QUAY, wet=0.22, wide=1.2)
