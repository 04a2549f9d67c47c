"""The drum loops: beats with every onset on the grid, and tops that swing over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from . import drums
from .grid import Grid, Noise, Sound, lay
from .keys import late
from .recipe import Player
from .spectrum import CLOSET, CLUB, Room, bell, finish, high, low

Kit = Mapping[str, tuple[Callable[[Noise], Sound], float, float, str]]
"""Name: (drum, gain, pan, pattern)."""

_TAKES = 3
"""Each drum is made this often, so that a repeated hit is never the same sound twice in a row."""


def _unit(sound: Sound) -> Sound:
    result: Sound = sound / np.abs(sound).max()
    return result


def drummed(kit: Kit, *, loose_ms: float, room: Room, wet: float, tilt: float, drive: float) -> Player:
    """A player of a kit's patterns. `loose_ms`: spread of the timing; 0 for onsets on the grid."""

    def play(grid: Grid, noise: Noise) -> Sound:
        loop = grid.silence()
        for drum, gain, pan, pattern in kit.values():
            takes = [_unit(drum(noise)) for _ in range(_TAKES)]
            for count, (beat, velocity) in enumerate(grid.steps(pattern)):
                at = grid.frame(beat) + late(noise, loose_ms)
                uneven = velocity * (1 + 0.06 * float(noise.random() - 0.5))
                lay(loop, takes[count % _TAKES], at, gain * uneven**1.3, pan)
        loop = np.tanh(np.float32(drive) * loop)
        return finish(
            loop,
            bell(320, -2.5, 0.8),
            bell(3800, 5, 0.4),
            bell(9000, tilt, 0.6),
            room=room,
            wet=wet,
        )

    return play


tight = partial(drummed, loose_ms=0.0, room=CLOSET, wet=0.3, tilt=0.0, drive=0.8)
loose = partial(drummed, loose_ms=1.6, room=CLUB, wet=0.18, tilt=0.0, drive=0.6)


quay_steps = tight({
    "kick": (lambda n: drums.kick(n, 51, 0.3, 0.9), 0.82, 0.0, "X... X... X... X... X... X... X... X.o."),
    "rim": (drums.rim, 0.34, -0.12, ".... x... .... x..o .... x... ..o. x..."),
    "clap": (drums.clap, 0.46, 0.08, ".... X... .... X... .... X... .... X..."),
    "hat": (drums.hat, 0.3, 0.18, "..x. ..x. ..x. ..x. ..x. ..x. ..x. ..xo"),
})  # fmt: skip
"""A soft four on the floor, rim on the back beat."""

tidal_shuffle = tight({
    "kick": (lambda n: drums.kick(n, 53, 0.28, 1.0), 0.82, 0.0,
             "X... ..x. ..X. .... X... ..x. ..X. ..o. X... ..x. ..X. .... X... ..x. ..X. x..."),
    "snare": (lambda n: drums.snare(n, 190, 0.16, 0.8), 0.56, 0.03,
              ".... X... .... X... .... X... .o.. X..o .... X... .... X... .... X... .o.. X.xx"),
    "rim": (drums.rim, 0.2, -0.3, "...o .... .o.. ..o. ...o .... .o.. ...."),
    "hat": (drums.hat, 0.26, 0.25, "x.o. x.o. x.o. x.o. x.o. x.o. x.o. x..."),
    "open": (lambda n: drums.hat(n, 0.3), 0.24, 0.25, ".... .... .... .... .... .... .... ..x."),
})  # fmt: skip
"""A broken beat with ghost notes and a small fill at the end of the fourth bar."""

engine_room = tight({
    "kick": (lambda n: drums.kick(n, 50, 0.27, 1.2, 2.2), 0.86, 0.0, "X... X... X... X..."),
    "clap": (lambda n: drums.clap(n, 0.26), 0.5, 0.1, ".... X... .... X..."),
    "snare": (lambda n: drums.snare(n, 200, 0.15), 0.36, -0.04, ".... X... .... X..o .... X... ..o. X..."),
    "open": (lambda n: drums.hat(n, 0.2), 0.34, 0.2, "..X. ..X. ..X. ..X."),
    "hat": (drums.hat, 0.2, -0.2, "xo.o xo.o xo.o xo.o"),
}, tilt=0.5, drive=1.0)  # fmt: skip
"""A driving four on the floor: clap over snare, open hats between the beats."""

