"""Filters and rooms worked in the spectrum, where a loop's end flows into its start by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..vault.records import ENGINE_RATE
from .grid import Sound, lay, white

Response = NDArray[np.complex64]
Filter = Callable[[NDArray[np.float32]], Response]
"""From `warped` frequencies to a response.

The bilinear transform keeps it causal: a response that is simply cut off at half the rate rings ahead of the
sound, and at a seam that is a click.
"""

PEAK = np.float32(10 ** (-3 / 20))
"""Every sound peaks at -3 dBFS."""
_STEP = 20_000
_TAIL = 8192
"""Frames after which the filters used here have died away (two poles at 24 Hz: below -100 dB)."""


@lru_cache(maxsize=256)
def low(cutoff: float, q: float = 0.707) -> Filter:
    """A low-pass of two poles at `cutoff` Hz."""
    return lambda warped: 1 / _poles(warped / _warp(cutoff), q)


@lru_cache(maxsize=256)
def high(cutoff: float, q: float = 0.707) -> Filter:
    """A high-pass of two poles at `cutoff` Hz."""

    def respond(warped: NDArray[np.float32]) -> Response:
        ratio = warped / _warp(cutoff)
        response = 1 / _poles(ratio, q)
        response *= -(ratio * ratio)
        return response

    return respond


@lru_cache(maxsize=256)
def band(centre: float, q: float) -> Filter:
    """A band-pass of unit gain at `centre` Hz."""

    def respond(warped: NDArray[np.float32]) -> Response:
        ratio = warped / _warp(centre)
        response: Response = np.complex64(1j / q) * ratio / _poles(ratio, q)
        return response

    return respond


@lru_cache(maxsize=256)
def bell(centre: float, gain_db: float, q: float = 1.0) -> Filter:
    """A peak or dip of `gain_db` at `centre` Hz."""
    gain = np.float32(10 ** (gain_db / 20) - 1)
    return lambda warped: 1 + gain * band(centre, q)(warped)


def _warp(hertz: float) -> np.float32:
    return np.float32(np.tan(np.pi * min(hertz / ENGINE_RATE, 0.499)))


def _poles(ratio: NDArray[np.float32], q: float) -> Response:
    result = np.empty(len(ratio), np.complex64)
    result.real, result.imag = 1 - ratio * ratio, ratio * np.float32(1 / q)
    return result


def fast_length(frames: int) -> int:
    """The least 2^a 3^b 5^c not below `frames`: transforms of other lengths are up to 20 times slower."""
    best = 1 << (frames - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << (-(-frames // three) - 1).bit_length())
            three *= 3
        five *= 5
    return best


@lru_cache(maxsize=64)
def frequencies(length: int) -> NDArray[np.float32]:
    """Of the bins of a transform of `length` frames, in Hz."""
    return (np.arange(length // 2 + 1) * (ENGINE_RATE / length)).astype(np.float32)


@lru_cache(maxsize=64)
def warped(length: int) -> NDArray[np.float32]:
    """The bins of a transform as the bilinear transform sees them: half the rate is infinitely high."""
    return np.tan(np.minimum(np.pi * frequencies(length) / ENGINE_RATE, 1.5707)).astype(np.float32)


def filtered(sound: Sound, *filters: Filter) -> Sound:
    """A one-shot through filters; what rings on after its end is cut off."""
    length = fast_length(sound.shape[-1] + 2048)
    spectrum = np.fft.rfft(sound, length)
    for each in filters:
        spectrum *= each(warped(length))
    return np.fft.irfft(spectrum, length)[..., : sound.shape[-1]].astype(np.float32)


def swept(sound: Sound, place: Sound) -> Sound:
    """A sound through a band that moves, frame by frame, from 300 Hz at place 0 to 9 kHz at 6."""
    moved = np.zeros_like(sound)
    for number, centre in enumerate(np.geomspace(300, 9000, 7)):
        moved += filtered(sound, band(float(centre), 1.4)) * np.exp(-((place - number) ** 2) / 1.1)
    return moved


@dataclass(frozen=True, slots=True)
class Room:
    """A reverberation. `seconds`: to -60 dB at 1 kHz; highs above `damping` Hz decay twice as fast."""

    seconds: float
    predelay: float = 0.012
    damping: float = 3500.0
    seed: int = 1


CLOSET = Room(0.35, 0.004, 5000, 11)
CLUB = Room(0.7, 0.010, 4500, 12)
QUAY = Room(1.6, 0.022, 3200, 13)
HALL = Room(2.6, 0.030, 2600, 14)


@lru_cache(maxsize=16)
def impulse(room: Room) -> Sound:
    """The room's response, `(2, frames)`: a few early reflections, then noise that dies away; unit energy."""
    noise = np.random.Generator(np.random.PCG64(room.seed))
    frames = int(room.seconds * 0.9 * ENGINE_RATE)
    seconds = np.arange(frames, dtype=np.float32) / ENGINE_RATE
    tail = white(noise, 2, frames)
    dull = filtered(tail, low(room.damping), high(240))
    bright = filtered(tail, high(room.damping), low(11_000))
    rate = np.float32(6.9 / room.seconds)
    sound = dull * np.exp(-seconds * rate) + bright * np.exp(-seconds * (2 * rate))
    sound *= np.minimum(seconds / 0.02, 1) ** 0.5 * np.linspace(1, 0, frames, dtype=np.float32) ** 0.5
    level = float(np.abs(sound).max())
    for channel in range(2):
        for reflection in range(5):
            at = int((0.003 + 0.0055 * reflection + 0.004 * noise.random()) * ENGINE_RATE)
            sound[channel, at] += level * 1.6 * (1 - reflection / 6) * (-1) ** reflection
    delay = int(room.predelay * ENGINE_RATE)
    sound = np.concatenate((np.zeros((2, delay), np.float32), sound), axis=1)
    result: Sound = (sound / np.sqrt((sound**2).sum(axis=1, keepdims=True))).astype(np.float32)
    return result


