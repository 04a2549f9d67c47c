"""A take: what happened in a session, in full, so that it can be played again and compared."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec


class Gesture(msgspec.Struct, frozen=True):
    """An outside input at an absolute frame.

    `name`: of the dial that was turned to `value`, of the cue, or of the part that is liked or disliked;
    null for the loop that started last.
    """

    frame: int
    kind: Literal["dial", "like", "dislike", "cue"]
    name: str | None
    value: float | None = None


class Changed(msgspec.Struct, frozen=True):
    """The candidates changed at a frame of the mix: a consent was given, withdrawn or ran out."""

    frame: int
    vault: str
    candidates: tuple[str, ...]


class Heard(msgspec.Struct, frozen=True):
    """A placement as it was heard."""

    seq: int
    stem: str
    role: str
    part: str
    section: str
    line: int
    start_frame: int
    frames: int
    ms: int


class Take(msgspec.Struct, frozen=True):
    """A session's inputs and outcome. `pcm_sha256`: of 24-bit little-endian interleaved samples.

    `candidates`: the stems that could be chosen, by id. `vault`: the snapshot's hash. `tempo_bpm`: exact,
    as a fraction. `limit_frames`: the length asked for, null to the piece's own end.
    """

    version: int
    engine: str
    session: str
    script: str
    use: str
    tier: str
    seed: int
    rate: int
    tempo_bpm: str
    key: str | None
    dials: dict[str, float]
    vault: str
    candidates: tuple[str, ...]
    limit_frames: int | None
    changes: tuple[Changed, ...]
    gestures: tuple[Gesture, ...]
    placements: tuple[Heard, ...]
    frames: int
    pcm_sha256: str

    def encoded(self) -> bytes:
        """JSON, fields in the order above."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def digest(take: Take) -> str:
    """SHA-256 of the take's file, as the closing entry of its session names it."""
    return hashlib.sha256(take.encoded()).hexdigest()


def save(take: Take, path: Path) -> None:
    """Write the whole file at once, or none, and durably."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(take.encoded())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
