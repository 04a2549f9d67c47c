"""One-shots: the harbour's, and how those of all scripts are placed in a room. All end in silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..vault.records import ENGINE_RATE
from . import drums, pads, voices
from .drums import clock, closing, decay
from .grid import Grid, Noise, Sound, lay, sine_of, white
from .harmony import PROGRESSION, Chord, hertz
from .recipe import Player
from .spectrum import CLOSET, HALL, QUAY, Filter, Room, band, bell, filtered, finish, high, low, swept


def placed(
    parts: list[tuple[Sound, float, float, float]], seconds: float, room: Room, wet: float, *filters: Filter
) -> Sound:
    """Parts (sound, second, gain, pan) in a room, with a tail that fades to nothing."""
    stage = np.zeros((2, int(seconds * ENGINE_RATE)), np.float32)
    for sound, at, gain, pan in parts:
        room_left = stage.shape[1] - int(at * ENGINE_RATE)
        lay(stage, sound[..., :room_left], int(at * ENGINE_RATE), gain, pan)
    return closing(finish(stage, *filters, room=room, wet=wet, loop=False), 0.45 * seconds)


def gathering(grid: Grid, noise: Noise) -> Sound:
    """Wind that rises, and a fifth that climbs with it, through all bars. It peaks at the next bar line."""
    peak = grid.frames
    time = clock(grid.seconds(grid.beats) + 0.25)
    rise = np.clip(time * np.float32(ENGINE_RATE / peak), 0, 1)
    wind = white(noise, 2, len(time))
    sound = swept(wind, 6.5 * rise)
    pitch = 293.66 * 2 ** (rise.astype(np.float64) ** 2)
    tone = sum(
        (
            voices.saw(voices.turns(pitch * ratio, len(time)), 0.1 + 0.4 * rise, 900, 6000)
            for ratio in (0.998, 1.5, 1.003)
        ),
        np.zeros_like(time),
    )
    sound = sound * rise**1.7 + 0.16 * tone * rise**2.2
    sound[:, peak:] *= decay(time[peak:] - time[peak], 0.2)
    return closing(finish(sound, high(250), bell(3800, -3, 0.7), room=QUAY, wet=0.3, loop=False), 0.12)


def hull(grid: Grid, noise: Noise) -> Sound:
    """A deep knock on steel, and the harbour's answer."""
    time = clock(2.2)
    boom = sine_of(36.7 * time + 70 * 0.05 * (1 - np.exp(-time / np.float32(0.05)))) * decay(time, 1.9)
    steel = sum(
        (
            voices.sine(hz, len(time)) * decay(time, life)
            for hz, life in ((146.8, 1.3), (391.0, 0.7), (643.0, 0.5))
        ),
        np.zeros_like(time),
    )
    slap = filtered(white(noise, len(time)) * decay(time, 0.25), low(2600), high(120))
    sound = np.tanh(1.6 * boom) + 0.14 * steel + 0.5 * slap
    return placed(
        [(closing(sound * np.minimum(time / np.float32(0.001), 1), 0.4), 0, 1.0, 0.0)], 3.6, HALL, 0.35
    )


def ebb(grid: Grid, noise: Noise) -> Sound:
    """Air that falls away over two bars: for the start of a section."""
    time = clock(grid.seconds(8))
    fall = time / time[-1]
    wind = white(noise, 2, len(time))
    sound = np.zeros((2, len(time)), np.float32)
    for place, centre in enumerate(np.geomspace(9000, 350, 7)):
        sound += filtered(wind, band(float(centre), 1.2)) * np.exp(-((6.0 * fall**0.6 - place) ** 2) / 1.2)
    sound *= (1 - fall) ** 2.2 * np.minimum(time / np.float32(0.004), 1)
    return closing(finish(sound, high(200), bell(3800, -3, 0.7), room=QUAY, wet=0.4, loop=False), 0.6)


def bell_buoy(grid: Grid, noise: Noise) -> Sound:
    """A buoy's bell on D and A."""
    parts = [
        (voices.chime(74, 0.9, 3.4, 1.1), 0.0, 0.7, -0.15),
        (voices.chime(81, 0.6, 3.0, 0.8), 0.012, 0.4, 0.25),
    ]
    return placed(parts, 4.4, HALL, 0.35, high(220), low(9000))


def lantern(grid: Grid, noise: Noise) -> Sound:
    """A run of small bells up the ninth chord of D minor."""
    notes = (74, 77, 81, 84, 88, 86, 89, 93)
    parts = [
        (voices.chime(note, 0.4 + 0.05 * i, 1.6, 0.4), 0.075 * i, 0.5, -0.7 + 0.2 * i)
        for i, note in enumerate(notes)
    ]
    return placed(parts, 3.4, HALL, 0.4, high(400), low(9500))


