"""The worker process that makes variants: this file, run as a program.

It imports nothing of ours, so that it starts quickly and needs no search path. One request a line on
standard input, a JSON object of `Request`'s fields; one answer a line on standard output,
`{"out": ..., "error": null | sentence}`. A process and not a thread, because the stretching holds the GIL;
and a plain program and not `multiprocessing`, so that it does not run the host's main module again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ALGORITHM = "signalsmith-3"
SLICES = "slices-1"
"""Parts of a variant's file name: raise them when the same request would give other samples."""

SEAM_FRAMES = 480
"""10 ms: over which a stretched loop's end is led into its own beginning."""

WINDOW_FRAMES, HOP_FRAMES = 4800, 600
"""100 ms by 12.5 ms. The library's own 120 ms by 30 ms moves a pluck's onset by 3 ms and a kick's by 0.9 ms
at 7 %; shorter windows than this one thicken low notes. See the test of onsets."""

LEAST_FACTOR = 0.5
"""Below it (output twice the input) the stretching library draws random phases, and no two runs agree: what
is to be longer is stretched twice."""


ONSET_FRAMES = 64
"""The step at which onsets are looked for."""
LEAST_RISE_DB, LEAST_LEVEL_DB = 6.0, -36.0
"""An onset rises by so much, over 5 ms from the 16 ms before, and comes so near to the loudest."""
LEAST_SLICE_FRAMES = 1440
"""30 ms: onsets that are closer are one."""
BEFORE_FRAMES = 96
"""2 ms: by how much a slice begins before its onset."""
JOIN_FRAMES = 240
"""5 ms before a slice begins: over which the one before leaves."""
MOST_MIRRORED = 0.25
"""The most of a slice that is played backwards to fill the gap after it; a longer one is stretched over."""


Stretch = Callable[[NDArray[np.float32], int, int], NDArray[np.float32]]
"""Gives a sound (channels, n) so many frames, at a rate."""


@dataclass(frozen=True, slots=True)
class Request:
    """A variant to make. `source`, `out`: .npy of float32 (channels, frames). `frames`: of the result.

    `kind`: `loop` stretches to `frames`; `slices` moves its hits apart or together to it; `texture` keeps the
    length and fades the end, over the last `overlap` frames, into what the repeat begins with; `hit` is
    played faster or slower. All are shifted in pitch by `semitones`. `reverse`: backwards; for a texture
    only, whose end differs then.
    """

    source: str
    out: str
    kind: Literal["loop", "slices", "texture", "hit"]
    frames: int
    overlap: int
    rate: int
    semitones: int = 0
    reverse: bool = False

    def line(self) -> str:
        return json.dumps(asdict(self))


