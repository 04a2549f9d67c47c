"""What the composing side says to the mixer, as records: a command is written here, and read in `chain`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from ..effects import PlacedBus, PlacedEffects, PlacedFilter
from ..plan import Placement
from .effects_kernel import (
    AIM_HZ,
    AIM_TO_HZ,
    BANDPASS,
    CURVE,
    EXPONENTIAL,
    FROM,
    GLIDE,
    HIGHPASS,
    HZ,
    KIND,
    LINE_FRAMES,
    LINEAR,
    LINES,
    LOWPASS,
    MOST_FILTERS,
    SMOOTH,
    TO_HZ,
)
from .rack import COMMAND, PLAYING, VOICE

KINDS = {"lowpass": LOWPASS, "highpass": HIGHPASS, "bandpass": BANDPASS}
CURVES = {"linear": LINEAR, "smooth": SMOOTH, "exponential": EXPONENTIAL}


def command(kind: int, **fields: Any) -> Any:
    """A command of a kind, by its fields, not numbered yet."""
    made = np.zeros(1, COMMAND)[0]
    made["kind"] = kind
    for name, value in fields.items():
        made[name] = value
    return made


def voice(placement: Placement, sound: NDArray[np.float32], *, bus: int, effects: int, part: int) -> Any:
    """A placement as the voice that it will be, a tuple in the order of VOICE's fields."""
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
        "fade_out": placement.fade_out.frames,
        "fade_out_power": placement.fade_out.equal_power,
        "bus": bus,
        "heard": 0,
        "leaving": 0,
        "effects": effects,
        "part": part,
        "level": 10 ** (placement.level_db / 20),
        "gain": gain,
        "gain_target": gain,
        "left": left,
        "left_target": left,
        "right": right,
        "right_target": right,
    }
    assert VOICE.names is not None
    return tuple(fields[name] for name in VOICE.names)


def pan_gains(pan: float, channels: int) -> tuple[float, float]:
    """Left and right gain of a pan of -1 to 1 by equal power.

    A stereo sound in the middle is left as it is (0 dB); a mono one plays at -3 dB on each side, so that
    both have the loudness that was measured of them.
    """
    angle = (pan + 1) * math.pi / 4
    scale = 1.0 if channels == 1 else math.sqrt(2)
    return scale * math.cos(angle), scale * math.sin(angle)


def fill_filters(rows: NDArray[np.float64], filters: Sequence[PlacedFilter], start: int) -> None:
    """Write filters into their rows, (4, columns), with empty memories."""
    rows[:] = 0
    for row, filter in zip(rows, filters, strict=False):
        row[KIND], row[HZ], row[TO_HZ] = KINDS[filter.kind], filter.hz, filter.to_hz
        row[GLIDE], row[CURVE], row[FROM] = filter.frames, CURVES[filter.curve], start
        row[AIM_HZ], row[AIM_TO_HZ] = filter.hz, filter.to_hz


def frequencies(filters: Sequence[PlacedFilter]) -> NDArray[np.float64]:
    """From where to where each filter goes, (MOST_FILTERS, 2)."""
    numbers = np.zeros((MOST_FILTERS, 2))
    for row, filter in zip(numbers, filters, strict=False):
        row[:] = filter.hz, filter.to_hz
    return numbers


def ducked(effects: PlacedEffects) -> float:
    """The gain that is left of what is ducked."""
    return 1.0 if effects.duck is None else 10 ** (-effects.duck.depth_db / 20)


def levels(bus: PlacedBus) -> tuple[float, ...]:
    """In the order of REVERB_MIX to BUS_GAIN."""
    return bus.reverb_mix, bus.feedback, bus.delay_mix, bus.mix, 10 ** (bus.gain_db / 20)


def line_gains(bus: PlacedBus) -> NDArray[np.float64]:
    """What is left of a reverb's lines after a round, (LINES,); nothing without a reverb."""
    if not bus.reverb_seconds:
        return np.zeros(LINES)
    return np.asarray(10 ** (-3 * LINE_FRAMES / (ENGINE_RATE * bus.reverb_seconds)))


def rings(bus: PlacedBus) -> int:
    """To -60 dB, and as long again: nothing is left of it then that could come back."""
    return 2 * bus.tail_frames + ENGINE_RATE
