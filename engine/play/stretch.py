"""The worker process that makes variants: this file, run as a program.

It imports nothing of ours but one file, which it finds by its place, so that it starts quickly and needs no
search path. One request a line on
standard input, a JSON object of `Request`'s fields; one answer a line on standard output,
`{"out": ..., "error": null | sentence, "errno": null | number}`. A process and not a thread, because the
stretching holds the GIL;
and a plain program and not `multiprocessing`, so that it does not run the host's main module again.
"""

from __future__ import annotations

import json
import os
import runpy
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ...vault.sound.onsets import LEAST_FRAMES, onsets
else:
    # A program has no package: the vault's rule of onsets is beside it in the tree.
    _rule = runpy.run_path(str(Path(__file__).parents[2] / "vault" / "sound" / "onsets.py"))
    LEAST_FRAMES, onsets = _rule["LEAST_FRAMES"], _rule["onsets"]

ALGORITHM = "signalsmith-3"
SLICES = "slices-2"
RAMP = "ramp-1"
"""Parts of a variant's file name: raise them when the same request would give other samples."""

SEAM_FRAMES = 480
"""10 ms: over which a stretched loop's end is led into its own beginning."""

WINDOW_FRAMES, HOP_FRAMES = 4800, 600
"""100 ms by 12.5 ms. The library's own 120 ms by 30 ms moves a pluck's onset by 3 ms and a kick's by 0.9 ms
at 7 %; shorter windows than this one thicken low notes. See the test of onsets."""

LEAST_FACTOR = 0.5
"""Below it (output twice the input) the stretching library draws random phases, and no two runs agree: what
is to be longer is stretched twice."""


BEFORE_FRAMES = 96
"""2 ms: by how much a slice begins before its onset."""
JOIN_FRAMES = 240
"""5 ms before a slice begins: over which the one before leaves."""
KEPT_FRAMES = 1920
"""40 ms: so much of a hit stays as it was played where its slice is made longer, or half of a short slice."""
MELT_FRAMES = 960
"""20 ms: over which the hit goes over into its stretched tail, or half of what is left of a short slice."""
MOST_LAG_FRAMES = 240
"""5 ms: by so much the tail is moved either way, so that it goes on in the phase of what was kept."""
CONTEXT_FRAMES = 2400
"""Half a window: what a clip that is stretched hears before and after it."""
PIECE_JOIN_FRAMES, PIECE_LEAD_FRAMES = 480, 720
"""A piece of a ramp comes in over 10 ms that end 5 ms before its line, and so before a note on it."""
RAMP_MARGIN_FRAMES = 4800
"""What is made before and after a ramp that is shifted in pitch, so that resampling hears its neighbours."""
ABANDONED_SECONDS = 600
"""A file that is half written for so long is nobody's any more."""


