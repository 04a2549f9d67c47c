"""The log: append, read, crash at every step, refuse to fork, share a home between writers."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.entries.entries import Income, Placement
from stemloom.ledger.errors import (
    BadEntry,
    BadKey,
    BadNote,
    BadReceipt,
    NoLedger,
    NoSuchEntry,
    RefusesToSign,
    VerificationFailed,
)
from stemloom.ledger.log.inclusion_receipt import check_receipt
from stemloom.ledger.log.log import Log
from stemloom.ledger.verify.verify import verify

from .making import income


def numbers(log: Log) -> list[int]:
    return [entry.amount - 1 for _, entry in log.entries() if isinstance(entry, Income)]


def test_entries_come_back(log: Log) -> None:
    steps = (0, 1, 254, 1, 1, 300, 0, 211)
    count = 0
    for step in steps:
        indices = log.append([income(count + i) for i in range(step)])
        assert indices == list(range(count, count + step))
        count += step
        assert log.size == count
    assert [index for index, _ in log.entries()] == list(range(count))
    assert numbers(log) == list(range(count))
    assert [index for index, _ in log.entries(250, 515)] == list(range(250, 515))
    assert list(log.entries(count)) == []
    assert log.entry(511) == income(511)
    assert log.changed_since(count - 1)
    assert not log.changed_since(count)


@pytest.mark.parametrize("index", [-1, 2, 10**20])
def test_no_such_entry(log: Log, index: int) -> None:
    log.append([income(0), income(1)])
    with pytest.raises(NoSuchEntry, match="entries 0 to 1"):
        log.entry(index)
    with pytest.raises(NoSuchEntry):
        log.prove(index)


def test_a_bad_entry_leaves_nothing(log: Log, home: Path) -> None:
    import msgspec

    with pytest.raises(BadEntry):
        log.append([income(0), msgspec.structs.replace(income(1), amount=-1)])
    assert log.size == 0
    assert verify(home).ok


def test_every_receipt(log: Log) -> None:
    log.append([income(i) for i in range(300)])
    for index in range(0, 300, 7):
        receipt = log.prove(index)
        proved = check_receipt(receipt, log.vkey, encode(income(index)))
        assert (proved.index, proved.entry, proved.size) == (index, income(index), 300)
        assert check_receipt(receipt, log.vkey) == proved
        with pytest.raises(BadReceipt):
            check_receipt(receipt, log.vkey, encode(income(index + 1)))


def test_a_changed_receipt_proves_nothing(log: Log) -> None:
    log.append([income(i) for i in range(5)])
    receipt = log.prove(3)
    for place in range(len(receipt)):
        changed = receipt[:place] + bytes([receipt[place] ^ 1]) + receipt[place + 1 :]
        with pytest.raises(BadReceipt):
            check_receipt(changed, log.vkey)
        with pytest.raises(BadReceipt):
            check_receipt(receipt[:place], log.vkey)


def test_a_receipt_without_its_entry(log: Log) -> None:
    log.append([income(0)])
    head, _, rest = log.prove(0).partition(b"\nextra ")
    bare = head + b"\n" + rest.partition(b"\n")[2]
    assert check_receipt(bare, log.vkey, encode(income(0))).index == 0
    with pytest.raises(BadReceipt, match="none was given"):
        check_receipt(bare, log.vkey)


def test_modes(log: Log, home: Path) -> None:
    log.journal()
    for folder in (home, home / "keys", home / "ledger" / "journals"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "keys" / "log.key").stat().st_mode) == 0o600


def test_opening_what_is_not_there(tmp_path: Path, home: Path, log: Log) -> None:
    with pytest.raises(NoLedger, match="no ledger"):
        Log.open(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        Log.open(tmp_path / "file", create=True)
    assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST)
    with pytest.raises(OSError, match="file"):
        Log.open(tmp_path / "file" / "home", create=True)
    (home / "keys" / "log.key").rename(tmp_path / "away")
    for create in (False, True):
        with pytest.raises(BadKey, match="missing"):
            Log.open(home, create=create)
    (home / "keys" / "log.key").write_text("no key")
    with pytest.raises(BadKey, match="not a private key"):
        Log.open(home)


def test_another_homes_log_is_not_ours(log: Log, home: Path, tmp_path: Path) -> None:
    other = Log.open(tmp_path / "other", create=True)
    other.append([income(0)])
    shutil.copy(tmp_path / "other" / "ledger" / "log" / "checkpoint", home / "ledger" / "log" / "checkpoint")
    with pytest.raises(BadNote):
        Log.open(home)


# Forks.


def test_an_older_copy_is_not_signed_on(log: Log, home: Path, tmp_path: Path) -> None:
    log.append([income(0)])
    shutil.copytree(home / "ledger" / "log", tmp_path / "old")
    log.append([income(1)])
    shutil.rmtree(home / "ledger" / "log")
    shutil.copytree(tmp_path / "old", home / "ledger" / "log")
    with pytest.raises(RefusesToSign, match="older copy"):
        log.append([income(2)])
    with pytest.raises(RefusesToSign):
        Log.open(home, create=True)
    assert Log.open(home).size == 1


def test_nothing_is_signed_without_the_copy(log: Log, home: Path) -> None:
    log.append([income(0)])
    (home / "ledger" / "signed").unlink()
    with pytest.raises(RefusesToSign, match="is missing"):
        log.append([income(1)])


def test_an_emptied_log_is_not_begun_again(log: Log, home: Path) -> None:
    log.append([income(0)])
    shutil.rmtree(home / "ledger" / "log")
    with pytest.raises(RefusesToSign):
        Log.open(home, create=True)


@pytest.mark.parametrize("name", ["tile/0/000.p/3", "tile/entries/000.p/3"])
def test_a_changed_edge_is_not_signed_on(log: Log, home: Path, name: str) -> None:
    log.append([income(i) for i in range(3)])
    path = home / "ledger" / "log" / name
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    with pytest.raises(RefusesToSign, match="ledger verify"):
        log.append([income(3)])
    path.unlink()
    with pytest.raises((RefusesToSign, VerificationFailed)):
        log.append([income(3)])


# Crashes and faults. The steps of an append are counted first, then each one fails in turn.


def filled(home: Path, before: int) -> None:
    with Log.open(home, create=True) as log:
        log.append([income(i) for i in range(before)])


@pytest.mark.parametrize(("before", "more"), [(0, 1), (1, 2), (255, 1), (255, 3), (256, 1), (300, 700)])
def test_a_crash_at_every_step(
    tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException], before: int, more: int
) -> None:
    start = tmp_path / "start"
    filled(start, before)
    whole = faulty()
    shutil.copytree(start, tmp_path / "counted")
    Log.open(tmp_path / "counted", disk=whole).append([income(before + i) for i in range(more)])
    assert len(whole.steps) > 10
    seen: set[int] = set()
    for after in range(len(whole.steps)):
        home = tmp_path / f"crash{after}"
        shutil.copytree(start, home)
        with pytest.raises(crash):
            Log.open(home, disk=faulty(after, crash())).append([income(before + i) for i in range(more)])
        report = verify(home)
        assert report.problems == (), whole.steps[after]
        # All or none, and the next append goes on from there.
        log = Log.open(home, create=True)
        assert log.size in (before, before + more)
        seen.add(log.size)
        last = log.size
        assert log.append([income(last)]) == [last]
        assert numbers(log) == list(range(last + 1))
        report = verify(home)
        assert (report.problems, report.warnings) == ((), ())
        shutil.rmtree(home)
    assert seen == {before, before + more}


def test_a_crash_at_every_step_of_creation(
    tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException]
) -> None:
    whole = faulty()
    Log.open(tmp_path / "counted", create=True, disk=whole)
    for after in range(len(whole.steps)):
        home = tmp_path / f"crash{after}"
        with pytest.raises(crash):
            Log.open(home, create=True, disk=faulty(after, crash()))
        log = Log.open(home, create=True)
        log.append([income(0)])
        report = verify(home)
        assert (report.problems, report.warnings) == ((), ()), whole.steps[after]


@pytest.mark.parametrize(("before", "more"), [(0, 1), (255, 3), (300, 300)])
def test_a_full_disk_at_every_step(
    tmp_path: Path, faulty: Callable[..., Any], before: int, more: int
) -> None:
    start = tmp_path / "start"
    filled(start, before)
    whole = faulty()
    shutil.copytree(start, tmp_path / "counted")
    Log.open(tmp_path / "counted", disk=whole).append([income(before + i) for i in range(more)])
    stands = whole.steps.index("replace pending")
    shown = whole.steps.index("sync log", stands)
    for after in range(len(whole.steps)):
        home = tmp_path / f"full{after}"
        shutil.copytree(start, home)
        disk = faulty(after, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        log = Log.open(home, disk=disk)
        if after > shown:
            # Only clearing up is left, which the next writer does.
            assert len(log.append([income(before + i) for i in range(more)])) == more
        else:
            with pytest.raises(OSError, match="No space left"):
                log.append([income(before + i) for i in range(more)])
        assert verify(home).problems == ()
        disk.after = None
        if after <= stands:
            assert log.size == before
            assert log.append([income(before + i) for i in range(more)]) == list(range(before, before + more))
        else:
            assert log.append([]) == []
        assert numbers(log) == list(range(before + more))
        report = verify(home)
        assert (report.problems, report.warnings) == ((), ()), whole.steps[after]
        shutil.rmtree(home)


def test_a_failed_append_is_cleared_away_at_once(log: Log, home: Path, faulty: Callable[..., Any]) -> None:
    log.append([income(0)])
    disk = faulty()
    fails = Log.open(home, disk=disk)
    disk.steps.clear()

    class FullOnce(type(disk)):  # type: ignore[misc]
        def replace(self, source: Path, target: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))

    fails = Log.open(home, disk=FullOnce())
    with pytest.raises(OSError, match="No space left"):
        fails.append([income(1)])
    report = verify(home)
    assert (report.ok, report.size, report.warnings) == (True, 1, ())


def test_syncs_are_few(home: Path, faulty: Callable[..., Any]) -> None:
    disk = faulty()
    log = Log.open(home, create=True, disk=disk)
    log.append([income(0)])
    disk.steps.clear()
    log.append([income(i) for i in range(100)])
    assert sum(step.startswith("sync") for step in disk.steps) <= 14


# Several writers.


def test_threads_share_a_log(log: Log, home: Path) -> None:
    given: list[int] = []

    def write(first: int) -> None:
        for i in range(10):
            given.extend(log.append([income(first + i)]))

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(40))
    assert sorted(numbers(log)) == sorted(100 * n + i for n in range(4) for i in range(10))
    assert verify(home).ok


def test_a_reader_sees_what_another_log_object_wrote(log: Log, home: Path) -> None:
    reader = Log.open(home)
    log.append([income(i) for i in range(300)])
    walk = reader.entries()
    next(walk)
    # The partial bundle that the reader is on its way to goes while it reads.
    log.append([income(i) for i in range(300, 600)])
    assert len(list(walk)) == 299
    assert numbers(reader) == list(range(600))
    assert check_receipt(reader.prove(299), reader.vkey).index == 299


# Journals.


def intention(story: Any) -> dict[int, Placement]:
    intended: dict[int, Placement] = story.means(0)
    return intended


def test_a_journal_is_sequenced_when_it_closes(log: Log, home: Path, story: Any) -> None:
    log.append([income(0)])
    with log.journal() as journal:
        journal.intend(intention(story))
        journal.write([income(1), income(2)])
        journal.write([])
        assert log.size == 1
        journal.write([income(3)])
        assert journal.close() == [1, 2, 3]
        assert journal.close() == []
    assert numbers(log) == [0, 1, 2, 3]
    assert list((home / "ledger" / "journals").iterdir()) == []
    assert verify(home).ok


def test_a_journal_without_entries_leaves_none(log: Log, home: Path, story: Any) -> None:
    with log.journal() as journal:
        journal.intend(intention(story))
    assert log.size == 0
    assert list((home / "ledger" / "journals").iterdir()) == []
