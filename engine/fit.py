"""Whether and how a stem fits a session: its tempo, its key, and how a session chooses both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..script.piece import TONICS, Key, Piece, Pool
from ..vault.records import Stem
from ..vault.snapshot import Snapshot
from .clock import BarClock
from .plan import Variant

TEMPO_STEP = Fraction(1, 2)
TEXTURE_CROSSFADE_FRAMES = 24_000
"""Half a second: how a sustained sound's end is faded into its repeat."""
KEYLESS_ROLES = ("beats", "tops", "fx")
"""Roles whose sounds fit any key when their own is unknown."""


@dataclass(frozen=True, slots=True)
class TempoFit:
    """How a loop is read at a tempo: `beats` of the session long, and stretched by `stretch`."""

    beats: Fraction
    stretch: float
    """Output length over natural length."""


def fit_tempo(stem: Stem, tempo_bpm: Fraction) -> TempoFit | None:
    """The reading of a loop, in time, half time or double time, that stretches it least.

    Null for a sound without a tempo: it is never stretched. Of two equal readings the first in the order
    in time, double, half is taken.
    """
    if stem.bpm is None or stem.beats is None:
        return None
    readings = (Fraction(1), Fraction(2), Fraction(1, 2))
    bpm = stem.bpm
    best = min(readings, key=lambda factor: abs(math.log(bpm * factor / tempo_bpm)))
    return TempoFit(beats=stem.beats * best, stretch=float(bpm * best / tempo_bpm))


def variant_of(
    stem: Stem, clock: BarClock, time: Fraction = Fraction(1), *, reverse: bool = False
) -> Variant:
    """The form in which a loop or sustained sound plays at the session's tempo.

    `time`: 1/2 for half time, which takes a loop twice as long, and 2 for double time.

    A loop is brought to the nearest whole frame of its beats. A sustained sound keeps its length, and its
    end is crossfaded into the repeat.
    """
    fit = fit_tempo(stem, clock.tempo_bpm)
    if stem.shape == "loop" and fit is not None:
        return Variant(stem.stem, clock.frame(fit.beats / time), 0, fit.stretch / float(time), reverse)
    return Variant(stem.stem, stem.frames, min(TEXTURE_CROSSFADE_FRAMES, stem.frames // 2), 1.0, reverse)


def within_stretch(stretch: float, most: float) -> bool:
    """Whether a stretch lies within `most` (0.12 for 12 %) on either side."""
    return abs(math.log(stretch)) <= math.log1p(most) + 1e-9


def signature(tonic: int, mode: str) -> int:
    """The major tonic with the same scale: a key and its relative have the same."""
    return (tonic + (3 if mode == "minor" else 0)) % 12


def named_signature(name: str) -> int:
    """`signature` of a key's canonical name, such as `A# minor`."""
    tonic, mode = name.rsplit(" ", 1)
    return signature(TONICS.index(tonic), mode)


def fits_key(stem: Stem, pool: Pool, key: Key | None) -> bool:
    """Whether `stem` may sound in `key` under the pool's rule.

    `fits`: the same scale, so D minor fits F major. An unknown key fits only for beats, tops, fx and hits.
    """
    if pool.key == "any":
        return True
    if isinstance(pool.key, tuple):
        return stem.key is not None and any(stem.key == wanted.name for wanted in pool.key)
    if stem.key is None:
        return stem.role in KEYLESS_ROLES or stem.shape == "hit"
    return key is None or named_signature(stem.key) == signature(key.tonic, key.mode)


def candidates(piece: Piece, snapshot: Snapshot, use: str, at: str) -> dict[str, NDArray[np.intp]]:
    """Indices into `snapshot.stems` of each pool's stems that are cleared for `use` at the time `at`."""
    return {name: snapshot.match(pool.clauses, use=use, at=at) for name, pool in piece.pools.items()}


def choose_tempo(piece: Piece, stems: Iterable[Stem]) -> Fraction:
    """The tempo of the piece's range, in steps of 0.5 bpm, with the least summed |log stretch|.

    Ties go to the lowest; without loops the middle step is taken.
    """
    lo, hi = piece.tempo_bpm
    steps = [lo + i * TEMPO_STEP for i in range(int((hi - lo) / TEMPO_STEP) + 1)]
    bpms = [float(stem.bpm) for stem in stems if stem.bpm is not None]
    if not bpms:
        return steps[len(steps) // 2]
    logs = (
        np.log2(np.asarray(sorted(bpms)))[:, None] - np.log2(np.asarray([float(s) for s in steps]))[None, :]
    )
    folded = np.abs(np.stack([logs - 1, logs, logs + 1])).min(axis=0)
    sums = np.round(folded.sum(axis=0), 9)
    return steps[int(np.argmin(sums))]


def choose_key(piece: Piece, pools: Sequence[tuple[Pool, Iterable[Stem]]]) -> Key | None:
    """The key of the piece that most candidates of its `fits` pools fit; the first of equals."""
    if not piece.keys:
        return None
    tonal = [(pool, stem) for pool, stems in pools if pool.key == "fits" for stem in stems]
    return max(
        piece.keys,
        key=lambda key: (sum(fits_key(stem, pool, key) for pool, stem in tonal), -piece.keys.index(key)),
    )
