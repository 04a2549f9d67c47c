"""The receipts of a session, for whoever listens: one every ten seconds of sound, and the last at its end.

A receipt that is handed out counts only what is durable in the journal, so that no crash leaves a log with
less. A render is logged when its file is whole: it has the last receipt alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress

from ...ledger.clock import Clock
from ...ledger.entries.canonical import decode
from ...ledger.entries.entries import Session as SessionEntry
from ...ledger.errors import LedgerError
from ...ledger.log.log import Log
from ...ledger.log.session_receipt import SessionReceipt, Tally, with_opening
from ...vault.records import ENGINE_RATE


class Receipts:
    """The receipts of one session. `opening` is set before anything is counted.

    For the session's own thread; `prove` is called by the thread that seals, `latest` by any.
    """

    def __init__(self, log: Log, clock: Clock) -> None:
        self.on_receipt: Callable[[SessionReceipt], object] = lambda receipt: None
        """Called with each receipt as it can be handed out."""
        self._log, self._clock = log, clock
        self._tally = Tally(ENGINE_RATE)
        self.key = self._tally.public_key
        """The public key, for the session's opening entry."""
        self._opening: SessionEntry | None = None
        self._latest: SessionReceipt | None = None
        self._waits: int | None = None
        """Of the last mark, if nobody has its receipt yet: the placements that are to be durable first."""
        self._looked_to = log.size
        self._index: int | None = None
        """Of the opening entry, once the log has it."""
        self._old = True
        """Whether the proof of it is older than the newest receipt."""

    def begin(self, opening: SessionEntry) -> None:
        """Count the session of that opening entry, which names the key."""
        self._opening = opening
        self._latest = self._tally.receipt(self._log.origin, opening, opening.time)

    def ended(self, stem: str, frames: int, entry: bytes) -> None:
        """Count a placement that has ended; `entry`: its canonical bytes."""
        self._tally.ended(stem, frames, entry)

    def due(self, frame: int) -> bool:
        """Whether a mark is to be made at that frame of the output."""
        return frame >= self._tally.next_frame

    def mark(self, frame: int, sounding: Iterable[tuple[str, int]]) -> None:
        """Count up to a frame of the output; `sounding`: the stem and the frames of what sounds there."""
        self._tally.mark(frame, sounding)
        self._waits = self._tally.placements

    def hand_out(self, durable: int) -> None:
        """Hand out the receipt of the last mark, once all the placements that it counts are durable."""
        if self._waits is None or durable < self._waits or self._opening is None:
            return
        self._waits = None
        self._tell(self._tally.receipt(self._log.origin, self._opening, self._clock.now()))

    @property
    def waiting(self) -> bool:
        """Whether a mark has no receipt yet."""
        return self._waits is not None

    def close(self, frame: int, closing: SessionEntry) -> None:
        """Count the whole session, of so many frames of output, and sign for the last time."""
        self._tally.mark(frame)
        self._waits = None
        self._latest = self._tally.closed(self._log.origin, closing)

    def sealed(self) -> None:
        """The log has the whole session: hand out the last receipt, under a checkpoint that covers it all."""
        self._old = True
        self.prove()
        if self._latest is not None and self._latest.closed:
            self.on_receipt(self.latest)

    def forget(self) -> None:
        """Sign nothing more: nothing of the session was heard."""
        self._tally.forget()

    @property
    def latest(self) -> SessionReceipt:
        """The newest receipt that may be handed out, with proof of the session's opening if there is one."""
        assert self._latest is not None
        return with_opening(self._latest, self._tally.opening)

    def prove(self) -> None:
        """Prove the session's opening entry under the checkpoint of now, if there is a new receipt for it.

        What cannot be read now is looked for in the next call; the receipts go as they are until then.
        """
        if self._old and self._opening is not None:
            with suppress(LedgerError, OSError):
                if self._index is None:
                    self._look_for(self._opening.session)
                if self._index is not None:
                    self._tally.opening = self._log.prove(self._index)
                    self._old = False

    def _look_for(self, session: str) -> None:
        name, size = session.encode(), self._log.size
        for index, data in self._log.stored(self._looked_to, size):
            if name in data:
                entry = decode(data)
                if isinstance(entry, SessionEntry) and entry.session == session:
                    self._index = index
                    return
        self._looked_to = size

    def _tell(self, receipt: SessionReceipt) -> None:
        self._latest, self._old = receipt, True
        self.on_receipt(with_opening(receipt, self._tally.opening))


class GivesReceipts:
    """Gives its receipts to a host; the class that has this says by `_receipts` what counts its session."""

    @abstractmethod
    def _receipts(self) -> Receipts:
        """The receipts of the session. Raises EngineError where there are none for this process."""

    def receipt(self) -> SessionReceipt:
        """The newest receipt of the session: up to the last ten seconds, and of the whole once it is closed.

        Write `receipt().encoded()` to a file, or send it to whoever listens; `ledger check-receipt` takes it.
        What is not durable yet is not in it. The event "receipt" tells of each as it is made.
        """
        return self._receipts().latest
