"""A take: what happened in a session, in full, so that it can be played again and compared."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec

from ...script.piece import Piece
from ...vault.records import ENGINE_RATE
from ..clock import QUANTUM
from ..errors import TakeRefused

VERSION = 5
MOST_GAIN_DB = 60.0
MOST_FRAMES = 366 * 24 * 3600 * ENGINE_RATE
"""A year of sound."""


class Spool:
    """The placements of a take that is still being made, in a nameless file: a long set takes no memory.

    When the disk takes no more, memory holds the rest.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - it lives as long as this
        self._descriptor, self._size = file.fileno(), 0
        self._rest: list[bytes] = []
        self.close = weakref.finalize(self, file.close)
        """Let go of the file; it is done in any case when nobody needs this any more."""

    def add(self, heard: TakePlacement) -> None:
        """Append one; a kill loses the file, and the ledger has it all."""
        line = msgspec.json.encode(heard) + b"\n"
        if not self._rest:
            with suppress(OSError):
                if os.pwrite(self._descriptor, line, self._size) == len(line):
                    self._size += len(line)
                    return
        self._rest.append(line)

    def all(self) -> tuple[TakePlacement, ...]:
        """Everything so far, in order."""
        data = os.pread(self._descriptor, self._size, 0) + b"".join(self._rest)
        return tuple(msgspec.json.decode(line, type=TakePlacement) for line in data.splitlines())


class _Version(msgspec.Struct):
    version: int


GestureKind = Literal["dial", "like", "dislike", "cue", "fade", "mute", "solo", "panic", "script", "undo"]


class Gesture(msgspec.Struct, frozen=True):
    """An outside input at an absolute frame.

    `name`: of the dial that was turned to `value`, of the cue, or of the part that is liked or disliked,
    None for the loop that started last. Of a listener's fader, the role: `value` is its gain, 0 to 1, reached
    after `frames`; 1 or 0 for a mute or solo that is set or taken off. Of a script that is swapped in, its
    text.
    """

    frame: int
    kind: GestureKind
    name: str | None
    value: float | None = None
    frames: int = 0


class Changed(msgspec.Struct, frozen=True):
    """The candidates changed at a frame of the mix: a consent was given, withdrawn or ran out.

    `moment`: how many bars had been composed and gestures given before it.
    """

    frame: int
    moment: int
    vault: str
    candidates: tuple[str, ...]


class Swapped(msgspec.Struct, frozen=True):
    """Another script took over at a bar line that was composed at `frame`; `moment` as in `Changed`.

    `key`: chosen for it. `candidates`: the stems that could be chosen or still sounded from then on.
    `gain_db`: the master's, from the next section on.
    """

    frame: int
    moment: int
    vault: str
    key: str | None
    candidates: tuple[str, ...]
    gain_db: float


class Unready(msgspec.Struct, frozen=True):
    """Stems that a device could not wait for, so they were not chosen, at a moment as in `Changed`."""

    moment: int
    stems: tuple[str, ...]


class CameLate(msgspec.Struct, frozen=True):
    """A command to the mixer, by its number, that was taken at a later frame than it was meant for."""

    command: int
    frame: int


class TakePlacement(msgspec.Struct, frozen=True):
    """A placement in a take, as it was heard."""

    seq: int
    stem: str
    role: str
    part: str
    section: str
    line: int
    start_frame: int
    frames: int
    ms: int


class Take(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session's inputs and outcome.

    `pcm_sha256`: of the output as 24-bit little-endian interleaved samples; None where it could not be kept.
    `script`: the first. `candidates`: the stems that it could choose, by id. `vault`: the snapshot's hash.
    `tempo_bpm`: exact, as a fraction. `limit_frames`: the length asked for, None to the piece's own end.
    `gain_db`: the master's at the begin. `frames`: of the output; `mixed`: the frame at which the mixer was
    stopped. `engine`: as `made_by.engine` names it. `loop`: whether it rang out at its limit, for a
    sound that leads into its own beginning. `time`: when the session was opened; None where it is not known.
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
    gain_db: float
    vault: str
    candidates: tuple[str, ...]
    limit_frames: int | None
    changes: tuple[Changed, ...]
    swaps: tuple[Swapped, ...]
    unready: tuple[Unready, ...]
    late: tuple[CameLate, ...]
    gestures: tuple[Gesture, ...]
    placements: tuple[TakePlacement, ...]
    frames: int
    mixed: int
    pcm_sha256: str | None
    loop: bool = False
    time: str | None = None
    declared: int = 0
    """The ledger's size up to which declarations of stems held: those that a session keeps to its end."""

    def encoded(self) -> bytes:
        """JSON, fields in the order above."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def check_key(key: str | None, piece: Piece) -> None:
    """Raise TakeRefused for a key of a take in which its script is not."""
    if key is not None and key not in {each.name for each in piece.keys}:
        raise TakeRefused(f'the take is in {key}, which is not a key of "{piece.name}"')


def digest(take: Take) -> str:
    """SHA-256 of the take's file, as the closing entry of its session names it."""
    return hashlib.sha256(take.encoded()).hexdigest()


def load(path: Path) -> Take:
    """A take from its file. Raises TakeRefused for a file that is none, or of another version."""
    found = decoded(read_bytes(path), path)
    if isinstance(found, Take):
        return found
    raise TakeRefused(f"{str(path)!r} is a take of version {found}; this engine replays version {VERSION}")


def read_bytes(path: Path) -> bytes:
    """A take's file. Raises TakeRefused."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TakeRefused(f"{str(path)!r} cannot be read: {error.strerror}") from error


def decoded(data: bytes, path: Path) -> Take | int:
    """A take from the bytes of its file, or its version where that is another. Raises TakeRefused."""
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version != VERSION:
            return version
        take = msgspec.json.decode(data, type=Take)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TakeRefused(f"{str(path)!r} is not a take: {error}") from error
    if wrong := _wrong(take):
        raise TakeRefused(f"{str(path)!r} is not a take that this engine has made: {wrong}")
    return take


def _wrong(take: Take) -> str | None:
    """Something in a take that no session could have left, if there is any: it may come from anywhere."""
    try:
        tempo = Fraction(take.tempo_bpm)
    except (ValueError, ZeroDivisionError):
        return f"its tempo is {take.tempo_bpm!r}"
    frames = [gesture.frame for gesture in take.gestures]
    moments = [change.frame for change in take.changes]
    swaps = [swap.frame for swap in take.swaps]
    if not 20 <= tempo <= 400:
        return f"its tempo is {take.tempo_bpm} bpm"
    if take.rate != ENGINE_RATE:
        return f"its rate is {take.rate} Hz"
    if not 0 <= take.frames <= take.mixed <= MOST_FRAMES or take.mixed % QUANTUM:
        return f"{take.frames} frames of {take.mixed} that were mixed"
    if not all(abs(gain) <= MOST_GAIN_DB for gain in (take.gain_db, *(s.gain_db for s in take.swaps))):
        return "the master's gain is out of bounds"
    if take.limit_frames is not None and not 0 < take.limit_frames <= MOST_FRAMES:
        return f"its limit is {take.limit_frames} frames"
    if take.loop and take.limit_frames is None:
        return "it is a loop without a length"
    if any(gesture.kind == "script" and gesture.name is None for gesture in take.gestures):
        return "a script was swapped in that is not there"
    for name, given in (("gestures", frames), ("changes", moments), ("swaps", swaps)):
        if given != sorted(given) or any(not 0 <= frame <= MOST_FRAMES or frame % QUANTUM for frame in given):
            return f"its {name} are not in order, or not at whole steps of {QUANTUM} frames"
    return None


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
