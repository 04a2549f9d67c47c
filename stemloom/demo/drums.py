"""Drums of oscillators and noise: one-shots of one channel that begin at their onset and end in silence."""

from __future__ import annotations

import numpy as np

from ..vault.records import ENGINE_RATE
from .grid import Noise, Sound, sine_of, white
from .spectrum import band, bell, filtered, high, low

_METAL = (205.3, 304.4, 369.6, 522.7, 635.0, 800.0)
"""Hz of the square waves in a cymbal: no two in a simple ratio."""


def clock(seconds: float) -> Sound:
    """The time of each frame, in seconds."""
    return np.arange(int(seconds * ENGINE_RATE), dtype=np.float32) / np.float32(ENGINE_RATE)


def decay(time: Sound, seconds: float) -> Sound:
    """From 1 to -60 dB in `seconds`."""
    result: Sound = np.exp(time * np.float32(-6.9 / seconds), dtype=np.float32)
    return result


def closing(sound: Sound, seconds: float = 0.01) -> Sound:
    """The sound with its last `seconds` faded out."""
    frames = min(int(seconds * ENGINE_RATE), sound.shape[-1])
    sound[..., -frames:] *= np.linspace(1, 0, frames, dtype=np.float32)
    return sound


def _sweep(time: Sound, to_hertz: float, by_hertz: float, seconds: float) -> Sound:
    """A sine that falls to `to_hertz` from `by_hertz` above it, at the pace of `seconds`."""
    turns = to_hertz * time + by_hertz * seconds * (1 - np.exp(-time / np.float32(seconds)))
    return sine_of(turns)


def kick(
    noise: Noise, tune: float = 52.0, length: float = 0.42, punch: float = 1.0, drive: float = 1.6
) -> Sound:
    """A body that drops in pitch, a knock in the middle and a click on top."""
    time = clock(length)
    body = _sweep(time, tune, 150 * punch, 0.022) * np.exp(-((time / np.float32(length * 0.42)) ** 1.6))
    knock = _sweep(time, 170, 420, 0.006) * decay(time, 0.06) * np.float32(0.28 * punch)
    click = filtered(white(noise, len(time)) * decay(time, 0.012), high(1800), low(11_000)) * np.float32(
        0.45 * punch
    )
    sound = np.tanh(np.float32(drive) * (body + knock)) / np.float32(np.tanh(drive)) + click
    return closing(sound * np.minimum(time / np.float32(0.0004), 1), 0.03)


def snare(noise: Noise, tune: float = 186.0, wires: float = 0.19, bright: float = 1.0) -> Sound:
    """Two modes of the skin, a crack, and the wires' noise that outlives them."""
    time = clock(0.34)
    skin = _sweep(time, tune, 60, 0.012) * decay(time, 0.17) + 0.5 * _sweep(
        time, tune * 1.68, 80, 0.01
    ) * decay(time, 0.1)
    rattle = filtered(white(noise, len(time)), high(900), bell(4200, 4 * bright, 0.8), low(14_000))
    crack = filtered(white(noise, len(time)) * decay(time, 0.02), band(2300, 0.8))
    sound = 0.7 * skin + 0.42 * rattle * decay(time, wires * 1.5) + 1.1 * crack
    return closing(np.tanh(1.3 * sound), 0.03)


def clap(noise: Noise, room: float = 0.22) -> Sound:
    """Four hands a few milliseconds apart, and the room's answer."""
    time = clock(0.36)
    shape = sum(
        (decay(time - np.float32(at), 0.028) * (time >= at) for at in (0.0, 0.009, 0.0185)),
        np.zeros_like(time),
    )
    shape = shape + 0.75 * decay(np.maximum(time - np.float32(0.028), 0), room) * (time >= 0.028)
    return closing(filtered(white(noise, len(time)) * shape, band(1250, 0.9), high(500), low(9500)), 0.04)


def rim(noise: Noise, tune: float = 1720.0) -> Sound:
    """A stick on the rim: two short woody modes and a click."""
    time = clock(0.09)
    wood = _sweep(time, tune, 200, 0.003) * decay(time, 0.05) + 0.7 * _sweep(
        time, tune * 0.47, 60, 0.004
    ) * decay(time, 0.075)
    click = filtered(white(noise, len(time)) * decay(time, 0.008), high(2500), low(9000))
    return closing(np.tanh(wood + 0.5 * click), 0.01)


def wood(tune: float) -> Sound:
    """A hollow block, tuned in Hz."""
    time = clock(0.22)
    sound = _sweep(time, tune, 30, 0.004) * decay(time, 0.16) + 0.35 * _sweep(
        time, tune * 2.71, 40, 0.003
    ) * decay(time, 0.06)
    return closing(sound * np.minimum(time / np.float32(0.0005), 1), 0.02)


