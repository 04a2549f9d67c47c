"""One file's way to the door of the vault: copied, decoded, fitted, measured; nothing written for good."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .declared import Declared, Shape, Terms, canonical_shape, settle
from .decode import copy_file, decode, write_file
from .errors import Refused
from .fit import fit, loop_frames
from .heard import Heard, OtherTempo, hear, settled
from .likeness import Marks, marks_of
from .measure import Measured, measure
from .records import Stem
from .store import Store
from .wave import wave_bytes

BEATS_IN_A_BAR = 4
"""The vault knows no meter: its bars, for chroma and lengths, are of four beats."""

_MOST_SILENT = 0.5


@dataclass(frozen=True, slots=True)
class Added:
    """A stem that is now in the vault. `notes`: what its holder may want to know, in sentences."""

    path: Path
    stem: Stem
    notes: tuple[str, ...]
    heard: Heard


@dataclass(frozen=True, slots=True)
class Held:
    """A recording that was kept out until somebody has looked at it. `stem`: the one it resembles."""

    path: Path
    reason: str
    stem: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recording that the vault does not take."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Here:
    """A file that its holder has brought before: nothing was left to do. `stem`: its id."""

    path: Path
    stem: str


@dataclass(frozen=True, slots=True)
class Would:
    """What would be added, if this were not a trial. `notes`, `heard`: as of what is added."""

    path: Path
    shape: Shape
    bpm: Fraction | None
    beats: int | None
    notes: tuple[str, ...]
    heard: Heard


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a batch, each in the order given. `would`: of a trial, in the place of `added`."""

    added: tuple[Added, ...]
    held: tuple[Held, ...]
    refused: tuple[Refusal, ...]
    here: tuple[Here, ...] = ()
    would: tuple[Would, ...] = ()


class HeldForReview(Refused):
    """Decodes and measures, but should not earn without a second look."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recording that is ready to enter. `original`, `conformed`: its files in the incoming folder."""

    declared: Declared
    holder: str
    terms: Terms
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
    def energy_milli(self) -> int:
        declared = self.terms.energy_milli
        return round(self.measured.energy * 1000) if declared is None else declared

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


def prepare(
    declared: Declared,
    holder: str,
    folder: Path,
    store: Store,
    made: tuple[NDArray[np.float32], int] | None = None,
) -> Prepared:
    """Take a file, or a sound that was `made` (samples and rate), as far as the vault's door.

    Safe to run in several threads at once. Raises `Refused`, `HeldForReview` or `BadDeclaration`.
    """
    terms = settle(declared)
    place = folder / os.urandom(8).hex()
    original = place.with_suffix(".original")
    if made is None:
        file_digest = copy_file(declared.path, original)
    else:
        file_digest = write_file(wave_bytes(*made), original)
    sound = decode(original)
    try:
        found = settled(terms, sound, accept_tempo=declared.accept_tempo)
    except OtherTempo as error:
        raise HeldForReview(str(error)) from error
    bpm, beats = found.grid or (None, None)
    samples = fit(sound, None if bpm is None or beats is None else loop_frames(bpm, beats))
    measured = measure(samples, bars=1 if beats is None else -(-beats // BEATS_IN_A_BAR))
    conformed = place.with_suffix(".npy")
    prepared = Prepared(
        declared=declared,
        holder=holder,
        terms=terms,
        stem="s" + sound.pcm_sha256[:20],
        pcm_sha256=sound.pcm_sha256,
        file_sha256=file_digest,
        shape=found.shape,
        bpm=bpm,
        beats=beats,
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measured,
        heard=hear(sound, found.shape, terms.role, samples),
        doubts=found.notes,
        original=original,
        conformed=conformed,
        marks=marks_of(samples),
    )
    if prepared.mostly_silent and not declared.accept_silence:
        raise HeldForReview(
            f"{_silence(measured)}, which must not earn; trim it, add it as a hit, "
            "or take it in all the same with --accept-silence"
        )
    store.write_conformed(samples, conformed)
    return prepared


@dataclass(frozen=True, slots=True)
class Again:
    """What is measured once more of an original that is kept."""

    frames: int
    channels: int
    measured: Measured
    heard: Heard


def measure_again(
    original: Path, conformed: Path, terms: tuple[str, Fraction | None, int | None, str, str], store: Store
) -> Again | None:
    """Measure a recording that is in the vault, and make its conformed sound anew. Null for another sound.

    `terms`: role, tempo, beats, shape and PCM hash, as the ledger has them. Raises `Refused`, `OSError`.
    """
    role, bpm, beats, shape, pcm_sha256 = terms
    sound = decode(original)
    if sound.pcm_sha256 != pcm_sha256:
        return None
    samples = fit(sound, None if bpm is None or beats is None else loop_frames(bpm, beats))
    store.write_conformed(samples, conformed)
    return Again(
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measure(samples, bars=1 if beats is None else -(-beats // BEATS_IN_A_BAR)),
        heard=hear(sound, canonical_shape(shape), role, samples),
    )


def _silence(measured: Measured) -> str:
    return f"{100 * measured.silent:.0f} % of the loop is silence (below -60 dBFS)"
