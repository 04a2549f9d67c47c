"""Finds the key of a sound: compares its pitch classes, without overtones, with profiles of major and minor.

Profiles: Temperley (2001), "The Cognition of Basic Musical Structures", chapter 7. The estimate uses their
correlation with the pitch classes, and the first note: keys that share their notes differ in little else.
Accuracy: `docs/measured.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...ground.pitch import TONICS
from .measure import peaks_of

LEAST_LIKENESS = 0.45
"""The least score (correlation and first note) at which a sound has a key."""
FIRST_NOTE = 0.3
"""The score for a tonic that is the lowest note at the beginning."""
SURE_LEAD = 0.2
"""The lead over the second-best key that counts as certain."""
_OVERTONES = 10
_OVERTONE_FALL = 0.8
"""The part of a peak that is subtracted at each overtone, to the power of the overtone's number."""
_QUARTER_TONE = 0.35
"""Semitones within which a peak is an overtone."""

_PROFILES = (
    (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
    (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
)


Peaks = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The peaks of one window: Hz, rising, and magnitudes."""


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """`key`: canonical, such as `D minor`. `confidence`: 0 to 1, by its lead over the second-best key."""

    key: str
    confidence: float


def key_of(samples: NDArray[np.float32]) -> KeyEstimate | None:
    """The key of a sound, float32 (channels, frames) at 48 kHz; `None` if it has none."""
    peaks = [(hertz, strength) for hertz, strength in peaks_of(samples) if len(hertz)]
    classes = pitch_classes(peaks)
    if not classes.any():
        return None
    first = first_notes(peaks)
    found = sorted(
        (
            (_likeness(classes, profile, tonic) + FIRST_NOTE * first[tonic], f"{TONICS[tonic]} {mode}")
            for mode, profile in zip(("major", "minor"), _PROFILES, strict=True)
            for tonic in range(12)
        ),
        reverse=True,
    )
    (best, key), (second, _) = found[:2]
    if best < LEAST_LIKENESS:
        return None
    return KeyEstimate(key, round(float(min((best - second) / SURE_LEAD, 1.0)), 2))


def pitch_classes(peaks: Sequence[Peaks]) -> NDArray[np.float64]:
    """The weight of each pitch class, C first, without overtones: (12,), summing to 1.

    All zero for a sound without spectral peaks.
    """
    classes = np.zeros(12)
    for hertz, strength in peaks:
        ratio = hertz[:, None] / hertz[None, :]
        number = np.rint(ratio)
        off = 12 * np.abs(np.log2(ratio / np.maximum(number, 1)))
        overtone = (number >= 2) & (number <= _OVERTONES) & (off < _QUARTER_TONE)
        taken = np.where(overtone, _OVERTONE_FALL ** (number - 1), 0) @ strength
        own = np.sqrt(np.maximum(strength - taken, 0))
        classes += np.bincount(_classes(hertz), own, 12)
    total = classes.sum()
    return classes / total if total > 0 else classes


def first_notes(peaks: Sequence[Peaks]) -> NDArray[np.float64]:
    """The pitch classes, (12,) summing to 1, of the lowest notes in the first windows that sound."""
    loudest = max(float(strength.max()) for _, strength in peaks)
    sounding = [each for each in peaks[:6] if each[1].max() > 0.1 * loudest][:3]
    first = np.zeros(12)
    for hertz, strength in sounding:
        lowest = np.flatnonzero(strength > 0.25 * strength.max())[0]
        first[_classes(hertz[lowest : lowest + 1])] += 1 / len(sounding)
    return first


def _classes(hertz: NDArray[np.float64]) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = (np.rint(12 * np.log2(hertz / 440)).astype(np.int64) + 9) % 12
    return classes


def _likeness(classes: NDArray[np.float64], profile: tuple[float, ...], tonic: int) -> float:
    spread = float(classes.std())
    return 0.0 if spread == 0 else float(np.corrcoef(classes, np.roll(profile, tonic))[0, 1])
