"""Journals: durable when acknowledged, adopted once when the owner dies, sound on a bad disk."""

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
from hypothesis import given, strategies as st
from msgspec.structs import replace

from stemloom.ledger.entries.canonical import decode
from stemloom.ledger.entries.entries import Income, Placement
from stemloom.ledger.errors import JournalFailed
from stemloom.ledger.log.journal import Journal
from stemloom.ledger.log.journal_format import (
    MAGIC,
    WHOLE,
    carried_frame,
    intention_rows,
    intentions_frame,
    placements_frame,
    read_journal,
    sounding_frame,
    sounding_rows,
)
from stemloom.ledger.log.log import Log
from stemloom.ledger.log.pending import Pending
from stemloom.ledger.tlog.disk import OpenFile, RealDisk
from stemloom.ledger.verify.verify import verify

from .making import income


def meant(*ids: int) -> dict[int, Placement]:
    return {
        id: Placement(
            session="x00",
            seq=0,
            stem="s00",
            use="stream",
            tier="free",
            role="beats",
            part="kit",
            section="verse",
            line=1,
            start_frame=0,
            frames=4800,
            rate=48_000,
            start="2026-11-21T06:16:00.250Z",
            ms=100,
            consent=2,
        )
        for id in ids
    }


class BadFile:
    """A journal's file on a disk that can be told to fail."""

    def __init__(self, file: OpenFile) -> None:
        self.file = file
        self.syncs = 0
        self.fail_append: OSError | None = None
        self.fail_sync: OSError | None = None

    def append(self, data: bytes) -> None:
        if self.fail_append is not None:
            self.file.append(data[: len(data) // 2])
            raise self.fail_append
        self.file.append(data)

    def sync(self) -> None:
        self.syncs += 1
        if self.fail_sync is not None:
            raise self.fail_sync
        self.file.sync()

    def cut(self, length: int) -> None:
        self.file.cut(length)

    def close(self) -> None:
        self.file.close()


class BadDisk(RealDisk):
    file: BadFile

    def create_owned(self, path: Path) -> OpenFile:
        self.file = BadFile(super().create_owned(path))
        return self.file


def abandoned(journal: Journal) -> Path:
    """The owner dies: the file stays, its lock goes."""
    journal._file.close()
    return journal.path


def amounts(log: Log) -> list[int]:
    return [entry.amount - 1 for _, entry in log.entries() if isinstance(entry, Income)]


def test_one_sync_a_call(home: Path) -> None:
    disk = BadDisk()
    journal = Log.open(home, create=True, disk=disk).journal()
    disk.file.syncs = 0
    journal.intend(meant(*range(50)))
    assert disk.file.syncs == 1
    journal.write([income(i) for i in range(50)])
    assert disk.file.syncs == 2
    found = read_journal(journal.path.read_bytes())
    assert (len(found.entries), found.damaged) == (50, False)
    assert found.intentions == meant(*range(50))


def test_threads_share_syncs(home: Path) -> None:
    disk = BadDisk()
    log = Log.open(home, create=True, disk=disk)
    journal = log.journal()

    def write(first: int) -> None:
        for i in range(25):
            journal.write([income(first + i)])

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.close()) == 100
    for n in range(4):
        assert [i for i in amounts(log) if i // 100 == n] == [100 * n + i for i in range(25)]
    assert disk.file.syncs <= 101


@pytest.mark.parametrize("how", ["open", "append", "journal"])
def test_the_dead_are_adopted_once(log: Log, home: Path, how: str) -> None:
    journal = log.journal()
    journal.intend(meant(0))
    journal.write([income(0), income(1)])
    alive = log.journal()
    alive.write([income(9)])
    abandoned(journal)
    assert any("waits for the next writer" in each.detail for each in verify(home).warnings)
    match how:
        case "open":
            Log.open(home, create=True)
        case "append":
            assert log.append([income(5)]) == [2]
        case "journal":
            log.append([])
    assert amounts(log)[:2] == [0, 1]
    log.append([])
    Log.open(home, create=True)
    assert amounts(log).count(0) == 1
    assert alive.close() == [log.size - 1]
    assert verify(home).ok


@pytest.mark.parametrize("written", [0, 2])
def test_a_journal_that_closes_takes_the_dead_in_once(log: Log, home: Path, written: int) -> None:
    dead = log.journal()
    dead.write([income(0), income(1)])
    alive = log.journal()
    alive.write([income(9)])
    abandoned(dead)
    journal = log.journal()
    journal.write([income(10 + i) for i in range(written)])
    assert journal.close() == list(range(2, 2 + written))
    assert amounts(log) == [0, 1, *range(10, 10 + written)]
    assert not dead.path.exists()
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())
    log.append([])
    assert alive.close() == [2 + written]
    assert amounts(log).count(0) == 1


def test_a_crash_at_every_step_of_closing_beside_a_dead_one(
    tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException]
) -> None:
    """Whatever instant the second owner dies at, both owners' entries are in the log once."""

    def two(home: Path, disk: Any) -> Journal:
        log = Log.open(home, create=True, disk=disk)
        dead, journal = log.journal(), log.journal()
        dead.write([income(0)])
        journal.write([income(1)])
        abandoned(dead)
        return journal

    counted = faulty()
    journal = two(tmp_path / "counted", counted)
    before = len(counted.steps)
    assert journal.close() == [1]
    steps = len(counted.steps) - before
    assert steps > 5
    for after in range(steps):
        home = tmp_path / f"crash{after}"
        disk = faulty()
        journal = two(home, disk)
        disk.after, disk.error = len(disk.steps) + after, crash()
        with pytest.raises(crash):
            journal.close()
        abandoned(journal)
        log = Log.open(home, create=True)
        # Dead alike, they are adopted by name where the first crash did not order them.
        assert sorted(amounts(log)) == [0, 1]
        assert verify(home).warnings == ()
        assert list((home / "ledger" / "journals").iterdir()) == []
        shutil.rmtree(home)


