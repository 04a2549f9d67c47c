"""The one-shots of the stairs, the late train and the hills: drums for patterns, signals, and last chords."""

from __future__ import annotations

import numpy as np

from ..vault.records import ENGINE_RATE
from . import drums, dust, voices
from .drums import clock, closing, decay
from .grid import Grid, Sound, sine_of
from .harmony import LANDING, UP_LINE, WEATHER, Chord, hertz
from .hits import dry, placed
from .spectrum import HALL, QUAY, band, bell, filtered, finish, high, low

Noise = np.random.Generator


def stylus(grid: Grid, noise: Noise) -> Sound:
    """A needle that is set down: a thump, a skid, and a second of groove."""
    frames = int(1.5 * ENGINE_RATE)
    time = clock(1.5)
    thump = np.sin(2 * np.pi * 58 * time) * decay(time, 0.16) * np.minimum(time / np.float32(0.002), 1)
    skid = filtered(noise.standard_normal(frames, dtype=np.float32) * decay(time, 0.18), band(1500, 0.7))
    sound = dust.crackle(frames, noise, 40) * decay(time, 2.4) + (0.5 * thump + 0.35 * skid)
    return closing(finish(sound, high(50), low(7000), loop=False), 0.7)


def spin_back(grid: Grid, noise: Noise) -> Sound:
    """A record that is stopped by hand: chord, groove and all go down together."""
    seconds = 1.3
    time = clock(seconds)
    speed = np.clip(1 - time / np.float32(0.9), 0, 1) ** 0.7
    phase = np.cumsum(speed, dtype=np.float64) / ENGINE_RATE
    chord = np.zeros_like(time)
    for note in (57, 64, 67, 72):
        chord += voices.saw((hertz(note) * phase) % 1.0, 0.3 * speed, hertz(note), 4000)
    rub = filtered(noise.standard_normal(len(time), dtype=np.float32), band(1100, 0.6)) * speed
    sound = (0.25 * chord + 0.5 * rub) * np.minimum(speed * 4, 1) * np.minimum(time / np.float32(0.003), 1)
    return placed([(sound, 0.0, 1.0, 0.0)], 1.9, QUAY, 0.2, high(120), low(5000))


def doorbell(grid: Grid, noise: Noise) -> Sound:
    """Two notes of a house bell, E and C."""
    parts = [
        (voices.chime(76, 0.8, 1.8, 0.8), 0.0, 0.6, -0.2),
        (voices.chime(72, 0.7, 1.9, 0.8), 0.33, 0.6, 0.2),
    ]
    return placed(parts, 2.4, QUAY, 0.35, high(240), low(7000))


def knuckle(grid: Grid, noise: Noise) -> Sound:
    """A knuckle on a door."""
    return dry(drums.rim(noise, 1050), low(6000))


def worn_snare(grid: Grid, noise: Noise) -> Sound:
    return dry(drums.snare(noise, 178, 0.16, 0.4), low(6500))


def worn_kick(grid: Grid, noise: Noise) -> Sound:
    return dry(drums.kick(noise, 49, 0.32, 0.8, 2.0), low(6000))


def steel_clap(grid: Grid, noise: Noise) -> Sound:
    clap, snare = drums.clap(noise, 0.26), drums.snare(noise, 220, 0.12)
    clap[: len(snare)] += np.float32(0.3) * snare
    return dry(clap)


def rail_hat(grid: Grid, noise: Noise) -> Sound:
    return dry(drums.hat(noise, 0.06))


def coupling(grid: Grid, noise: Noise) -> Sound:
    """Two carriages meet: iron, and what hangs under them."""
    time = clock(1.8)
    boom = sine_of(43.65 * time + 90 * 0.04 * (1 - np.exp(-time / np.float32(0.04)))) * decay(time, 1.5)
    iron = np.zeros_like(time)
    for hz, life in ((174.6, 1.0), (449.0, 0.6), (701.0, 0.45), (1163.0, 0.3)):
        iron += voices.sine(hz, len(time)) * decay(time, life)
    slap = filtered(
        noise.standard_normal(len(time), dtype=np.float32) * decay(time, 0.2), low(3200), high(150)
    )
    sound = (np.tanh(1.5 * boom) + 0.12 * iron + 0.5 * slap) * np.minimum(time / np.float32(0.001), 1)
    return placed([(closing(sound, 0.3), 0.0, 1.0, 0.0)], 2.3, HALL, 0.32)


