"""Rendering: a piece to a file, faster than real time, by the code that plays it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from math import isfinite, log10
from pathlib import Path
from typing import Any, Protocol, Unpack

import numpy as np
from numpy.typing import NDArray

from ...ledger.clock import Clock
from ...script.piece import Piece
from ...vault.records import ENGINE_RATE
from ...vault.vault import Vault
from ..arguments import number, place, whole
from ..compose.foretold import MOST_GAIN_DB, unlimited_lufs
from ..compose.form import can_end
from ..errors import NoEnd, NotSealed
from ..plan import Bar, Rested
from .labels import Labels
from .master_file import MasterFile, folded, lowered, resampled, rounded
from .placement_log import HeardPlacement
from .replay import Replayed, replay
from .session import Options, Session, known
from .shape import Shape, shape_of
from .take import Gesture, Take
from .whole import Broken, unbroken
from .working_file import WorkingFile, check_space

LONGEST_SECONDS = 24 * 3600
UNENDING_SECONDS = 3600
"""Where a piece that may end, but has not, is faded out."""
MOST_BARS = 100_000
CHUNK_FRAMES = 1 << 15
EXACT_LU, MOST_TRIALS, LEAST_BROUGHT = 0.2, 2, 0.25
"""How far from its loudness a render may be; how often it is mixed for that; and the least part of a gain
that the limiter is taken to leave."""
Samples = NDArray[Any]


@dataclass(frozen=True, slots=True)
class StemHeard:
    """A stem's time in play."""

    stem: str
    title: str
    holder: str
    ms: int


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written. `bits`: "16", "24" or "32f", None for a lossy kind.

    `lowered_db`: by how much it is softer than the mix, so that its true peak keeps to the ceiling.
    """

    rate: int
    bits: str | None
    frames: int
    lowered_db: float


@dataclass(frozen=True, slots=True)
class Rendered:
    """The outcome of a render. `realtime_factor`: seconds of audio per second, stems being conformed already.

    `pcm_sha256`, `frames`, `rate`, `lufs`, `true_peak_dbtp`: of the mix, as the take has it, in 24-bit
    little-endian interleaved PCM at 48 kHz. A file of that shape holds these samples; `file` tells of others.
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
    gain_db: float
    """The master's: with it a player gives these samples."""
    reduction_db: float
    """What the limiter takes, but for 1 % of the time in which it takes more."""
    file: Written

    @property
    def unlimited_lufs(self) -> float | None:
        """The loudest that it could be if the limiter works hard; None if it does not."""
        return unlimited_lufs(self.lufs, self.reduction_db)

    @property
    def seconds(self) -> float:
        """The length of the file."""
        return self.file.frames / self.file.rate


class Begin(Protocol):
    """Begins a session, at the master's gain that is given; `logged`: whether anybody is to hear it."""

    def __call__(self, gain_db: float | None = None, *, logged: bool = True) -> Session: ...


class Progress(Protocol):
    """Told how far a render is: ("conform", "measure", "mix" or "write", done, all)."""

    def __call__(self, step: str, done: int, all: int) -> None: ...


