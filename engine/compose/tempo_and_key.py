"""Whether and how a stem fits a session: its tempo, its key, and how a session chooses both."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...ground.pitch import TONICS
from ...ground.roles import KEYLESS_ROLES, UNPITCHED_ROLES
from ...script.piece import Key, Piece, Pool
from ...vault.catalogue.snapshot import Snapshot
from ...vault.records import REST_FRAMES, Stem
from ..clock import BarClock
from ..plan import Variant

TEMPO_STEP = Fraction(1, 2)
TEXTURE_CROSSFADE_FRAMES = 24_000
"""Half a second: how a sustained sound's end is faded into its repeat."""
SILENT_FRAMES = REST_FRAMES // 2
"""What a stem of a song repeats once it is over: so much of its end is silence, however it is stretched."""
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)


@dataclass(frozen=True, slots=True)
class TempoFit:
    """How a loop is read at a tempo: `beats` of the session long, and stretched by `stretch`."""

    beats: Fraction
    stretch: float
    """Output length over natural length."""


def fit_tempo(stem: Stem, tempo_bpm: Fraction) -> TempoFit | None:
    """The reading of a loop, in time, half time or double time, that stretches it least; a song's is in time.

    None for a sound without a tempo: it is never stretched. Of two equal readings the first in the order
    in time, double, half is taken.
    """
    if stem.bpm is None or stem.beats is None:
        return None
    if stem.song is not None:
        return TempoFit(Fraction(stem.beats), float(stem.bpm / tempo_bpm))
    return _fit(stem.bpm, stem.beats, tempo_bpm)


@lru_cache(maxsize=4096)
def _fit(bpm: Fraction, beats: Fraction, tempo_bpm: Fraction) -> TempoFit:
    readings = (Fraction(1), Fraction(2), Fraction(1, 2))
    best = min(readings, key=lambda factor: abs(math.log(bpm * factor / tempo_bpm)))
    return TempoFit(beats=beats * best, stretch=float(bpm * best / tempo_bpm))


def fit_tempos(
    bpms: NDArray[np.float64], tempo_bpm: Fraction
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`fit_tempo` for many: by what each reading multiplies a loop's beats, and the stretches.

    NaN in, for a sound without a tempo, gives a reading of 1 and a stretch of NaN.
    """
    readings = np.array([1.0, 2.0, 0.5])
    distances = np.abs(np.log(bpms[:, None] * readings / float(tempo_bpm)))
    best = readings[np.argmin(np.nan_to_num(distances), axis=1)]
    return best, bpms * best / float(tempo_bpm)


def variant_of(
    stem: Stem,
    clock: BarClock,
    time: Fraction = Fraction(1),
    *,
    fit: TempoFit | None = None,
    semitones: int = 0,
    reverse: bool = False,
) -> Variant:
    """The form in which a loop or sustained sound plays at the session's tempo.

    `time`: 1/2 for half time, which takes a loop twice as long, and 2 for double time. `fit`: what
    `fit_tempo` gives, where that is known.

    A loop is brought to the nearest whole frame of its beats. A stem of a song is stretched with its tail,
    and repeats the silence at its end. A sustained sound keeps its length, and its
    end is crossfaded into the repeat.
    """
    fit = fit or fit_tempo(stem, clock.tempo_bpm)
    if stem.shape == "loop" and fit is not None:
        return Variant(
            stem.stem, clock.frame(fit.beats / time), 0, fit.stretch / float(time), semitones, reverse
        )
    if stem.song is not None and fit is not None:
        frames = round(stem.frames * fit.stretch)
        return Variant(stem.stem, frames, frames - SILENT_FRAMES, fit.stretch, semitones)
    return Variant(
        stem.stem, stem.frames, min(TEXTURE_CROSSFADE_FRAMES, stem.frames // 2), 1.0, semitones, reverse
    )


def resampled(frames: int, semitones: int) -> int:
    """Length of a sound that is shifted in pitch by playing it faster or slower."""
    return max(1, round(frames * float(2.0 ** (-semitones / 12))))


def within_stretch(stretches: NDArray[np.float64], most: float) -> NDArray[np.bool_]:
    """Which stretches lie within `most` (0.12 for 12 %) on either side; NaN, of no tempo, does not."""
    within: NDArray[np.bool_] = np.abs(np.log(stretches)) <= math.log1p(most) + 1e-9
    return within


def signature(tonic: int, mode: str) -> int:
    """The major tonic with the same scale: a key and its relative have the same."""
    return (tonic + (3 if mode == "minor" else 0)) % 12


def named_signature(name: str) -> int:
    """`signature` of a key's canonical name, such as `A# minor`."""
    tonic, mode = name.rsplit(" ", 1)
    return signature(TONICS.index(tonic), mode)


def shift_of(stem: Stem, pool: Pool, key: Key | None) -> int | None:
    """The semitones that bring `stem` to `key` under the pool's rule; None if it may not sound there.

    `fits`: the same scale, so D minor fits F major, after the least shift within the pool's `max shift`, down
    of two equal ones. Beats and tops are never shifted; an unknown key fits only for them, fx and hits. A
    hit of known key is shifted to the nearest tone of the key, whatever `max shift` says.
    """
    if pool.key == "any":
        return 0
    if isinstance(pool.key, tuple):
        named = stem.key is not None and any(stem.key == wanted.name for wanted in pool.key)
        return 0 if named else None
    if stem.key is None:
        return 0 if stem.role in KEYLESS_ROLES or stem.shape == "hit" else None
    if key is None:
        return 0
    if stem.shape == "hit":
        tonic = TONICS.index(stem.key.rsplit(" ", 1)[0])
        scale = [(signature(key.tonic, key.mode) + step) % 12 for step in MAJOR_SCALE]
        return min((((tone - tonic + 6) % 12 - 6) for tone in scale), key=lambda shift: (abs(shift), shift))
    shift = (signature(key.tonic, key.mode) - named_signature(stem.key) + 6) % 12 - 6
    most = 0 if stem.role in UNPITCHED_ROLES else pool.max_shift_st
    return shift if abs(shift) <= most else None


def candidates(piece: Piece, snapshot: Snapshot, use: str, at: str) -> dict[str, NDArray[np.intp]]:
    """Indices into `snapshot.stems` of each pool's stems that are cleared for `use` at the time `at`."""
    return {name: snapshot.match(pool.clauses, use=use, at=at) for name, pool in piece.pools.items()}


def choose_tempo(piece: Piece, bpms: NDArray[np.float64], songs: Collection[Fraction] = ()) -> Fraction:
    """The tempo of the piece's range, in steps of 0.5 bpm, with the least summed |log stretch| of its loops.

    Ties go to the lowest; without loops the middle step is taken. `songs`: the exact tempi of its songs, of
    which it is one where the range has some.
    """
    lo, hi = piece.tempo_bpm
    steps = [lo + i * TEMPO_STEP for i in range(int((hi - lo) / TEMPO_STEP) + 1)]
    steps = sorted({bpm for bpm in songs if lo <= bpm <= hi}) or steps
    if not len(bpms):
        return steps[len(steps) // 2]
    logs = np.log2(np.sort(bpms))[:, None] - np.log2(np.asarray([float(s) for s in steps]))[None, :]
    folded = np.abs(np.stack([logs - 1, logs, logs + 1])).min(axis=0)
    sums = np.round(folded.sum(axis=0), 9)
    return steps[int(np.argmin(sums))]
