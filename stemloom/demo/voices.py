"""Tonal instruments: one note each, one or two channels, that begins at its onset and ends in silence.

Phases are kept in float64 turns and wrapped before they become float32: a sine of a large float32 argument
would hiss at -60 dB.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..vault.records import ENGINE_RATE
from .drums import clock, closing, decay
from .grid import Noise, Sound, white
from .harmony import hertz
from .spectrum import band, fast_length, filtered, frequencies, high, low, warped

_TABLE = 8192


def turns(pitch_hertz: float | NDArray[np.float64], frames: int, start: float = 0.0) -> NDArray[np.float64]:
    """The phase in turns, 0 to 1, of a steady or moving pitch."""
    phase: NDArray[np.float64]
    if isinstance(pitch_hertz, float):
        phase = np.arange(frames, dtype=np.float64) * (pitch_hertz / ENGINE_RATE)
    else:
        phase = np.cumsum(pitch_hertz, dtype=np.float64) / ENGINE_RATE
    if start:
        phase += start
    phase -= np.floor(phase)
    return phase


def _radians(phase: NDArray[np.float64]) -> Sound:
    return (phase * (2 * np.pi)).astype(np.float32)


def sine(pitch_hertz: float, frames: int) -> Sound:
    return np.sin(_radians(turns(pitch_hertz, frames)))


def held(time: Sound, seconds: float, attack: float, release: float) -> Sound:
    """1 while a key is down for `seconds`, with soft ends."""
    rise = np.clip(time / np.float32(attack), 0, 1)
    fall = np.clip((np.float32(seconds + release) - time) / np.float32(release), 0, 1)
    result: Sound = (rise * rise * (3 - 2 * rise) * fall * fall).astype(np.float32)
    return result


def electric_piano(note: int, seconds: float, velocity: float) -> Sound:
    """A tine piano by frequency modulation: a warm body, a tine that fades at once, harder is brighter.

    Chowning (1973); ratios 1:1 for the body and 14:1 for the tine. Stereo: two slightly detuned layers.
    """
    pitch = hertz(note)
    time = clock(min(seconds, 3.2) + 0.16)
    lasting = decay(time, 4.2 * (220 / pitch) ** 0.45)
    body = _radians(turns(pitch, len(time)))
    index = (0.5 + 1.5 * velocity) * (0.35 + 0.65 * decay(time, 1.1)) * (330 / pitch) ** 0.25
    tine = (
        np.sin(_radians(turns(pitch * 14.0, len(time))))
        * decay(time, 0.3)
        * np.float32(0.14 + 0.7 * velocity**2)
    )
    shape = lasting * held(time, min(seconds, 3.2), 0.0025, 0.15) * np.float32(velocity)
    sides = []
    for cents, start in ((-3.0, 0.0), (3.0, 0.13)):
        other = _radians(turns(pitch * 2 ** (cents / 1200), len(time), start))
        sides.append(np.sin(body + index * np.sin(other) + tine) * 0.62 + np.sin(other) * 0.38)
    result: Sound = np.stack(sides) * shape
    return result


@lru_cache(maxsize=64)
def pluck(note: int, velocity: float, ring: float = 1.4, bright: float = 0.5, seed: int = 5) -> Sound:
    """A plucked string: the closed form of the Karplus-Strong loop, worked in the spectrum.

    Y = X / (1 - G(w) exp(-iwP)): the delay P is a true fraction, so it is in tune. `ring`: seconds to -60 dB.
    """
    pitch, length = hertz(note), 1 << 16
    noise = np.random.Generator(np.random.PCG64(seed + note))
    period = ENGINE_RATE / pitch
    burst = np.zeros(length, np.float32)
    grains = int(period)
    burst[:grains] = white(noise, grains)
    burst[:grains] -= burst[:grains].mean()
    # Plucked at a fifth of the string: every fifth harmonic is weak.
    burst[: 2 * grains] -= np.roll(burst[: 2 * grains], int(period / 5)) * 0.8
    hz = frequencies(length)
    damping = np.sqrt(
        1 - (0.5 - 0.42 * bright) * (1 - np.cos(hz * np.float32(2 * np.pi / ENGINE_RATE))) * 0.9
    )
    gain = 10 ** (-3 * period / (ENGINE_RATE * ring)) * damping
    around = turns(period * ENGINE_RATE / length, len(hz))
    angle = _radians(around)
    string = np.empty(len(hz), np.complex64)
    string.real, string.imag = 1 - gain * np.cos(angle), gain * np.sin(angle)
    edge = np.float32(0.06 * velocity * (0.3 + bright))
    tone = low(pitch * 1.6 + 500 * velocity, 0.5)(warped(length)) + edge * low(6500)(warped(length))
    tone *= high(pitch * 0.6)(warped(length))
    sound = np.fft.irfft(np.fft.rfft(burst) * (tone / string), length)
    frames = min(int(ring * ENGINE_RATE), length)
    sound = sound[:frames].astype(np.float32)
    sound *= np.float32(velocity) / np.abs(sound).max()
    sound[:48] *= np.linspace(0, 1, 48, dtype=np.float32)
    return closing(sound.astype(np.float32), 0.25 * ring)


def chime(note: int, velocity: float, ring: float = 2.6, glass: float = 1.0) -> Sound:
    """A small bell: partials of a free bar softened into tune; the high ones die first."""
    pitch = hertz(note)
    time = clock(ring)
    sound = np.zeros_like(time)
    for ratio, level, life in (
        (1.0, 1.0, 1.0),
        (2.0, 0.32, 0.7),
        (3.0, 0.2, 0.45),
        (4.17, 0.34 * glass, 0.3),
        (6.8, 0.22 * glass, 0.16),
        (9.9, 0.12 * glass, 0.1),
    ):
        if pitch * ratio < 15_000:
            sound += (
                np.float32(level * velocity ** (0.5 + ratio / 4))
                * sine(pitch * ratio, len(time))
                * decay(time, ring * life)
            )
    beat = sine(pitch * 1.0022, len(time)) * decay(time, ring * 0.9) * np.float32(0.4 * velocity)
    return closing((sound + beat) * np.minimum(time / np.float32(0.0015), 1), 0.3)


def kalimba(note: int, velocity: float) -> Sound:
    """A plucked tongue over a box: a pure tone, a knock, and a high partial that is gone at once."""
    pitch = hertz(note)
    time = clock(0.85)
    tone = sine(pitch, len(time)) * decay(time, 0.95) + 0.2 * sine(pitch * 2, len(time)) * decay(time, 0.4)
    ping = sine(min(pitch * 5.93, 12_000.0), len(time)) * decay(time, 0.09) * np.float32(0.5 * velocity)
    knock = sine(pitch * 0.5, len(time)) * decay(time, 0.07) * np.float32(0.35)
    return closing(
        (tone + ping + knock) * np.minimum(time / np.float32(0.0012), 1) * np.float32(velocity), 0.2
    )


@lru_cache(maxsize=128)
def _saw(harmonics: int, slope: float) -> Sound:
    """One turn of a saw of so many harmonics, each falling by `slope` more than 1/n; unit peak."""
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    number = np.arange(1, harmonics + 1)
    spectrum[1 : harmonics + 1] = (
        -1j * number ** -(1.0 + slope) * np.cos(np.pi * number / (2 * harmonics + 2))
    )
    table = np.fft.irfft(spectrum, _TABLE)
    result: Sound = (table / np.abs(table).max()).astype(np.float32)
    return result


def saw(phase: NDArray[np.float64], open_to: Sound, pitch_hertz: float, ceiling: float = 9000.0) -> Sound:
    """A band-limited saw whose brightness follows `open_to`, 0 (nearly a sine) to 1 (up to `ceiling` Hz)."""
    place = (phase * _TABLE).astype(np.int32) & (_TABLE - 1)
    most = max(int(min(ceiling, 18_000) / pitch_hertz), 2)
    dark, mid, bright = _saw(most, 2.4), _saw(most, 1.0), _saw(most, 0.15)
    lower = np.clip(open_to * 2, 0, 1)
    upper = np.clip(open_to * 2 - 1, 0, 1)
    first = dark[place]
    second = mid[place]
    sound = first + (second - first) * lower
    if float(upper.max()) > 0:
        sound += (bright[place] - second) * upper
    result: Sound = sound
    return result


def bass(note: int, seconds: float, velocity: float, *, growl: float, slide_from: int | None = None) -> Sound:
    """A sine, and a saw whose brightness falls after the attack. `growl`: 0 round to 1 rough."""
    pitch = hertz(note)
    time = clock(seconds + 0.06)
    moving: float | NDArray[np.float64] = pitch
    if slide_from is not None:
        moving = pitch * (hertz(slide_from) / pitch) ** np.exp(-time.astype(np.float64) / 0.035)
    phase = turns(moving, len(time))
    opening = np.float32(growl * velocity) * (0.3 + 0.7 * decay(time, 0.7)) + np.float32(0.14)
    sound = 0.8 * np.sin(_radians(phase)) + (0.3 + 0.35 * growl) * saw(phase, opening, pitch, 7000)
    sound = np.tanh((0.9 + 1.2 * growl) * sound)
    return sound * held(time, seconds, 0.005, 0.05) * np.float32(velocity) * (0.75 + 0.25 * decay(time, 0.8))


def deep(note: int, seconds: float, velocity: float) -> Sound:
    """A bass of few harmonics, the octave the strongest: it is heard as its root on the smallest speaker."""
    time = clock(seconds + 0.07)
    radians = _radians(turns(hertz(note), len(time)))
    touch = decay(time, 0.5) * np.float32(velocity)
    sound = np.sin(radians) + (0.34 + 0.14 * touch) * np.sin(2 * radians)
    sound += 0.1 * touch * np.sin(3 * radians) + (0.1 + 0.12 * touch) * np.sin(4 * radians)
    sound += touch * _fingers(len(time), note)
    result: Sound = (
        sound * held(time, seconds, 0.006, 0.06) * np.float32(velocity) * (0.8 + 0.2 * decay(time, 1.2))
    )
    return result


def _fingers(frames: int, seed: int) -> Sound:
    """A fingertip that leaves a string: a short scrape, by which a low note is heard to begin."""
    noise = np.random.Generator(np.random.PCG64(900 + seed))
    short = min(frames, int(0.05 * ENGINE_RATE))
    time = clock(short / ENGINE_RATE)[:short]
    scrape = white(noise, len(time)) * decay(time, 0.04) * np.minimum(time / np.float32(0.002), 1)
    sound = np.zeros(frames, np.float32)
    sound[: len(time)] = filtered(scrape, high(2300), low(7000)) * np.float32(1.1)
    return sound


@lru_cache(maxsize=96)
def felt(note: int, seconds: float, velocity: float) -> Sound:
    """A piano with felt before its hammers: few partials, two strings that beat, a soft knock of wood."""
    pitch = hertz(note)
    time = clock(min(seconds + 0.25, 3.4))
    ring = 3.6 * (220 / pitch) ** 0.5
    radians = _radians(turns(pitch, len(time)))
    sound = np.float32(0.6) * sine(pitch * 1.0006, len(time)) * decay(time, ring)
    for number in (1, 2, 3, 4, 5, 6, 8, 10, 13, 17):
        # Those above the pitches that are heard as such give it light and take nothing from its chord.
        level = number ** -(1.7 - 0.7 * velocity) * (2.5 if number * pitch > 2000 else 1.0)
        sound += np.float32(level) * np.sin(number * radians) * decay(time, ring / (0.6 + 0.4 * number))
    noise = np.random.Generator(np.random.PCG64(700 + note))
    short = clock(min(0.12, len(time) / ENGINE_RATE))
    knock = white(noise, len(short)) * decay(short, 0.05)
    sound[: len(short)] += np.float32(0.5) * filtered(knock, low(520), high(90))
    result: Sound = sound * held(time, min(seconds, 3.15), 0.006, 0.2) * np.float32(velocity)
    return result


def organ(note: int, seconds: float, velocity: float) -> Sound:
    """A drawbar organ, driven a little: octaves and twelfth over the note, a click of the key in front."""
    time = clock(seconds + 0.08)
    radians = _radians(turns(hertz(note), len(time)))
    pipes = np.float32(0.35) * np.sin(6 * radians) * decay(time, 0.05)
    for ratio, level in ((1, 1.0), (2, 0.55), (3, 0.24), (4, 0.3), (8, 0.06), (16, 0.16), (24, 0.08)):
        pipes += np.float32(level) * np.sin(ratio * radians)
    result: Sound = (
        np.tanh(np.float32(0.55) * pipes) * held(time, seconds, 0.003, 0.06) * np.float32(velocity)
    )
    return result


def brass(note: int, seconds: float, velocity: float) -> Sound:
    """A small muted section: three saws, out of tune by a few cents, that open and close. Stereo."""
    pitch = hertz(note)
    time = clock(seconds + 0.12)
    opening = (
        np.float32(0.42 + 0.58 * velocity)
        * np.clip(time / np.float32(0.035), 0, 1)
        * (0.45 + 0.55 * decay(time, 0.7))
    )
    shape = held(time, seconds, 0.014, 0.1) * np.float32(velocity)
    voices = [
        saw(turns(pitch * 2 ** (cents / 1200), len(time), start), opening, pitch, 11_000)
        for cents, start in ((-6.0, 0.0), (1.0, 0.37), (7.0, 0.71))
    ]
    result: Sound = np.stack((voices[0] + 0.8 * voices[1], voices[2] + 0.8 * voices[1])) * shape
    return result


def whistle(line: list[tuple[float, int, float, float]], noise: Noise, tail: float = 0.3) -> Sound:
    """A breathy pipe that glides through a line: (second, note, seconds held, velocity) each."""
    end = max(at + seconds for at, _, seconds, _ in line) + tail
    time = clock(end)
    exact = time.astype(np.float64)
    pitch, loud = np.full(len(time), hertz(line[0][1])), np.zeros(len(time), np.float32)
    wobble = np.zeros(len(time))
    firsts = [int(at * ENGINE_RATE) for at, *_ in line]
    for (at, note, seconds, velocity), first, following in zip(
        line, firsts, [*firsts[1:], None], strict=True
    ):
        since = exact[first:following] - at
        glide = (pitch[max(first - 1, 0)] / hertz(note)) ** np.exp(-since / 0.022)
        pitch[first:following] = hertz(note) * glide
        wobble[first:following] = 0.0045 * np.clip((since - 0.28) / 0.5, 0, 1)
        stop = min(int((at + seconds + 0.16) * ENGINE_RATE), len(time))
        span = held(time[: stop - first], seconds, 0.05, 0.16) * np.float32(velocity)
        loud[first:stop] = np.maximum(loud[first:stop], span)
    phase = turns(pitch * (1 + wobble * np.sin(2 * np.pi * 5.1 * exact)), len(time))
    radians = _radians(phase)
    pipe = (
        np.sin(radians)
        + 0.3 * np.sin(2 * radians) * loud
        + 0.24 * np.sin(3 * radians) * loud**2
        + 0.14 * np.sin(4 * radians) * loud**2
        + 0.08 * np.sin(6 * radians) * loud**2
    )
    breath = filtered(white(noise, len(time)), band(3000, 0.5), high(900))
    return closing(pipe * loud + breath * loud * np.float32(0.07), 0.1)


def ensemble(
    notes: tuple[int, ...],
    seconds: float,
    noise: Noise,
    *,
    cents: float,
    slope: float,
    cutoff: float,
    vowel: bool = False,
) -> tuple[Sound, Sound]:
    """A chord of many players: (dark, bright), `(2, frames)` each, that repeat without a seam.

    Harmonics are spread into bands, wider with their number, under random phases (Nasca's PADsynth). Both
    share their phases, so a fade from one to the other is a filter that opens. `cents`: width of a band;
    `slope`: how harmonics fall; `cutoff`: Hz of the bright one.
    """
    length = fast_length(int(seconds * ENGINE_RATE))
    hz = frequencies(length)
    levels = np.zeros(len(hz))
    step = ENGINE_RATE / length
    for place, note in enumerate(notes):
        pitch = hertz(note)
        weight = (1.0, 0.8, 0.75, 0.7, 0.6, 0.45)[min(place, 5)]
        for number in range(1, int(min(cutoff * 2.6, 14_000) / pitch) + 1):
            centre = pitch * number
            width = max(centre * (2 ** (cents / 1200) - 1), 0.4)
            first, last = int((centre - 3 * width) / step), int((centre + 3 * width) / step) + 2
            bump = np.exp(-0.5 * ((hz[first:last] - centre) / width) ** 2)
            levels[first:last] += weight * number**-slope * bump / np.sqrt(width)
    if vowel:
        levels *= sum(
            gain * np.exp(-0.5 * (np.log2(np.maximum(hz, 1) / centre) / 0.22) ** 2)
            for centre, gain in ((420.0, 1.0), (830.0, 0.8), (2500.0, 0.3))
        ) + np.float64(0.06)
    together = noise.random(len(hz), dtype=np.float32)
    apart = 0.22 * (noise.random((2, len(hz)), dtype=np.float32) - np.float32(0.5))
    angle = np.float32(2 * np.pi) * (together + apart)
    spin = np.empty(angle.shape, np.complex64)
    spin.real, spin.imag = np.cos(angle), np.sin(angle)
    bright = (levels * np.abs(low(cutoff)(warped(length)))).astype(np.float32)
    dark = bright * np.abs(low(cutoff * 0.22)(warped(length)))
    sounds = np.fft.irfft(np.stack((dark * spin, bright * spin)), length).astype(np.float32)
    sounds /= np.float32(np.sqrt((sounds[1] ** 2).mean()))
    return sounds[0], sounds[1]