def render(
    vault: Vault,
    piece: Piece,
    out: str | os.PathLike[str],
    *,
    seconds: float | None = None,
    bars: int | None = None,
    gestures: Sequence[Gesture] = (),
    progress: Progress | None = None,
    clock: Clock | None = None,
    rate: int | None = None,
    bits: str | None = None,
    loop: bool = False,
    title: str | None = None,
    artist: str | None = None,
    **options: Unpack[Options],
) -> Rendered:
    """Render `piece` to `out`, whose ending says what kind of file it is, and log what is heard.

    `rate`: 44100, 48000 or 96000, `bits`: "16", "24" or "32f"; by default 24 bits at 48 kHz. `loop`: whole
    bars that lead into their own beginning. `title`: on the file, by default the piece's name.

    Without a length it ends where the piece ends, and its loudness is exact: it is mixed and measured before
    that, heard by nobody, unless `gain_db` says what the master's gain is to be. `gestures` are made at their
    frames of the output, those after its end not at all. The file appears whole or not at all, and the ledger
    holds its placements if and only if it appears. Raises OutputRefused, NoEnd, UseRefused, NothingCleared,
    UnknownDial, UnknownCue, UnknownPart, ConformFailed; OSError when the disk fails.
    """
    out = place(out, "the output")
    seconds = None if seconds is None else number(seconds, "a length in seconds")
    bars = None if bars is None else whole(bars, "a length in bars")
    options, shape = known(options), shape_of(out, rate, bits, loop, title, artist)
    check_length(piece, seconds, bars)
    if loop and seconds is not None:
        raise NoEnd("a loop is whole bars: give its length with --bars")
    exact = seconds is None and bars is None and piece.loudness_lufs is not None and "gain_db" not in options
    if seconds is None and bars is None:
        seconds = UNENDING_SECONDS
        if loop:
            seconds = _own_length(vault, piece, clock, options)

    def begin(gain_db: float | None = None, *, logged: bool = True) -> Session:
        whose = options if gain_db is None else Options(**{**options, "gain_db": gain_db})
        return Session(
            vault,
            piece,
            seconds=seconds,
            bars=bars,
            keep_back=True,
            clock=clock,
            logged=logged,
            loop=loop,
            **whose,
        )

    def run(broken: Broken) -> Rendered:
        return _render(begin, WorkingFile(out), shape, gestures, progress, broken, exact=exact)

    return unbroken(run)


def _render(
    begin: Begin,
    out: WorkingFile,
    shape: Shape,
    gestures: Sequence[Gesture],
    progress: Progress | None,
    broken: Broken,
    *,
    exact: bool,
) -> Rendered:
    """Render what `begin` begins. Where it is broken off before the file is whole, nothing is left of it."""

    def tell(step: str, done: int, all: int) -> None:
        broken.check()
        if progress is not None:
            progress(step, done, all)

    with ExitStack() as stack:
        stack.enter_context(out)
        with out.failing():
            master = stack.enter_context(closing(MasterFile(out.out.parent)))
        session = begin(exact_gain_db(begin, gestures, tell)) if exact else begin()
        stack.callback(session.abandon)
        begun = _prepared(session, gestures, tell)
        shape.check_room(out.out, session.planned_frames)
        check_space(out.out, shape, session.planned_frames)
        for block in _mixed(session, gestures):
            with out.failing():
                master.write(block)
            tell("mix", min(session.frame, session.planned_frames), session.planned_frames)
        factor = session.frame / ENGINE_RATE / max(time.perf_counter() - begun, 1e-9)
        labels = _labels(session, shape, session.session, session.opened)
        written = _write(session, master, out, shape, labels, tell)
        take = session.finish()
        # If we crash here, the journal names a file that still has its working name: heard by nobody, and
        # paid all the same. The other way round a file would be heard that no ledger knows.
        out.publish()
        _seal(session, out.out)
    return _rendered(session, take, out.out, factor, written)


def _write(
    session: Session, master: MasterFile, out: WorkingFile, shape: Shape, labels: Labels, tell: Progress
) -> Written:
    """Write the file of a session that was mixed to its end, and make it durable under its working name."""
    with out.failing():
        sound = master.whole()
    if shape.loop:
        # A take that was changed by hand may end before its loop does.
        sound = folded(sound, session.conductor.ended_at or len(sound))
    shape.check_room(out.out, len(sound))
    gain = 1.0 if shape.as_mixed else lowered(sound, shape, session.score.piece.ceiling_dbtp)
    frames = shape.frames(len(sound))

    def told(blocks: Iterator[Samples]) -> Iterator[Samples]:
        done = 0
        for block in blocks:
            yield block
            done += len(block)
            tell("write", done, frames)

    samples = rounded(resampled(sound, shape), gain, shape, session.score.seed)
    out.write(told(samples), shape, frames, labels)
    return Written(shape.rate, shape.bits, frames, 20 * log10(1 / gain))


def _labels(session: Session, shape: Shape, id: str, opened: str) -> Labels:
    """The words on the file of a session that was mixed to its end; `id` and `opened` are its take's."""
    sounding = {p.stem for p in session.sounding(session.frame - 1)}
    stems = sounding | {heard.placement.stem for heard in session.sounded}
    name = session.score.piece.name
    return Labels(shape.title or name, shape.artist, name, id, opened, session.isrcs(stems))


