"""The log of a home: entries in, signed checkpoints out, and every reader's way to both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..clock import Clock, SystemClock
from ..entries.canonical import decode, encode
from ..entries.entries import Entry
from ..errors import BadEntry, BadKey, BadNote, LedgerError, NoLedger, NoSuchEntry, VerificationFailed
from ..places import Places
from ..tlog.checkpoint import Checkpoint, open_checkpoint, origin_of
from ..tlog.cosignature import add_cosignatures, cosignatures_of
from ..tlog.disk import Disk, RealDisk
from ..tlog.keys import PrivateKey
from ..tlog.locks import LOCK_SECONDS
from ..tlog.note import LARGEST_NOTE, Verifier, read_note
from ..tlog.reader import TileReader
from ..tlog.tiles import File
from ..unbroken import unbroken
from . import inclusion_receipt
from .journal import Journal
from .journal_format import read_journal
from .sequence import Sequencer

_LARGEST_JOURNAL = 4 << 30
"""Bytes of one session: some ten million placements."""


class Log:
    """An open log. Any number of processes and threads may have the same one open, and write to it.

    Nothing is held open between calls: the others see what one process appends with their next call.
    """

    def __init__(self, places: Places, key: PrivateKey, clock: Clock, disk: Disk) -> None:
        self._places = places
        self._clock = clock
        self._disk = disk
        self._verifier = Verifier(origin_of(key.public), key.public)
        self._sequencer = Sequencer(places, key, self._verifier, disk)
        self._tiles = TileReader(places.log, self._fetch)
        # The last checkpoint that was read, and its bytes, replaced together, so threads need no lock for it.
        self._seen: tuple[bytes, Checkpoint] | None = None

    @classmethod
    @unbroken
    def open(
        cls, home: Path | str, *, create: bool = False, clock: Clock | None = None, disk: Disk | None = None
    ) -> Log:
        """The log of `home`. `create`: make an empty one if there is none, and finish what a crash left.

        Raises NoLedger, BadKey, BadNote for a checkpoint that is not signed by the home's key,
        VerificationFailed for a log whose files are gone, RefusesToSign, OSError.
        """
        places = Places(Path(home))
        disk = disk or RealDisk()
        if create:
            _make_folders(places, disk)
            with disk.lock(places.lock):
                if not disk.exists(places.key):
                    if disk.exists(places.checkpoint) or disk.exists(places.signed):
                        raise BadKey(
                            f"the log's key {places.key} is missing, though there is a log; "
                            "put it back from a backup"
                        )
                    PrivateKey.generate().save(places.key, disk)
                log = cls(places, PrivateKey.load(places.key, disk), clock or SystemClock(), disk)
                log._sequencer.begin()
                log._sequencer.adopt(log._clock.now())
        else:
            if not disk.exists(places.checkpoint) and not disk.exists(places.signed):
                raise _no_ledger(places)
            if not disk.exists(places.key):
                raise BadKey(f"the log's key {places.key} is missing; put it back from a backup")
            log = cls(places, PrivateKey.load(places.key, disk), clock or SystemClock(), disk)
        log.signed()
        return log

    def close(self) -> None:
        """Do nothing: whatever a method wrote is durable when it returns."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def home(self) -> Path:
        return self._places.home

    @property
    def origin(self) -> str:
        """The log's name, which is also its key's."""
        return self._verifier.name

    @property
    def vkey(self) -> str:
        """The verifier key that others check this log with."""
        return self._verifier.vkey

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def boot(self) -> str:
        """An id of this run of the machine."""
        return self._disk.boot()

    # Reading: each call reads the checkpoint anew, and everything under it.

    def checkpoint(self) -> bytes:
        """The signed checkpoint, as it is published. Raises NoLedger, VerificationFailed if it is lost."""
        try:
            return self._disk.read(self._places.checkpoint, LARGEST_NOTE)
        except FileNotFoundError as error:
            known = self._known_size()
            if not known:
                raise _no_ledger(self._places) from error
            raise VerificationFailed(
                f"{self._places.checkpoint} is missing, though {self._places.signed} still knows "
                f"{known} entries; see 'stemloom ledger verify'"
            ) from error

    def _known_size(self) -> int:
        """The size of the copy of the last signed checkpoint; 0 without one."""
        try:
            return open_checkpoint(self._disk.read(self._places.signed, LARGEST_NOTE), self._verifier).size
        except FileNotFoundError:
            return 0

    def signed(self) -> Checkpoint:
        """The checkpoint, read. Raises BadNote if this log's key did not sign it."""
        data = self.checkpoint()
        seen = self._seen
        if seen is None or seen[0] != data:
            seen = (data, open_checkpoint(data, self._verifier))
            self._seen = seen
        return seen[1]

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.signed().size

    @property
    def root(self) -> bytes:
        """The Merkle root over them, 32 bytes."""
        return self.signed().root

    def changed_since(self, size: int) -> bool:
        """Whether the log has another size than `size`: one small file is read."""
        return self.size != size

    def entry(self, index: int) -> Entry:
        """The entry at `index`. Raises NoSuchEntry, BadEntry."""
        return decode(self._bytes_at(index))

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        """Entries `start` up to `stop`, or to the end as of now, each with its index; a bundle at a time.

        Hashes are not checked here: `verify` does that.
        """
        size = self.size
        stop = size if stop is None else min(stop, size)
        for index, data in self.stored(max(start, 0), stop):
            try:
                yield index, decode(data)
            except BadEntry as error:
                raise BadEntry(
                    f"entry {index} of the log cannot be read: {error}; see 'stemloom ledger verify'"
                ) from error

    def stored(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """The bytes of entries [start, stop) of those that the log has."""
        return self._tiles.entries(start, stop, self._latest_size)

    def waiting(self) -> Iterator[Entry]:
        """Entries that running processes have acknowledged and not sequenced yet, in no order."""
        for path in self._disk.files(self._places.journals):
            if path.suffix == ".journal":
                with suppress(FileNotFoundError):
                    for data in read_journal(self._disk.read(path, _LARGEST_JOURNAL)).entries:
                        yield decode(data)

    def prove(self, index: int) -> bytes:
        """A receipt (C2SP tlog-proof) that the entry at `index` is in the log; the entry travels in it."""
        data = self.checkpoint()
        current = open_checkpoint(data, self._verifier)
        if not 0 <= index < current.size:
            raise self._no_entry(index, current.size)
        entry = self._bytes_at(index)
        proof = self._tiles.inclusion(index, current.size, self._latest_size)
        made = inclusion_receipt.make_receipt(index, proof, data, entry)
        try:
            inclusion_receipt.check_receipt(made, self.vkey, entry)
        except LedgerError as error:
            raise type(error)(f"{error}; the log itself is damaged: see 'stemloom ledger verify'") from error
        return made

    def _bytes_at(self, index: int) -> bytes:
        size = self.size
        if not 0 <= index < size:
            raise self._no_entry(index, size)
        return next(self._tiles.entries(index, index + 1, self._latest_size))[1]

    def _fetch(self, file: File) -> bytes:
        return self._disk.read(self._places.log / file.path, file.largest)

    def _latest_size(self) -> int:
        return self.size

    def _no_entry(self, index: int, size: int) -> NoSuchEntry:
        has = f"entries 0 to {size - 1}" if size else "no entries yet"
        return NoSuchEntry(f"there is no entry {index}: the log has {has}")

    # Writing.

    @unbroken
    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Sequence `entries`, all or none, and sign the new checkpoint. Gives their indices.

        Everything is durable when it returns. Journals of processes that died are taken in first. Raises
        BadEntry, RefusesToSign, OSError. After an error none of `entries` are in the log, unless the disk
        failed in the last steps, when all was durable and only the new checkpoint could not be put in place:
        then they are in the log as soon as somebody writes to it again.
        """
        data = [encode(entry) for entry in entries]
        return self._sequence({}, data)

    @unbroken
    def cosigned(self, notes: Sequence[bytes], witnesses: Sequence[Verifier]) -> bytes:
        """Publish the current checkpoint with the cosignatures of `witnesses` that `notes` carry; gives it.

        `notes` are copies of the current checkpoint that witnesses have cosigned; signatures of others are
        left out. All are taken or none; durable when it returns. They belong to this checkpoint: the next
        append puts a fresh one in its place, without them. Raises BadNote for an invalid cosignature or a
        note without any, VerificationFailed for one of another checkpoint, RefusesToSign, OSError.
        """
        with self._disk.lock(self._places.lock):
            current = self._sequencer.begin()
            published = self.checkpoint()
            try:
                read_note(published, witnesses)
            except BadNote as error:
                raise BadNote(
                    f"{self._places.checkpoint} was changed: {error}; copy {self._places.signed} over it"
                ) from error
            lines: list[str] = []
            for note in notes:
                text = read_note(note, [self._verifier]).text
                if text != current.body:
                    raise VerificationFailed(
                        f"a cosigned checkpoint says {text!r}, but the current one has "
                        f"{current.size} entries and the root {current.root.hex()}; have that one cosigned"
                    )
                theirs = cosignatures_of(note, witnesses)
                if not theirs:
                    raise BadNote("a cosigned checkpoint has no cosignature of a witness that is named here")
                lines += [each.line for each in theirs]
            merged = add_cosignatures(published, lines)
            if merged != published:
                self._sequencer.republish(merged)
            return merged

    @unbroken
    def journal(self, page_size: int = 0) -> Journal:
        """A new journal for one session of this process, with a page of shared memory if that has a size."""
        # Under the lock, so that nobody adopts the file before it is locked itself.
        with self._disk.lock(self._places.lock):
            # An empty folder is easily lost when a home is copied.
            if self._disk.make_folder(self._places.journals, 0o700):
                self._disk.sync(self._places.ledger)
            name = self._disk.fresh_name()
            return Journal(self._places.journals, name, self._disk, self._sequence, page_size)

    def _sequence(
        self, own: Mapping[Path, Sequence[bytes]], entries: Sequence[bytes] = (), seconds: float | None = None
    ) -> list[int]:
        with self._disk.lock(self._places.lock, LOCK_SECONDS if seconds is None else seconds):
            self._sequencer.begin()
            return self._sequencer.adopt(self._clock.now(), entries, own)


def _no_ledger(places: Places) -> NoLedger:
    return NoLedger(f"there is no ledger in {places.home}; 'stemloom vault holder add NAME' begins one")


def _make_folders(places: Places, disk: Disk) -> None:
    """HOME, its keys and journals for their owner alone; folders that are there keep their mode."""
    parent = places.home.parent
    if not disk.exists(parent):
        parent.mkdir(parents=True, exist_ok=True)
    made = False
    for folder, mode in (
        (places.home, 0o700),
        (places.keys, 0o700),
        (places.ledger, 0o755),
        (places.journals, 0o700),
        (places.log, 0o755),
    ):
        made = disk.make_folder(folder, mode) or made
    if made:
        for folder in (places.journals, places.log, places.ledger, places.home, parent):
            disk.sync(folder)
