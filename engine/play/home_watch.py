"""The watch over a home: one thread of a process looks for changes of the vault, for all sessions there.

    another checkpoint -> the entries since -> statements and stock -> each session's `Following`

It looks at the checkpoint's file every 20 ms, and reads what the log has gained. Placements, the bulk of
that, lead to nothing. Statements of consent are applied to the snapshot in memory. A stem that came or went
has its measurements in the catalogue alone, which is read on another thread: it may be locked, and no
withdrawal waits for that. Where this process itself changes the vault, the thread that does so looks as
well, before the method that it called returns.

What cannot be read is asked for again at the next look. The watch ends with its last session. A forked child
does not have it, and begins its own.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from weakref import WeakSet

from ...ledger.clock import Clock
from ...ledger.entries.entries import Consent, Entry, Holder, Removal, Stem
from ...ledger.errors import LedgerError
from ...ledger.log.log import Log
from ...ledger.places import Places
from ...vault import told
from ...vault.catalogue.snapshot import Snapshot
from ...vault.errors import VaultError
from ...vault.vault import Vault
from ..compose.score import Score
from .following import Change, Following

LOOK_SECONDS = 0.02
"""From one look to the next. Of the `rights.GRACE_MS` of a withdrawal, the fade and the device take most."""
MOST_BEHIND = 256
"""How many entries the catalogue may be behind the log: as many as one of the log's files has."""
AGAIN_SECONDS = 0.5
"""The least time from one reading of the catalogue, which may fail, to the next."""
CLOSE_SECONDS = 1.0
"""How long the last session's close waits for the thread."""


class HomeWatch:
    """The watch over one home. `snapshot`: of its vault, from which on the log is followed."""

    def __init__(self, home: Path, snapshot: Snapshot) -> None:
        self.home, self._log = home, Log.open(home)
        self.place = str(home), snapshot.declared
        """By which sessions find it: they keep the declarations with which they opened."""
        self._checkpoint = Places(home).checkpoint
        self._turn = threading.Lock()
        """Guards what follows; held while the log is read and scores are made, never for the catalogue."""
        self._snapshot = snapshot
        self._size = self._changed = snapshot.size
        """The log's size, as read; and after the last entry that changed the vault."""
        self._stocked, self._stock = 0, snapshot.size
        """The log's size after the last entry that changed the stock, and when the stock was read."""
        self._seen: tuple[int, int, int] | None = None
        self._entered: set[str] = set()
        self._left: set[str] = set()
        """Stems that came and went since the stock was read."""
        self._followers: WeakSet[Following] = WeakSet()
        self._reading = threading.Lock()
        """Held while the catalogue is read; taken before the turn, never after it."""
        self._projected = snapshot.size
        self._reader: threading.Thread | None = None
        self._read_at = -AGAIN_SECONDS
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def join(self, following: Following) -> None:
        """Have a session follow from the ledger's size of its own snapshot on."""
        since = following.snapshot.size
        with self._turn:
            self._take_in()
            if since < self._changed:
                following.follow(Change(self._snapshot, everything=True))
            else:
                following.snapshot = self._snapshot
            self._followers.add(following)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="stemloom-watch", daemon=True)
                self._thread.start()

    def leave(self, following: Following) -> None:
        self._followers.discard(following)

    @property
    def followed(self) -> bool:
        return bool(self._followers)

    def end(self) -> None:
        """Have the thread end, and wait for that if it is not this one."""
        self._over.set()
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)

    def look(self, *, whole: bool = False) -> None:
        """Take in what the log has gained. `whole`: wait for the catalogue, too, if it must be read."""
        with self._turn:
            self._take_in()
            due = self._stocked > self._stock or self._size - self._projected >= MOST_BEHIND
        if not due:
            return
        if whole:
            self._read_catalogue()
            return
        idle = self._reader is None or not self._reader.is_alive()
        if idle and time.monotonic() >= self._read_at + AGAIN_SECONDS:
            self._read_at = time.monotonic()
            self._reader = threading.Thread(target=self._read_catalogue, name="stemloom-stock", daemon=True)
            self._reader.start()

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS) and not _unwatched(self):
            self.look()

    def _take_in(self) -> None:
        try:
            seen = os.stat(self._checkpoint)
            mark = seen.st_ino, seen.st_size, seen.st_mtime_ns
            if mark == self._seen:
                return
            size = self._log.size
            new = list(self._log.entries(self._size, size))
        except (OSError, LedgerError):
            # The disk fails, or the home is gone: whoever writes there is told. What is there is read later.
            return
        said = [(index, entry) for index, entry in new if isinstance(entry, Consent)]
        if said:
            self._changed = said[-1][0] + 1
            self._snapshot = self._snapshot.after(said, size)
            self._tell(Change(self._snapshot, tuple(entry for _, entry in said)))
        self._note_stock(new)
        # Last: if this is interrupted, the next look tells all of it once more.
        self._seen, self._size = mark, max(size, self._size)

    def _note_stock(self, new: list[tuple[int, Entry]]) -> None:
        for index, entry in new:
            if isinstance(entry, Holder | Stem | Removal):
                self._stocked = self._changed = index + 1
            if isinstance(entry, Stem):
                self._entered.add(entry.stem)
            elif isinstance(entry, Removal):
                self._left.add(entry.stem)

    def _tell(self, change: Change) -> None:
        for following in list(self._followers):
            following.follow(change)
            # Between two sessions those who wait for the interpreter get it.
            time.sleep(0)

    def _read_catalogue(self) -> None:
        """Bring the catalogue up to date, and read the stock from it if that has changed."""
        with self._reading, suppress(OSError, LedgerError, VaultError), Vault.open(self.home) as vault:
            self._projected = vault.log.size
            if self._stocked > self._stock:
                self._restock(vault.snapshot(self._snapshot.declared))

    def _restock(self, snapshot: Snapshot) -> None:
        with self._turn:
            self._take_in()
            if self._size < snapshot.size:
                # The log cannot be read just now, so who came is not known yet.
                return
            since = self._log.entries(snapshot.size, self._size)
            said = [(index, entry) for index, entry in since if isinstance(entry, Consent)]
            self._snapshot = snapshot.after(said, self._size)
            self._tell(Change(self._snapshot, entered=frozenset(self._entered), left=frozenset(self._left)))
            self._stock = snapshot.size
            self._entered.clear()
            self._left.clear()


