"""A disk that is full, or fails, at each of its calls in turn: every ledger verifies afterwards.

While a session is pulled, what is not durable is not heard, and nothing is lost. Beside a device the music
goes on, and nothing is lost either once there is room again. Where the process dies before that, a gap entry
says how much was in memory alone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest

from stemloom.engine.errors import LedgerStopped
from stemloom.engine.plan import Fade, Placement, Variant
from stemloom.engine.play import placement_log as logs
from stemloom.engine.play.placement_log import PlacementLog
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries import entries
from stemloom.ledger.errors import LedgerError
from stemloom.ledger.log.log import Log
from stemloom.ledger.log.session_page import HeardFrames, write_header
from stemloom.ledger.tlog.disk import OpenFile, RealDisk
from stemloom.ledger.verify.verify import verify

from ..ledger import making
from ..ledger.conftest import Story
from ..ledger.making import TIME
from ..ledger.paged import LAYOUT, PAGE, report, show
from ..marks import slow

FRAMES = 4800
STEPS = 12


class FullDisk(RealDisk):
    """A disk on which the calls that write or sync fail from number `first` on, until it has room."""

    def __init__(self, first: int, number: int) -> None:
        self.first, self.number = first, number
        self.calls = 0

    def step(self, path: Path, *, writes: bool) -> None:
        self.calls += 1
        if self.calls > self.first and (writes or self.number == errno.EIO):
            raise OSError(self.number, os.strerror(self.number), str(path))

    def make_room(self) -> None:
        self.first = 1 << 62

    def write(self, path: Path, data: bytes) -> None:
        try:
            self.step(path, writes=True)
        except OSError:
            super().write(path, data[: len(data) // 2])
            raise
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self.step(path, writes=False)
        super().sync(path)

    def write_durable(self, files: Mapping[Path, bytes]) -> None:
        for path, data in files.items():
            self.write(path, data)
            self.sync(path)

    def replace(self, source: Path, target: Path) -> None:
        self.step(target, writes=True)
        super().replace(source, target)

    def make_folder(self, path: Path, mode: int) -> bool:
        self.step(path, writes=True)
        return super().make_folder(path, mode)

    def create_owned(self, path: Path) -> OpenFile:
        self.step(path, writes=True)
        return FullFile(super().create_owned(path), self, path)


class FullFile:
    def __init__(self, file: OpenFile, disk: FullDisk, path: Path) -> None:
        self._file, self._disk, self._path = file, disk, path
        self.close, self.cut = file.close, file.cut

    def append(self, data: bytes) -> None:
        try:
            self._disk.step(self._path, writes=True)
        except OSError:
            self._file.append(data[: len(data) // 3])
            raise
        self._file.append(data)

    def sync(self) -> None:
        self._disk.step(self._path, writes=False)
        self._file.sync()


def planned(id: int, stem: str) -> Placement:
    return Placement(
        id=id,
        stem=stem,
        title="Käse",
        holder="Ann",
        role="beats",
        part="kit",
        section="verse",
        line=3,
        column=1,
        bar=id,
        beat=Fraction(0),
        bars=Fraction(1),
        start_frame=FRAMES * id,
        end_frame=FRAMES * (id + 2),
        variant=Variant(stem, 2 * FRAMES, None, 1.0),
        offset_frames=0,
        gain_db=0.0,
        level_db=0.0,
        pan=0.0,
        fade_in=Fade(),
        fade_out=Fade(),
        consent=2,
        hit=False,
    )


class Playing:
    """A session of ten placements, each of which sounds while the next one begins."""

    def __init__(self, home: Path, disk: FullDisk, *, live: bool) -> None:
        self.disk = disk
        clock = FixedClock(TIME)
        with Log.open(home, create=True, clock=clock) as log:
            story = Story(log.origin)
            log.append([story.joins(), story.enters(), story.states()])
            self.stem = story.stem
        opening = making.session("opened")
        log = Log.open(home, clock=clock, disk=disk)
        self.log = PlacementLog(log, clock, opening, keep_back=False, sounding=self.sounding, page_size=PAGE)
        assert self.log.page is not None
        write_header(self.log.page, LAYOUT, disk.boot())
        assert self.log.scribe is not None
        self.scribe = self.log.scribe
        self.scribe.live = live
        self.live = live
        self.sounds: dict[int, HeardFrames] = {}
        self.heard = self.stopped = 0

    def sounding(self) -> list[HeardFrames]:
        return list(self.sounds.values())

    def play(self) -> None:
        for id in range(STEPS):
            placement = planned(id, self.stem)
            self.log.intend([placement], {self.stem: TIME})
            self.wait(placement.start_frame)
            self.log.begun(placement, TIME, TIME)
            start = placement.start_frame
            self.sounds[id] = HeardFrames(id=id, start_frame=start, end_frame=start + 960, frames=960)
            self.heard += 1
            assert self.log.page is not None
            if id:
                over = self.sounds.pop(id - 1)
                report(self.log.page, id, over)
            show(self.log.page, self.sounding())
            if id:
                self.log.heard([over])
            if id % 3 == 1:
                self.seal()

    def wait(self, frame: int) -> None:
        """As whoever reads does: at the third refusal there is room again."""
        tries = 0
        while True:
            try:
                assert self.log.wait_durable(frame, seconds=20)
                break
            except LedgerStopped:
                assert not self.live
                self.stopped += 1
                tries += 1
                if tries == 3:
                    self.disk.make_room()
        assert self.log.undurable > frame

    def seal(self) -> None:
        error: Exception | None = None
        try:
            self.scribe._journal.seal()
        except (OSError, LedgerError) as found:
            error = found
        self.scribe._sealed(error)

    def close(self) -> None:
        self.log.heard(list(self.sounds.values()))
        self.sounds.clear()
        with suppress(OSError, LedgerError):
            self.log.closed("ab" * 32)
            self.log.sealed()
        self.disk.make_room()
        self.log.closed("ab" * 32)
        self.log.sealed()

    def die(self) -> None:
        """The process is killed: its locks are free, and memory that was shared stays."""
        self.scribe._stop()
        journal = self.scribe._journal
        for _, file, _ in [*journal._older, (None, journal._file, None)]:
            file.close()


@pytest.fixture(autouse=True)
def no_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealing comes where the test says."""
    monkeypatch.setattr(logs, "SEAL_SECONDS", 3600.0)