def _own_length(vault: Vault, piece: Piece, clock: Clock | None, options: Options) -> float:
    """The length of a piece to its own end, in seconds."""
    session = Session(vault, piece, seconds=UNENDING_SECONDS, clock=clock, logged=False, loop=True, **options)
    try:
        _, end = session.conductor.wanted(MOST_BARS)
    finally:
        session.abandon()
    if end is None or end >= UNENDING_SECONDS * ENGINE_RATE:
        raise NoEnd(f'"{piece.name}" does not end within an hour: give the length of the loop with --bars')
    return end / ENGINE_RATE


def exact_gain_db(begin: Begin, gestures: Sequence[Gesture], tell: Progress) -> float:
    """The master's gain with which what `begin` begins comes out as loud as its script says.

    It is mixed as it will be, and nothing of it is kept. Where the limiter is at work, a gain brings less
    than it should: then once more.
    """
    tried: list[tuple[float, float]] = []
    gain_db = None
    for _ in range(MOST_TRIALS):
        session = begin(gain_db, logged=False)
        try:
            _prepared(session, gestures, tell)
            for _ in _mixed(session, gestures):
                tell("measure", min(session.frame, session.planned_frames), session.planned_frames)
            gain_db, lufs, target = session.gain_db, session.mixer.lufs, session.score.piece.loudness_lufs
        finally:
            session.abandon()
        if target is None or not isfinite(lufs):
            return gain_db
        brought = 1.0
        if tried and tried[-1][0] != gain_db:
            brought = (lufs - tried[-1][1]) / (gain_db - tried[-1][0])
        tried.append((gain_db, lufs))
        gain_db += (target - lufs) / min(max(brought, LEAST_BROUGHT), 1.0)
        gain_db = min(max(gain_db, -MOST_GAIN_DB), MOST_GAIN_DB)
        if abs(target - lufs) <= EXACT_LU:
            break
    assert gain_db is not None
    return gain_db


def _prepared(session: Session, gestures: Sequence[Gesture], tell: Progress) -> float:
    """Make ready all that a session needs; gives the time at which that was done, in seconds."""
    for gesture in gestures:
        session.gestures.expect(gesture)
    session.prepare(progress=lambda done, all: tell("conform", done, all))
    return time.perf_counter()


def _mixed(session: Session, gestures: Sequence[Gesture]) -> Iterator[NDArray[np.float32]]:
    """All that a session gives out, with the gestures made at their frames."""
    coming = deque(sorted(gestures, key=lambda gesture: gesture.frame))
    while not session.ended:
        while coming and coming[0].frame <= session.frame:
            session.gestures.perform(coming.popleft())
        yield session.read(min(CHUNK_FRAMES, coming[0].frame - session.frame) if coming else CHUNK_FRAMES)


def _rendered(session: Session, take: Take, out: Path, factor: float, written: Written) -> Rendered:
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
        gain_db=session.gain_db,
        reduction_db=session.mixer.master.reduction_db(0.01),
        file=written,
    )


def replay_to(
    vault: Vault, take: Take, out: Path, progress: Callable[[int, int], None] | None = None
) -> Replayed:
    """Replay `take` to a file, as `render` writes one, and log it. Raises as `replay` and `render` do."""
    shape = replace(shape_of(out), loop=take.loop)

    def run(broken: Broken) -> Replayed:
        def tell(step: str, done: int, all: int) -> None:
            broken.check()
            if progress is not None and step == "mix":
                progress(done, all)

        with WorkingFile(out) as file, closing(MasterFile(out.parent)) as master:
            session, replayed = replay(
                vault, take, master.write, progress=lambda done, all: tell("mix", done, all)
            )
            labels = _labels(session, shape, take.session, take.time or "")
            _write(session, master, file, shape, labels, tell)
            file.publish()
            _seal(session, out)
        return replayed

    return unbroken(run)


def _seal(session: Session, out: Path) -> None:
    """Sequence the entries. They are safe already, so a failure here takes nothing back."""
    try:
        session.seal()
    except OSError as error:
        raise NotSealed(
            f"{str(out)!r} is whole, and what it holds is safe in the ledger's journal, but the log "
            f"could not be sealed ({error.strerror}); the next command that writes to this home seals it"
        ) from error


def check_length(piece: Piece, seconds: float | None, bars: int | None) -> None:
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
