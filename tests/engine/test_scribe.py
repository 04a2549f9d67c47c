"""The scribe: what was heard reaches the log; a disk that fails stops no music, and what is lost is told."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stemloom.engine.errors import LedgerStopped
from stemloom.engine.play import scribe as scribes
from stemloom.engine.play.scribe import NEVER_UNDURABLE, LedgerState, Scribe
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.canonical import PlacementForm, encode
from stemloom.ledger.entries.entries import Entry, Gap, Income, Placement, Session
from stemloom.ledger.log.journal_format import Sounding
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.disk import OpenFile, RealDisk

from ..interrupts import interrupted
from ..ledger import making
from ..ledger.making import SESSION, TIME, income


class Disk(RealDisk):
    """A disk that refuses to take more, or whose syncs fail, for as long as it is told."""

    def __init__(self) -> None:
        self.refuses: OSError | None = None
        self.loses: OSError | None = None
        self.stands = threading.Event()
        self.stands.set()

    def create_owned(self, path: Path) -> OpenFile:
        return _File(super().create_owned(path), self)


class _File:
    def __init__(self, file: OpenFile, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def append(self, data: bytes) -> None:
        self._disk.stands.wait()
        if self._disk.refuses is not None:
            raise self._disk.refuses
        self._file.append(data)

    def sync(self) -> None:
        if self._disk.loses is not None:
            raise self._disk.loses
        self._file.sync()

    def cut(self, length: int) -> None:
        self._file.cut(length)

    def close(self) -> None:
        self._file.close()


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "journal")
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO), "journal")


def placement(seq: int, part: str = "kit") -> Placement:
    return making.placement(seq, "s" + "0" * 20, 2, 480, part=part, start_frame=480 * seq)


def intention(*ids: int) -> dict[int, Placement]:
    """What the journal is told before placements sound: by number, the entry that each will become."""
    return {id: replace(placement(id), seq=0) for id in ids}


class Told:
    """What a scribe tells of its disk; waits for the next of it."""

    def __init__(self) -> None:
        self.said: list[str | None] = []
        self._news = threading.Condition()

    def __call__(self, fault: str | None) -> None:
        with self._news:
            self.said.append(fault)
            self._news.notify_all()

    def wait(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.said) >= count, 20)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def log(tmp_path: Path, disk: Disk) -> Log:
    return Log.open(tmp_path / "home", create=True, clock=FixedClock(TIME), disk=disk)


@pytest.fixture
def begin(log: Log) -> Iterator[Callable[..., Scribe]]:
    made: list[Scribe] = []

    def begin(*, live: bool, sounding: Callable[[], list[Sounding]] = list, seconds: float = 0.02) -> Scribe:
        scribe = Scribe(log, FixedClock(TIME), SESSION, sounding, 0, seconds)
        scribe.live = live
        scribe.write([making.session("opened")])
        made.append(scribe)
        return scribe

    yield begin
    for each in made:
        each._stop()


def end(scribe: Scribe, first: int, count: int = 1) -> None:
    entries = [encode(placement(seq)) for seq in range(first, first + count)]
    scribe.ended(list(range(first, first + count)), entries, 10 * count)


def kinds(log: Log) -> list[type[Entry]]:
    return [type(entry) for _, entry in log.entries()]


def until(state: Callable[[], LedgerState], right: Callable[[LedgerState], bool]) -> LedgerState:
    """The state once it is right; a scribe works on a thread of its own."""
    pause = threading.Event()
    for _ in range(2000):
        now = state()
        if right(now):
            return now
        pause.wait(0.01)
    raise AssertionError(f"it stays {now}")


@pytest.mark.parametrize("live", [False, True])
def test_what_was_heard_is_sealed_while_the_music_plays(
    log: Log, begin: Callable[..., Scribe], live: bool
) -> None:
    scribe = begin(live=live)
    scribe.intend(intention(0, 1))
    end(scribe, 0, 2)
    state = until(lambda: scribe.state, lambda state: state.sealed == 3)
    assert state == LedgerState(acknowledged=3, sealed=3, waiting=0, lost=0, fault=None)
    assert kinds(log) == [Session, Placement, Placement]
    end(scribe, 2)
    scribe.close()
    assert kinds(log) == [Session, *[Placement] * 3]
    assert [entry.seq for _, entry in log.entries() if isinstance(entry, Placement)] == [0, 1, 2]


@pytest.mark.parametrize("fault", ["refuses", "loses"])
def test_a_disk_that_fails_under_a_device_stops_nothing(
    log: Log, disk: Disk, begin: Callable[..., Scribe], fault: str
) -> None:
    scribe, told = begin(live=True), Told()
    scribe.on_fault = told
    end(scribe, 0)
    until(lambda: scribe.state, lambda state: state.sealed == 2)
    setattr(disk, fault, FULL if fault == "refuses" else BROKEN)
    scribe.intend(intention(1))
    end(scribe, 1, 3)
    told.wait(1)
    state = scribe.state
    assert (state.acknowledged, state.waiting, state.lost) == (2, 3, 0)
    assert state.fault is not None
    assert "the ledger cannot be written: " in state.fault
    setattr(disk, fault, None)
    told.wait(2)
    assert told.said[1] is None
    until(lambda: scribe.state, lambda state: state.sealed == 5)
    scribe.close()
    assert kinds(log) == [Session, *[Placement] * 4]


@pytest.mark.parametrize("fault", ["refuses", "loses"])
def test_who_pulls_blocks_gets_the_error_at_the_last_durable_frame(
    log: Log, disk: Disk, begin: Callable[..., Scribe], fault: str
) -> None:
    scribe, told = begin(live=False, seconds=60), Told()
    scribe.on_fault = told
    scribe.intend(intention(0))
    assert scribe.wait_durable(0)
    assert scribe.undurable == NEVER_UNDURABLE
    setattr(disk, fault, FULL if fault == "refuses" else BROKEN)
    scribe.intend(intention(1, 2))
    end(scribe, 0)
    for _ in range(3):
        with pytest.raises(LedgerStopped, match=r"No space|Input/output"):
            scribe.wait_durable(480)
    assert scribe.undurable == 480
    assert scribe.wait_durable(479)
    state = scribe.state
    assert (state.acknowledged, state.waiting, state.lost) == (1, 1, 0)
    setattr(disk, fault, None)
    assert scribe.wait_durable(960)
    told.wait(2)
    assert told.said[1] is None
    assert scribe.state == LedgerState(acknowledged=2, sealed=0, waiting=0, lost=0, fault=None)
    scribe.close()
    assert kinds(log) == [Session, Placement]


def test_waiting_for_the_disk_has_an_end(disk: Disk, begin: Callable[..., Scribe]) -> None:
    scribe = begin(live=False, seconds=60)
    disk.stands = threading.Event()
    scribe.intend(intention(0))
    assert not scribe.wait_durable(0, seconds=0.01)
    disk.stands.set()
    assert scribe.wait_durable(0)


def test_what_came_to_nothing_is_carried_no_further(log: Log, begin: Callable[..., Scribe]) -> None:
    scribe = begin(live=False, seconds=60)
    for id in range(200):
        scribe.intend(intention(2 * id, 2 * id + 1))
        assert scribe.wait_durable(960 * id + 480)
        scribe.forget([2 * id])
        end(scribe, 2 * id + 1)
    scribe.write([income(0)])
    scribe._journal.seal()
    assert len(scribe._journal.path.read_bytes()) < 1000
    assert scribe.undurable == NEVER_UNDURABLE


def test_beside_a_device_a_declared_fault_stops_nothing(disk: Disk, begin: Callable[..., Scribe]) -> None:
    scribe, told = begin(live=True, seconds=60), Told()
    scribe.on_fault = told
    disk.refuses = FULL
    scribe.intend(intention(0))
    told.wait(1)
    assert scribe.wait_durable(0)
    assert scribe.undurable == NEVER_UNDURABLE


@pytest.mark.parametrize("event", ["call", "return", "c_call", "c_return"])
def test_an_interrupt_while_waiting_breaks_nothing(
    log: Log, begin: Callable[..., Scribe], event: str
) -> None:
    scribe = begin(live=False, seconds=60)
    breaks, count = 0, 0
    while True:
        scribe.intend(intention(count))
        try:
            with interrupted(event, after=count):
                assert scribe.wait_durable(480 * count)
        except KeyboardInterrupt:
            breaks += 1
        else:
            break
        assert scribe.wait_durable(480 * count, seconds=20)
        count += 1
    assert breaks > 3
    assert scribe.state.fault is None
    scribe.close()
    assert kinds(log) == [Session]


def test_what_memory_cannot_hold_is_lost_and_told(
    log: Log, disk: Disk, begin: Callable[..., Scribe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "MOST_HELD", 4)
    scribe, told = begin(live=True), Told()
    scribe.on_fault = told
    disk.refuses = FULL
    end(scribe, 0, 4)
    told.wait(1)
    assert scribe.room == 0
    scribe.lose(7)
    assert scribe.state.lost == 7
    disk.refuses = None
    told.wait(2)
    scribe.close()
    assert kinds(log) == [Session, *[Placement] * 4, Gap]
    gap = log.entry(5)
    assert gap == Gap(time=TIME, session=SESSION, placements=7, reason="disk full")


def test_a_scribe_that_could_not_close_closes_later(
    log: Log, disk: Disk, begin: Callable[..., Scribe]
) -> None:
    scribe = begin(live=True, seconds=60)
    disk.refuses = FULL
    end(scribe, 0, 2)
    with pytest.raises(OSError, match="No space"):
        scribe.close()
    disk.refuses = None
    scribe.write([making.session("closed", 2, 20)])
    scribe.close()
    assert kinds(log) == [Session, Placement, Placement, Session]


def test_order_is_kept_when_another_thread_writes(log: Log, begin: Callable[..., Scribe]) -> None:
    scribe = begin(live=True)
    for seq in range(200):
        end(scribe, seq)
    scribe.write([Income(time=TIME, source="sync", currency="EUR", amount=1, period="2026", reference="x")])
    scribe.close()
    assert kinds(log) == [Session, *[Placement] * 200, Income]
    assert [entry.seq for _, entry in log.entries() if isinstance(entry, Placement)] == list(range(200))


@pytest.mark.parametrize("part", ["kit", "Ü 100 %d", '"quoted"\\', "\u2028\x7f"])
def test_a_form_writes_what_the_record_does(part: str) -> None:
    form = PlacementForm(placement(0, part))
    for seq in (0, 1, 2**53 - 1):
        other = placement(0, part)
        assert form.fill(seq, 480 * (seq % 7), 480, TIME) == encode(
            type(other)(
                **{
                    **{name: getattr(other, name) for name in other.__struct_fields__},
                    "seq": seq,
                    "start_frame": 480 * (seq % 7),
                }
            )
        )
