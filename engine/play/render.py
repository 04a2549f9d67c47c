"""Rendering: a piece to a file, faster than real time, by the code that plays it."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Protocol, Self, Unpack

import numpy as np
import soundfile
from numpy.typing import NDArray

from ...ledger.clock import Clock
from ...ledger.tlog.disk import locked, open_locked
from ...script.piece import Piece
from ...vault.records import ENGINE_RATE
from ...vault.vault import Vault
from ..compose.form import can_end
from ..errors import NoEnd, NotSealed, OutputFailed, OutputRefused
from ..plan import Bar, Rested
from .pcm24 import to_int24
from .placement_log import HeardPlacement
from .replay import Replayed, replay
from .session import Options, Session, known
from .take import Gesture, Take

FORMATS = {".wav": "WAV", ".flac": "FLAC"}
LONGEST_SECONDS = 24 * 3600
UNENDING_SECONDS = 3600
"""Where a piece that may end, but has not, is faded out."""
MOST_BARS = 100_000
CHUNK_FRAMES = 1 << 15


@dataclass(frozen=True, slots=True)
class StemHeard:
    """A stem's time in play."""

    stem: str
    title: str
    holder: str
    ms: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """The outcome of a render. `realtime_factor`: seconds of audio per second, stems being conformed already.

    `pcm_sha256`: of the file's samples as 24-bit little-endian interleaved PCM.
    """

    audio: Path
    frames: int
    rate: int
    pcm_sha256: str
    take: Path
    session: str
    lufs: float
    true_peak_dbtp: float
    realtime_factor: float
    tempo_bpm: float
    key: str | None
    ended: bool
    """Whether it reached the piece's own end."""
    stems: tuple[StemHeard, ...]
    sounded: tuple[HeardPlacement, ...]
    bars: tuple[Bar, ...]
    rested: tuple[Rested, ...]
    crowded: int
    """How many sounds had to go or never came because 256 sounded already."""

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


class Progress(Protocol):
    """Told how far a render is: ("conform" or "mix", done, all)."""

    def __call__(self, step: str, done: int, all: int) -> None: ...


def render(
    vault: Vault,
    piece: Piece,
    out: Path,
    *,
    seconds: float | None = None,
    bars: int | None = None,
    gestures: Sequence[Gesture] = (),
    progress: Progress | None = None,
    clock: Clock | None = None,
    **options: Unpack[Options],
) -> Rendered:
    """Render `piece` to `out` (.wav or .flac, 24-bit) and log what is heard.

    Without a length it ends where the piece ends. `gestures` are made at their frames of the output, those
    after its end not at all. The file appears whole or not at all, and the ledger holds its placements if and
    only if it appears. Raises OutputRefused, NoEnd, UseRefused, NothingCleared,
    UnknownDial, UnknownCue, UnknownPart, ConformFailed; OSError when the disk fails.
    """
    options, format = known(options), _format(out)
    _check_length(piece, seconds, bars)
    if seconds is None and bars is None:
        seconds = UNENDING_SECONDS
    with ExitStack() as stack:
        sink = stack.enter_context(_Sink(out, format))
        session = Session(vault, piece, seconds=seconds, bars=bars, keep_back=True, clock=clock, **options)
        stack.callback(session.abandon)
        for gesture in gestures:
            session.gestures.expect(gesture)
        session.prepare(progress=_named(progress, "conform"))
        total = session.planned_frames
        begun = time.perf_counter()
        coming = deque(sorted(gestures, key=lambda gesture: gesture.frame))
        while not session.ended:
            while coming and coming[0].frame <= session.frame:
                session.gestures.perform(coming.popleft())
            frames = min(CHUNK_FRAMES, coming[0].frame - session.frame) if coming else CHUNK_FRAMES
            sink.write(to_int24(session.read(frames)))
            if progress is not None:
                progress("mix", min(session.frame, total), total)
        factor = session.frame / ENGINE_RATE / max(time.perf_counter() - begun, 1e-9)
        sink.finish()
        take = session.finish()
        # If we crash here, the journal names a file that still has its working name: heard by nobody, and
        # paid all the same. The other way round a file would be heard that no ledger knows.
        sink.publish()
        _seal(session, out)
    return _rendered(session, take, out, factor)


def _rendered(session: Session, take: Take, out: Path, factor: float) -> Rendered:
    return Rendered(
        audio=out,
        frames=take.frames,
        rate=ENGINE_RATE,
        pcm_sha256=take.pcm_sha256 or "",
        take=session.take_path,
        session=session.session,
        lufs=session.mixer.lufs,
        true_peak_dbtp=session.mixer.master.true_peak_dbtp,
        realtime_factor=factor,
        tempo_bpm=float(session.score.clock.tempo_bpm),
        key=session.score.key.name if session.score.key else None,
        ended=session.conductor.ended_at is not None,
        stems=_per_stem(session),
        sounded=tuple(session.sounded),
        bars=tuple(session.bars),
        rested=tuple(session.conductor.rested),
        crowded=session.crowded,
    )


