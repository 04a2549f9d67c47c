"""Forks: a session belongs to the process that opened it, and its child changes nothing of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from stemloom.engine.play.placement_log import PlacementLog
from stemloom.engine.play.scribe import Scribe
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.entries import Session
from stemloom.ledger.errors import OtherProcess
from stemloom.ledger.log.log import Log
from stemloom.ledger.log.session_page import HeardFrames, write_header
from stemloom.ledger.places import Places
from stemloom.ledger.tlog.disk import RealDisk
from stemloom.ledger.tlog.locks import locked
from stemloom.ledger.verify.verify import verify

from ..ledger import making
from ..ledger.conftest import Story
from ..ledger.making import TIME
from ..ledger.paged import LAYOUT, PAGE, show
from .test_full_disk import planned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and shared memory with a name")


def child(work: Callable[[], object]) -> int:
    """Do `work` in a forked process, which may take 20 s; gives its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.alarm(20)
        work()
        code = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Its exit code, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def waiting_child() -> tuple[int, int]:
    """A child that lives until the pipe is closed."""
    reads, writes = os.pipe()

    def wait() -> None:
        os.close(writes)
        os.read(reads, 1)

    pid = child(wait)
    os.close(reads)
    return pid, writes


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    with Log.open(home, create=True, clock=FixedClock(TIME)) as log:
        story = Story(log.origin)
        log.append([story.joins(), story.enters(), story.states()])
    return home


def begun(home: Path) -> PlacementLog:
    clock = FixedClock(TIME)
    log = PlacementLog(
        Log.open(home, clock=clock), clock, making.session("opened"), keep_back=False, page_size=PAGE
    )
    assert log.page is not None
    write_header(log.page, LAYOUT, RealDisk().boot())
    return log


def play(log: PlacementLog, home: Path, id: int) -> None:
    """A placement that has sounded."""
    stem = Story(Log.open(home).origin).stem
    log.intend([planned(id, stem)], {stem: TIME})
    assert log.wait_durable(planned(id, stem).start_frame, seconds=20)
    log.begun(planned(id, stem), TIME, TIME)
    log.heard([HeardFrames(id=id, start_frame=0, end_frame=4800, frames=4800)])


def every_call(log: PlacementLog, scribe: Scribe, home: Path) -> list[Callable[[], object]]:
    stem = Story(Log.open(home).origin).stem
    return [
        lambda: log.intend([planned(90, stem)], {stem: TIME}),
        lambda: log.wait_durable(0),
        lambda: log.heard([HeardFrames(id=1, start_frame=0, end_frame=480, frames=480)]),
        lambda: log.closed("ab" * 32),
        log.sealed,
        log.abandoned,
        lambda: scribe.write([making.session("closed", 0, 0)]),
        scribe.close,
        scribe._journal.seal,
        scribe._journal.mend,
        scribe._journal.close,
        lambda: scribe._journal.sound([]),
        lambda: scribe._journal._file.append(b"x"),
    ]


def test_a_child_is_refused_and_its_end_touches_nothing(home: Path) -> None:
    log = begun(home)
    scribe = log.scribe
    assert scribe is not None
    stem = Story(Log.open(home).origin).stem
    play(log, home, 0)
    log.intend([planned(1, stem)], {stem: TIME})
    log.begun(planned(1, stem), TIME, TIME)

    def misuse() -> None:
        assert scribe is not None
        for call in every_call(log, scribe, home):
            with pytest.raises(OtherProcess, match=f"belongs to process {os.getppid()}"):
                call()
        assert scribe.state.lost == 0
        scribe._journal._file.close()
        # A session of its own is welcome.
        with Log.open(home, create=True).journal() as own:
            own.write([making.session("opened", session="x1"), making.session("closed", 0, 0, session="x1")])

    assert ended(child(misuse)) == 0
    log.heard([HeardFrames(id=1, start_frame=0, end_frame=480, frames=480)])
    play(log, home, 2)
    log.closed("ab" * 32)
    log.sealed()
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())
    assert scribe.state.sealed == 5


def test_forks_at_any_moment_change_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealing goes on meanwhile, in a thread of its own: a lock of the home may be held at each fork."""
    monkeypatch.setattr("stemloom.engine.play.placement_log.SEAL_SECONDS", 0.001)
    log = begun(home)
    scribe = log.scribe
    assert scribe is not None
    calls = every_call(log, scribe, home)
    children = []
    for id in range(60):
        call = calls[id % len(calls)]

        def misuse(call: Callable[[], object] = call) -> None:
            with pytest.raises(OtherProcess):
                call()

        children.append(child(misuse))
        play(log, home, id)
    assert [ended(each) for each in children] == [0] * 60
    log.closed("ab" * 32)
    log.sealed()
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())
    assert scribe.state == scribe.state.__class__(62, 62, 0, 0, None)


def test_a_parents_death_frees_its_journals_though_a_child_lives(home: Path) -> None:
    reads, writes = os.pipe()
    told_reads, told_writes = os.pipe()

    def parent() -> None:
        os.close(writes)
        log = begun(home)
        play(log, home, 0)
        stem = Story(Log.open(home).origin).stem
        log.intend([planned(1, stem)], {stem: TIME})
        log.wait_durable(1 << 40)
        log.begun(planned(1, stem), TIME, TIME)
        assert log.page is not None
        show(log.page, [HeardFrames(id=1, start_frame=4800, end_frame=5280, frames=480)])

        def wait() -> None:
            os.write(told_writes, b"x")
            os.read(reads, 1)

        child(wait)
        os.read(told_reads, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(child(parent)) == -signal.SIGKILL
    os.close(reads)
    # Its child waits for us.
    log = Log.open(home, create=True, clock=FixedClock(TIME))
    assert not list(Places(home).journals.iterdir())
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())
    closing = log.entry(log.size - 1)
    assert isinstance(closing, Session)
    assert (closing.placements, closing.recovered) == (2, "crash")
    os.close(writes)


def test_a_lock_that_is_held_at_a_fork_is_the_parents_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, 0o600):
        pid, pipe = waiting_child()
    with locked(path, 0o600, wait=False):
        pass
    os.close(pipe)
    assert ended(pid) == 0


def test_a_lock_that_another_thread_takes_at_a_fork_is_free_afterwards(tmp_path: Path) -> None:
    path, over = tmp_path / "lock", threading.Event()

    def take() -> None:
        while not over.is_set():
            with locked(path, 0o600):
                pass

    thread = threading.Thread(target=take)
    thread.start()
    waits = [waiting_child() for _ in range(30)]
    over.set()
    thread.join()
    with locked(path, 0o600, wait=False):
        pass
    for _, pipe in waits:
        os.close(pipe)
    assert [ended(pid) for pid, _ in waits] == [0] * 30
