"""What is done to one recording by itself: copied, decoded, fitted, measured; nothing written for good.

All of it runs in worker processes: see `worker.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from .declared import Shape, Terms, canonical_shape
from .decode import copy_file, decode
from .errors import Refused
from .fit import fit, loop_frames
from .heard import Ear, Heard, OtherTempo, settled
from .likeness import Marks, marks_of
from .measure import Measured, measure
from .store import Store

BEATS_IN_A_BAR = 4
"""The vault knows no meter: its bars, for chroma and lengths, are of four beats."""

_MOST_SILENT = 0.5


class HeldForReview(Refused):
    """Decodes and measures, but should not earn without a second look."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A file to prepare. `file_sha256`: of a copy that is in `folder` already, as `path`; else null.

    `terms`: what is declared of it. `folder`: where its files are kept on their way in.
    """

    path: Path
    file_sha256: str | None
    terms: Terms
    accept_silence: bool
    accept_tempo: bool
    folder: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recording that is ready to enter. `original`, `conformed`: its files in the incoming folder."""

    stem: str
    pcm_sha256: str
    file_sha256: str
    shape: Shape
    bpm: Fraction | None
    beats: int | None
    frames: int
    channels: int
    measured: Measured
    heard: Heard
    doubts: tuple[str, ...]
    original: Path
    conformed: Path
    marks: Marks

    @property
    def mostly_silent(self) -> bool:
        """Whether it is a loop that silence would earn with."""
        return self.shape == "loop" and self.measured.silent > _MOST_SILENT

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the sound, though it was taken."""
        found = list(self.doubts)
        if self.measured.clipped:
            found.append(f"it is clipped in {self.measured.clipped} places")
        if self.mostly_silent:
            found.append(f"{_silence(self.measured)}, taken at its holder's word")
        if self.measured.dc > 0.01:
            found.append(f"its zero line is off by {100 * self.measured.dc:.1f} % of full scale")
        if self.measured.true_peak_dbtp > 0.05:
            found.append(f"its true peak is {self.measured.true_peak_dbtp:+.1f} dBTP")
        return tuple(found)


def prepare(offer: Offer, store: Store) -> Prepared:
    """Take a file as far as the vault's door. Raises `Refused`, `HeldForReview`."""
    place = offer.folder / os.urandom(8).hex()
    if offer.file_sha256 is None:
        original = place.with_suffix(".original")
        file_digest = copy_file(offer.path, original)
    else:
        original, file_digest = offer.path, offer.file_sha256
    sound = decode(original)
    ear = Ear(sound)
    try:
        found = settled(offer.terms, ear, accept_tempo=offer.accept_tempo)
    except OtherTempo as error:
        raise HeldForReview(str(error)) from error
    bpm, beats = found.grid or (None, None)
    samples = fit(sound, None if bpm is None or beats is None else loop_frames(bpm, beats))
    measured = measure(samples, bars=1 if beats is None else -(-beats // BEATS_IN_A_BAR))
    conformed = place.with_suffix(".npy")
    prepared = Prepared(
        stem="s" + sound.pcm_sha256[:20],
        pcm_sha256=sound.pcm_sha256,
        file_sha256=file_digest,
        shape=found.shape,
        bpm=bpm,
        beats=beats,
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measured,
        heard=ear.hear(found.shape, offer.terms.role, samples),
        doubts=found.notes,
        original=original,
        conformed=conformed,
        marks=marks_of(samples),
    )
    if prepared.mostly_silent and not offer.accept_silence:
        raise HeldForReview(
            f"{_silence(measured)}, which must not earn; trim it, add it as a hit, "
            "or take it in all the same with --accept-silence"
        )
    store.write_conformed(samples, conformed)
    return prepared


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording that is in the vault: its files, and what the ledger has of it."""

    original: Path
    conformed: Path
    role: str
    bpm: Fraction | None
    beats: int | None
    shape: str
    pcm_sha256: str


@dataclass(frozen=True, slots=True)
class Again:
    """What is measured once more of an original that is kept."""

    frames: int
    channels: int
    measured: Measured
    heard: Heard


def measure_again(kept: Kept, store: Store) -> Again | None:
    """Measure a recording that is in the vault, and make its conformed sound anew. Null for another sound.

    Raises `Refused`, `OSError`.
    """
    sound = decode(kept.original)
    if sound.pcm_sha256 != kept.pcm_sha256:
        return None
    samples = fit(
        sound, None if kept.bpm is None or kept.beats is None else loop_frames(kept.bpm, kept.beats)
    )
    store.write_conformed(samples, kept.conformed)
    return Again(
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measure(samples, bars=1 if kept.beats is None else -(-kept.beats // BEATS_IN_A_BAR)),
        heard=Ear(sound).hear(canonical_shape(kept.shape), kept.role, samples),
    )


def marks_of_file(path: Path) -> Marks:
    """What a recording of any form is known by. Raises `Refused`."""
    return marks_of(fit(decode(path), None))


def marks_of_conformed(path: Path) -> Marks:
    """What a sound that the vault has made ready, `.npy` at 48 kHz, is known by. Raises `OSError`."""
    return marks_of(np.load(path, mmap_mode="r", allow_pickle=False))


def _silence(measured: Measured) -> str:
    return f"{100 * measured.silent:.0f} % of the loop is silence (below -60 dBFS)"