def brakes(grid: Grid, noise: Noise) -> Sound:
    """Air let out of brakes, over a bar and a half."""
    time = clock(grid.seconds(6))
    fall = time / time[-1]
    wind = noise.standard_normal((2, len(time)), dtype=np.float32)
    hiss = filtered(wind, high(2400), low(9000)) * (1 - fall) ** 3
    body = filtered(wind, band(700, 0.8)) * (1 - fall) ** 2
    sound = (0.6 * hiss + 0.5 * body) * np.minimum(time / np.float32(0.004), 1)
    return closing(finish(sound, high(200), room=QUAY, wet=0.35, loop=False), 0.6)


def two_tone(grid: Grid, noise: Noise) -> Sound:
    """The horn of an engine: F and C, then F and A flat."""
    parts = []
    for at, notes in ((0.0, (53, 60)), (0.7, (53, 56))):
        for note in notes:
            parts.append((voices.brass(note, 0.6, 0.7), at, 0.4, 0.3 if note > 55 else -0.3))
    return placed(parts, 2.6, HALL, 0.5, high(140), low(3200))


def valley_bell(grid: Grid, noise: Noise) -> Sound:
    """A bell on E and B, a long way down."""
    parts = [
        (voices.chime(64, 0.8, 4.0, 0.9), 0.0, 0.6, -0.1),
        (voices.chime(71, 0.5, 3.4, 0.6), 0.02, 0.4, 0.3),
    ]
    return placed(parts, 4.6, HALL, 0.45, high(150), low(6500))


def skin_drum(grid: Grid, noise: Noise) -> Sound:
    """A large drum under a soft beater."""
    time = clock(1.1)
    skin = sine_of(62 * time + 40 * 0.06 * (1 - np.exp(-time / np.float32(0.06)))) * decay(time, 0.9)
    brush = filtered(
        noise.standard_normal(len(time), dtype=np.float32) * decay(time, 0.08), low(900), high(120)
    )
    sound = (skin + 0.5 * brush) * np.minimum(time / np.float32(0.003), 1)
    return placed([(closing(sound, 0.3), 0.0, 1.0, 0.0)], 2.0, HALL, 0.3)


def _last(chord: Chord, seconds: float, noise: Noise, felt: bool) -> Sound:
    """A last chord that dies away over a low root, on a felted or a tine piano, with strings behind it."""
    dark, bright = voices.ensemble(chord.pad, seconds, noise, cents=13, slope=1.3, cutoff=1600)
    time = clock(seconds)
    away = (
        np.minimum(time / np.float32(0.6), 1)
        * np.clip((seconds - 0.3 - time) / np.float32(seconds), 0, 1) ** 2
    )
    strings = (0.7 * dark + 0.3 * bright)[:, : len(time)] * away
    root = voices.sine(hertz(chord.root if chord.root > 32 else chord.root + 12), len(time)) * decay(
        time, seconds
    )
    parts = [
        (strings, 0.0, 0.14, 0.0),
        (closing(root * np.minimum(time / np.float32(0.02), 1), 1.0), 0.0, 0.26, 0.0),
    ]
    for place, note in enumerate((chord.root + 12, *chord.keys, chord.top[0])):
        key = voices.felt(note, 3.1, 0.7) if felt else voices.electric_piano(note, 3.2, 0.7)
        parts.append((key, 0.03 * place, 0.3, (place - 2.5) * 0.16))
    return placed(parts, seconds + 0.8, HALL, 0.4, bell(300, -2.5, 0.8))


def last_stair(grid: Grid, noise: Noise) -> Sound:
    """A minor, on the tine piano."""
    return _last(LANDING[0], 4.6, noise, felt=False)


def terminus(grid: Grid, noise: Noise) -> Sound:
    """F minor, everybody out."""
    return _last(UP_LINE[0], 4.6, noise, felt=False)


def clear_sky(grid: Grid, noise: Noise) -> Sound:
    """G major: the weather has passed."""
    return _last(WEATHER[2], 6.4, noise, felt=True)
