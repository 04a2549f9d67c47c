"""Slices: a loop or sustained sound cut at its onsets, each piece to be played like a hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...vault.records import ENGINE_RATE, Stem
from ..fades import CUT_FADE_FRAMES, LINEAR_FADE_FRAMES
from ..plan import Variant
from .tempo_and_key import resampled

LEAST_FRAMES = ENGINE_RATE * 30 // 1000
"""A piece that is shorter is none."""
BEFORE_FRAMES = ENGINE_RATE * 2 // 1000
"""By how much a slice begins before its onset, to be led in without a click."""


@dataclass(frozen=True, slots=True)
class Slice:
    """From one onset to the next, in frames of the recording."""

    start: int
    end: int


def slices_of(onsets: Sequence[int], frames: int) -> tuple[Slice, ...]:
    """The slices of a sound of so many frames; the last one lasts to its end."""
    cuts = [*(max(onset - BEFORE_FRAMES, 0) for onset in sorted(onsets)), frames]
    return tuple(Slice(start, end) for start, end in pairwise(cuts) if end - start >= LEAST_FRAMES)


@dataclass(frozen=True, slots=True)
class Struck:
    """How a stem sounds when it is struck, whole or a slice of it.

    `begins`: where in the variant; `frames`: how long it sounds.
    """

    variant: Variant
    begins: int
    frames: int
    fade_in_frames: int = 0
    fade_out_frames: int = LINEAR_FADE_FRAMES


def struck(stem: Stem, semitones: int, reverse: bool, cut: Slice | None) -> Struck:
    """A stem, or the slice `cut` of it, shifted as a tape is: what is higher is shorter."""
    frames, sounding = (resampled(n, semitones) for n in (stem.frames, stem.sounding_frames))
    variant = Variant(stem.stem, frames, None, 1.0, semitones, reverse)
    if cut is None:
        return Struck(variant, 0, frames if reverse else sounding)
    start, end = (min(resampled(n, semitones), frames) if n else 0 for n in (cut.start, cut.end))
    return Struck(variant, frames - end if reverse else start, end - start, BEFORE_FRAMES, CUT_FADE_FRAMES)
