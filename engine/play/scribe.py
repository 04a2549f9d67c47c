"""The scribe writes to the ledger's journal what is to sound and what was heard, on a thread of its own.

    control thread -> `intend`, `ended` -> scribe -> journal (durable: acknowledged) -> log (signed: sealed)

Whoever hands it something does not wait for the disk. What may sound is what is durable: `undurable` tells,
and `wait_durable` waits. What the disk does not take waits in memory, in its order, is tried again every
second, and is told. Where a device plays, the music goes on meanwhile; what memory cannot hold is lost, and a
`gap` entry says how much. Whoever pulls blocks or renders reads no further until the disk takes more.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue

from ...ledger.clock import Clock
from ...ledger.entries.entries import Entry, Gap, GapReason, Placement
from ...ledger.errors import JournalFailed, LockHeld
from ...ledger.forks import refuse_children
from ...ledger.log.journal_format import Sounding
from ...ledger.log.log import Log
from ...ledger.log.sealing import seal_no_more, seal_regularly
from ...ledger.unbroken import unbroken
from ..errors import LedgerStopped

SEAL_SECONDS = 1.0
"""How often what is acknowledged goes into the log, and how often a disk that failed is tried again."""
GATHER_SECONDS = 0.02
"""How long what nobody waits for is gathered before it is written."""
MOST_HELD = 1 << 18
"""Entries that wait in memory for a disk that fails."""
MOST_AT_ONCE = 4096
"""Calls of `ended` that are written together."""
NEVER_UNDURABLE = 1 << 62
"""A frame after all others."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """How far the ledger is. `acknowledged`: entries that are durable; `sealed`: those in the log, signed.

    `waiting`: entries that are in memory alone; `lost`: placements of which no entry will ever be. `fault`:
    why the disk does not take them, None while it does.
    """

    acknowledged: int
    sealed: int
    waiting: int
    lost: int
    fault: str | None


class Scribe:
    """Writes one session's journal. `sounding`: what sounds now, as heard so far.

    `undurable` and `wait_durable` may be called from any thread, and an interrupt in them changes nothing.
    The rest is for one thread.
    """

    def __init__(
        self,
        log: Log,
        clock: Clock,
        session: str,
        sounding: Callable[[], Sequence[Sounding]],
        page_size: int,
        seal_seconds: float | None = SEAL_SECONDS,
    ) -> None:
        """`seal_seconds`: None to seal nothing before `close`."""
        self._clock, self._session, self._sounding = clock, session, sounding
        self._seal_seconds = seal_seconds
        self.on_fault: Callable[[str | None], object] = lambda fault: None
        """Called on another thread with the fault of the disk, or with None when it works again."""
        self.live = False
        """Whether the music goes on if the disk fails."""
        # `_work` guards what is below it, for writing. The journal has locks of its own.
        self._work = threading.Lock()
        self._intended: dict[int, Placement] = {}
        """What may not sound before the disk has it, by number."""
        self._undurable = NEVER_UNDURABLE
        """The least start frame among them."""
        self._held: deque[tuple[Sequence[int], Sequence[bytes], int]] = deque()
        self._forgotten: list[int] = []
        self._count = 0
        self._lost = 0
        self._unsaid = 0
        """How many lost placements no gap entry counts yet."""
        self._why: GapReason = "overflow"
        self._fault: str | None = None
        """Why the journal does not grow."""
        self._unsealed: str | None = None
        """Why the log does not."""
        self._told: str | None = None
        self._begun_tries = self._ended_tries = 0
        self._stopping = False
        self._busy = threading.Lock()
        """Held by whoever writes what waits, so that it stays in order."""
        # Queues, because no interrupt leaves one in between: a condition's lock would stay locked.
        self._bell: SimpleQueue[bool] = SimpleQueue()
        """Wakes the scribe; True has it try though the disk has refused."""
        self._waiters: deque[SimpleQueue[None]] = deque()
        """Each is told once, after the next try."""
        self._telling = threading.Lock()
        self._journal = log.journal(page_size)
        self.page = self._journal.page
        self._thread = threading.Thread(target=self._run, name="stemloom ledger", daemon=True)
        with ExitStack() as stack:
            stack.callback(self._journal.discard)
            self._thread.start()
            stack.callback(self._stop)
            if seal_seconds is not None:
                seal_regularly(self._journal, log.home, seal_seconds, self._sealed)
            stack.pop_all()

    @property
    def state(self) -> LedgerState:
        fault = self._fault or self._unsealed
        return LedgerState(self._journal.acknowledged, self._journal.sealed, self._count, self._lost, fault)

    @property
    def undurable(self) -> int:
        """The least start frame of what is intended and not durable; NEVER_UNDURABLE where all may sound.

        While a fault is declared beside a device, all may.
        """
        return NEVER_UNDURABLE if self.live and self._fault is not None else self._undurable

    def wait_durable(self, frame: int, seconds: float | None = None) -> bool:
        """Wait until all that starts up to `frame` is durable; False when the time is over.

        Raises LedgerStopped when the disk refuses; while it does, each call has it tried once more.
        """
        refuse_children(self._journal.owner)
        if self.undurable > frame:
            return True
        end = None if seconds is None else time.monotonic() + seconds
        awaited = (self._ended_tries if self._fault is None else self._begun_tries) + 1
        self._bell.put(True)
        while True:
            # Before it looks: whatever changes later rings.
            ring: SimpleQueue[None] = SimpleQueue()
            self._waiters.append(ring)
            if self.undurable > frame:
                return True
            fault, ended = self._fault, self._ended_tries
            if fault is not None and ended >= awaited:
                raise LedgerStopped(
                    f"the disk takes no more of the ledger ({fault}): what is read goes on once it does; "
                    "player.ledger tells more"
                )
            if self._stopping:
                raise LedgerStopped("the session's ledger is closed: nothing more can be read")
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            with suppress(Empty):
                ring.get(timeout=left)

    @unbroken
    def write(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries after all that came before; durable when it returns. Raises OSError."""
        refuse_children(self._journal.owner)
        with self._busy:
            self._write_waiting()
            self._journal.write(entries)
            self._fault = None
        self._tell_fault()

    def intend(self, intentions: Mapping[int, Placement]) -> None:
        """Have placements made durable as intended: only then may they sound."""
        refuse_children(self._journal.owner)
        with self._work:
            self._intended.update(intentions)
            least = min((each.start_frame for each in intentions.values()), default=NEVER_UNDURABLE)
            self._undurable = min(self._undurable, least)
        self._bell.put(False)

    def ended(self, ids: Sequence[int], entries: Sequence[bytes], ms: int) -> None:
        """Have placements that ended acknowledged."""
        refuse_children(self._journal.owner)
        with self._work:
            # Beside a device, while a fault stands, it sounded though its intention was not durable.
            self._drop(ids)
            self._held.append((ids, entries, ms))
            self._count += len(entries)
        self._bell.put(False)

    def forget(self, ids: Sequence[int]) -> None:
        """Carry intentions no further of which nothing was heard."""
        refuse_children(self._journal.owner)
        with self._work:
            self._drop(ids)
            self._forgotten += ids

    @property
    def room(self) -> int:
        """How many more entries memory can hold. An entry without room gets no number in its session."""
        return MOST_HELD - self._count

    def lose(self, placements: int) -> None:
        """Count placements that found no room: a gap entry will say how many."""
        refuse_children(self._journal.owner)
        with self._work:
            self._lost += placements
            self._unsaid += placements
            if self._fault is None and self._unsealed is None:
                self._why = "overflow"

    @unbroken
    def close(self) -> None:
        """Acknowledge what waits and seal everything. Raises OSError, LockHeld; it may be called again."""
        refuse_children(self._journal.owner)
        with self._busy:
            self._write_waiting()
            self._stopping = True
        self._stop()
        self._journal.close()
        self.page = None
        self._fault = self._unsealed = None
        self._tell_fault()

    def discard(self) -> None:
        """Give up a session that could not even be opened."""
        self._stop()
        self._journal.discard()
        self.page = None

    def _stop(self) -> None:
        self._stopping = True
        self._bell.put(False)
        self._thread.join()
        seal_no_more(self._journal)
        self._tell_tried()

    def _run(self) -> None:
        """Write what waits as it comes; every second how far what sounds has been heard."""
        seconds = SEAL_SECONDS if self._seal_seconds is None else self._seal_seconds
        again, asked = time.monotonic() + seconds, False
        while not self._stopping:
            due = time.monotonic() >= again
            if due:
                # The second counts from what is heard now, however long the disk takes.
                again = time.monotonic() + seconds
            if due or asked or (self._fault is None and self._waits):
                self._try(sounds=due and self._seal_seconds is not None)
            asked = self._rung(again)

    def _rung(self, until: float) -> bool:
        """Wait for the bell, if nothing is to be done before; whether somebody asks for another try."""
        asked = False
        with suppress(Empty):
            asked = self._bell.get(timeout=max(until - time.monotonic(), 0))
            # What follows soon is written with it, and not beside whoever reads just now.
            until = time.monotonic() + GATHER_SECONDS
            while not (asked or self._stopping):
                asked = self._bell.get(timeout=max(until - time.monotonic(), 0))
            while True:
                asked = self._bell.get_nowait() or asked
        return asked

    @property
    def _waits(self) -> bool:
        return bool(self._intended or self._held or self._unsaid or self._journal.failed)

    def _try(self, *, sounds: bool) -> None:
        """Write what waits; `sounds`: also how far what sounds has been heard."""
        self._begun_tries += 1
        try:
            with self._busy:
                if self._stopping:
                    return
                self._write_waiting()
                if sounds:
                    self._journal.sound(self._sounding())
        except Exception as error:  # noqa: BLE001
            # Whatever it is: if this thread ended with it, everything would wait for ever.
            self._fault = self._blamed(error)
        else:
            self._fault = None
        self._ended_tries += 1
        self._tell_fault()
        self._tell_tried()

    def _sealed(self, error: Exception | None) -> None:
        """A round of sealing is over."""
        if error is None or isinstance(error, LockHeld):
            # Whoever has the lock will free it, and nothing is at risk until then.
            self._unsealed = None
        else:
            self._unsealed = self._blamed(error)
            self._bell.put(True)
        self._tell_fault()

    def _blamed(self, error: Exception) -> str:
        """The sentence that says why the ledger stands still."""
        if isinstance(error, JournalFailed) and isinstance(error.__cause__, OSError):
            error = error.__cause__
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        self._why = "disk full" if full else "disk failed"
        return _sentence(error)

    def _tell_fault(self) -> None:
        with self._telling:
            before, self._told = self._told, self._fault or self._unsealed
            if (before is None) != (self._told is None):
                self.on_fault(self._told)

    def _tell_tried(self) -> None:
        with self._work:
            while self._waiters:
                self._waiters.popleft().put(None)

    def _write_waiting(self) -> None:
        """Write what waits, in order; what is written waits no more. `_busy` is held."""
        if self._journal.failed:
            self._journal.mend()
        while True:
            with self._work:
                intended, held = dict(self._intended), list(islice(self._held, MOST_AT_ONCE))
            if not (intended or held):
                break
            ids = [id for each, _, _ in held for id in each]
            entries = [entry for _, each, _ in held for entry in each]
            self._journal.record(intended, ids, entries, sum(ms for _, _, ms in held))
            with self._work:
                for id, each in intended.items():
                    if self._intended.get(id) is each:
                        del self._intended[id]
                self._measure()
                for _ in held:
                    self._held.popleft()
                self._count -= len(entries)
            self._tell_tried()
        with self._work:
            forgotten, self._forgotten = self._forgotten, []
        self._journal.forget(forgotten)
        if lost := self._unsaid:
            now = self._clock.now()
            self._journal.write([Gap(time=now, session=self._session, placements=lost, reason=self._why)])
            with self._work:
                self._unsaid -= lost

    def _drop(self, ids: Iterable[int]) -> None:
        """`_work` is held."""
        if [id for id in ids if self._intended.pop(id, None) is not None]:
            self._measure()

    def _measure(self) -> None:
        """`_work` is held."""
        self._undurable = min((each.start_frame for each in self._intended.values()), default=NEVER_UNDURABLE)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"the ledger cannot be written: {error.strerror}{where}"
    return f"the ledger cannot be written: {error}"
