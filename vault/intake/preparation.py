"""Prepares one recording: decodes, fits and measures it, before anything enters the vault.

All of it runs in worker processes: see `worker_process.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from ..catalogue.store import Store
from ..errors import Refused
from ..sound.declared import COMMON_METER, Meter, Shape, Terms, beats_in_bar, canonical_shape
from ..sound.decode import decode
from ..sound.detection import Detected, Detector, OtherTempo
from ..sound.ends import Cut
from ..sound.energies import LOW_HZ
from ..sound.engine_format import fit, loop_frames
from ..sound.fingerprint import Fingerprint, Landmarks, Played, fingerprint_of, landmarks
from ..sound.loop_grid import OffTheGrid
from ..sound.measure import Measured, measure
from ..sound.offset import offset_of, without_offset
from ..sound.rests import rest_of
from ..sound.song import SongExtent, extent_of, fitted
from ..sound.tags.propose import understood
from ..sound.tags.read import tags_of

_MOST_LOW = 0.02
"""The share of a sound's energy below what is heard that is worth a word."""


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
    accept_length: bool = False
    name: str = ""
    """The file's own, without folders."""
    tagged: bool = True
    """Whether its tags and its name may say what its declaration leaves open."""


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
    meter: Meter = COMMON_METER
    cut: Cut | None = None
    idle: str | None = None
    """Where silence in it would earn, of a loop."""
    key: str | None = None
    title: str | None = None
    """Of its tags."""

    @property
    def stem(self) -> str:
        """The id, which follows from its sound."""
        return "s" + self.pcm_sha256[:20]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the sound, though it was taken."""
        found = list(self.doubts)
        if self.measured.clipped:
            found.append(f"it is clipped in {self.measured.clipped} places")
        if self.idle is not None:
            found.append(f"{self.idle}, taken at its holder's word")
        if self.measured.dc > 0.01:
            off = f"its zero line is off by {100 * self.measured.dc:.1f} % of full scale"
            found.append(f"{off}; the copy that is played has that taken off")
        if self.measured.low > _MOST_LOW:
            found.append(
                f"{100 * self.measured.low:.0f} % of its energy lies below {LOW_HZ:.0f} Hz, "
                "where nobody hears it"
            )
        if self.measured.true_peak_dbtp > 0.05:
            found.append(f"its true peak is {self.measured.true_peak_dbtp:+.1f} dBTP")
        return tuple(found)


def prepare(offer: Preparation, store: Store) -> Prepared:
    """Make a recording ready to enter. Raises `Refused`, `HeldForReview`, `OSError`."""
    sound = decode(offer.original, accept_length=offer.accept_length)
    ear = Detector(sound)
    try:
        tags = tags_of(offer.original, offer.name) if offer.tagged else ()
        read = understood(offer.terms, tags, ear, accept_tempo=offer.accept_tempo)
    except (OtherTempo, OffTheGrid) as error:
        raise HeldForReview(str(error)) from error
    found, terms = read.found, read.terms
    bpm, beats = found.grid or (None, None)
    raw = fitted(sound, found.shape, None if found.grid is None else loop_frames(*found.grid), found.cut)
    samples = without_offset(raw, found.shape)
    dc = float(np.abs(offset_of(raw, found.shape)).max())
    bars = _bars(beats, terms.meter)
    measured = measure(samples, bars=_rows(found.shape, bars), dc=dc, decoded=sound.samples)
    rest = rest_of(samples, bars) if found.shape == "loop" else None
    prepared = Prepared(
        pcm_sha256=sound.pcm_sha256,
        shape=found.shape,
        bpm=bpm,
        beats=beats,
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measured,
        heard=ear.after(found.cut, found.grid).hear(found.shape, offer.terms.role, samples),
        doubts=(*sound.notes, *read.notes, *found.notes),
        fingerprint=fingerprint_of(samples),
        meter=terms.meter or COMMON_METER,
        cut=found.cut,
        idle=str(rest) if rest is not None and rest.idle else None,
        key=terms.key,
        title=read.title,
    )
    if prepared.idle is not None and not offer.accept_silence:
        raise HeldForReview(
            f"{prepared.idle}, which must not earn; trim it, add it as a hit, "
            "or add this file anyway with --accept-silence"
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
    meter: Meter = COMMON_METER
    cut: Cut | None = None


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
    # Whatever it promises: its identity says whether it is the sound that was taken.
    sound = decode(kept.original, accept_length=True)
    if sound.pcm_sha256 != kept.pcm_sha256:
        return None
    grid = None if kept.bpm is None or kept.beats is None else (kept.bpm, kept.beats)
    shape = canonical_shape(kept.shape)
    frames = None if grid is None else loop_frames(*grid)
    samples = without_offset(fitted(sound, kept.shape, frames, kept.cut), shape)
    store.write_conformed(samples, kept.conformed)
    return Remeasured(
        frames=int(samples.shape[1]),
        channels=sound.channels,
        measured=measure(samples, bars=_rows(shape, _bars(kept.beats, kept.meter)), decoded=sound.samples),
        heard=Detector(sound).after(kept.cut, grid).hear(shape, kept.role, samples),
    )


def _rows(shape: str, bars: float) -> int:
    """The rows of chroma of a sound: one a bar of a loop, one of a whole stem of a song."""
    return 1 if shape == "song" else ceil(bars)


def song_extent(path: Path) -> SongExtent:
    """How long a stem of a song is. Raises `Refused`, `OSError`."""
    return extent_of(decode(path))


def fingerprint_of_file(path: Path) -> Fingerprint:
    """The fingerprint of a recording in any format. Raises `Refused`."""
    return fingerprint_of(fit(decode(path), None))


def landmarks_of_file(path: Path, ways: Sequence[Played]) -> tuple[Landmarks, ...]:
    """As `landmarks_of_conformed`, of a recording in any format. Raises `Refused`."""
    samples = fit(decode(path), None)
    return tuple(landmarks(samples, played) for played in ways)


def landmarks_of_conformed(path: Path, ways: Sequence[Played]) -> tuple[Landmarks, ...]:
    """The landmarks of a conformed sound as a copy that is played in these ways. Raises `OSError`."""
    samples = np.load(path, mmap_mode="r", allow_pickle=False)
    return tuple(landmarks(samples, played) for played in ways)


def fingerprint_of_conformed(path: Path) -> Fingerprint:
    """The fingerprint of a conformed sound, `.npy` at 48 kHz. Raises `OSError`."""
    return fingerprint_of(np.load(path, mmap_mode="r", allow_pickle=False))


def _bars(beats: int | None, meter: Meter | None) -> float:
    """The length in bars; 1 of a sound without beats."""
    return 1 if beats is None else beats / beats_in_bar(meter)