def all_of(home: Path) -> tuple[int, int]:
    """The placements in a log that verifies, and how many are lost."""
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())
    found = [entry for _, entry in Log.open(home).entries()]
    placements = sum(isinstance(entry, entries.Placement) for entry in found)
    gaps = [entry for entry in found if isinstance(entry, entries.Gap)]
    return placements, sum(gap.placements or 0 for gap in gaps)


@pytest.mark.parametrize("number", [errno.ENOSPC, slow(errno.EIO)])
@pytest.mark.parametrize("live", [False, True])
def test_every_call_of_the_disk_may_be_the_first_to_fail(tmp_path: Path, live: bool, number: int) -> None:
    first, stopped = 0, 0
    while True:
        home, disk = tmp_path / str(first), FullDisk(first, number)
        try:
            playing = Playing(home, disk, live=live)
        except OSError:
            assert verify(home).problems == ()
            assert not list((home / "ledger" / "journals").iterdir()), "a journal is left of nothing"
        else:
            playing.play()
            playing.close()
            state = playing.scribe.state
            assert all_of(home) == (STEPS, 0)
            assert (state.waiting, state.lost, state.fault, state.sealed) == (0, 0, None, STEPS + 2)
            stopped += playing.stopped
            if disk.calls <= first:
                break
        first += 1
    assert first > 40
    assert live or stopped > 40


@pytest.mark.parametrize("number", [errno.ENOSPC, slow(errno.EIO)])
@pytest.mark.parametrize("live", [False, True])
def test_what_dies_with_a_full_disk_is_counted(tmp_path: Path, live: bool, number: int) -> None:
    first = lost = 0
    while True:
        home, disk = tmp_path / str(first), FullDisk(first, number)
        with suppress(OSError):
            playing = Playing(home, disk, live=live)
            playing.play()
            playing.die()
            Log.open(home, create=True, clock=FixedClock(TIME))
            known, gone = all_of(home)
            assert known + gone == playing.heard, first
            assert live or not gone
            lost += gone
            if disk.calls <= first:
                break
        first += 1
    assert lost if live else not lost