def replay_to(
    vault: Vault, take: Take, out: Path, progress: Callable[[int, int], None] | None = None
) -> Replayed:
    """Replay `take` to a file, as `render` writes one, and log it. Raises as `replay` and `render` do."""
    format = _format(out)
    with _Sink(out, format) as sink:
        session, replayed = replay(vault, take, lambda block: sink.write(to_int24(block)), progress=progress)
        sink.finish()
        sink.publish()
        _seal(session, out)
    return replayed


def _seal(session: Session, out: Path) -> None:
    """Sequence the entries. They are safe already, so a failure here takes nothing back."""
    try:
        session.seal()
    except OSError as error:
        raise NotSealed(
            f"{str(out)!r} is whole, and what it holds is safe in the ledger's journal, but the log "
            f"could not be sealed ({error.strerror}); the next command that writes to this home seals it"
        ) from error


def _format(out: Path) -> str:
    format = FORMATS.get(out.suffix.lower())
    if format is None:
        raise OutputRefused(f"cannot write {str(out)!r}: the name must end in {' or '.join(FORMATS)}")
    if out.is_dir():
        raise OutputRefused(f"{str(out)!r} is a folder: name a file in it")
    if not out.parent.is_dir():
        raise OutputRefused(f"there is no folder {str(out.parent)!r} to write {out.name} to")
    return format


def _check_length(piece: Piece, seconds: float | None, bars: int | None) -> None:
    if seconds is None and bars is None and not can_end(piece):
        raise NoEnd(
            f'"{piece.name}" has no move to silence, so it never ends: give a length with --seconds or --bars'
        )
    if seconds is not None and not 0.1 <= seconds <= LONGEST_SECONDS:
        raise NoEnd(f"--seconds goes from 0.1 to {LONGEST_SECONDS}; {seconds:g} is outside")
    if bars is not None and not 1 <= bars <= MOST_BARS:
        raise NoEnd(f"--bars goes from 1 to {MOST_BARS}; {bars} is outside")


def _per_stem(session: Session) -> tuple[StemHeard, ...]:
    sums: dict[str, StemHeard] = {}
    for sounded in session.sounded:
        p = sounded.placement
        before = sums.get(p.stem, StemHeard(p.stem, p.title, p.holder, 0))
        sums[p.stem] = StemHeard(p.stem, p.title, p.holder, before.ms + sounded.ms)
    return tuple(sorted(sums.values(), key=lambda heard: (-heard.ms, heard.stem)))


def _named(progress: Progress | None, step: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, all: progress(step, done, all)


class _Sink:
    """The output file under a working name beside its own, until `publish`; gone if that never comes.

    The working file is locked while its process lives, so that the next render to the same name can tell
    what a killed one left, and clear it away.
    """

    def __init__(self, out: Path, format: str) -> None:
        self._out = out
        self._part = out.with_name(f".{out.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        self._file: soundfile.SoundFile | None = None
        self._lock: int | None = None
        self._format = format

    def __enter__(self) -> Self:
        try:
            self._clear_abandoned()
            self._lock = open_locked(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            self._file = soundfile.SoundFile(
                self._part, "w", samplerate=ENGINE_RATE, channels=2, format=self._format, subtype="PCM_24"
            )
        except OSError as error:
            self._let_go()
            raise OutputFailed(f"{str(self._out)!r} cannot be written: {error.strerror}") from error
        except soundfile.LibsndfileError as error:
            self._let_go()
            raise self._failed(error) from error
        return self

    def write(self, samples: NDArray[np.int32]) -> None:
        """Append 24-bit integers (frames, 2)."""
        assert self._file is not None
        try:
            self._file.write(samples << 8)
        except soundfile.LibsndfileError as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Make what was written durable under its working name."""
        assert self._file is not None
        try:
            self._file.close()
            with self._part.open("rb+") as file:
                os.fsync(file.fileno())
        except (soundfile.LibsndfileError, OSError) as error:
            raise self._failed(error) from error

    def publish(self) -> None:
        """Give the file its name."""
        self._part.replace(self._out)

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            with suppress(soundfile.LibsndfileError):
                # Closing writes the header once more; what failed is on its way to the caller already.
                self._file.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            self._part.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _clear_abandoned(self) -> None:
        """Remove the working files of killed renders to this name."""
        for left in self._out.parent.glob(f".{escape(self._out.name)}.*.part"):
            with suppress(BlockingIOError), locked(left, wait=False):
                left.unlink(missing_ok=True)

    def _failed(self, error: soundfile.LibsndfileError | OSError) -> OutputFailed:
        """The library says only that the system failed; a full disk is the usual reason."""
        free = shutil.disk_usage(self._part.parent).free
        said = (
            error.error_string.rstrip(".") if isinstance(error, soundfile.LibsndfileError) else error.strerror
        )
        reason = "no space is left on its disk" if free < 1 << 16 else said
        return OutputFailed(f"{str(self._out)!r} could not be written: {reason}; nothing of it was kept")