def hat(noise: Noise, length: float = 0.07, bright: float = 1.0) -> Sound:
    """A cymbal pair: six square waves and noise above 5 kHz; short is closed, long is open."""
    time = clock(max(length * 1.3, 0.05))
    metal = sum((np.sign(sine_of(hz * 1.9 * time)) for hz in _METAL), np.zeros_like(time))
    sound = filtered(
        0.16 * metal + 0.55 * white(noise, len(time)), high(4300, 0.9), low(14_000), bell(6800, 3 * bright)
    )
    onset = np.minimum(time / np.float32(0.0006), 1)
    return closing(sound * onset * (0.7 * decay(time, length) + 0.3 * decay(time, length * 0.3)), 0.01)


def ride(noise: Noise) -> Sound:
    """A wide cymbal: a ping that dies sooner the higher it is, and a long wash."""
    time = clock(1.1)
    ping = np.zeros_like(time)
    for place, hz in enumerate((3120.0, 3871.0, 4533.0, 5297.0, 6481.0, 7723.0, 9140.0)):
        ping += sine_of(hz * time) * decay(time, 0.9 - 0.1 * place)
    wash = filtered(white(noise, len(time)), high(3400), low(13_000)) * decay(time, 0.9)
    stick = filtered(white(noise, len(time)) * decay(time, 0.015), band(4500, 0.7))
    return closing((0.08 * ping + 0.18 * wash + 0.6 * stick) * np.minimum(time / np.float32(0.0005), 1), 0.2)


def crash(noise: Noise) -> Sound:
    """A large thin cymbal: its high modes spread at once, and what is lower rings on."""
    time = clock(2.8)
    wash = white(noise, len(time))
    sound = filtered(wash, band(900, 0.6)) * decay(time, 2.4) * np.float32(0.2)
    sound += filtered(wash, high(2600), low(7000)) * decay(time, 2.2) * np.float32(0.6)
    sound += filtered(wash, high(6500), low(15_000)) * decay(time, 1.3)
    for hz in _METAL:
        sound += np.float32(0.05) * sine_of(hz * 3.7 * time) * decay(time, 1.6)
    return closing(sound * np.minimum(time / np.float32(0.002), 1), 0.6)


def tom(noise: Noise, tune: float) -> Sound:
    """A drum of one head, tuned in Hz, that sinks a little; a stick on it."""
    time = clock(0.5)
    skin = _sweep(time, tune, tune * 0.5, 0.03) * decay(time, 0.45)
    skin += 0.4 * _sweep(time, tune * 1.59, tune * 0.3, 0.02) * decay(time, 0.2)
    stick = filtered(white(noise, len(time)) * decay(time, 0.02), band(2800, 0.6))
    return closing(np.tanh(1.2 * skin + 0.5 * stick) * np.minimum(time / np.float32(0.0005), 1), 0.05)


def shaker(noise: Noise, length: float = 0.09) -> Sound:
    """Grains that swell and fall."""
    time = clock(length)
    swell = np.sin(np.pi * (time / np.float32(length)) ** np.float32(0.6)) ** 2
    return closing(
        filtered(white(noise, len(time)) * swell, high(3200), bell(5200, 5, 1.0), low(12_500)), 0.01
    )


def tambourine(noise: Noise) -> Sound:
    """Small jingles: high tones that beat against each other."""
    time = clock(0.2)
    tones = (5630.0, 6710.0, 7480.0, 8830.0, 9710.0)
    jingle = sum((sine_of(hz * time) for hz in tones), np.zeros_like(time))
    sound = 0.12 * jingle * decay(time, 0.16) + 0.3 * filtered(white(noise, len(time)), high(5500)) * decay(
        time, 0.1
    )
    return closing(sound * np.minimum(time / np.float32(0.001), 1), 0.02)


def brush(noise: Noise, length: float = 0.2) -> Sound:
    """Wire brushes drawn over a skin."""
    time = clock(length)
    swell = np.minimum(time / np.float32(0.0004), 1) * decay(time, length * 1.1)
    return closing(filtered(white(noise, len(time)) * swell, high(800), low(9000), bell(3200, 4, 0.6)), 0.03)


def drop(noise: Noise) -> Sound:
    """A drop of rain on tin: a tiny ringing tap."""
    time = clock(0.06)
    tune = 2600 + 3800 * float(noise.random())
    tap = _sweep(time, tune, 500, 0.002) * decay(time, 0.03 + 0.02 * float(noise.random()))
    return closing(tap + 0.25 * filtered(white(noise, len(time)) * decay(time, 0.006), high(3000)), 0.01)


def dust(noise: Noise) -> Sound:
    """A grain of dust under the needle: a click with a short ring of its own."""
    time = clock(0.012)
    tune = 1400 + 4200 * float(noise.random())
    tick = _sweep(time, tune, 800, 0.001) * decay(time, 0.006)
    return closing((tick + 0.6 * white(noise, len(time)) * decay(time, 0.003)).astype(np.float32), 0.004)