def test_an_open_to_read_adopts_nobody(log: Log, home: Path) -> None:
    journal = log.journal()
    journal.write([income(0)])
    path = abandoned(journal)
    assert Log.open(home).size == 0
    assert path.exists()


def test_a_crash_at_every_step_of_closing(
    tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException]
) -> None:
    """Whatever instant the owner dies at, its entries are in the log once after the next writer came."""
    counted = faulty()
    journal = Log.open(tmp_path / "counted", create=True, disk=counted).journal()
    journal.write([income(0), income(1)])
    before = len(counted.steps)
    journal.close()
    for after in range(len(counted.steps) - before):
        home = tmp_path / f"crash{after}"
        disk = faulty()
        journal = Log.open(home, create=True, disk=disk).journal()
        journal.write([income(0), income(1)])
        disk.after, disk.error = len(disk.steps) + after, crash()
        with pytest.raises(crash):
            journal.close()
        abandoned(journal)
        assert verify(home).problems == ()
        log = Log.open(home, create=True)
        log.append([income(2)])
        assert amounts(log) == [0, 1, 2]
        report = verify(home)
        assert (report.problems, report.warnings) == ((), ())
        assert list((home / "ledger" / "journals").iterdir()) == []
        shutil.rmtree(home)


def test_every_cut_keeps_what_is_whole(log: Log) -> None:
    journal = log.journal()
    lengths = []
    for i in range(4):
        journal.write([income(10 * i), income(10 * i + 1)])
        lengths.append(journal.path.stat().st_size)
    data = journal.path.read_bytes()
    for length in range(len(data) + 1):
        found = read_journal(data[:length])
        assert len(found.entries) == 2 * sum(each <= length for each in lengths)
        assert not found.damaged


def test_what_was_damaged_is_kept_and_told(log: Log, home: Path) -> None:
    journal = log.journal()
    journal.write([income(0)])
    whole = journal.path.stat().st_size
    journal.write([income(1)])
    path = abandoned(journal)
    data = bytearray(path.read_bytes())
    data[whole + 20] ^= 1
    path.write_bytes(data)
    log.append([])
    assert amounts(log) == [0]
    assert path.with_suffix(".damaged").read_bytes() == data
    report = verify(home)
    assert report.ok
    assert [each.what for each in report.warnings] == [f"../journals/{path.stem}.damaged"]


@pytest.mark.parametrize("call", ["intend", "write"])
def test_a_full_disk_keeps_nothing_of_the_call(home: Path, call: str) -> None:
    disk = BadDisk()
    log = Log.open(home, create=True, disk=disk)
    journal = log.journal()
    journal.write([income(0)])
    length = journal.path.stat().st_size
    disk.file.fail_append = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(journal.path))
    with pytest.raises(OSError, match="No space left"):
        journal.intend(meant(0)) if call == "intend" else journal.write([income(1)])
    assert journal.path.stat().st_size == length
    disk.file.fail_append = None
    journal.write([income(2)])
    journal.close()
    assert amounts(log) == [0, 2]


def test_after_a_failed_sync_nothing_is_acknowledged(home: Path) -> None:
    disk = BadDisk()
    log = Log.open(home, create=True, disk=disk)
    journal = log.journal()
    journal.write([income(0)])
    disk.file.fail_sync = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        journal.write([income(1)])
    disk.file.fail_sync = None
    with pytest.raises(JournalFailed, match="nothing more"):
        journal.write([income(2)])
    with pytest.raises(JournalFailed):
        journal.intend(meant(0))
    journal.close()
    assert amounts(log) == [0]


