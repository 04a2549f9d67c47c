"""Drum patterns, dry, as drum machines write them: silence lies between their hits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

RATE = 22_050

Pattern = Mapping[str, str]
"""Of each drum, its steps in a bar: `x` a hit, `-` none."""

PATTERNS: dict[str, Pattern] = {
    "four on the floor": {"kick": "x---x---x---x---"},
    "half-time": {"kick": "x---------------", "snare": "--------x-------"},
    "clave": {"rim": "x--x--x---x-x---"},
    "claps": {"clap": "----x-------x---"},
    "rimshots": {"rim": "------x-------x-"},
    "sparse hats": {"hat": "--x-------x-----"},
    "backbeat": {"kick": "x-----x-x-------", "snare": "----x-------x---"},
    "house": {"kick": "x---x---x---x---", "hat": "--x---x---x---x-", "clap": "----x-------x---"},
    "waltz": {"kick": "x-----------", "hat": "----x---x---"},
    "one": {"snare": "--------x-------"},
}
_SECONDS = {"kick": 0.2, "snare": 0.15, "clap": 0.12, "rim": 0.04, "hat": 0.05}


def hit(drum: str, rate: int = RATE) -> NDArray[np.float64]:
    count = round(_SECONDS[drum] * rate)
    time = np.arange(count) / rate
    fall = np.exp(-7 * time / _SECONDS[drum])
    if drum == "kick":
        return 0.8 * fall * np.sin(2 * np.pi * (50 * time - 8 * np.exp(-30 * time)) + 2)
    if drum == "rim":
        return 0.6 * fall * np.cos(2 * np.pi * 1700 * time)
    noise = np.random.default_rng(len(drum)).uniform(-1, 1, count)
    return 0.5 * fall * (np.diff(noise, prepend=0) if drum == "hat" else noise)


def drums(
    pattern: Pattern,
    bpm: float,
    bars: int,
    *,
    lead: float = 0,
    tail: float = 0,
    ring: float = 0.1,
    rate: int = RATE,
) -> NDArray[np.float32]:
    """The pattern, float32 `(frames, 1)`, in sixteenths, with silence in front, and a tail that dies away.

    `lead`, `tail`: seconds. `ring`: the level at which the tail begins.
    """
    steps = len(next(iter(pattern.values())))
    step = 15 / bpm
    sound = np.zeros(round((lead + steps * bars * step + tail) * rate) + rate)
    for drum, line in pattern.items():
        wave = hit(drum, rate)
        for number, mark in enumerate(line * bars):
            if mark == "x":
                first = round((lead + number * step) * rate)
                sound[first : first + len(wave)] += wave
    end = round((lead + steps * bars * step) * rate)
    length = round(tail * rate)
    if length:
        swell = min(round(60 / bpm * rate), end)
        noise = ring * np.random.default_rng(3).uniform(-1, 1, swell + length)
        noise[:swell] *= np.linspace(0, 1, swell)
        noise[swell:] *= np.exp(-5 * np.arange(length) / length)
        sound[end - swell : end + length] += noise
    return sound[: end + length].astype(np.float32)[:, None]
