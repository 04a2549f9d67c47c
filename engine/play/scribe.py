"""The scribe writes what was heard to the ledger's journal, on a thread of its own, and seals it in the log.

    control thread -> `ended` -> scribe -> journal (durable: acknowledged) -> log (checkpointed: sealed)

Once a second it has what is acknowledged sealed, and writes down how long what sounds has been heard so far.
Where the disk fails under a device that plays, the music goes on: what cannot be written waits in memory, is
tried again every second, and is told. What memory cannot hold, or is still not written at the end, is lost,
and a `gap` entry says how much. Whoever pulls blocks or renders gets the error instead.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...ledger.clock import Clock
from ...ledger.entries.entries import Entry, Gap, GapReason, Placement
from ...ledger.errors import JournalFailed, LedgerError
from ...ledger.log.journal_format import Sounding
from ...ledger.log.log import Log

SEAL_SECONDS = 1.0
"""How often what is acknowledged goes into the log, and how often a disk that failed is tried again."""
MOST_HELD = 1 << 18
"""Entries that wait in memory for a disk that fails."""


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
    """Writes one session's journal. `sounding`: what sounds now, as heard so far."""

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
        self._journal = log.journal(page_size)
        self.page = self._journal.page
        self.on_fault: Callable[[str | None], object] = lambda fault: None
        """Called on the scribe's thread with the fault of the disk, or with None when it works again."""
        self.live = False
        """Whether the music goes on if the disk fails."""
        # `_work` guards what is below it. The journal has locks of its own.
        self._work = threading.Condition()
        self._unwritten: dict[int, Placement] = {}
        """What sounds though the disk refused to have it written."""
        self._held: list[tuple[Sequence[int], Sequence[bytes], int]] = []
        self._count = 0
        self._lost = 0
        self._unsaid = 0
        """How many lost placements no gap entry counts yet."""
        self._why: GapReason = "overflow"
        self._fault: str | None = None
        self._stopping = False
        self._busy = threading.Lock()
        """Held by whoever writes what waits, so that it stays in order."""
        self._thread: threading.Thread | None = None
        if seal_seconds is not None:
            self._thread = threading.Thread(
                target=self._run, args=(seal_seconds,), name="stemloom ledger", daemon=True
            )
            self._thread.start()

    @property
    def state(self) -> LedgerState:
        with self._work:
            return LedgerState(
                self._journal.acknowledged, self._journal.sealed, self._count, self._lost, self._fault
            )

    def write(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries after all that came before; durable when it returns. Raises OSError."""
        with self._busy:
            self._write_held()
            self._journal.write(entries)

    def intend(self, intentions: Mapping[int, Placement]) -> None:
        """Make placements durable as intended: only then may they sound.

        Where a device plays and the disk fails they sound all the same, and the state says so.
        """
        if self._fault is None:
            try:
                self._journal.intend(intentions)
            except (OSError, JournalFailed) as error:
                if not self.live:
                    raise
                self._failed(error)
            else:
                return
        with self._work:
            self._unwritten.update(intentions)

    def ended(self, ids: Sequence[int], entries: Sequence[bytes], ms: int) -> None:
        """Acknowledge placements that ended: durable when it returns, or, where a device plays, soon."""
        if not self.live:
            with self._busy:
                self._write_held()
                self._journal.ended(ids, entries, ms)
            return
        with self._work:
            self._held.append((ids, entries, ms))
            self._count += len(entries)
            self._work.notify_all()

    @property
    def room(self) -> int:
        """How many more entries memory can hold. An entry without room gets no number in its session."""
        return MOST_HELD - self._count

    def lose(self, placements: int) -> None:
        """Count placements that found no room: a gap entry will say how many."""
        with self._work:
            self._lost += placements
            self._unsaid += placements
            if self._fault is None:
                self._why = "overflow"

    def close(self) -> None:
        """Acknowledge what waits and seal everything. Raises OSError; it may then be called again."""
        self._stop()
        with self._busy:
            self._write_held()
            self._journal.close()

    def _stop(self) -> None:
        with self._work:
            self._stopping = True
            self._work.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self, seconds: float) -> None:
        """Write what waits as it comes; every second the rest."""
        again = time.monotonic() + seconds
        while True:
            with self._work:
                while not (self._stopping or (self._held and self._fault is None)):
                    if (left := again - time.monotonic()) <= 0:
                        break
                    self._work.wait(left)
                if self._stopping:
                    return
            due = time.monotonic() >= again
            try:
                with self._busy:
                    self._write_held()
                    if due:
                        # The second counts from what is heard now, however long the disk takes.
                        again = time.monotonic() + seconds
                        self._journal.sound(self._sounding())
                if due:
                    self._journal.seal()
            except (OSError, LedgerError) as error:
                self._failed(error)
                again = time.monotonic() + seconds
            else:
                self._well()

    def _write_held(self) -> None:
        """Write what waits, in order; what is written waits no more. `_busy` is held."""
        if self._journal.failed:
            self._journal.mend()
        with self._work:
            intended, held = self._unwritten, self._held
            self._unwritten, self._held = {}, []
            lost, why = self._unsaid, self._why
        try:
            self._journal.intend(intended)
            intended = {}
            if held:
                ids = [id for each, _, _ in held for id in each]
                entries = [entry for _, each, _ in held for entry in each]
                self._journal.ended(ids, entries, sum(ms for _, _, ms in held))
                with self._work:
                    self._count -= len(entries)
                held = []
            if lost:
                gap = Gap(time=self._clock.now(), session=self._session, placements=lost, reason=why)
                self._journal.write([gap])
                with self._work:
                    self._unsaid -= lost
        finally:
            with self._work:
                self._unwritten, self._held = intended | self._unwritten, held + self._held

    def _failed(self, error: Exception) -> None:
        with self._work:
            known, self._fault = self._fault, _sentence(error)
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            self._why = "disk full" if full else "disk failed"
        if known is None:
            self.on_fault(self._fault)

    def _well(self) -> None:
        with self._work:
            known, self._fault = self._fault, None
        if known is not None:
            self.on_fault(None)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"the ledger cannot be written: {error.strerror}{where}"
    return f"the ledger cannot be written: {error}"
