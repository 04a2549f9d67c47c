"""Prepares one recording: decodes, fits and measures it, before anything enters the vault.

All of it runs in worker processes: see `worker_process.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from ..catalogue.store import Store
from ..errors import Refused
from ..sound.declared import Shape, Terms, canonical_shape
from ..sound.decode import decode
from ..sound.detection import Detected, Detector, OtherTempo, interpret
from ..sound.engine_format import fit, loop_frames
from ..sound.fingerprint import Fingerprint, fingerprint_of
from ..sound.measure import Measured, measure

BEATS_IN_A_BAR = 4
"""The vault has no meter: its bars, for chroma and lengths, have four beats."""

_MOST_SILENT = 0.5


class HeldForReview(Refused):
    """A recording that decodes, but should be reviewed before it earns."""


Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Preparation:
    """A file to prepare. `original`: our own copy; `conformed`: the path for its conformed samples.

    `terms`: its declaration.
    """

    original: Path
    conformed: Path
    terms: Terms
    accept_silence: bool
    accept_tempo: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """The results for a recording that is ready to enter."""

    pcm_sha256: Digest
    shape: Shape
    bpm: Fraction | None
    beats: int | None
    frames: int
    channels: int
    measured: Measured
    heard: Detected
    doubts: tuple[str, ...]
    fingerprint: Fingerprint

    @property
    def stem(self) -> str:
        """The id, which follows from its sound."""
        return "s" + self.pcm_sha256[:20]

    @property
    def mostly_silent(self) -> bool:
        """Whether it is a loop in which silence would earn."""
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


def prepare(offer: Preparation, store: Store) -> Prepared:
    """Make a recording ready to enter. Raises `Refused`, `HeldForReview`, `OSError`."""
    sound = decode(offer.original)
    ear = Detector(sound)
    try:
        found = interpret(offer.terms, ear, accept_tempo=offer.accept_tempo)
    except OtherTempo as error:
        raise HeldForReview(str(error)) from error
    bpm, beats = found.grid or (None, None)
    samples = fit(sound, None if bpm is None or beats is None else loop_frames(bpm, beats))
    measured = measure(samples, bars=1 if beats is None else -(-beats // BEATS_IN_A_BAR))
    prepared = Prepared(
        pcm_sha256=sound.pcm_sha256,
        shape=found.shape,
        bpm=bpm,
        beats=beats,
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measured,
        heard=ear.hear(found.shape, offer.terms.role, samples),
        doubts=found.notes,
        fingerprint=fingerprint_of(samples),
    )
    if prepared.mostly_silent and not offer.accept_silence:
        raise HeldForReview(
            f"{_silence(measured)}, which must not earn; trim it, add it as a hit, "
            "or add it anyway with --accept-silence"
        )
    store.write_conformed(samples, offer.conformed)
    return prepared


@dataclass(frozen=True, slots=True)
class KeptRecording:
    """A recording in the vault: its files, and its declaration in the ledger."""

    original: Path
    conformed: Path
    role: str
    bpm: Fraction | None
    beats: int | None
    shape: str
    pcm_sha256: str


@dataclass(frozen=True, slots=True)
class Remeasured:
    """New measurements of a kept original."""

    frames: int
    channels: int
    measured: Measured
    heard: Detected


def measure_again(kept: KeptRecording, store: Store) -> Remeasured | None:
    """Measure a recording in the vault again, and make its conformed sound anew. `None` for another sound.

    Raises `Refused`, `OSError`.
    """
    sound = decode(kept.original)
    if sound.pcm_sha256 != kept.pcm_sha256:
        return None
    samples = fit(
        sound, None if kept.bpm is None or kept.beats is None else loop_frames(kept.bpm, kept.beats)
    )
    store.write_conformed(samples, kept.conformed)
    return Remeasured(
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measure(samples, bars=1 if kept.beats is None else -(-kept.beats // BEATS_IN_A_BAR)),
        heard=Detector(sound).hear(canonical_shape(kept.shape), kept.role, samples),
    )


def fingerprint_of_file(path: Path) -> Fingerprint:
    """The fingerprint of a recording in any format. Raises `Refused`."""
    return fingerprint_of(fit(decode(path), None))


def fingerprint_of_conformed(path: Path) -> Fingerprint:
    """The fingerprint of a conformed sound, `.npy` at 48 kHz. Raises `OSError`."""
    return fingerprint_of(np.load(path, mmap_mode="r", allow_pickle=False))


def _silence(measured: Measured) -> str:
    return f"{100 * measured.silent:.0f} % of the loop is silence (below -60 dBFS)"
