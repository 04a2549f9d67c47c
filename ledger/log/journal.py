"""Journals: what one session means to play and has played, durable before it is sequenced into the log.

A session's journal is a row of files, `<name>-<number>.journal`, in the form of `journal_format.py`. Each is
locked (flock) while its owner lives. `seal` begins the next file and hands what the last one holds to the
log, so that a long session is in the log a second behind. When the owner dies, the next process that writes
to the log adopts the files: what was acknowledged in them is sequenced, once, and what sounded is closed at
what was heard (`recovery.py`). Intentions that never sounded leave no entry.

    acknowledged    durable in the journal: nothing but the disk itself can lose it any more
    sealed          in the log, under a signed checkpoint
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

import msgspec

from ..entries.canonical import encode
from ..entries.entries import Entry, Placement, Session
from ..errors import JournalFailed, LedgerError
from ..forks import refuse_children
from ..places import journal_file, journal_number, page_file
from ..tlog.disk import Disk, OpenFile
from ..unbroken import unbroken
from . import journal_format

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class _SequenceFiles(Protocol):
    def __call__(self, own: Mapping[Path, Sequence[bytes]], *, seconds: float | None = None) -> list[int]: ...


@dataclass(eq=False, slots=True)
class _Frame:
    """What one call wants durable, and what that changes in the books."""

    data: bytes
    entries: Sequence[bytes] = ()
    ids: Sequence[int] = ()
    """Placements that have ended with it."""
    placements: int = 0
    ms: int = 0
    intentions: Mapping[int, Placement] = field(default_factory=dict)
    sounding: tuple[journal_format.Sounding, ...] | None = None
    session: Session | None = None
    error: Exception | None = None


def _by_owner(
    method: Callable[Concatenate[Journal, _Given], _Result],
) -> Callable[Concatenate[Journal, _Given], _Result]:
    """The method, which no interrupt breaks off, for the process that opened the journal alone."""
    whole = unbroken(method)

    @wraps(method)
    def owned(journal: Journal, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        # A lock of the journal may have been held when a child was forked: it is never free there.
        refuse_children(journal.owner)
        return whole(journal, *args, **kwargs)

    return owned


class Journal:
    """A session's journal. Its methods may be called from several threads; they share their syncs.

    `intend`, `write`, `ended` and `sound` return once what they were given is durable, after one fdatasync
    at most. If the disk refuses a write, nothing of it is kept, the OSError passes through and the journal
    can be used again. If a sync fails, no one can know what is durable: that call's error passes through,
    then JournalFailed is raised until `mend` has written everything anew, elsewhere.
    """

    def __init__(
        self, folder: Path, name: str, disk: Disk, sequence: _SequenceFiles, page_size: int = 0
    ) -> None:
        """Make the first file, locked, in a folder that is there, and a page of zeros if it has a size.

        `sequence` takes whole files with their entries, and returns the entries' indices when they are in the
        log and the files gone or about to go; files that are gone already it passes over. `seconds`: how long
        it waits for the log's lock.
        """
        self.owner = os.getpid()
        self._folder, self._name = folder, name
        self._disk = disk
        self._sequence = sequence
        # `_sealing` is held by whoever begins another file or hands files to the log; before `_state`.
        self._sealing = threading.RLock()
        # `_state` guards what is below it. Only the thread that has set `_syncing` touches the file.
        self._state = threading.Condition()
        self._waiting: list[_Frame] = []
        self._syncing = False
        self._failed: BaseException | None = None
        """Of what the disk failed."""
        self._closing = self._closed = False
        # The session as the frames so far leave it.
        self._session: Session | None = None
        self._session_closed = False
        self._placements = self._ms = 0
        self._open: dict[int, Placement] = {}
        self._greatest = -1
        self._sounding: tuple[journal_format.Sounding, ...] = ()
        # The file that grows: what it holds, and the entries in it.
        self._number = 0
        self._strays: list[int] = []
        """The numbers of files that were begun and never used."""
        self._begun = self._carried()
        self._frames: list[bytes] = []
        self._entries: list[bytes] = []
        self._older: list[tuple[Path, OpenFile, list[bytes]]] = []
        """Files that are whole and not in the log yet."""
        self.acknowledged = 0
        """How many entries are durable."""
        self.sealed = 0
        """How many of them are in the log."""
        with ExitStack() as stack:
            self._file, self._path, self._length = self._begin(self._begun)
            stack.push(self._discarding(self._path))
            stack.callback(self._file.close)
            self.page = disk.share(page_file(folder, name), page_size) if page_size else None
            """Memory that outlives the process: see `session_page.py`."""
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file that grows."""
        return self._path

    @property
    def failed(self) -> bool:
        """Whether a sync failed or a file was begun and not used: nothing is acknowledged before `mend`."""
        return self._failed is not None

    @_by_owner
    def intend(self, placements: Mapping[int, Placement]) -> None:
        """Make placements durable as intended; only then may they sound. Raises OSError, JournalFailed.

        `placements`: by number in the session, as `intention_rows` has them. A second intention of the same
        number replaces the first.
        """
        if placements:
            self._commit(_Frame(journal_format.intentions_frame(placements), intentions=placements))

    @_by_owner
    def write(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries: durable, all or none, when it returns.

        Raises BadEntry, OSError, JournalFailed.
        """
        if entries:
            coded = [encode(entry) for entry in entries]
            frame = _Frame(journal_format.entries_frame(coded), coded)
            for entry in entries:
                if isinstance(entry, Placement):
                    frame.placements, frame.ms = frame.placements + 1, frame.ms + entry.ms
                elif isinstance(entry, Session):
                    frame.session = entry
            self._commit(frame)

    @_by_owner
    def ended(self, ids: Sequence[int], entries: Sequence[bytes], ms: int) -> None:
        """Acknowledge placements that ended: their numbers, their canonical entries, and the ms of them all.

        Raises OSError, JournalFailed.
        """
        if entries:
            self._commit(
                _Frame(journal_format.placements_frame(ids, entries), entries, ids, len(entries), ms)
            )

    @_by_owner
    def forget(self, ids: Iterable[int]) -> None:
        """Carry intentions that came to nothing no further: nothing of them was heard."""
        with self._state:
            for id in ids:
                self._open.pop(id, None)

    @_by_owner
    def record(
        self, intentions: Mapping[int, Placement], ids: Sequence[int], entries: Sequence[bytes], ms: int
    ) -> None:
        """`intend`, then `ended`, with one sync for both: all of it is durable or nothing."""
        data = journal_format.intentions_frame(intentions) if intentions else b""
        if entries:
            data += journal_format.placements_frame(ids, entries)
        if data:
            self._commit(_Frame(data, entries, ids, len(entries), ms, intentions))

    @_by_owner
    def sound(self, sounding: Sequence[journal_format.Sounding]) -> None:
        """Make durable how long what sounds has been heard so far. Raises OSError, JournalFailed."""
        if tuple(sounding) != self._sounding:
            self._commit(_Frame(journal_format.sounding_frame(sounding), sounding=tuple(sounding)))

    @_by_owner
    def seal(self) -> list[int]:
        """Have all that is acknowledged sequenced into the log, and go on in another file; the new indices.

        If it raises OSError or LockHeld, everything is still there, and it may be called again.
        """
        with self._sealing:
            self._part()
            return self._hand_over()

    @_by_owner
    def mend(self) -> None:
        """When it `failed`: write what the file must hold to another one, and acknowledge from there on.

        A sync that failed is never tried again: what it was about may be gone from memory, and counted as
        written. Raises OSError; then nothing has changed.
        """
        with self._sealing, self._state:
            self._wait()
            if self._failed is None or self._closed:
                return
            bad = self._path, self._file, list[bytes]()
            number = journal_number(self._path)[1]
            bad_ones = (*self._begun.replaces, number, *self._strays)
            instead = msgspec.structs.replace(self._begun, replaces=bad_ones)
            whole = b"".join([*self._frames, journal_format.WHOLE])
            self._file, self._path, self._length = self._begin(instead, whole)
            self._begun, self._failed, self._strays = instead, None, []
            # It goes when the other one is in the log, and not before: alone it would be adopted again.
            self._older.append(bad)

    @_by_owner
    def close(self) -> list[int]:
        """Sequence what was written into the log, remove the files, and give the new indices.

        A second call gives an empty list. If it raises OSError or LockHeld, the files and their entries are
        still there: it may be called again, and if this process dies instead, another one adopts them.
        Nothing more can be written.
        """
        with self._sealing:
            with self._state:
                self._wait()
                if self._closed:
                    return []
                # What came after this would go with the file when another process finishes what breaks off.
                self._closing = True
            if self._failed is not None:
                self.mend()
            indices = self._hand_over(last=True)
            with self._state:
                self._closed = True
                self.page = None
            return indices

    @_by_owner
    def discard(self) -> None:
        """Give up a journal in which nothing was heard, and its page.

        One in which something was acknowledged is left to the next writer, who closes its session.
        """
        with self._sealing, self._state:
            self._wait()
            if self._closed:
                return
            self._closing = self._closed = True
            for path, file, _ in [*self._older, (self._path, self._file, [])]:
                # First, because without its journal nobody would know of it.
                self._disk.unshare(page_file(self._folder, self._name))
                if not self.acknowledged:
                    self._disk.remove(path)
                file.close()
            self.page = None

    # Files.

    def _carried(self) -> journal_format.Carried:
        return journal_format.Carried(
            boot=self._disk.boot(),
            session=self._session,
            closed=self._session_closed,
            placements=self._placements,
            ms=self._ms,
            greatest=self._greatest,
            intentions=journal_format.intention_rows(self._open),
            sounding=journal_format.sounding_rows(self._sounding),
        )

    def _begin(self, carried: journal_format.Carried, more: bytes = b"") -> tuple[OpenFile, Path, int]:
        """Make the next file, durable, with the frames `more` in it."""
        data = journal_format.MAGIC + journal_format.carried_frame(carried) + more
        # A number is not used again: what is left of a file that could not be made says something else.
        self._number += 1
        path = journal_file(self._folder, self._name, self._number)
        file = self._disk.create_owned(path)
        with ExitStack() as stack:
            stack.push(self._discarding(path))
            stack.callback(file.close)
            file.append(data)
            file.sync()
            self._disk.sync(self._folder)
            stack.pop_all()
        return file, path, len(data)

    def _discarding(self, path: Path) -> Callable[[object, BaseException | None, object], None]:
        """Give up a file that was begun, at an error. It may come back, whole, after a power loss: so nothing
        more is acknowledged before another file says that it does not count.
        """

        def at_exit(_: object, error: BaseException | None, __: object) -> None:
            self._strays.append(journal_number(path)[1])
            self._failed = error
            with suppress(OSError):
                self._disk.remove(path)

        return at_exit

    def _part(self) -> None:
        """Begin another file if there are entries in the one that grows. `_sealing` is held."""
        with self._state:
            self._wait()
            if not self._closing:
                self._refuse_broken()
                if self._entries:
                    self._turn_over()

    def _turn_over(self) -> None:
        """Begin another file; the one so far is whole. Called with `_state` held and nobody syncing."""
        whole = self._path, self._file, self._entries
        carried = self._carried()
        self._file, self._path, self._length = self._begin(carried)
        self._begun, self._frames = carried, []
        self._older.append(whole)
        self._entries = []

    def _hand_over(self, *, last: bool = False) -> list[int]:
        """Have whole files sequenced, with the last one if nothing more is written to it."""
        files = self._whole_files(last=last)
        if not files:
            return []
        indices = self._sequence({path: entries for path, _, entries in files})
        self._let_go(files, last=last)
        return indices

    def _whole_files(self, *, last: bool = False) -> list[tuple[Path, OpenFile, list[bytes]]]:
        # While a journal is being closed, its last file goes with the older ones.
        if self._closing and not last:
            return []
        return [*self._older, (self._path, self._file, self._entries)] if last else list(self._older)

    def _let_go(self, files: Iterable[tuple[Path, OpenFile, list[bytes]]], *, last: bool = False) -> None:
        """Free the locks of files that are in the log. A crash before finds nothing left to adopt."""
        for _, file, entries in files:
            file.close()
            self.sealed += len(entries)
        self._older = []
        if last:
            self._entries, self._frames = [], []

    # Group commit.

    def _wait(self) -> None:
        while self._syncing:
            self._state.wait()

    def _commit(self, frame: _Frame) -> None:
        """Whoever finds no sync under way writes and syncs for all who wait."""
        with self._state:
            self._refuse_broken()
            self._waiting.append(frame)
            while self._syncing:
                self._state.wait()
            if frame in self._waiting:
                self._refuse_broken(frame)
                self._put_all()
            if frame.error is not None:
                raise frame.error

    def _put_all(self) -> None:
        """Write and sync what waits, without `_state` held meanwhile; then take it into the books."""
        group, self._waiting = self._waiting, []
        self._syncing = True
        self._state.release()
        refused: Exception | None = JournalFailed(f"a write to the journal {self._path} was broken off")
        failed = True
        data = b"".join([each.data for each in group])
        try:
            refused, failed = self._put(data)
        finally:
            self._state.acquire()
            self._syncing = False
            self._failed = refused if failed else self._failed
            if refused is None:
                self._length += len(data)
            for each in group:
                each.error = refused
                if refused is None:
                    self._take(each)
            self._state.notify_all()

    def _take(self, frame: _Frame) -> None:
        self._open.update(frame.intentions)
        self._greatest = max((*frame.intentions, self._greatest))
        if frame.sounding is not None:
            self._sounding = frame.sounding
        if frame.session is not None:
            self._session, self._session_closed = frame.session, frame.session.state == "closed"
        self._frames.append(frame.data)
        self._entries += frame.entries
        self.acknowledged += len(frame.entries)
        self._placements += frame.placements
        self._ms += frame.ms
        for id in frame.ids:
            self._open.pop(id, None)

    def _put(self, data: bytes) -> tuple[OSError | None, bool]:
        """Write and sync. What the disk refused, if it did, and whether the file can be used no more."""
        try:
            self._file.append(data)
        except OSError as error:
            try:
                self._file.cut(self._length)
            except OSError:
                return error, True
            return error, False
        try:
            self._file.sync()
        except OSError as error:
            return error, True
        return None, False

    def _refuse_broken(self, frame: _Frame | None = None) -> None:
        if self._closing or self._failed is not None:
            if frame is not None:
                self._waiting.remove(frame)
            if self._closing:
                raise JournalFailed("the session's journal is closed")
            raise JournalFailed(
                f"the disk failed under the journal {self._path}: nothing more can be acknowledged in it"
            ) from self._failed


def seal_together(journals: Sequence[Journal], seconds: float | None = None) -> dict[Journal, Exception]:
    """`seal` several journals of one log at once; gives the errors, OSError and LedgerError, of those failed.

    `seconds`: how long it waits for the log's lock.
    """
    failed: dict[Journal, Exception] = {}
    with ExitStack() as stack:
        parts: dict[Journal, list[tuple[Path, OpenFile, list[bytes]]]] = {}
        for journal in journals:
            # Nobody who holds one of these waits for another.
            stack.enter_context(journal._sealing)
            try:
                journal._part()
            except (OSError, LedgerError) as error:
                failed[journal] = error
            if files := journal._whole_files():
                parts[journal] = files
        if parts:
            whole = {path: entries for files in parts.values() for path, _, entries in files}
            try:
                next(iter(parts))._sequence(whole, seconds=seconds)
            except (OSError, LedgerError) as error:
                return failed | dict.fromkeys(parts, error)
            for journal, files in parts.items():
                journal._let_go(files)
    return failed