Anchors = Sequence[tuple[float, float]]
"""Where frames of a loop, counted on through its rounds, come to lie: both rise from each to the next, and
between two of them the tempo is even."""
Course = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Anchors as sources and places."""
Line = tuple[int, int, bool]
"""Source, place, and whether an onset is there."""

Kind = Literal["loop", "song", "slices", "texture", "hit", "ramp"]
Stretch = Callable[[NDArray[np.float32], int, int], NDArray[np.float32]]
"""Gives a sound (channels, n) so many frames, at a rate."""


@dataclass(frozen=True, slots=True)
class Request:
    """A variant to make. `source`, `out`: .npy of float32 (channels, frames). `frames`: of the result.

    `kind`: `loop` stretches to `frames`; `slices` moves its hits apart or together to it; `texture` keeps the
    length and fades the end, over the last `overlap` frames, into what the repeat begins with; `hit` is
    played faster or slower; `ramp` follows `anchors`, source frame to frame of the result, and moves the hits
    of what is `struck`; `song` does so evenly, its last `silent` frames being silence. All are shifted in
    pitch by `semitones`. `reverse`: the source backwards; for a texture, whose end differs then, and for a
    ramp.
    """

    source: str
    out: str
    kind: Kind
    frames: int
    overlap: int
    rate: int
    semitones: int = 0
    reverse: bool = False
    anchors: Sequence[tuple[int, int]] = ()
    struck: bool = False
    silent: int = 0

    def line(self) -> str:
        return json.dumps(asdict(self))


def stretch_loop(sound: NDArray[np.float32], frames: int, rate: int) -> NDArray[np.float32]:
    """`sound` (channels, n), read as an endless loop, stretched to exactly `frames` a round.

    Three rounds are stretched and the middle one is kept, so that its edges have heard their neighbours.
    """
    length = sound.shape[1]
    if length / frames < LEAST_FACTOR:
        halfway = round((length * frames) ** 0.5)
        return stretch_loop(stretch_loop(sound, halfway, rate), frames, rate)
    rounds = _stretched(np.concatenate([sound] * 3, axis=1), length / frames, rate)
    if rounds.shape[1] < 3 * frames - 8:
        raise ValueError(f"stretching gave {rounds.shape[1]} frames where {3 * frames} were asked for")
    middle = rounds[:, frames : 2 * frames].copy()
    seam = min(SEAM_FRAMES, frames // 4)
    # A raised cosine: a straight line would bend at both its ends, a faint click in a pure tone.
    into = (0.5 - 0.5 * np.cos(np.pi * np.arange(1, seam + 1) / seam)).astype(np.float32)
    middle[:, -seam:] += into * (rounds[:, frames - seam : frames] - middle[:, -seam:])
    return middle


def slice_loop(sound: NDArray[np.float32], frames: int, rate: int) -> NDArray[np.float32]:
    """`sound` (channels, n), read as an endless loop, cut at its hits, which are moved to fit into `frames`.

    Each goes on as `slices` says. Without hits the loop is stretched.
    """
    length = sound.shape[1]
    marks = onsets(sound)
    if not marks:
        return stretch_loop(sound, frames, rate)
    places = [round(mark * frames / length) for mark in marks]
    out = np.zeros((sound.shape[0], frames), np.float32)
    for at, piece in slices(sound, [*marks, marks[0] + length], [*places, places[0] + frames], rate):
        for first in range(0, piece.shape[1], frames):
            part = piece[:, first : first + frames]
            out[:, np.arange(at + first, at + first + part.shape[1]) % frames] += part
    return out


def slices(
    sound: NDArray[np.float32], marks: Sequence[int], places: Sequence[int], rate: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The hits of an endless loop (channels, n) at `marks`, moved to `places`: where each is added, and what.

    The last mark and place only say where the hit before them ends. Every hit stays as it was played. What
    there is too much of before the next falls away; where there is too little, the hit goes over into its
    own stretched tail, which does not hear its neighbours: a mirrored tail swells into the next hit, and one
    that hears it brings it early and softly.
    """
    for mark, end, place, following in zip(marks, marks[1:], places, places[1:], strict=False):
        has, room = end - mark, following - place
        first = mark - BEFORE_FRAMES
        lead_in = _round(sound, first - JOIN_FRAMES, first)
        piece = _round(sound, first, first + min(has, room))
        if room > has:
            piece = _with_longer_tail(piece, room, rate)
        piece = np.concatenate([lead_in, piece], axis=1)
        piece[:, :JOIN_FRAMES] *= _rise(JOIN_FRAMES)
        piece[:, -JOIN_FRAMES:] *= 1 - _rise(JOIN_FRAMES)
        yield place - BEFORE_FRAMES - JOIN_FRAMES, piece