def stretch_loop(sound: NDArray[np.float32], frames: int, rate: int) -> NDArray[np.float32]:
    """`sound` (channels, n), read as an endless loop, stretched to exactly `frames` a round.

    Three rounds are stretched and the middle one is kept, so that its edges have heard their neighbours.
    """
    from python_stretch import Signalsmith

    length = sound.shape[1]
    if length / frames < LEAST_FACTOR:
        halfway = round((length * frames) ** 0.5)
        return stretch_loop(stretch_loop(sound, halfway, rate), frames, rate)
    stretcher = Signalsmith.Stretch()
    stretcher.preset(sound.shape[0], float(rate))
    stretcher.configure(sound.shape[0], WINDOW_FRAMES, HOP_FRAMES)
    stretcher.setTimeFactor(length / frames)
    rounds = np.asarray(stretcher.process(np.concatenate([sound] * 3, axis=1)), np.float32)
    if rounds.shape[1] < 3 * frames - 8:
        raise ValueError(f"stretching gave {rounds.shape[1]} frames where {3 * frames} were asked for")
    middle = rounds[:, frames : 2 * frames].copy()
    seam = min(SEAM_FRAMES, frames // 4)
    # A raised cosine: a straight line would bend at both its ends, a faint click in a pure tone.
    into = (0.5 - 0.5 * np.cos(np.pi * np.arange(1, seam + 1) / seam)).astype(np.float32)
    middle[:, -seam:] += into * (rounds[:, frames - seam : frames] - middle[:, -seam:])
    return middle


def onsets(sound: NDArray[np.float32]) -> list[int]:
    """Where the hits of an endless loop (channels, n) begin, in frames.

    By how much louder each 5 ms are than the 16 ms before, in the whole sound and in its high tones (its
    first difference), the greatest rise first.
    """
    steps = sound.shape[1] // ONSET_FRAMES
    whole = sound[:, : steps * ONSET_FRAMES].astype(np.float64)
    high = whole - np.roll(whole, 1, axis=1)
    rise = np.zeros(steps)
    for part in (whole, high):
        power = (part**2).sum(axis=0).reshape(steps, ONSET_FRAMES).sum(axis=1)
        floor = power.max() * 1e-5 + 1e-12
        after = sum(np.roll(power, -k) for k in range(4)) / 4
        before = sum(np.roll(power, k) for k in range(1, 13)) / 12
        loud = 10 * np.log10((after + 1e-12) / (power.max() + 1e-12)) > LEAST_LEVEL_DB
        rise = np.maximum(rise, np.where(loud, 10 * np.log10((after + floor) / (before + floor)), 0.0))
    near = LEAST_SLICE_FRAMES // ONSET_FRAMES
    taken = np.zeros(steps, bool)
    for step in np.argsort(-rise, kind="stable"):
        if rise[step] < LEAST_RISE_DB:
            break
        taken[step] = not taken[np.arange(step - near, step + near + 1) % steps].any()
    height = np.abs(high).max(axis=0)
    found = set()
    for step in np.flatnonzero(taken):
        around = np.arange(-4 * ONSET_FRAMES, 8 * ONSET_FRAMES) + step * ONSET_FRAMES
        heights = height[around % len(height)]
        found.add(int(around[np.argmax(heights > 0.2 * heights.max())]) % sound.shape[1])
    return sorted(found)


def slice_loop(sound: NDArray[np.float32], frames: int, rate: int) -> NDArray[np.float32]:
    """`sound` (channels, n), read as an endless loop, cut at its hits, which are moved to fit into `frames`.

    Every hit stays as it was played. What there is too much of before the next hit falls away; a short gap is
    filled by the end of the slice, backwards, a long one by the stretched loop. Without hits it is stretched.
    """
    length = sound.shape[1]
    marks = onsets(sound)
    if not marks:
        return stretch_loop(sound, frames, rate)
    starts = [mark - BEFORE_FRAMES for mark in marks]
    places = [round(mark * frames / length) - BEFORE_FRAMES for mark in marks]
    into = (0.5 - 0.5 * np.cos(np.pi * (np.arange(JOIN_FRAMES) + 0.5) / JOIN_FRAMES)).astype(np.float32)
    between: NDArray[np.float32] | None = None
    out = np.zeros((sound.shape[0], frames), np.float32)

    def add(piece: NDArray[np.float32], at: int) -> None:
        """Put a piece in, led in and out at its ends."""
        piece[:, :JOIN_FRAMES] *= into
        piece[:, -JOIN_FRAMES:] *= 1 - into
        for first in range(0, piece.shape[1], frames):
            part = piece[:, first : first + frames]
            out[:, np.arange(at + first, at + first + part.shape[1]) % frames] += part

    ends, nexts = [*starts[1:], starts[0] + length], [*places[1:], places[0] + frames]
    for start, end, place, following in zip(starts, ends, places, nexts, strict=True):
        has, room = end - start, following - place
        gap = max(room - has, 0)
        forward = np.arange(start - JOIN_FRAMES, start + min(has, room))
        if gap <= has * MOST_MIRRORED:
            forward = np.concatenate([forward, end - 2 - np.arange(gap)])
        add(sound[:, forward % length], place - JOIN_FRAMES)
        if gap > has * MOST_MIRRORED:
            if between is None:
                between = stretch_loop(sound, frames, rate)
            first = place + has - JOIN_FRAMES
            add(between[:, np.arange(first, following) % frames], first)
    return out


def shift_loop(
    sound: NDArray[np.float32], frames: int, semitones: int, rate: int, stretch: Stretch = stretch_loop
) -> NDArray[np.float32]:
    """`sound` (channels, n), read as an endless loop, `frames` long and shifted in pitch by `semitones`.

    It is stretched to what the shift shortens or lengthens again. The pitch is right to 0.1 cent where the
    loop is longer than a quarter of a second: lengths are whole frames.
    """
    if not semitones:
        return sound if sound.shape[1] == frames else stretch(sound, frames, rate)
    between = round(frames * 2.0 ** (semitones / 12))
    made = sound if sound.shape[1] == between else stretch(sound, between, rate)
    rounds = resample(np.concatenate([made] * 3, axis=1), 3 * frames)
    return np.ascontiguousarray(rounds[:, frames : 2 * frames])


def resample(sound: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """`sound` (channels, n) played faster or slower, so that it is exactly `frames` long."""
    import soxr

    made = np.asarray(soxr.resample(sound.T, sound.shape[1], frames, "VHQ"), np.float32).T
    return np.ascontiguousarray(np.pad(made, ((0, 0), (0, max(0, frames - made.shape[1]))))[:, :frames])


def crossfade_texture(sound: NDArray[np.float32], overlap: int) -> NDArray[np.float32]:
    """`sound` with its last `overlap` frames faded into its first, by equal power.

    After its end it repeats from frame `overlap` on, without a seam.
    """
    made = sound.copy()
    angle = (np.arange(overlap, dtype=np.float64) + 0.5) / overlap * (np.pi / 2)
    out, into = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    made[:, -overlap:] = sound[:, -overlap:] * out + sound[:, :overlap] * into
    return made


def make(request: Request) -> None:
    """Make one variant: the whole file appears at once, or none."""
    sound = np.ascontiguousarray(np.load(request.source, mmap_mode="r"))
    if request.kind == "hit":
        made = resample(sound, request.frames)
    else:
        stretch = slice_loop if request.kind == "slices" else stretch_loop
        made = shift_loop(sound, request.frames, request.semitones, request.rate, stretch)
    if request.kind == "texture":
        made = crossfade_texture(made[:, ::-1] if request.reverse else made, request.overlap)
    if not np.isfinite(made).all():
        raise ValueError("stretching gave values that are no numbers")
    out = Path(request.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.save(file, np.ascontiguousarray(made))
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def serve() -> None:
    """Answer requests until standard input ends."""
    for line in sys.stdin:
        request = Request(**json.loads(line))
        try:
            make(request)
            error = None
        except (ValueError, OSError, ImportError) as fault:
            error = str(fault) or type(fault).__name__
        print(json.dumps({"out": request.out, "error": error}), flush=True)


if __name__ == "__main__":
    serve()
