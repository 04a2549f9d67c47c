"""The stems of `slow_weather.loom`: E minor, in three at 72 bpm, and textures without any bars."""

from __future__ import annotations

import numpy as np

from ..vault.records import ENGINE_RATE
from . import drums, low, voices
from .drums import clock, closing, decay
from .grid import Grid, Noise, Sound, lay, sine_of, turning, white
from .harmony import HILLS, VALLEYS, WEATHER, Progression, hertz
from .hits import last_chord, placed
from .keys import late
from .melodies import echoed, whistled
from .pads import melting
from .recipe import INES, LIO, MARIT, OKONJO, SYNC, TIDEWATER, Recipe
from .spectrum import HALL, QUAY, Room, bell, filtered, finish, high, low as lowpass

VALLEY = Room(3.6, 0.04, 2400, 15)
BEATS_A_CHORD = 3


def held_breath(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Low strings, bowed so slowly that the bow is not heard to turn."""
    opening = 0.35 + 0.3 * turning(grid.frames, 2, 0.75)
    loop = melting(grid, noise, chords, cents=13, slope=1.05, cutoff=2800, opening=opening)
    return finish(loop, high(85), bell(260, -4, 0.7), bell(3000, 3, 0.6), room=HALL, wet=0.35)


def glass_field(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """The same chords, thin and an octave up, with light moving through them."""
    opening = 0.5 + 0.35 * turning(grid.frames, 3, 0.1)
    loop = melting(grid, noise, chords, cents=9, slope=1.1, cutoff=6500, opening=opening, up=12)
    loop *= 0.82 + 0.18 * turning(grid.frames, 12, 0.0)
    return finish(loop, high(260), bell(500, -2, 0.8), bell(3200, 5, 0.6), room=VALLEY, wet=0.4, wide=0.9)


def felt_hammers(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """A felted piano in three: the low note, then two and three, each time a little otherwise."""
    loop = grid.silence()
    for number, chord in enumerate(chords):
        start = BEATS_A_CHORD * number
        low_note = chord.root + (12 if chord.root < 43 else 0)
        for beat, note, beats, velocity in (
            (0.0, low_note, 2.8, 0.7), (1.0, chord.keys[1], 1.4, 0.5), (1.0, chord.keys[2], 1.4, 0.4),
            (1.5, chord.keys[3], 1.3, 0.5), (2.0, chord.keys[2], 0.9, 0.4), (2.5, chord.top[0], 0.9, 0.4),
        ):  # fmt: skip
            sound = voices.felt(note, grid.seconds(beats), velocity)
            lay(loop, sound, grid.frame(start + beat) + late(noise, 7), 0.4, (note - 62) / 34)
    return finish(loop, high(70), bell(260, -3, 0.8), bell(3400, 8, 0.5), room=HALL, wet=0.26)


def slow_harp(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Strings that are let ring: up one chord and down the next."""
    loop = grid.silence()
    for number, chord in enumerate(chords):
        notes = (chord.root + 12, *chord.keys, *chord.top)
        order = (0, 1, 2, 3, 4, 5, 6) if number % 2 == 0 else (0, 6, 5, 4, 3, 2, 1)
        for step, place in enumerate(order):
            beat = BEATS_A_CHORD * number + (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)[step]
            string = voices.pluck(notes[place], 0.8 if step == 0 else 0.6, 2.6, 0.7, 45)
            lay(loop, string, grid.frame(beat) + late(noise, 8), 0.5, 0.16 * (place - 3))
    tone = (high(80), bell(240, -2, 0.8), bell(3500, 4, 0.6), lowpass(15_000))
    return finish(loop, *tone, room=HALL, wet=0.3)


_ONE_LINE = (
    (0.0, 59, 1.7, 0.6), (2.0, 62, 0.8, 0.55), (3.0, 64, 1.7, 0.7), (5.0, 67, 0.8, 0.65), (6.0, 62, 2.3, 0.7),
    (8.5, 59, 0.4, 0.5), (9.0, 60, 1.3, 0.6), (10.5, 64, 1.3, 0.6),
)  # fmt: skip


def one_line(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """One player, one breath a phrase."""
    loop = echoed(whistled(grid, noise, _ONE_LINE, 2, 0.4), grid, 2, 0.25, 2)
    return finish(loop, high(180), bell(3000, 8, 0.5), lowpass(13_000), room=VALLEY, wet=0.38)


def sleeping_celesta(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Few small bells: one says, one answers."""
    loop = grid.silence()
    for number, chord in enumerate(chords):
        for count, note in enumerate((chord.top[1], chord.top[0], chord.keys[2] + 12)):
            at = grid.frame(BEATS_A_CHORD * number + count) + late(noise, 9)
            chime = voices.chime(note, 0.6 - 0.1 * count, 2.8, 0.8)
            lay(loop, chime, at, 0.4, 0.4 * (-1) ** (count + number))
    return finish(echoed(loop, grid, 0.75, 0.3, 2), high(260), bell(4500, 5, 0.5), room=VALLEY, wet=0.36)


def root_of_the_hill(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Long low notes that swell and sink."""
    line = []
    for number, chord in enumerate(chords):
        start = float(BEATS_A_CHORD * number)
        line += [(start, chord.root, 1.9, 0.8), (start + 2.0, chord.root, 0.9, 0.6)]
    sung = low.rounded(grid, noise, tuple(line))
    swell = (0.75 + 0.25 * turning(grid.frames, 4, 0.0))[None]
    return finish(sung * swell, bell(240, -1.5, 0.9), lowpass(4000))


def wind_in_wires(grid: Grid, noise: Noise) -> Sound:
    """Telegraph wires on E and B, which all four chords can bear, and the wind that plays them."""
    frames = grid.frames
    tones, light = voices.ensemble(
        (52, 59, 64, 71, 76), frames / ENGINE_RATE, noise, cents=8, slope=1.1, cutoff=4200
    )
    gusts = 0.55 + 0.3 * turning(frames, 2, 0.6) + 0.15 * turning(frames, 5, 0.2)
    wires = tones[:, :frames] + (light - tones)[:, :frames] * (0.5 + 0.4 * turning(frames, 3, 0.4))
    wind = filtered(white(noise, 2, frames), lowpass(5200, 0.6), high(220))
    sound = wires * gusts * 0.5 + wind * gusts**2 * 0.14
    return finish(sound, high(110), bell(300, -2, 0.7), room=HALL, wet=0.35, wide=0.7)


def under_ice(grid: Grid, noise: Noise) -> Sound:
    """A low E that shifts its weight, and small cracks far away."""
    frames = grid.frames
    tone, light = voices.ensemble(
        (40, 47, 52, 59), frames / ENGINE_RATE, noise, cents=10, slope=1.0, cutoff=2400
    )
    slow = 0.6 + 0.4 * turning(frames, 2, 0.7)
    bed = tone[:, :frames] * (1.3 - slow) + light[:, :frames] * slow
    for _ in range(7):
        note = (64, 71, 76, 83)[int(noise.integers(4))]
        side = 1.6 * float(noise.random()) - 0.8
        lay(bed, voices.chime(note, 0.4, 1.5, 1.2), int(noise.integers(frames)), 0.16, side)
    return finish(bed, high(60), bell(220, -2, 0.8), lowpass(12_000), room=VALLEY, wet=0.4)


def rain_far_off(grid: Grid, noise: Noise) -> Sound:
    """Rain on the next hill: a soft hiss that comes and goes, with drops that are near."""
    frames = grid.frames
    hiss = filtered(white(noise, 2, frames), high(1200), lowpass(11_000), bell(2600, 3, 0.6))
    bed = hiss * (0.05 + 0.02 * turning(frames, 2) + 0.015 * turning(frames, 5, 0.4))
    for _ in range(int(6 * frames / ENGINE_RATE)):
        loud = 0.02 + 0.2 * float(noise.random()) ** 5
        drop = drums.drop(noise)
        lay(bed, drop, int(noise.integers(frames)), loud, 1.8 * float(noise.random()) - 0.9)
    return finish(bed, high(300), room=QUAY, wet=0.3, wide=0.5)


def gust(grid: Grid, noise: Noise) -> Sound:
    """A gust that swells over two bars of three and falls in a breath."""
    frames = grid.frame(6) + ENGINE_RATE
    time = np.arange(frames, dtype=np.float32) / np.float32(grid.frame(6))
    rise = np.clip(time, 0, 1)
    wind = filtered(white(noise, 2, frames), lowpass(3600, 0.7), high(200))
    sound = wind * rise**1.8
    after = np.maximum(time - 1, 0) * np.float32(grid.frame(6) / ENGINE_RATE)
    sound *= np.exp(-after * np.float32(5))
    pitch = hertz(64)
    tone = voices.sine(pitch, frames) + voices.sine(pitch * 1.5, frames) * np.float32(0.7)
    sound += 0.12 * tone * rise**2.5 * np.exp(-after * np.float32(4))
    return drums.closing(finish(sound, high(150), room=HALL, wet=0.4, loop=False), 0.6)


def valley_bell(grid: Grid, noise: Noise) -> Sound:
    """A bell on E and B, a long way down."""
    parts = [
        (voices.chime(64, 0.8, 4.0, 0.9), 0.0, 0.6, -0.1),
        (voices.chime(71, 0.5, 3.4, 0.6), 0.02, 0.4, 0.3),
    ]
    return placed(parts, 4.6, HALL, 0.45, high(150), lowpass(6500))


def skin_drum(grid: Grid, noise: Noise) -> Sound:
    """A large drum under a soft beater."""
    time = clock(1.1)
    skin = sine_of(62 * time + 40 * 0.06 * (1 - np.exp(-time / np.float32(0.06)))) * decay(time, 0.9)
    brush = filtered(white(noise, len(time)) * decay(time, 0.08), lowpass(900), high(120))
    sound = (skin + 0.5 * brush) * np.minimum(time / np.float32(0.003), 1)
    return placed([(closing(sound, 0.3), 0.0, 1.0, 0.0)], 2.0, HALL, 0.3)


clear_sky = last_chord(WEATHER[2], 6.4, felt=True)
"""G major: the weather has passed."""


# fmt: off
RECIPES = (
    Recipe("Held Breath", TIDEWATER, "pads", held_breath, "still", 0.15, 72, 3, key=HILLS,
           chords=WEATHER),
    Recipe("Glass Field", LIO, "pads", glass_field, "still thin", 0.25, 72, 3, key=VALLEYS,
           chords=WEATHER),
    Recipe("Wind in Wires", TIDEWATER, "pads", wind_in_wires, "weather", 0.1, 72, 2, key=HILLS,
           shape="sustained", uses=SYNC),
    Recipe("Under Ice", INES, "pads", under_ice, "weather", 0.1, 72, 2, key=HILLS, shape="sustained"),
    Recipe("Rain, Far Off", TIDEWATER, "fx", rain_far_off, "rain", 0.1, 72, 2, shape="sustained"),
    Recipe("Felt Hammers", MARIT, "harmony", felt_hammers, "still", 0.3, 72, 3, key=HILLS,
           chords=WEATHER),
    Recipe("Slow Harp", LIO, "harmony", slow_harp, "still", 0.3, 72, 3, key=VALLEYS, chords=WEATHER),
    Recipe("One Line", INES, "melody", one_line, "still", 0.35, 72, 3, key=HILLS, chords=WEATHER,
           publishing={INES: 60, TIDEWATER: 40}),
    Recipe("Sleeping Celesta", LIO, "melody", sleeping_celesta, "still", 0.25, 72, 3, key=VALLEYS,
           chords=WEATHER),
    Recipe("Root of the Hill", OKONJO, "bass", root_of_the_hill, "still", 0.2, 72, 3, key=HILLS,
           chords=WEATHER),
    Recipe("Valley Bell", INES, "fx", valley_bell, "valley", 0.2, key=HILLS, shape="hit"),
    Recipe("Skin Drum", TIDEWATER, "beats", skin_drum, "skin", 0.3, shape="hit"),
    Recipe("Gust", TIDEWATER, "fx", gust, "gust", 0.3, 72, shape="hit"),
    Recipe("Clear Sky", MARIT, "harmony", clear_sky, "clear", 0.2, key=VALLEYS, shape="hit"),
)
# fmt: on
