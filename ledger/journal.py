"""Journals: what one session means to play and has played, durable before it is sequenced into the log.

    stemloom journal v1\\n
    frame: length (uint32 big-endian) || CRC-32 of the payload (uint32) || payload
    payload: I || JSON of a list of intentions, or E || entries as an entry bundle holds them

A journal belongs to one session and is locked (flock) while its owner lives. When the owner dies, the next
process that writes to the log adopts the file: what was acknowledged in it is sequenced, once. Intentions
that never became entries leave none.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from .canonical import encode
from .disk import Disk, OpenFile
from .entries import Entry
from .errors import BadEntry, JournalFailed
from .tiles import bundle, split_bundle

__all__ = ["Found", "Intention", "Journal", "read_journal"]

_MAGIC = b"stemloom journal v1\n"
_FRAME = struct.Struct(">II")
_INTENTIONS, _ENTRIES = b"I", b"E"


class Intention(msgspec.Struct, frozen=True, kw_only=True):
    """A placement that is about to sound: `frames` and `start_frame` are as planned."""

    session: str
    stem: str
    line: int
    start_frame: int
    frames: int
    consent: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a journal's file holds."""

    entries: tuple[bytes, ...]
    """Canonical bytes, in the order written."""
    intentions: tuple[Intention, ...]
    length: int
    """Bytes up to the end of the last whole frame."""
    damaged: bool
    """A whole frame follows that is not what was written: more than a write that was cut short."""


class Journal:
    """A session's journal. Its methods may be called from several threads; they share their syncs.

    `intend` and `write` return once what they were given is durable, after one fdatasync at most. If the
    disk refuses a write, nothing of it is kept, the OSError passes through and the journal can be used
    again. If a sync fails, no one can know what is durable: from then on it raises JournalFailed, and `close`
    sequences what was acknowledged before.
    """

    def __init__(
        self, path: Path, disk: Disk, sequence: Callable[[Path, Sequence[bytes]], list[int]]
    ) -> None:
        """Make the file, locked, in a folder that is there.

        `sequence` takes the path and the entries, and returns their indices when they are in the log and the
        file is gone.
        """
        self.path = path
        self._disk = disk
        self._sequence = sequence
        # `_state` guards the fields below it. Only the thread that has set `_syncing` touches the file.
        self._state = threading.Condition()
        self._waiting: list[bytes] = []
        self._asked = 0
        self._durable = 0
        self._refused: dict[int, OSError] = {}
        self._syncing = False
        self._failed = False
        self._closed = False
        self._length = len(_MAGIC)
        self._file: OpenFile = disk.create_owned(path)
        with ExitStack() as stack:
            stack.callback(disk.remove, path)
            stack.callback(self._file.close)
            self._file.append(_MAGIC)
            self._file.sync()
            disk.sync(path.parent)
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def intend(self, placements: Sequence[Intention]) -> None:
        """Make placements durable as intended; only then may they sound. Raises OSError, JournalFailed."""
        if placements:
            self._commit(_INTENTIONS + msgspec.json.encode(placements))

    def write(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries: durable, all or none, when it returns.

        Raises BadEntry, OSError, JournalFailed.
        """
        if entries:
            self._commit(_ENTRIES + bundle([encode(entry) for entry in entries]))

    def close(self) -> list[int]:
        """Sequence what was written into the log, remove the file, and give the entries' indices.

        A second call gives an empty list. If it raises, the file and its entries are still there: it may be
        called again, and if this process dies instead, another one adopts them.
        """
        with self._state:
            while self._syncing:
                self._state.wait()
            if self._closed:
                return []
            found = read_journal(self._disk.read(self.path)[: self._length])
            indices = self._sequence(self.path, found.entries)
            # A crash before the lock is freed here finds the file gone and nothing to adopt.
            self._file.close()
            self._closed = True
            return indices

    def _commit(self, payload: bytes) -> None:
        """Group commit: whoever finds no sync under way writes and syncs for all who wait."""
        frame = _FRAME.pack(len(payload), zlib.crc32(payload)) + payload
        with self._state:
            self._refuse_broken()
            self._waiting.append(frame)
            self._asked += 1
            mine = self._asked
            while self._durable < mine:
                if self._syncing:
                    self._state.wait()
                    continue
                self._refuse_broken()
                self._syncing = True
                group, upto = b"".join(self._waiting), self._asked
                first = upto - len(self._waiting) + 1
                self._waiting = []
                self._state.release()
                refused: OSError | None = None
                done = False
                try:
                    refused = self._put(group)
                    done = True
                finally:
                    self._state.acquire()
                    self._syncing = False
                    self._failed = self._failed or not done
                    if refused is None and done:
                        self._length += len(group)
                    if refused is not None:
                        self._refused.update(dict.fromkeys(range(first, upto + 1), refused))
                    if done:
                        self._durable = upto
                    self._state.notify_all()
            error = self._refused.pop(mine, None)
        if error is not None:
            raise error

    def _put(self, group: bytes) -> OSError | None:
        """Write and sync. The error if the disk refused the write and the file is as it was before."""
        try:
            self._file.append(group)
        except OSError as error:
            self._file.cut(self._length)
            return error
        self._file.sync()
        return None

    def _refuse_broken(self) -> None:
        if self._closed:
            raise JournalFailed("the session's journal is closed")
        if self._failed:
            raise JournalFailed(
                f"the disk failed under the journal {self.path}: nothing more can be acknowledged in it"
            )


def read_journal(data: bytes) -> Found:
    """What the bytes of a journal's file hold, up to the first frame that is not whole."""
    entries: list[bytes] = []
    intentions: list[Intention] = []
    if not data.startswith(_MAGIC):
        return Found((), (), 0, damaged=not _MAGIC.startswith(data))
    at = len(_MAGIC)
    while at + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, at)
        payload = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(payload) < length:
            break
        if zlib.crc32(payload) != crc:
            return Found(tuple(entries), tuple(intentions), at, damaged=True)
        try:
            if payload[:1] == _ENTRIES:
                entries += split_bundle(payload[1:])
            else:
                intentions += msgspec.json.decode(payload[1:], type=list[Intention])
        except (BadEntry, msgspec.DecodeError):
            return Found(tuple(entries), tuple(intentions), at, damaged=True)
        at += _FRAME.size + length
    return Found(tuple(entries), tuple(intentions), at, damaged=False)
