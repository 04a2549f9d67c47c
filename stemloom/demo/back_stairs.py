"""The stems of `back_stairs.loom`: an old record at 92 bpm in A minor, swung, over three progressions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..vault.records import ENGINE_RATE
from . import drums, low, voices
from .beats import loose, tight
from .drums import clock, closing, decay
from .dust import crackle, worn
from .grid import Grid, Noise, Sound, lay, turning, white
from .harmony import DUST, LANDING, SKYLIGHT, WET_COAT, Progression, hertz
from .hits import dry, last_chord, placed
from .keys import Hits, handful, late, let_go
from .melodies import echoed, whistled
from .recipe import INES, JUNO, LIO, MARIT, NO_EXPORT, NORTHLINE, OKONJO, SYNC, TIDEWATER, Recipe
from .spectrum import CLUB, QUAY, band, bell, filtered, finish, high, low as lowpass

LIMP = 0.58
"""The swing."""
Figure = tuple[tuple[float, int, float, float], ...]
"""(beat of the bar, semitones above the root, beats held, velocity) each."""

back_stairs = tight({
    "kick": (lambda n: drums.kick(n, 52, 0.3, 0.8, 2.2), 0.74, 0.0,
             "X... ...x ..X. .... X..x .... ..X. .x.."),
    "snare": (lambda n: drums.snare(n, 176, 0.17, 0.7), 0.6, 0.03, ".... X... .... X..o .... X... .o.. X..."),
    "rim": (lambda n: drums.rim(n, 1380), 0.2, -0.1, ".... x... .... x... .... x... .... x..."),
    "hat": (lambda n: drums.hat(n, 0.06, 0.3), 0.24, 0.2, "x.x. x.xo x.x. x.x. x.x. x.xo x.x. xox."),
}, wet=0.34, tilt=-2.0, drive=1.2)  # fmt: skip
"""Kick and snare the old way, ghosts between them, hats with a limp."""

loose_board = tight({
    "kick": (lambda n: drums.kick(n, 50, 0.32, 0.7, 1.8), 0.72, 0.0,
             "X... .... ..X. ...o X... ...o .xX. ...."),
    "rim": (lambda n: drums.rim(n, 1240), 0.5, 0.06, ".... X... .... X... .... X... .... X..o"),
    "brush": (lambda n: drums.brush(n, 0.22), 0.3, -0.1, ".... X... .... X... .... X... ...o X..."),
    "sweep": (lambda n: drums.brush(n, 0.1), 0.2, 0.3, "x.o. x.oo x.o. x.o. x.o. x.oo x.o. x.o."),
}, wet=0.34, tilt=-2.0, drive=1.0)  # fmt: skip
"""Slower on its feet: brushes for hats, and a rim where the snare was."""

low_ceiling = tight({
    "kick": (lambda n: drums.kick(n, 51, 0.32, 1.0, 2.4), 0.8, 0.0,
             "X..X .... .xX. .... X..X .... ..X. .xo."),
    "snare": (lambda n: drums.snare(n, 184, 0.2, 0.7), 0.5, 0.02, ".... X... .... X..o .... X... ..o. X..o"),
    "clap": (lambda n: drums.clap(n, 0.2), 0.34, -0.08, ".... X... .... X... .... X... .... X..."),
    "hat": (lambda n: drums.hat(n, 0.05, 0.5), 0.24, 0.22, "xox. xoxo xox. xox. xox. xoxo xox. xoxo"),
    "open": (lambda n: drums.hat(n, 0.24, 0.4), 0.22, 0.22, ".... ..x. .... .... .... ..x. .... ...."),
}, wet=0.3, tilt=-2.5, drive=1.5)  # fmt: skip
"""Heavier: clap on the snare, kicks in pairs, an open hat that answers."""

half_landing = tight({
    "kick": (lambda n: drums.kick(n, 52, 0.26, 1.0, 2.0), 0.78, 0.0,
             "X... .... .... ..x. ..X. .... .... ...."),
    "snare": (lambda n: drums.snare(n, 196, 0.16, 0.8), 0.54, 0.02,
              ".... .... X... .... .... .... X... ...o"),
    "hat": (lambda n: drums.hat(n, 0.045, 0.6), 0.22, 0.2, "x... o... x... o... x... o... x... o.o."),
    "shaker": (drums.shaker, 0.16, -0.3, "..o. ..x. ..o. ..x."),
}, wet=0.3, tilt=-1.5, drive=1.1)  # fmt: skip
"""Made at 172, snare in the middle of the bar: at half the tempo it is a slow beat with quick feet."""

fire_door = tight({
    "kick": (lambda n: drums.kick(n, 56, 0.22, 1.1, 2.0), 0.82, 0.0,
             "X.x. .... ..X. .... ..x. ..X. .... ...."),
    "snare": (lambda n: drums.snare(n, 212, 0.15, 1.0), 0.56, 0.02,
              ".... X..o .o.. X..o .... X..o .o.X ..o."),
    "hat": (lambda n: drums.hat(n, 0.04, 0.8), 0.2, 0.2, "x.x. x.x. x.x. x.x."),
    "ride": (drums.ride, 0.14, -0.25, "x... x... x... x..."),
}, wet=0.32, tilt=-1.0, drive=1.2)  # fmt: skip
"""A break at 172 that runs: ghosts all over, the second snare late."""

coat_hangers = loose({
    "shaker": (drums.shaker, 0.5, 0.25, "xoxo xoXo xoxo xoXo"),
    "ride": (drums.ride, 0.2, -0.3, "x... ..x. x... ..x."),
    "jingle": (drums.tambourine, 0.24, -0.15, ".... x... .... x..o"),
}, tilt=-3.5)  # fmt: skip
"""Wire on wire: a shaker with a limp and a thin ride."""

paper_bag = loose({
    "bag": (lambda n: drums.brush(n, 0.09), 0.5, -0.25, "x.xo ..x. x.xo .ox."),
    "rim": (lambda n: drums.rim(n, 2100), 0.2, 0.35, "...o ..x. .o.. ..x. ...o ..x. .o.x ...."),
    "wood": (lambda n: drums.wood(660), 0.16, 0.1, ".... .... .... ...x .... .... ..o. ...."),
}, tilt=-3.0)  # fmt: skip
"""Brushes on paper, close to the ear."""


_EASY: tuple[Hits, ...] = (
    ((0.0, 1.7, 0.74), (2.25, 0.4, 0.46), (2.75, 1.0, 0.6)),
    ((0.0, 1.4, 0.72), (1.75, 0.3, 0.44), (2.75, 1.1, 0.6)),
)


def tines(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """A tine piano from a worn record: the chord, and its echo late in the bar."""
    loop = grid.silence()
    for bar, chord in enumerate(chords):
        notes = [(note, (place - 1.5) * 0.16) for place, note in enumerate(chord.keys)]
        played = [
            (voices.electric_piano(note, grid.seconds(1.7), round(0.7 * chord.touch(note), 2)), pan)
            for note, pan in ((chord.root + 12, -0.1), *notes)
        ]
        hand = handful(played, 5)
        for beat, beats, velocity in _EASY[bar % 2]:
            at = grid.frame(grid.swung(4 * bar + beat)) + late(noise, 3)
            lay(loop, let_go(hand, grid.seconds(beats)), at, 0.3 * velocity)
    tone = (high(95), bell(330, -3, 0.8), bell(3600, 9, 0.8))
    return worn(loop, grid, noise, *tone, room=CLUB, wet=0.2, tops=8000, wide=1.15)


def upright(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """The felted piano two floors up: low note, then the hand opens over the bar."""
    loop = grid.silence(channels=1)
    for bar, chord in enumerate(chords):
        notes = (chord.root + 12, *chord.keys)
        for beat, place, beats, velocity in (
            (0.0, 0, 3.4, 0.8), (0.0, 2, 2.6, 0.6), (0.5, 1, 1.4, 0.55), (1.0, 3, 1.9, 0.55),
            (1.75, 4, 1.2, 0.5), (2.25, 2, 1.4, 0.5), (2.75, 3, 1.1, 0.55), (3.5, 1, 0.6, 0.42),
        ):  # fmt: skip
            touch = round(velocity * chord.touch(notes[place]), 1)
            sound = voices.felt(notes[place], grid.seconds(beats), touch)
            at = grid.frame(grid.swung(4 * bar + beat)) + late(noise, 4)
            lay(loop, sound, at, 0.4)
    tone = (high(80), bell(250, -4, 0.8), bell(3600, 9, 0.7))
    return worn(loop, grid, noise, *tone, room=QUAY, wet=0.24, cents=5, tops=7500)


_ROUND: Figure = ((0.0, 0, 1.3, 0.95), (1.75, 0, 0.3, 0.6), (2.5, 0, 0.9, 0.8), (3.5, 7, 0.3, 0.55))
_SPARSE: Figure = ((0.0, 0, 2.2, 0.9), (2.75, 12, 0.3, 0.5), (3.0, 0, 0.6, 0.7))


def _line(chords: Progression, figure: Figure) -> low.Line:
    """A figure over each root, and a step from a semitone below into a root that is another."""
    line = []
    for bar, (chord, following) in enumerate(pairwise((*chords, chords[0]))):
        for beat, up, beats, velocity in figure:
            line.append((4 * bar + beat, chord.root + (chord.fifth if up == 7 else up), beats, velocity))
        if following.root != chord.root:
            line.append((4 * bar + 3.75, following.root - 1, 0.2, 0.45))
    return tuple(line)


def cellar(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Round and deep, behind the kick."""
    return finish(low.rounded(grid, noise, _line(chords, _ROUND)), bell(260, -1.5, 0.9), lowpass(4500))