@pytest.mark.parametrize("mended", [True, False])
def test_mending_writes_everything_anew_elsewhere(home: Path, mended: bool) -> None:
    disk = BadDisk()
    log = Log.open(home, create=True, disk=disk)
    journal = log.journal()
    journal.write([income(0)])
    first = journal.path
    disk.file.fail_sync = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        journal.write([income(1)])
    if mended:
        disk.file.fail_sync = None
        journal.mend()
        assert not journal.failed
        assert journal.path != first
        journal.write([income(2)])
    assert journal.acknowledged == (2 if mended else 1)
    # Another process finds what was acknowledged, whichever of the files is left.
    journal._file.close()
    for _, file, _ in journal._older:
        file.close()
    assert amounts(Log.open(home, create=True)) == ([0, 2] if mended else [0, 1])


def test_a_lost_folder_of_journals_is_made_again(log: Log, home: Path) -> None:
    journals = home / "ledger" / "journals"
    journals.rmdir()
    assert verify(home).warnings == ()
    journal = log.journal()
    journal.write([income(0)])
    assert stat.S_IMODE(journals.stat().st_mode) == 0o700
    assert journal.close() == [0]
    assert amounts(log) == [0]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: os.mkfifo(path), "a named pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "a link"),
    ],
    ids=["folder", "pipe", "link"],
)
def test_what_is_no_file_is_nobodys_journal(
    log: Log, home: Path, make: Callable[[Path], object], kind: str
) -> None:
    dead = log.journal()
    dead.write([income(0)])
    abandoned(dead)
    make(home / "ledger" / "journals" / "d.journal")
    assert Log.open(home, create=True).append([income(1)]) == [1]
    with log.journal() as journal:
        journal.write([income(2)])
        assert journal.close() == [2]
    assert amounts(log) == [0, 1, 2]
    report = verify(home)
    assert report.ok
    assert [each.what for each in report.warnings] == ["../journals/d.journal"]
    assert f"is {kind}, not a journal" in report.warnings[0].detail


def test_a_closed_journal_takes_nothing(log: Log) -> None:
    journal = log.journal()
    journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        journal.write([income(0)])


def test_a_close_that_failed_can_be_called_again(home: Path, faulty: Callable[..., Any]) -> None:
    disk = faulty()
    log = Log.open(home, create=True, disk=disk)
    journal = log.journal()
    journal.write([income(0)])
    disk.after, disk.error = len(disk.steps) + 3, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        journal.close()
    disk.after = None
    assert journal.close() == [0]
    assert amounts(log) == [0]


@given(
    st.integers(0, 2**53),
    st.integers(0, 2**53),
    st.none() | st.binary(min_size=32, max_size=32),
    st.lists(st.from_regex(r"[0-9a-f-]{1,9}\.journal", fullmatch=True)).map(tuple),
    st.data(),
)
def test_the_note_of_an_append_comes_back_whole_or_not(
    before: int, after: int, root: bytes | None, journals: tuple[str, ...], data: st.DataObject
) -> None:
    pending = Pending(before, after, root, journals)
    text = pending.encode()
    assert Pending.decode(text) == pending
    assert Pending.decode(text[: data.draw(st.integers(0, len(text) - 1))]) is None


def test_the_bytes_of_a_journal_stay_as_they_are() -> None:
    """`before.journal` was written when an intention was a record of its own."""
    data = Path(__file__).with_name("before.journal").read_bytes()
    found = read_journal(data)
    assert (found.length, found.damaged, found.whole) == (len(data), False, True)
    (ended,) = map(decode, found.entries)
    assert isinstance(ended, Placement)

    def intended(id: int) -> Placement:
        return replace(ended, seq=0, start_frame=48_000 * id)

    assert found.intentions == {id: intended(id) for id in (5, 6, 7)}
    assert [(heard.id, heard.end_frame, heard.frames, start) for heard, start in found.sounding] == [
        (id, 48_000 * id + 9_600, 9_536, ended.start) for id in (5, 6)
    ]
    assert data == b"".join(
        [
            MAGIC,
            carried_frame(found.carried),
            WHOLE,
            intentions_frame({id: intended(id) for id in (6, 7)}),
            sounding_frame(found.sounding),
            placements_frame([4], found.entries),
        ]
    )
    carried = read_journal(MAGIC + carried_frame(found.carried))
    assert carried.intentions == {id: intended(id) for id in (4, 5)}
    assert found.carried.intentions == intention_rows(carried.intentions)
    assert found.carried.sounding == sounding_rows(carried.sounding)
