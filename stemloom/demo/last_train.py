"""The stems of `last_train.loom`: house at 126 bpm in F minor, over two progressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..vault.records import ENGINE_RATE
from . import drums, low, voices
from .beats import loose, tight
from .drums import clock, closing, decay
from .grid import Grid, Noise, Sound, lay, sine_of, turning, white
from .harmony import DOWN_LINE, RAILS, UP_LINE, Progression
from .hits import dry, last_chord, placed
from .keys import handful, late, let_go
from .melodies import echoed, whistled
from .pads import melting
from .recipe import JUNO, LIO, MARIT, NO_EXPORT, NORTHLINE, OKONJO, TIDEWATER, Recipe
from .spectrum import CLUB, HALL, QUAY, band, bell, filtered, finish, high, low as lowpass, swept

LEAN = 0.53
"""The swing."""
Voice = Callable[[int, float, float], Sound]
"""From a note, seconds held and velocity, its sound."""

rolling_stock = tight({
    "kick": (lambda n: drums.kick(n, 48, 0.3, 1.1, 2.2), 0.9, 0.0, "X... X... X... X..."),
    "clap": (lambda n: drums.clap(n, 0.24), 0.44, 0.06, ".... X... .... X... .... X... .... X..o"),
    "open": (lambda n: drums.hat(n, 0.16), 0.3, 0.18, "..X. ..X. ..X. ..X."),
    "rim": (drums.rim, 0.16, -0.3, "...x .... .x.. .... ...x ..x. .... ...."),
}, wet=0.26, drive=1.1)  # fmt: skip
"""Four on the floor, clap on two and four, the hat between."""

turnstile = tight({
    "kick": (lambda n: drums.kick(n, 49, 0.28, 1.0, 1.8), 0.88, 0.0,
             "X... .... ..X. .... X... ...x ..X. ...."),
    "rim": (lambda n: drums.rim(n, 1560), 0.4, 0.05, ".... X... .... X... .... X... .... X..o"),
    "clap": (lambda n: drums.clap(n, 0.16), 0.24, -0.05, ".... X... .... X... .... X... .... X..."),
    "hat": (lambda n: drums.hat(n, 0.05), 0.26, 0.2, "..x. ..x. ..xo ..x. ..x. ..x. ..xo ..xo"),
}, wet=0.28, tilt=-0.5, drive=0.9)  # fmt: skip
"""The kick steps aside: two to a bar and a skip, rim for the clap."""

express = tight({
    "kick": (lambda n: drums.kick(n, 48, 0.3, 1.2, 2.6), 0.92, 0.0, "X... X... X... X..."),
    "clap": (lambda n: drums.clap(n, 0.28), 0.46, 0.08, ".... X... .... X... .... X... .... X..."),
    "snare": (lambda n: drums.snare(n, 208, 0.14), 0.26, -0.04, ".... X... .... X..o .... X... ..o. X.oo"),
    "open": (lambda n: drums.hat(n, 0.2), 0.32, 0.2, "..X. ..X. ..X. ..X."),
    "hat": (drums.hat, 0.18, -0.22, "x.oo x.oo x.oo x.oo"),
    "ride": (drums.ride, 0.16, -0.3, "x.x. x.x. x.x. x.x."),
}, wet=0.24, tilt=0.5, drive=1.3)  # fmt: skip
"""Everything at once: kick, clap over snare, a ride that does not let go."""

ticket_punch = loose({
    "shaker": (drums.shaker, 0.55, 0.28, "xoXo xoXo xoXo xoXo"),
    "wood": (lambda n: drums.wood(870), 0.24, -0.35, "...x ..x. ...x .... ...x ..x. ..x. ...."),
    "jingle": (drums.tambourine, 0.3, -0.15, ".... x... .... x... .... x... .... x.o."),
}, tilt=-1.0)  # fmt: skip
"""Sixteenths of a shaker, and a wood block that punches holes in them."""

rail_joints = loose({
    "hat": (lambda n: drums.hat(n, 0.05), 0.55, -0.2, "Xoxo xoXo xoXo xoxo Xoxo xoXo xoXo xxoo"),
    "ride": (drums.ride, 0.3, 0.3, "..x. ..x. ..x. ..x."),
    "rim": (lambda n: drums.rim(n, 2300), 0.14, 0.45, "...x .... ..x. .x.. ...x .... ..x. .xx."),
}, tilt=-0.5)  # fmt: skip
"""Closed hats in a run, with the stress where the wheels meet the gaps."""


def _octaves(chords: Progression) -> low.Line:
    """Between the kicks: the root, its octave, and a push into the next bar."""
    line = []
    for bar, chord in enumerate(chords):
        root = chord.root if chord.root < 36 else chord.root - 12
        for beat, up, beats, velocity in (
            (0.5, 0, 0.35, 0.95), (0.75, 12, 0.18, 0.6), (1.5, 0, 0.35, 0.9), (1.75, 12, 0.18, 0.65),
            (2.5, 0, 0.35, 0.95), (2.75, 12, 0.18, 0.6), (3.25, 12, 0.18, 0.55), (3.5, 0, 0.35, 0.85),
            (3.75, 12, 0.18, 0.7),
        ):  # fmt: skip
            line.append((4 * bar + beat, root + up + (12 if root < 30 and up == 0 else 0), beats, velocity))
    return tuple(line)


def third_rail(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Octaves off the beat, rough at the edges."""
    line = _octaves(chords)
    both = 0.5 * low.sung(grid, noise, line, 0.6) + 0.7 * low.rounded(grid, noise, line)
    return finish(both, bell(240, -1.5, 0.9), bell(3200, 5, 0.8), lowpass(8000))