def boiler(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Fingers on slack strings, with something rounder to hold them up."""
    line = _line(chords, _SPARSE)
    strings = 0.25 * low.plucked(grid, noise, line, 2.2, 0.0) + low.rounded(grid, noise, line)
    return finish(strings, bell(250, -1.5, 0.9), lowpass(4000))


_HORN = (
    (0.5, 72, 0.4, 0.5), (1.0, 69, 1.4, 0.75), (2.5, 64, 0.4, 0.55), (3.0, 69, 0.9, 0.7),
    (4.5, 71, 1.3, 0.75), (6.0, 66, 0.4, 0.5), (6.5, 71, 1.2, 0.7),
    (8.0, 75, 0.4, 0.5), (8.5, 71, 1.4, 0.75), (10.0, 66, 0.4, 0.55), (10.5, 71, 1.2, 0.7),
    (12.5, 71, 0.4, 0.55), (13.0, 76, 1.9, 0.75), (15.0, 68, 0.7, 0.45),
)  # fmt: skip


def somebodys_horn(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """A muted horn behind a door, over the landing's chords."""
    loop = grid.silence(channels=1)
    for beat, note, beats, velocity in _HORN:
        at = grid.frame(grid.swung(beat)) + late(noise, 6)
        lay(loop, voices.brass(note - 12, grid.seconds(beats), round(velocity * 0.8, 2)).sum(axis=0), at, 0.2)
    loop = echoed(loop, grid, 1.5, 0.2, 2)
    return worn(loop, grid, noise, high(230), bell(3400, 9, 0.8), room=QUAY, wet=0.3, tops=7000)


_PIPE = (
    (0.0, 70, 1.4, 0.7), (1.5, 74, 0.4, 0.55), (2.0, 77, 0.9, 0.65), (3.0, 70, 0.9, 0.65),
    (4.0, 77, 0.4, 0.55), (4.5, 74, 0.4, 0.5), (5.0, 70, 2.7, 0.7), (8.0, 76, 0.9, 0.6),
    (9.0, 69, 2.7, 0.7), (12.0, 69, 0.9, 0.6), (13.0, 74, 1.4, 0.7),
    (14.5, 77, 0.4, 0.5), (15.0, 74, 0.9, 0.6),
)  # fmt: skip


def attic_pipe(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """A pipe that leans out of the skylight."""
    loop = echoed(whistled(grid, noise, _PIPE, 1), grid, 1.5, 0.22, 2)
    return worn(loop, grid, noise, high(230), bell(3400, 7, 0.8), room=QUAY, wet=0.3, tops=8000)


def keys_in_the_lock(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """A thumb piano that turns over the chord, and over it again."""
    loop = grid.silence(channels=1)
    for bar, chord in enumerate(chords):
        root = 60 + chord.root % 12
        third = next(note for note in chord.keys if (note - chord.root) % 12 in (3, 4))
        notes = (root, root + chord.fifth, root + 12, third + 12)
        for beat, place in ((0.0, 2), (0.75, 1), (1.25, 3), (2.0, 0), (2.5, 2), (3.25, 1)):
            velocity = 0.5 if place == 3 else 0.8
            at = grid.frame(grid.swung(4 * bar + beat)) + late(noise, 4)
            lay(loop, voices.kalimba(notes[place], velocity), at, 0.5)
    loop = echoed(loop, grid, 0.75, 0.28, 2)
    return worn(loop, grid, noise, high(220), bell(3600, 7, 0.8), room=CLUB, wet=0.28, tops=9000)


def stylus(grid: Grid, noise: Noise) -> Sound:
    """A needle that is set down: a thump, a skid, and a second of groove."""
    frames = int(1.5 * ENGINE_RATE)
    time = clock(1.5)
    thump = np.sin(2 * np.pi * 58 * time) * decay(time, 0.16) * np.minimum(time / np.float32(0.002), 1)
    skid = filtered(white(noise, frames) * decay(time, 0.18), band(1500, 0.7))
    sound = crackle(frames, noise, 40) * decay(time, 2.4) + (0.5 * thump + 0.35 * skid)
    return closing(finish(sound, high(50), lowpass(7000), loop=False), 0.7)


def spin_back(grid: Grid, noise: Noise) -> Sound:
    """A record that is stopped by hand: chord, groove and all go down together."""
    seconds = 1.3
    time = clock(seconds)
    speed = np.clip(1 - time / np.float32(0.9), 0, 1) ** 0.7
    phase = np.cumsum(speed, dtype=np.float64) / ENGINE_RATE
    chord = np.zeros_like(time)
    for note in (57, 64, 67, 72):
        chord += voices.saw((hertz(note) * phase) % 1.0, 0.3 * speed, hertz(note), 4000)
    rub = filtered(white(noise, len(time)), band(1100, 0.6)) * speed
    sound = (0.25 * chord + 0.5 * rub) * np.minimum(speed * 4, 1) * np.minimum(time / np.float32(0.003), 1)
    return placed([(sound, 0.0, 1.0, 0.0)], 1.9, QUAY, 0.2, high(120), lowpass(5000))


def doorbell(grid: Grid, noise: Noise) -> Sound:
    """Two notes of a house bell, E and C."""
    parts = [
        (voices.chime(76, 0.8, 1.8, 0.8), 0.0, 0.6, -0.2),
        (voices.chime(72, 0.7, 1.9, 0.8), 0.33, 0.6, 0.2),
    ]
    return placed(parts, 2.4, QUAY, 0.35, high(240), lowpass(7000))


knuckle = dry(lambda n: drums.rim(n, 1050), lowpass(6000))
"""A knuckle on a door."""
worn_snare = dry(lambda n: drums.snare(n, 178, 0.16, 0.4), lowpass(6500))
worn_kick = dry(lambda n: drums.kick(n, 49, 0.32, 0.8, 2.0), lowpass(6000))
last_stair = last_chord(LANDING[0], 4.6, felt=False)
"""A minor, on the tine piano."""


def run_out_groove(grid: Grid, noise: Noise) -> Sound:
    """The end of a side: crackle, rumble, and the tick of the last groove once a turn (33 a minute)."""
    frames = 3 * round(60 / 33.333 * ENGINE_RATE)
    bed = crackle(frames, noise, 26.0)
    hiss = filtered(white(noise, 2, frames), high(900), lowpass(6500))
    rumble = filtered(white(noise, 2, frames), lowpass(90), high(30))
    bed += 0.016 * hiss * (1 + 0.3 * turning(frames, 3)) + 0.03 * rumble
    tick = drums.rim(noise, 900)
    for turn in range(3):
        lay(bed, tick, turn * frames // 3 + 9000, 0.06, 0.15)
    return finish(bed, high(60), bell(3000, 2, 0.7), lowpass(9000), wide=1.2)


# fmt: off
RECIPES = (
    Recipe("Back Stairs", JUNO, "beats", back_stairs, "dusty easy", 0.4, 92, 2, LIMP),
    Recipe("Loose Board", INES, "beats", loose_board, "dusty easy", 0.25, 92, 2, LIMP),
    Recipe("Low Ceiling", JUNO, "beats", low_ceiling, "dusty heavy", 0.6, 94, 2, LIMP,
           master={JUNO: 70, OKONJO: 30}),
    Recipe("Half Landing", NORTHLINE, "beats", half_landing, "dusty heavy quick", 0.65, 172, 2),
    Recipe("Fire Door", NORTHLINE, "beats", fire_door, "dusty quick", 0.85, 172, 2),
    Recipe("Coat Hangers", JUNO, "tops", coat_hangers, "dusty", 0.4, 92, 2, LIMP),
    Recipe("Paper Bag", INES, "tops", paper_bag, "dusty", 0.3, 92, 2, LIMP),
    Recipe("Run-out Groove", TIDEWATER, "fx", run_out_groove, "vinyl", 0.1, shape="sustained",
           uses=SYNC),
    Recipe("Cellar", OKONJO, "bass", cellar, "dusty", 0.4, 92, 4, LIMP, DUST, chords=LANDING),
    Recipe("Boiler", LIO, "bass", boiler, "dusty", 0.3, 92, 4, LIMP, DUST, chords=LANDING),
    Recipe("Gutter", OKONJO, "bass", cellar, "dusty", 0.4, 92, 4, LIMP, DUST, chords=SKYLIGHT),
    Recipe("Slates", LIO, "bass", boiler, "dusty", 0.3, 92, 4, LIMP, DUST, chords=SKYLIGHT),
    Recipe("Drain Song", OKONJO, "bass", cellar, "dusty", 0.4, 92, 4, LIMP, DUST, chords=WET_COAT),
    Recipe("Puddle", LIO, "bass", boiler, "dusty", 0.3, 92, 4, LIMP, DUST, chords=WET_COAT),
    Recipe("Top Landing", INES, "harmony", tines, "dusty", 0.35, 92, 4, LIMP, DUST, chords=LANDING,
           publishing={INES: 80, JUNO: 20}),
    Recipe("Borrowed Upright", MARIT, "harmony", upright, "dusty", 0.3, 92, 4, LIMP, DUST,
           chords=LANDING),
    Recipe("Skylight", INES, "harmony", tines, "dusty", 0.35, 92, 4, LIMP, DUST, chords=SKYLIGHT),
    Recipe("Moth", MARIT, "harmony", upright, "dusty", 0.3, 92, 4, LIMP, DUST, chords=SKYLIGHT),
    Recipe("Wet Coat", INES, "harmony", tines, "dusty", 0.35, 92, 4, LIMP, DUST, chords=WET_COAT),
    Recipe("Umbrella Stand", MARIT, "harmony", upright, "dusty", 0.3, 92, 4, LIMP, DUST,
           chords=WET_COAT),
    Recipe("Somebody's Horn", OKONJO, "melody", somebodys_horn, "dusty", 0.5, 92, 4, LIMP, DUST,
           chords=LANDING),
    Recipe("Attic Pipe", MARIT, "melody", attic_pipe, "dusty", 0.4, 92, 4, LIMP, DUST,
           chords=SKYLIGHT),
    Recipe("Keys in the Lock", LIO, "melody", keys_in_the_lock, "dusty", 0.45, 92, 4, LIMP, DUST,
           chords=WET_COAT),
    Recipe("Stylus", JUNO, "fx", stylus, "needle", 0.3, shape="hit"),
    Recipe("Spin Back", JUNO, "fx", spin_back, "stop", 0.5, shape="hit", uses=NO_EXPORT),
    Recipe("Doorbell", INES, "fx", doorbell, "doorbell", 0.4, key=DUST, shape="hit"),
    Recipe("Knuckle", INES, "beats", knuckle, "knock", 0.5, shape="hit"),
    Recipe("Worn Snare", JUNO, "beats", worn_snare, "snare", 0.5, shape="hit"),
    Recipe("Worn Kick", JUNO, "beats", worn_kick, "kick", 0.5, shape="hit"),
    Recipe("Last Stair", INES, "harmony", last_stair, "homeward", 0.3, key=DUST, shape="hit"),
)
# fmt: on