def foghorn(grid: Grid, noise: Noise) -> Sound:
    """A ship's horn on D, out beyond the mole."""
    time = clock(2.6)
    opening = 0.42 * np.minimum(time / np.float32(0.35), 1) * np.ones_like(time)
    horn = np.zeros_like(time)
    for note, gain in ((38, 1.0), (50, 0.5), (57, 0.4)):
        horn += gain * voices.saw(voices.turns(hertz(note), len(time)), opening, hertz(note), 1500)
    horn *= voices.held(time, 1.9, 0.3, 0.6)
    return placed([(horn, 0.0, 0.7, -0.1)], 4.8, HALL, 0.7, high(70), low(1400), bell(250, -3, 0.8))


def last_light(grid: Grid, noise: Noise) -> Sound:
    """The last chord: strings, tine piano and a bell, over a low D that stays to the end."""
    time = clock(6.0)
    root = (
        (voices.sine(73.416, len(time)) + 0.4 * voices.sine(146.83, len(time)))
        * decay(time, 6.5)
        * np.minimum(time / np.float32(0.02), 1)
    )
    parts = [(pads.swell(noise), 0.0, 0.16, 0.0), (closing(root, 1.0), 0.0, 0.3, 0.0)]
    for place, note in enumerate((*PROGRESSION[0].keys, *PROGRESSION[0].top)):
        parts.append((voices.electric_piano(note, 3.2, 0.7), 0.028 * place, 0.28, (place - 2.5) * 0.16))
    parts.append((voices.chime(86, 0.6, 3.4, 0.5), 0.2, 0.16, 0.3))
    return placed(parts, 7.5, HALL, 0.4, bell(300, -2.5, 0.8))


def dry(drum: Callable[[Noise], Sound], *filters: Filter) -> Player:
    """A player of one stroke of a drum, close to the ear."""

    def play(grid: Grid, noise: Noise) -> Sound:
        sound = drum(noise)
        return placed([(sound, 0.0, 1.0, 0.0)], len(sound) / ENGINE_RATE + 0.25, CLOSET, 0.12, *filters)

    return play


tight_hat = dry(lambda n: drums.hat(n, 0.05))
dry_rim, small_clap = dry(drums.rim), dry(drums.clap)
grain = dry(lambda n: drums.shaker(n, 0.08))
"""A shaker's single stroke, made to begin at once."""
block_in_d = dry(lambda n: drums.wood(587.33))


high_bollard = dry(lambda n: drums.tom(n, 176.0))
middle_bollard = dry(lambda n: drums.tom(n, 131.0))
low_bollard = dry(lambda n: drums.tom(n, 98.0))


def breaker(grid: Grid, noise: Noise) -> Sound:
    """A wave that breaks on the mole, as cymbals do it."""
    parts = [(drums.crash(noise), 0.0, 0.7, -0.3), (drums.crash(noise), 0.0, 0.7, 0.3)]
    return placed(parts, 3.4, QUAY, 0.2, high(350))


def last_chord(chord: Chord, seconds: float, felt: bool) -> Player:
    """A last chord that dies away over a low root, on a felted or a tine piano, with strings behind it."""

    def play(grid: Grid, noise: Noise) -> Sound:
        dark, bright = voices.ensemble(chord.pad, seconds, noise, cents=13, slope=1.3, cutoff=1600)
        time = clock(seconds)
        gone = np.clip((seconds - 0.3 - time) / np.float32(seconds), 0, 1) ** 2
        strings = (0.7 * dark + 0.3 * bright)[:, : len(time)] * (np.minimum(time / np.float32(0.6), 1) * gone)
        low_note = hertz(chord.root if chord.root > 32 else chord.root + 12)
        tone = voices.sine(low_note, len(time)) * decay(time, seconds)
        root = closing(tone * np.minimum(time / np.float32(0.02), 1), 1.0)
        parts = [(strings, 0.0, 0.14, 0.0), (root, 0.0, 0.26, 0.0)]
        for place, note in enumerate((chord.root + 12, *chord.keys, chord.top[0])):
            key = voices.felt(note, 3.1, 0.7) if felt else voices.electric_piano(note, 3.2, 0.7)
            parts.append((key, 0.03 * place, 0.3, (place - 2.5) * 0.16))
        return placed(parts, seconds + 0.8, HALL, 0.4, bell(300, -2.5, 0.8))

    return play