def ballast(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Long round notes that start after the kick and lean on the fifth."""
    line = []
    for bar, chord in enumerate(chords):
        root = chord.root if chord.root > 32 else chord.root + 12
        fifth = root + 7 if root < 38 else root - 5
        for beat, note, beats, velocity in (
            (0.5, root, 1.0, 0.9), (1.75, root, 0.6, 0.75), (2.75, root, 0.6, 0.85), (3.5, fifth, 0.4, 0.6),
        ):  # fmt: skip
            line.append((4 * bar + beat, note, beats, velocity))
    return finish(low.rounded(grid, noise, tuple(line)), bell(270, -1.5, 0.9), lowpass(5000))


def _stabbed(grid: Grid, noise: Noise, chords: Progression, voice: Voice) -> Sound:
    loop = grid.silence()
    for bar, chord in enumerate(chords):
        notes = (*chord.keys, 60 + chord.root % 12)
        keys = [voice(note, grid.seconds(0.55), round(0.85 * chord.touch(note), 2)) for note in notes]
        hand = handful([(key, (place - 2) * 0.15) for place, key in enumerate(keys)], 0.5)
        beats = (0.0, 0.75, 1.5, 2.5, 3.25) if bar % 2 == 0 else (0.0, 0.75, 1.5, 2.75, 3.5)
        for count, beat in enumerate(beats):
            at = grid.frame(grid.swung(4 * bar + beat)) + late(noise, 1.5)
            short = let_go(hand, grid.seconds(0.55 if count == 2 else 0.3), 0.06)
            lay(loop, short, at, 0.3 if count in (0, 2) else 0.23)
    return loop


def _brassy(note: int, seconds: float, velocity: float) -> Sound:
    """A tine piano with a brass stab on its edge."""
    piano, edge = voices.electric_piano(note, seconds, velocity), voices.brass(note, seconds, velocity)
    frames = min(piano.shape[1], edge.shape[1])
    return piano[:, :frames] + 0.35 * edge[:, :frames]


def ticket_stabs(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Chords cut short: a tine piano with brass on its edge."""
    loop = echoed(_stabbed(grid, noise, chords, _brassy), grid, 0.75, 0.2, 2)
    tone = (high(150), bell(350, -3, 0.8), bell(3400, 7, 0.7), lowpass(12_000))
    return finish(loop, *tone, room=CLUB, wet=0.26, wide=1.25)


def station_organ(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """An organ that skips, as in the old houses."""
    loop = _stabbed(grid, noise, chords, voices.organ)
    return finish(
        loop,
        high(140),
        bell(420, -2, 0.9),
        bell(3400, 5, 0.8),
        lowpass(10_000),
        room=CLUB,
        wet=0.24,
        wide=1.2,
    )


def carriage_light(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Strings that pump with the beat and open over four bars."""
    pulse = 0.72 + 0.28 * turning(grid.frames, grid.beats, 0.75)
    opening = 0.45 + 0.35 * turning(grid.frames, 1, 0.75)
    loop = melting(grid, noise, chords, cents=17, slope=1.0, cutoff=4200, opening=opening) * pulse
    return finish(loop, high(180), bell(330, -4, 0.7), room=QUAY, wet=0.28, wide=1.1)


def timetable(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """Plucked sixteenths that climb through the chord, in threes."""
    loop = grid.silence()
    for bar, chord in enumerate(chords):
        notes = sorted(
            {note + 12 for note in chord.keys if chord.leans(note)} | set(chord.top) | {chord.keys[1] + 12}
        )
        for count, step in enumerate((0, 3, 6, 8, 11, 14)):
            note = notes[(count * 2) % len(notes)]
            velocity = 0.9 if count in (0, 3) else 0.65
            at = grid.frame(grid.swung(4 * bar + step / 4)) + late(noise, 1.5)
            lay(loop, voices.pluck(note, velocity, 1.0, 0.7, 33), at, 0.5, 0.2 * (count % 5 - 2))
    loop = echoed(loop, grid, 0.75, 0.34, 3)
    return finish(loop, high(240), bell(3400, 2.5, 0.7), lowpass(13_000), room=CLUB, wet=0.26, wide=1.2)


_UP = (
    (0.0, 72, 0.9, 0.75), (1.0, 75, 0.4, 0.6), (1.5, 77, 1.9, 0.8), (4.5, 75, 0.4, 0.6), (5.0, 79, 0.4, 0.65),
    (5.5, 72, 2.0, 0.7), (8.0, 68, 0.9, 0.7), (9.0, 72, 0.4, 0.6), (9.5, 77, 1.9, 0.8), (12.5, 75, 0.4, 0.6),
    (13.0, 79, 0.4, 0.65), (13.5, 70, 1.9, 0.7),
)  # fmt: skip
_DOWN = (
    (0.0, 77, 0.9, 0.75), (1.0, 73, 0.4, 0.6), (1.5, 70, 1.9, 0.75), (4.0, 70, 0.4, 0.6),
    (4.5, 73, 0.4, 0.65), (5.0, 75, 0.4, 0.7), (5.5, 78, 1.9, 0.8), (8.0, 79, 0.9, 0.75),
    (9.0, 76, 0.4, 0.65), (9.5, 72, 1.9, 0.75), (12.0, 72, 0.9, 0.7), (13.0, 75, 0.4, 0.6),
    (13.5, 77, 1.9, 0.75),
)  # fmt: skip


def _whistled(grid: Grid, noise: Noise, line: low.Line) -> Sound:
    loop = echoed(whistled(grid, noise, line), grid, 0.75, 0.3, 3)
    return finish(loop, high(230), bell(3400, 7, 0.7), lowpass(11_000), room=HALL, wet=0.3)


def last_whistle(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """A whistle from the far platform, over the up line."""
    return _whistled(grid, noise, _UP)


def down_signal(grid: Grid, noise: Noise, chords: Progression) -> Sound:
    """It answers, over the down line."""
    return _whistled(grid, noise, _DOWN)


def rising(grid: Grid, noise: Noise) -> Sound:
    """A bar of steam that rises to the bar line, with a snare's roll inside."""
    peak, length = grid.frames, grid.seconds(grid.beats) + 0.25
    time = drums.clock(length)
    rise = np.clip(time * np.float32(ENGINE_RATE / peak), 0, 1)
    wind = white(noise, 2, len(time))
    sound = swept(wind, 6.5 * rise) * rise**1.5
    roll = np.zeros((1, len(time)), np.float32)
    takes = [drums.snare(noise, tune, 0.1, 1.0) for tune in (206, 224, 242)]
    for step in range(4, 16 * grid.bars):
        at = grid.frame(step / 4)
        hit = takes[3 * step // (16 * grid.bars)][: len(time) - at]
        lay(roll, hit, at, 0.12 + 0.25 * (step / (16 * grid.bars)) ** 2)
    sound = sound + roll * np.float32(0.8)
    sound[:, peak:] *= drums.decay(time[peak:] - time[peak], 0.2)
    return drums.closing(finish(sound, high(260), bell(3800, -3, 0.7), room=QUAY, wet=0.3, loop=False), 0.12)


def brakes(grid: Grid, noise: Noise) -> Sound:
    """Air let out of brakes, over a bar and a half."""
    time = clock(grid.seconds(6))
    fall = time / time[-1]
    wind = white(noise, 2, len(time))
    hiss = filtered(wind, high(2400), lowpass(9000)) * (1 - fall) ** 3
    body = filtered(wind, band(700, 0.8)) * (1 - fall) ** 2
    sound = (0.6 * hiss + 0.5 * body) * np.minimum(time / np.float32(0.004), 1)
    return closing(finish(sound, high(200), room=QUAY, wet=0.35, loop=False), 0.6)


def coupling(grid: Grid, noise: Noise) -> Sound:
    """Two carriages meet: iron, and what hangs under them."""
    time = clock(1.8)
    boom = sine_of(43.65 * time + 90 * 0.04 * (1 - np.exp(-time / np.float32(0.04)))) * decay(time, 1.5)
    iron = np.zeros_like(time)
    for hz, life in ((174.6, 1.0), (449.0, 0.6), (701.0, 0.45), (1163.0, 0.3)):
        iron += voices.sine(hz, len(time)) * decay(time, life)
    slap = filtered(white(noise, len(time)) * decay(time, 0.2), lowpass(3200), high(150))
    sound = (np.tanh(1.5 * boom) + 0.12 * iron + 0.5 * slap) * np.minimum(time / np.float32(0.001), 1)
    return placed([(closing(sound, 0.3), 0.0, 1.0, 0.0)], 2.3, HALL, 0.32)


def two_tone(grid: Grid, noise: Noise) -> Sound:
    """The horn of an engine: F and C, then F and A flat."""
    parts = [
        (voices.brass(note, 0.6, 0.7), at, 0.4, 0.3 if note > 55 else -0.3)
        for at, note in ((0.0, 53), (0.0, 60), (0.7, 53), (0.7, 56))
    ]
    return placed(parts, 2.6, HALL, 0.5, high(140), lowpass(3200))


@dry
def steel_clap(noise: Noise) -> Sound:
    clap, snare = drums.clap(noise, 0.26), drums.snare(noise, 220, 0.12)
    clap[: len(snare)] += np.float32(0.3) * snare
    return clap


rail_hat = dry(lambda n: drums.hat(n, 0.06))
terminus = last_chord(UP_LINE[0], 4.6, felt=False)
"""F minor, everybody out."""


# fmt: off
RECIPES = (
    Recipe("Rolling Stock", NORTHLINE, "beats", rolling_stock, "club", 0.6, 126, 2, set="main line"),
    Recipe("Turnstile", JUNO, "beats", turnstile, "club easy", 0.4, 126, 2, LEAN, set="main line"),
    Recipe("Express", NORTHLINE, "beats", express, "club peak", 0.85, 126, 2, set="main line"),
    Recipe("Ticket Punch", OKONJO, "tops", ticket_punch, "club", 0.5, 126, 2, LEAN),
    Recipe("Rail Joints", NORTHLINE, "tops", rail_joints, "club", 0.7, 128, 2, LEAN),
    Recipe("Third Rail", NORTHLINE, "bass", third_rail, "club peak", 0.7, 126, 4, LEAN, RAILS,
           set="up line", chords=UP_LINE),
    Recipe("Ballast", TIDEWATER, "bass", ballast, "club", 0.45, 126, 4, LEAN, RAILS, "up line",
           chords=UP_LINE),
    Recipe("Sleepers", TIDEWATER, "bass", ballast, "club", 0.45, 126, 4, LEAN, RAILS, "down line",
           chords=DOWN_LINE),
    Recipe("Ticket Stabs", OKONJO, "harmony", ticket_stabs, "club", 0.65, 126, 4, LEAN, RAILS,
           set="up line", chords=UP_LINE),
    Recipe("Station Organ", JUNO, "harmony", station_organ, "club", 0.6, 126, 4, LEAN, RAILS,
           set="up line", chords=UP_LINE),
    Recipe("Waiting Room Organ", JUNO, "harmony", station_organ, "club", 0.6, 126, 4, LEAN, RAILS,
           set="down line", chords=DOWN_LINE),
    Recipe("Carriage Light", MARIT, "pads", carriage_light, "club", 0.4, 126, 4, key=RAILS,
           set="up line", chords=UP_LINE),
    Recipe("Signal Box", MARIT, "pads", carriage_light, "club", 0.4, 126, 4, key=RAILS,
           set="down line", chords=DOWN_LINE),
    Recipe("Timetable", LIO, "melody", timetable, "club", 0.6, 126, 4, LEAN, RAILS, "up line",
           chords=UP_LINE),
    Recipe("Last Whistle", MARIT, "melody", last_whistle, "club", 0.55, 126, 4, LEAN, RAILS,
           set="up line", chords=UP_LINE, uses=NO_EXPORT),
    Recipe("Down Signal", MARIT, "melody", down_signal, "club", 0.55, 126, 4, LEAN, RAILS,
           set="down line", chords=DOWN_LINE),
    Recipe("Steam", NORTHLINE, "fx", rising, "steam", 0.8, 126, 1, shape="hit"),
    Recipe("Brakes", NORTHLINE, "fx", brakes, "brakes", 0.4, 126, shape="hit"),
    Recipe("Coupling", TIDEWATER, "fx", coupling, "iron", 0.8, key=RAILS, shape="hit"),
    Recipe("Two-tone", TIDEWATER, "fx", two_tone, "signal", 0.5, key=RAILS, shape="hit"),
    Recipe("Steel Clap", OKONJO, "beats", steel_clap, "steel", 0.6, shape="hit"),
    Recipe("Rail Hat", NORTHLINE, "tops", rail_hat, "rail", 0.6, shape="hit"),
    Recipe("Terminus", JUNO, "harmony", terminus, "arrival", 0.3, key=RAILS, shape="hit"),
)
# fmt: on