@lru_cache(maxsize=16)
def _room_spectrum(room: Room, length: int) -> Response:
    return np.fft.rfft(impulse(room), length).astype(np.complex64)


@lru_cache(maxsize=8)
def _tone(filters: tuple[Filter, ...], length: int) -> Response:
    """Filters one after the other, behind a high-pass that no sound is without.

    Kept, for the stems of a family go through the same ones.
    """
    tone = high(24)(warped(length))
    for each in filters:
        tone *= each(warped(length))
    return tone


def finish(
    sound: Sound,
    *filters: Filter,
    room: Room | None = None,
    wet: float = 0.0,
    wide: float = 1.0,
    loop: bool = True,
) -> Sound:
    """Filter, place in a room and bring to the common peak.

    `sound`: `(channels, frames)`; one channel hears one side of the room. `wide`: factor of the difference of
    two channels.
    A loop's tails come round to its start; another sound is cut at its end. There is never an offset.
    """
    frames = sound.shape[1]
    reach = _TAIL + (0 if room is None else impulse(room).shape[1])
    # Lengths in coarse steps, so that loops of nearly one length share the room's spectrum.
    length = fast_length(-(-(frames + reach) // _STEP) * _STEP)
    if wide != 1.0:
        middle = (sound[0] + sound[1]) * np.float32(0.5)
        sound = middle + (sound - middle) * np.float32(wide)
    spectrum = np.fft.rfft(sound, length)
    spectrum *= _tone(filters, length)
    if room is not None:
        channels = len(spectrum)
        middle_of = spectrum[0] + spectrum[1] if channels == 2 else spectrum[0]
        spectrum += middle_of * np.complex64(wet / channels) * _room_spectrum(room, length)[:channels]
    result = np.fft.irfft(spectrum, length).astype(np.float32)
    body = np.ascontiguousarray(result[:, :frames])
    if loop:
        lay(body, result[:, frames:], 0)
        body -= body.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    return levelled(body)


def levelled(sound: Sound) -> Sound:
    """The sound, peaking at -3 dBFS."""
    return np.ascontiguousarray(
        sound * (PEAK / max(float(sound.max()), -float(sound.min()))), dtype=np.float32
    )