lamplight = tight({
    "kick": (lambda n: drums.kick(n, 49, 0.34, 0.6, 1.2), 0.7, 0.0,
             "X... .... ..x. .... X... ..o. .... ...."),
    "brush": (lambda n: drums.brush(n, 0.3), 0.42, -0.05, ".... .... X... .... .... .... X... ..o."),
    "rim": (lambda n: drums.rim(n, 1480), 0.36, 0.1, ".... .... X... .... .... .... X... ...."),
    "sweep": (lambda n: drums.brush(n, 0.13), 0.24, 0.25, "x.o. x.o. x.o. x.o. x.o. x.o. x.o. x.oo"),
    "block": (lambda n: drums.wood(587.3), 0.16, -0.35, ".... ...x .... .... .... .... ...o ...."),
}, wet=0.24, tilt=-1.0)  # fmt: skip
"""Half time on brushes: for late hours."""

cobble_run = tight({
    "kick": (lambda n: drums.kick(n, 54, 0.24, 1.15, 2.0), 0.84, 0.0,
             "X.x. .... ..X. .... X.x. .... ..X. .x.. X.x. .... ..X. .... X..x ..x. ..X. ...."),
    "snare": (lambda n: drums.snare(n, 205, 0.17, 1.2), 0.6, 0.02,
              ".... X..o .o.. X... .... X..o .o.. X..o .... X..o .o.. X... .... X..o .oX. X.xX"),
    "hat": (drums.hat, 0.28, 0.2, "X.x. X.x. X.x. X.x."),
    "open": (lambda n: drums.hat(n, 0.22), 0.28, 0.2, ".... .... .... ..x. .... .... .... ...."),
    "ride": (drums.ride, 0.16, -0.3, "x... x... x... x..."),
}, tilt=1.0, drive=1.0)  # fmt: skip
"""A running break, busy and bright, with a turn in its fourth bar."""

sand_and_keys = loose({
    "shaker": (drums.shaker, 0.6, 0.3, "xoXo xoXo xoXo xoXo xoXo xoXo xoXo xoXx"),
    "low": (lambda n: drums.shaker(n, 0.13), 0.4, -0.35, "..x. ..x. ..x. ..x."),
    "jingle": (drums.tambourine, 0.42, -0.2, ".... x... .... x... .... x... .... x..o"),
}, tilt=-1.5)  # fmt: skip
"""Shaker and a little tambourine."""

rope_rhythm = loose({
    "hat": (lambda n: drums.hat(n, 0.06), 0.6, 0.22, "xoxo xoxx xoxo xo.o xoxo xoxx xoxo xoxo"),
    "open": (lambda n: drums.hat(n, 0.24), 0.5, -0.18, "..X. .... ..X. ..x. ..X. .... ..X. ...."),
    "rim": (drums.rim, 0.16, -0.45, "...x ..x. .... x... ...x ..x. .x.. x..."),
})  # fmt: skip
"""Closed and open hats that push."""

ride_out = loose({
    "ride": (drums.ride, 0.6, -0.25, "X.x. x.xo X.x. x.x. X.x. x.xo X.x. x.xo"),
    "jingle": (drums.tambourine, 0.4, 0.3, ".... X..o .... X... .... X..o .... X.o."),
    "shaker": (drums.shaker, 0.3, 0.45, "o.x. o.x. o.x. o.x."),
}, tilt=-1.0)  # fmt: skip
"""A ride cymbal with room around it, tambourine on the back beat."""


def rain_on_tin(grid: Grid, noise: Noise) -> Sound:
    """Drops: a sparse pattern that seems to have none."""
    drops = [drums.drop(noise) for _ in range(9)]
    loop = grid.silence()
    for step in range(grid.beats * 4):
        at = grid.frame(grid.swung(step / 4))
        if noise.random() < (0.75 if step % 4 == 2 else 0.42):
            loud = 0.25 + 0.75 * float(noise.random()) ** 2
            lay(loop, drops[int(noise.integers(9))], at, loud, 1.6 * float(noise.random()) - 0.8)
    for beat, velocity in grid.steps("..o. ..x. ..o. ..x."):
        lay(loop, drums.shaker(noise, 0.12), grid.frame(beat), 0.45 * velocity, 0.1)
    return finish(loop, high(500), low(12_000), room=CLUB, wet=0.4)
