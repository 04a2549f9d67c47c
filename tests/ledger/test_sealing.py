"""Sealing together: sixteen sessions of one home cost one append, and one that fails holds up no other."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemloom.ledger.errors import JournalFailed, LockHeld
from stemloom.ledger.log import sealing
from stemloom.ledger.log.journal import Journal, seal_together
from stemloom.ledger.log.log import Log
from stemloom.ledger.log.sealing import seal_no_more, seal_regularly
from stemloom.ledger.log.sequence import Sequencer

from .making import income


@pytest.fixture
def journals(log: Log) -> Iterator[list[Journal]]:
    made = [log.journal() for _ in range(16)]
    for number, journal in enumerate(made):
        journal.write([income(number)])
    yield made
    for journal in made:
        seal_no_more(journal)
        journal.close()


@pytest.fixture
def appends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many journal files each append took in."""
    found: list[int] = []
    real = Sequencer.append

    def append(sequencer: Sequencer, entries: list[bytes], *rest: list[Path]) -> list[int]:
        found.append(len(rest[0]) if rest else 0)
        return real(sequencer, entries, *rest)

    monkeypatch.setattr(Sequencer, "append", append)
    return found


def test_one_append_takes_in_all(log: Log, journals: list[Journal], appends: list[int]) -> None:
    assert seal_together(journals) == {}
    assert appends == [16]
    assert log.size == 16
    assert [journal.sealed for journal in journals] == [1] * 16
    assert seal_together(journals) == {}
    assert appends == [16]
    journals[3].write([income(99)])
    assert journals[3].close() == [16]


def test_one_that_fails_holds_up_no_other(log: Log, journals: list[Journal]) -> None:
    journals[5]._failed = OSError("gone")
    failed = seal_together(journals)
    assert list(failed) == [journals[5]]
    assert isinstance(failed[journals[5]], JournalFailed)
    assert log.size == 15
    journals[5].mend()
    assert seal_together(journals) == {}
    assert log.size == 16


def test_a_disk_that_refuses_the_log_leaves_all_for_later(
    log: Log, journals: list[Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(log._disk, "write_durable", full)
        failed = seal_together(journals)
        assert set(failed) == set(journals)
    assert [journal.sealed for journal in journals] == [0] * 16
    assert seal_together(journals) == {}
    assert log.size == 16


def full(files: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_lock_that_another_has_is_left_for_the_next_round(
    log: Log, journals: list[Journal], home: Path
) -> None:
    descriptor = os.open(home / "ledger" / "lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    failed = seal_together(journals, seconds=0.05)
    os.close(descriptor)
    assert {type(error) for error in failed.values()} == {LockHeld}
    assert seal_together(journals) == {}


def test_one_thread_seals_every_session_of_a_home(log: Log, journals: list[Journal], home: Path) -> None:
    told: dict[Journal, threading.Event] = {journal: threading.Event() for journal in journals}
    for journal, news in told.items():
        seal_regularly(journal, home, 0.01, lambda error, news=news: error or news.set())
    (rounds,) = [rounds for (folder, _), rounds in sealing._running.items() if folder == home]
    for news in told.values():
        assert news.wait(20)
    assert log.size == 16
    for journal in journals:
        seal_no_more(journal)
    rounds.thread.join(20)
    assert not rounds.thread.is_alive()
    assert rounds not in sealing._running.values()