def _with_longer_tail(hit: NDArray[np.float32], frames: int, rate: int) -> NDArray[np.float32]:
    """`hit` (channels, n), which begins as it was played and is made `frames` long by its stretched rest.

    The rest hears what was kept, silence before that, and its own end mirrored after it.
    """
    length = hit.shape[1]
    kept = min(BEFORE_FRAMES + KEPT_FRAMES, length // 2)
    melt = min(MELT_FRAMES, (length - kept) // 2)
    lag = MOST_LAG_FRAMES
    silence = np.zeros((hit.shape[0], max(CONTEXT_FRAMES - kept, 0)), np.float32)
    after = np.pad(hit[:, kept:], ((0, 0), (0, CONTEXT_FRAMES)), "reflect")
    before = np.concatenate([silence, hit[:, :kept]], axis=1)
    tail = _in_context(before, after, length - kept, frames - kept, lag, rate)
    tail = _going_on(hit[:, kept : kept + melt], tail)[:, : frames - kept]
    return np.concatenate([hit[:, :kept], tail], axis=1)


def _in_context(
    before: NDArray[np.float32],
    clip_and_after: NDArray[np.float32],
    length: int,
    frames: int,
    spare: int,
    rate: int,
) -> NDArray[np.float32]:
    """The first `length` frames of a clip, stretched to `frames`, with `spare` frames more on either side."""
    factor = length / frames
    made = _stretched(np.concatenate([before, clip_and_after], axis=1), factor, rate)
    first = round(before.shape[1] / factor) - spare
    lacking = max(first + frames + 2 * spare - made.shape[1], 0)
    made = np.pad(made, ((0, 0), (max(-first, 0), lacking)))
    first = max(first, 0)
    return made[:, first : first + frames + 2 * spare].copy()


def _most_alike(wanted: NDArray[np.float32], within: NDArray[np.float32]) -> tuple[int, float]:
    """Where `wanted` is most like a part of `within` (both (channels, n)), and how much: 0 to 1."""
    count = wanted.shape[1]
    products = sum(
        np.correlate(part, channel, "valid")
        for channel, part in zip(wanted.astype(float), within.astype(float), strict=True)
    )
    energies = np.cumsum(np.pad((within.astype(float) ** 2).sum(axis=0), (1, 0)))
    energy = (energies[count:] - energies[:-count]) * (wanted.astype(float) ** 2).sum()
    likeness = products / np.sqrt(np.maximum(energy, 1e-18))
    best = int(np.argmax(likeness))
    return best, min(max(float(likeness[best]), 0.0), 1.0)


def ramp_loop(
    sound: NDArray[np.float32], anchors: Anchors, frames: int, rate: int, *, struck: bool
) -> NDArray[np.float32]:
    """`sound` (channels, n), read as an endless loop, played along `anchors`: the frames from 0 to `frames`.

    Before the first anchor and after the last the tempo is the nearest's. What is `struck` is cut at its
    hits, and each is where the anchors put it, to the frame; all else is stretched from anchor to anchor.
    """
    course = _carried_on(anchors, 2 * sound.shape[1])
    marks = _ramp_marks(sound, course, frames)
    if struck and len(marks) > 1:
        pieces = slices(sound, marks, [round(place) for place in np.interp(marks, *course)], rate)
    else:
        pieces = _ramp_pieces(sound, _ramp_lines(marks, course, frames), rate)
    out = np.zeros((sound.shape[0], frames), np.float32)
    for at, piece in pieces:
        first, last = max(at, 0), min(at + piece.shape[1], frames)
        if first < last:
            out[:, first:last] += piece[:, first - at : last - at]
    return out


def _carried_on(anchors: Anchors, reach: int) -> Course:
    """Sources and places of `anchors`, the first and the last line drawn on over `reach` source frames."""
    sources, places = np.asarray(anchors, np.float64).reshape(-1, 2).T
    if len(sources) < 2 or np.diff(sources).min() <= 0 or np.diff(places).min() <= 0:
        raise ValueError("a ramp has two anchors or more, and both their frames rise")
    slopes = np.diff(places) / np.diff(sources)
    begin, end = places[0] - reach * slopes[0], places[-1] + reach * slopes[-1]
    return np.array([sources[0] - reach, *sources, sources[-1] + reach]), np.array([begin, *places, end])


def _ramp_marks(sound: NDArray[np.float32], course: Course, frames: int) -> list[int]:
    """The onsets from the last before frame 0 of a ramp to the first after its end."""
    sources, places = course
    length = sound.shape[1]
    lead = BEFORE_FRAMES + JOIN_FRAMES
    first, last = np.interp([-lead, frames + lead], places, sources)
    rounds = range(int(first // length) - 1, int(last // length) + 2)
    marks = [mark + number * length for number in rounds for mark in onsets(sound)]
    before = [mark for mark in marks if mark <= first]
    after = [mark for mark in marks if mark >= last]
    return [*before[-1:], *(mark for mark in marks if first < mark < last), *after[:1]]


def _ramp_lines(marks: Sequence[int], course: Course, frames: int) -> list[Line]:
    """The lines between which a ramp is even: onsets, anchors that are not too near them, its edges."""
    sources, places = course
    lead = PIECE_LEAD_FRAMES
    first, last = np.interp([-lead, frames + 2 * lead], places, sources)
    near = LEAST_FRAMES
    corners = [(source, False) for source in sources if all(abs(source - mark) >= near for mark in marks)]
    inner = sorted(line for line in (*corners, *((mark, True) for mark in marks)) if first < line[0] < last)
    lines = [(round(first), -lead, False)]
    for source, is_onset in (*inner, (last, False)):
        line = round(source), round(np.interp(source, sources, places)), is_onset
        if lines[-1][0] < line[0] and lines[-1][1] < line[1]:
            lines.append(line)
    return lines


def _ramp_pieces(
    sound: NDArray[np.float32], lines: Sequence[Line], rate: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """What is between two lines of a ramp, evenly stretched, where it is added.

    A piece begins in the phase of the one before, and one that begins with an onset with that as it was
    played.
    """
    lead, join, lag = PIECE_LEAD_FRAMES, PIECE_JOIN_FRAMES, MOST_LAG_FRAMES
    left = None
    for (start, place, is_onset), (end, following, ends_in_onset) in pairwise(lines):
        length, room = end - start, following - place
        context = 2 * CONTEXT_FRAMES + round((lead + lag) * length / room)
        clip = _round(sound, start, end if ends_in_onset else end + context)
        if ends_in_onset:
            clip = np.pad(clip, ((0, 0), (0, context)), "reflect")
        made = _in_context(_round(sound, start - context, start), clip, length, room, lead + lag, rate)
        if is_onset:
            kept = lead + min(KEPT_FRAMES, room // 2)
            melt = min(MELT_FRAMES, (lead + room - kept) // 2)
            played = _round(sound, start - lead, start - lead + kept + melt)
            piece = np.concatenate([played[:, :kept], _going_on(played[:, kept:], made[:, kept:])], axis=1)
        else:
            piece = made[:, lag:] if left is None else _going_on(left, made)
        if is_onset and left is not None:
            piece[:, :join] = _melted(left, piece[:, :join], _most_alike(left, piece[:, :join])[1])
        yield place - lead, piece[:, :room]
        left = piece[:, room : room + join]


def _going_on(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.float32]:
    """`new`, from that one of its first frames (twice the lag) on where it goes on in the phase of `old`."""
    count = old.shape[1]
    shift, likeness = _most_alike(old, new[:, : count + 2 * MOST_LAG_FRAMES])
    made = new[:, shift:].copy()
    made[:, :count] = _melted(old, made[:, :count], likeness)
    return made


def _melted(old: NDArray[np.float32], new: NDArray[np.float32], likeness: float) -> NDArray[np.float32]:
    """`old` going over into `new` (channels, n), as loud in the middle whether or not the two are alike."""
    into = _rise(old.shape[1])
    loud = np.sqrt(into**2 + (1 - into) ** 2 + 2 * likeness * into * (1 - into))
    return ((into * new + (1 - into) * old) / loud).astype(np.float32)


def _stretched(sound: NDArray[np.float32], factor: float, rate: int) -> NDArray[np.float32]:
    """`sound` (channels, n) as a clip of its own, `factor` times as fast."""
    from python_stretch import Signalsmith

    if factor < LEAST_FACTOR:
        return _stretched(_stretched(sound, factor**0.5, rate), factor**0.5, rate)
    stretcher = Signalsmith.Stretch()
    stretcher.preset(sound.shape[0], float(rate))
    stretcher.configure(sound.shape[0], WINDOW_FRAMES, HOP_FRAMES)
    stretcher.setTimeFactor(factor)
    return np.asarray(stretcher.process(sound), np.float32)


def _round(sound: NDArray[np.float32], first: int, last: int) -> NDArray[np.float32]:
    """An endless loop (channels, n) from one frame to another."""
    return np.take(sound, np.arange(first, last), axis=1, mode="wrap")


def _rise(frames: int) -> NDArray[np.float32]:
    """From 0 to 1 by a raised cosine: a straight line would bend at both its ends, a faint click."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / frames)).astype(np.float32)


def shift_ramp(
    sound: NDArray[np.float32], anchors: Anchors, frames: int, semitones: int, rate: int, *, struck: bool
) -> NDArray[np.float32]:
    """`ramp_loop`, shifted in pitch by `semitones`: made longer or shorter, and played faster or slower."""
    if not semitones:
        return ramp_loop(sound, anchors, frames, rate, struck=struck)
    whole = frames + 2 * RAMP_MARGIN_FRAMES
    between = round(whole * 2.0 ** (semitones / 12))
    moved = [(source, (place + RAMP_MARGIN_FRAMES) * between / whole) for source, place in anchors]
    made = resample(ramp_loop(sound, moved, between, rate, struck=struck), whole)
    return np.ascontiguousarray(made[:, RAMP_MARGIN_FRAMES : RAMP_MARGIN_FRAMES + frames])


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
    frames, semitones, rate = request.frames, request.semitones, request.rate
    if request.kind == "hit":
        made = resample(sound, frames)
    elif request.kind in ("ramp", "song"):
        sound = np.ascontiguousarray(sound[:, ::-1]) if request.reverse else sound
        anchors = request.anchors or [(0, 0), (sound.shape[1], frames)]
        made = shift_ramp(sound, anchors, frames, semitones, rate, struck=request.struck)
    else:
        stretch = slice_loop if request.kind == "slices" else stretch_loop
        made = shift_loop(sound, frames, semitones, rate, stretch)
    if request.kind == "texture":
        made = crossfade_texture(made[:, ::-1] if request.reverse else made, request.overlap)
    if request.silent:
        made = made if made.flags.writeable else made.copy()
        made[:, -request.silent :] = 0
    if not np.isfinite(made).all():
        raise ValueError("stretching gave values that are no numbers")
    out = Path(request.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f".{out.name}.*.part"):
        # Of a worker that was killed as it wrote. Another may be clearing up at the same time.
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                left.unlink()
    # Not by the process's number: two containers that share a home may both have it.
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            ready = np.ascontiguousarray(made, dtype="<f4")
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(ready))
            # Not np.save: on a full disk it raises an OSError without a number.
            file.write(ready.data.cast("B"))
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def serve() -> None:
    """Answer requests until standard input ends, which no interrupt does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = Request(**json.loads(line))
        try:
            make(request)
            error, number = None, None
        except (ValueError, OSError, ImportError) as fault:
            error, number = str(fault) or type(fault).__name__, getattr(fault, "errno", None)
        try:
            print(json.dumps({"out": request.out, "error": error, "errno": number}), flush=True)
        except BrokenPipeError:
            # Whoever asked was killed. Nothing is left to be flushed at the end, either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return


if __name__ == "__main__":
    serve()
