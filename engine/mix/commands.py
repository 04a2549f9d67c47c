"""What the composing side says to the mixer, as records: a command is written here, and read in `chain`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...script.effects.chain import BUS_EFFECTS
from ...script.effects.glide import CURVES, GAIN, PAN, SENDS
from ...vault.records import ENGINE_RATE
from ..effects import PlacedBus, PlacedEffects
from ..plan import Placement
from .effects import FX_BUSES, LEVELS, MOVE, SPANS
from .rack import COMMAND, PLAYING, VOICE


def _filled(record: np.dtype[Any], fields: Mapping[str, Any]) -> Any:
    """A record with these fields; the others are 0."""
    made = np.zeros(1, record)[0]
    for name, value in fields.items():
        made[name] = value
    return made


def command(kind: int, **fields: Any) -> Any:
    """A command of a kind, by its fields, not numbered yet."""
    return _filled(COMMAND, {"kind": kind, **fields})


def voice(placement: Placement, sound: NDArray[np.float32], *, bus: int, effects: int, part: int) -> Any:
    """A placement as the voice that it will be."""
    gain = 10 ** (placement.gain_db / 20)
    left, right = pan_gains(placement.pan, sound.shape[0])
    loop_start = placement.variant.loop_start
    fields = {
        "id": placement.id,
        "phase": PLAYING,
        "address": sound.ctypes.data,
        "channels": sound.shape[0],
        "frames": sound.shape[1],
        "loop_start": -1 if loop_start is None else loop_start,
        "position": placement.offset_frames,
        "start": placement.start_frame,
        "end": placement.end_frame,
        "fade_in": placement.fade_in.frames,
        "fade_in_power": placement.fade_in.equal_power,
        "faded": placement.fade_in.done,
        "fade_out": placement.fade_out.frames,
        "fade_out_power": placement.fade_out.equal_power,
        "bus": bus,
        "effects": effects,
        "part": part,
        "continues": -1 if placement.continues is None else placement.continues,
        "level": 10 ** (placement.level_db / 20),
        "gain": gain,
        "gain_target": gain,
        "left": left,
        "left_target": left,
        "right": right,
        "right_target": right,
    }
    return _filled(VOICE, fields)


def pan_gains(pan: float, channels: int) -> tuple[float, float]:
    """Left and right gain of a pan of -1 to 1 by equal power.

    A stereo sound in the middle is left as it is (0 dB); a mono one plays at -3 dB on each side, so that
    both have the loudness that was measured of them.
    """
    angle = (pan + 1) * math.pi / 4
    scale = 1.0 if channels == 1 else math.sqrt(2)
    return scale * math.cos(angle), scale * math.sin(angle)


def levels(bus: PlacedBus) -> NDArray[np.float64]:
    """What the effects of a bus follow, (LEVELS,); 0 for those that it has not."""
    found = np.zeros(LEVELS)
    for effect, (first, last) in zip(BUS_EFFECTS, SPANS, strict=True):
        if effect.on(bus.numbers):
            found[first:last] = effect.levels(bus.numbers, ENGINE_RATE)
    return found


def bus_moves(bus: PlacedBus) -> NDArray[np.void]:
    """How the levels of a bus glide, (LEVELS,) of MOVE: over no frames for those that stay."""
    moves, here = np.zeros(LEVELS, MOVE), levels(bus)
    moves["value"], moves["to"] = here, here
    for glide in bus.glides:
        there = levels(replace(bus, numbers={**bus.numbers, glide.name: glide.to}))
        for level in np.flatnonzero(there != here):
            moves[level]["to"], moves[level]["frames"] = there[level], glide.frames
            moves[level]["curve"] = CURVES[glide.curve]
    return moves


def moves_of(effects: PlacedEffects, buses: Mapping[str, int]) -> NDArray[np.void]:
    """The glides of a placement, of MOVE. `buses`: the places of the buses, by name."""
    moves = np.zeros(len(effects.glides), MOVE)
    for row, glide in zip(moves, effects.glides, strict=True):
        value, to = glide.ends
        row["slot"], row["start"], row["frames"] = _slot(glide.what, buses), glide.start, glide.frames
        row["curve"], row["value"], row["to"] = CURVES[glide.curve], value, to
    return moves


def _slot(what: str, buses: Mapping[str, int]) -> int:
    """The slot of what a glide moves."""
    word, _, which = what.partition(" ")
    match word:
        case "gain":
            return GAIN
        case "pan":
            return PAN
        case "to":
            return SENDS + buses[which]
    return SENDS + FX_BUSES + int(which)


def rings(bus: PlacedBus) -> int:
    """To -60 dB, and as long again: nothing is left of it then that could come back."""
    return 2 * bus.tail_frames + ENGINE_RATE
