"""Interrupts in the main thread: whatever is under way in a ledger is done, or not begun."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.errors import LockHeld
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog import locks
from stemloom.ledger.tlog.locks import locked
from stemloom.ledger.unbroken import unbroken
from stemloom.ledger.verify.verify import verify

from ..interrupts import interrupted

EVENTS = ("call", "return", "c_call", "c_return")


@pytest.mark.parametrize("event", EVENTS)
def test_an_interrupt_at_every_call_leaves_a_ledger_that_verifies(
    log: Log, story: Any, home: Path, event: str
) -> None:
    log.append([story.joins(), story.enters(), story.states()])
    sessions = breaks = 0

    def play(number: int) -> None:
        journal = log.journal()
        story.session = f"x{number:020x}"
        journal.write([story.session_entry("opened")])
        journal.intend(story.means(0))
        journal.ended([0], [encode(story.sounds(0))], 1000)
        journal.seal()
        journal.sound([])
        journal.write([story.session_entry("closed", 1, 1000)])
        journal.close()
        log.append([])

    while True:
        after, broken = sessions, False
        sessions += 1
        with interrupted(event, after) as interrupt:
            try:
                play(sessions)
            except KeyboardInterrupt:
                broken = True
        breaks += broken
        log.append([])
        if not interrupt.raised:
            break
        assert broken
    assert breaks > 10
    # The journals that were left are adopted like those of the dead.
    gc.collect()
    Log.open(home, create=True)
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())


def test_work_is_done_though_an_interrupt_comes_while_it_is_waited_for() -> None:
    done = threading.Event()

    @unbroken
    def work() -> str:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        done.wait(0.05)
        done.set()
        return "done"

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done.is_set()


def test_an_interrupt_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    @unbroken
    def work() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        with locked(tmp_path / "lock", 0o600):
            raise AssertionError("it has another owner")

    with locked(tmp_path / "lock", 0o600), pytest.raises(KeyboardInterrupt):
        work()


def test_errors_and_results_pass_through() -> None:
    @unbroken
    def halved(number: int) -> int:
        """Half of it."""
        if number % 2:
            raise ValueError(number)
        return number // 2

    assert halved(4) == 2
    assert halved.__doc__ == "Half of it."
    with pytest.raises(ValueError, match="3"):
        halved(3)


def hold(path: Path) -> Callable[[], None]:
    """Another process, as far as locks go: its descriptor is its own."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return lambda: os.close(descriptor)


def test_a_lock_that_another_has_is_waited_for_so_long_and_named(log: Log, home: Path) -> None:
    free = hold(home / "ledger" / "lock")
    said = r"this process itself has held the lock of .*/ledger/lock for 0\.2 s: "
    with pytest.raises(LockHeld, match=said):
        log._sequence({}, seconds=0.2)
    free()
    assert log._sequence({}, seconds=20) == []


def test_who_waits_for_a_lock_gets_it_when_it_is_free(tmp_path: Path) -> None:
    path, got = tmp_path / "lock", []
    free = hold(path)

    def wait(number: int) -> None:
        with locked(path, 0o600, seconds=20):
            got.append(number)

    threads = [threading.Thread(target=wait, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    free()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(5))
    assert not locks._queues
    assert not locks._opened


def test_a_lock_whose_folder_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "no" / "lock", 0o600):
        raise AssertionError("there is nothing to lock")
