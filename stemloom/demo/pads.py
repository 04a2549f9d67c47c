"""The pads: chords of many players that follow the harmony, and a texture that needs none."""

from __future__ import annotations

import numpy as np

from ..vault.records import ENGINE_RATE
from . import voices
from .drums import clock
from .grid import Grid, Noise, Sound, lay, turning, white
from .harmony import PROGRESSION, Progression
from .spectrum import HALL, QUAY, bell, filtered, finish, high, low


def melting(
    grid: Grid,
    noise: Noise,
    chords: Progression,
    *,
    cents: float,
    slope: float,
    cutoff: float,
    opening: Sound,
    vowel: bool = False,
    up: int = 0,
) -> Sound:
    """Each chord for a quarter of the loop, melting into the next. `opening`: 0 dark to 1 bright."""
    loop = grid.silence()
    beats = grid.beats // len(chords)
    bar_frames, melt = int(grid.seconds(beats) * ENGINE_RATE), int(grid.seconds(1) * ENGINE_RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, melt, dtype=np.float32))
    shape = np.concatenate((rise, np.ones(bar_frames - melt, np.float32), rise[::-1]))
    for bar, chord in enumerate(chords):
        notes = tuple(note + up for note in chord.pad)
        seconds = len(shape) / ENGINE_RATE
        dark, bright = voices.ensemble(
            notes, seconds, noise, cents=cents, slope=slope, cutoff=cutoff, vowel=vowel
        )
        first = grid.frame(beats * bar) - melt // 2
        light = np.take(opening, np.arange(first, first + len(shape)), mode="wrap")
        part = dark[:, : len(shape)] + (bright - dark)[:, : len(shape)] * light
        lay(loop, part * shape, first, 0.2)
    return loop


def fog_bank(grid: Grid, noise: Noise) -> Sound:
    """Low strings behind a filter that opens once in four bars."""
    opening = 0.4 + 0.35 * turning(grid.frames, 1, 0.75)
    loop = melting(grid, noise, PROGRESSION, cents=14, slope=1.1, cutoff=2800, opening=opening)
    return finish(loop, high(130), bell(280, -4, 0.7), bell(3000, 3, 0.6), room=QUAY, wet=0.3, wide=1.1)


def sodium_light(grid: Grid, noise: Noise) -> Sound:
    """Bright strings that breathe with the half bar."""
    pulse = 0.78 + 0.22 * turning(grid.frames, 2 * grid.bars, 0.0)
    opening = 0.5 + 0.3 * turning(grid.frames, 2, 0.75)
    loop = melting(grid, noise, PROGRESSION, cents=18, slope=0.95, cutoff=4600, opening=opening) * pulse
    return finish(loop, high(190), bell(330, -4, 0.7), room=QUAY, wet=0.25, wide=1.1)


def long_exposure(grid: Grid, noise: Noise) -> Sound:
    """Voices without words, far away."""
    opening = 0.6 + 0.3 * turning(grid.frames, 1, 0.25)
    loop = melting(grid, noise, PROGRESSION, cents=24, slope=0.65, cutoff=3800, opening=opening, vowel=True)
    return finish(loop, high(170), bell(420, -2, 0.9), low(9000), room=HALL, wet=0.45)


def breathing_water(grid: Grid, noise: Noise) -> Sound:
    """Water against a quay over the notes that all four chords have in common (D, A, C)."""
    frames = grid.frames
    tones, _ = voices.ensemble(
        (50, 57, 62, 69, 72), frames / ENGINE_RATE, noise, cents=9, slope=1.3, cutoff=3400
    )
    breath = 0.62 + 0.38 * turning(frames, 3, 0.6)
    waves = filtered(white(noise, 2, frames), low(1500, 0.5), high(260))
    crest = np.stack([(0.5 + 0.5 * turning(frames, 2, phase)) ** 2 for phase in (0.0, 0.12)])
    hiss = filtered(white(noise, 2, frames), high(2500), low(12_000))
    sound = tones[:, :frames] * breath * 0.5 + waves * crest * 0.12 + hiss * crest**2 * 0.09
    return finish(sound, high(110), bell(300, -3, 0.7), room=QUAY, wet=0.3, wide=0.7)


def far_shore(grid: Grid, noise: Noise) -> Sound:
    """A single high fifth that comes and goes."""
    frames = grid.frames
    tones, light = voices.ensemble(
        (69, 76, 81, 88), frames / ENGINE_RATE, noise, cents=12, slope=1.3, cutoff=4500
    )
    blend = 0.5 + 0.5 * turning(frames, 2, 0.1)
    low_tone, _ = voices.ensemble((57, 64), frames / ENGINE_RATE, noise, cents=8, slope=1.8, cutoff=1500)
    sound = (
        tones[:, :frames] + (light - tones)[:, :frames] * blend + 0.8 * low_tone[:, :frames] * (1.2 - blend)
    )
    return finish(sound * (0.75 + 0.25 * turning(frames, 5, 0.3)), high(180), room=HALL, wet=0.5, wide=1.2)


def swell(noise: Noise) -> Sound:
    """The last chord's strings: they rise, stay and are gone by the end."""
    seconds = 6.5
    dark, bright = voices.ensemble((50, 57, 60, 65, 69, 76), seconds, noise, cents=13, slope=1.3, cutoff=1800)
    time = clock(seconds)
    shape = (
        np.minimum(time / np.float32(0.9), 1) * np.clip((seconds - 0.3 - time) / np.float32(4.5), 0, 1) ** 2
    )
    frames = len(time)
    result: Sound = (dark[:, :frames] * 0.7 + bright[:, :frames] * 0.3) * shape.astype(np.float32)
    return result
