"""What years do to a recording: a turntable that is not quite even, worn tops, crackle in the groove."""

from __future__ import annotations

import numpy as np

from ..vault.records import ENGINE_RATE
from . import drums
from .drums import closing
from .grid import Grid, Noise, Sound, lay, turning
from .spectrum import Filter, Room, finish, low


def wow(loop: Sound, turns: int, cents: float) -> Sound:
    """The loop on an uneven turntable: its pitch wanders by `cents` either way, in whole turns.

    Read between the samples along a straight line, which dulls the tops as a worn stylus does.
    """
    frames = loop.shape[1]
    depth = frames * cents / 1731.2 / (2 * np.pi * turns)
    place = np.arange(frames) + depth * turning(frames, turns, 0.25).astype(np.float64)
    before = np.floor(place).astype(np.int64)
    between = (place - before).astype(np.float32)
    here = np.take(loop, before, axis=1, mode="wrap")
    result: Sound = here + (np.take(loop, before + 1, axis=1, mode="wrap") - here) * between
    return result


def crackle(frames: int, noise: Noise, per_second: float) -> Sound:
    """Ticks of dust, `(2, frames)`, most of them faint; none sits in the middle."""
    bed = np.zeros((2, frames), np.float32)
    ticks = [closing(drums.dust(noise), 0.002) for _ in range(7)]
    for _ in range(int(per_second * frames / ENGINE_RATE)):
        loud = 0.04 + 0.05 * float(noise.random()) ** 2
        side = 0.8 * float(noise.random()) - 0.4
        lay(bed, ticks[int(noise.integers(7))], int(noise.integers(frames)), loud, side)
    return bed


def worn(
    loop: Sound,
    grid: Grid,
    noise: Noise,
    *filters: Filter,
    room: Room,
    wet: float,
    cents: float = 7.0,
    tops: float = 4200.0,
    wide: float = 1.0,
) -> Sound:
    """A loop as an old record gives it back, of one channel or two. `tops`: Hz above which little is left."""
    turned = wow(loop, max(1, round(grid.beats / 7)), cents)
    turned = np.tanh(np.float32(1.2 / max(float(np.abs(turned).max()), 1e-6)) * turned)
    turned += 0.12 * crackle(loop.shape[1], noise, 9.0)[: len(loop)]
    return finish(turned, *filters, low(tops, 0.6), room=room, wet=wet, wide=wide)
