"""What goes with a recording: by key, by chords and by tempo, as choosing weighs them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ...ground.pitch import TONICS
from ...ground.roles import TONAL_ROLES
from ...script.piece import Key, Pool, Span
from ...vault.records import Stem
from .chords import NO_CHORD, chord_names
from .eligible import PER_SEMITONE, sounding_chroma
from .harmony import AGREEMENT_STEEPNESS, MOST_BARS, Chords, TonalPart, agreements
from .tempo_and_key import fit_tempo, shift_of

MOST_STRETCH, MOST_SHIFT_ST = 0.12, 3
"""What a pool allows that says nothing of it."""
_BEATS_IN_A_BAR = 4
_POOL = Pool("", (), "fits", MOST_STRETCH, None, False, Span(0, 0, 0, 0), MOST_SHIFT_ST)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a stem goes with another.

    `shift_st`: the semitones that bring it to the other's key. `stretch`: output length over its own, None
    where one of them has no tempo. `agreement`: of their harmonies, -1.4 to 1.2, None where one is not tonal.
    `chords_in_common`, `bars`: in how many bars they have the same chord, until both come round. `weight`:
    by how much a pool would draw it rather than one that agrees with nothing.
    """

    stem: Stem
    shift_st: int
    stretch: float | None
    agreement: float | None
    chords_in_common: int
    bars: int
    weight: float


def fits(stem: Stem, others: Iterable[Stem]) -> tuple[Fit, ...]:
    """Those of `others` that go with a stem within 12 % of tempo and three semitones, the best first."""
    found = [fit for other in others if other.stem != stem.stem and (fit := _fit(stem, other)) is not None]
    return tuple(
        sorted(found, key=lambda fit: (-fit.weight, abs(math.log(fit.stretch or 1)), fit.stem.title))
    )


def _fit(stem: Stem, other: Stem) -> Fit | None:
    shift = shift_of(other, _POOL, _key(stem))
    stretch, beats = None, None if other.beats is None else Fraction(other.beats)
    if stem.bpm is not None and other.shape != "hit" and (fit := fit_tempo(other, stem.bpm)) is not None:
        stretch, beats = fit.stretch, fit.beats
        if abs(math.log(stretch)) > math.log1p(MOST_STRETCH) + 1e-9:
            return None
    if shift is None:
        return None
    agreement, same, bars = None, 0, 0
    if _tonal(stem) and _tonal(other):
        own = sounding_chroma(stem, 0, _bars(None if stem.beats is None else Fraction(stem.beats)))
        its = sounding_chroma(other, shift, _bars(beats))
        values = Chords([TonalPart(stem.role, stem.title, own, 0)]).values(len(its))
        agreement = float(agreements(its[None], values)[0])
        same, bars = _in_common(own, its)
    weight = PER_SEMITONE ** abs(shift) * math.exp(AGREEMENT_STEEPNESS * (agreement or 0.0))
    return Fit(other, shift, stretch, agreement, same, bars, weight)


def _key(stem: Stem) -> Key | None:
    if stem.key is None:
        return None
    tonic, mode = stem.key.split(" ")
    return Key(TONICS.index(tonic), "minor" if mode == "minor" else "major")


def _tonal(stem: Stem) -> bool:
    return stem.role in TONAL_ROLES and len(stem.chroma) > 0


def _bars(beats: Fraction | None) -> float | None:
    return None if beats is None else float(beats / _BEATS_IN_A_BAR)


def _in_common(own: NDArray[np.float64], its: NDArray[np.float64]) -> tuple[int, int]:
    """In how many bars of how many two sounds have the same chord, until both come round."""
    ours, theirs = chord_names(own), chord_names(its)
    bars = min(math.lcm(len(ours), len(theirs)), MOST_BARS)
    pairs = [(ours[bar % len(ours)], theirs[bar % len(theirs)]) for bar in range(bars)]
    return sum(one == other != NO_CHORD for one, other in pairs), bars