_watches: dict[tuple[str, int], HomeWatch] = {}
"""By the real path of the home, and the size of its ledger up to which declarations of stems hold."""
_registry = threading.RLock()
"""Guards them. One thread may come twice: a dropped player leaves at whatever line the collector runs."""


def follow(home: Path, score: Score, clock: Clock) -> Following:
    """Have a session that plays by `score` follow the changes of its home, until its `leave`."""
    place = os.path.realpath(home), score.snapshot.declared
    following = Following(score, clock)
    with _registry:
        while True:
            watch = _watches.get(place)
            if watch is None:
                watch = _watches[place] = HomeWatch(Path(place[0]), score.snapshot)
            following.leave = partial(_leave, watch, following)
            watch.join(following)
            if _watches.get(place) is watch:
                return following


def _leave(watch: HomeWatch, following: Following) -> None:
    watch.leave(following)
    if _unwatched(watch):
        watch.end()


def _unwatched(watch: HomeWatch) -> bool:
    """Whether nobody follows on this watch any more; the next session then begins another."""
    with _registry:
        if watch.followed:
            return False
        if _watches.get(watch.place) is watch:
            del _watches[watch.place]
        return True


def look(home: Path) -> None:
    """Look at once: who follows in this process knows of every change when this returns."""
    place = os.path.realpath(home) if _watches else ""
    with _registry:
        watches = [watch for (of, _), watch in _watches.items() if of == place]
    for watch in watches:
        watch.look(whole=True)


def _begin_anew() -> None:
    """In a forked child, which has none of the threads and perhaps locks that nobody will open."""
    global _registry
    _watches.clear()
    _registry = threading.RLock()


told.listeners.append(look)
os.register_at_fork(after_in_child=_begin_anew)
