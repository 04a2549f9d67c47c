"""The one way into the log's files: the steps of a writer that holds the lock.

    pending            durable: the sizes before and after
    entries, tiles     durable: new files only; no byte of a published file is ever written again
    pending            replaced, durable, with the new root: from here on the append has happened
    signed             replaced, durable
    log/checkpoint     replaced, durable: from here on everybody sees the append
    partial files      of the size before: removed
    journals           that were taken in: removed

A writer that dies leaves one of these states, and the next one to take the lock (`begin`) first finishes the
append or removes its traces. So an entry of a journal is taken in once: the journal is removed before anybody
can look for journals of the dead again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ..errors import BadNote, RefusesToSign, VerificationFailed
from ..places import Places, journal_number, page_file
from ..tlog import merkle
from ..tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ..tlog.disk import Disk, replace_durably
from ..tlog.keys import PrivateKey
from ..tlog.note import Verifier
from ..tlog.reader import TileReader
from ..tlog.right_edge import RightEdge
from ..tlog.tiles import ENTRIES, TILE, File, bundle, files_of, in_bundle, levels_of, partial_files, width_at
from .journal_format import read_journal
from .pending import Pending
from .recovery import Orphan, first_bad

MANY_BUNDLES = 64
"""From this many bundles on, they are written while hashes are made and written."""
_NOTHING: Mapping[Path, Sequence[bytes]] = {}


@dataclass(frozen=True, slots=True)
class _Orphaned:
    """A journal whose owner died, and its files."""

    entries: Orphan
    files: Sequence[Path]


class Sequencer:
    """Appends to one log. Every method is called with the log's lock held, `begin` before the others."""

    def __init__(self, places: Places, key: PrivateKey, verifier: Verifier, disk: Disk) -> None:
        self._places = places
        self._key = key
        self._verifier = verifier
        self._disk = disk

    # After a crash.

    def begin(self) -> Checkpoint:
        """Finish or remove an append that a crash interrupted; the checkpoint that the next append extends.

        Raises RefusesToSign if `log/` does not extend the last signed checkpoint, BadNote.
        """
        published = self._open(self._places.checkpoint)
        signed = self._open(self._places.signed)
        pending = self._pending()
        if signed and pending and pending.root and pending.before == signed.size:
            # It may have been signed, and a power loss have taken that: it is signed again, the very same.
            edge = self._edge(pending.after)
            if edge.root != pending.root:
                raise self._refusal(signed, published)
            # Nor need the note itself be durable: where its sync failed, a power loss would take it back.
            self._replace(self._places.pending, pending.encode())
            signed = self._sign(edge)
        if signed is None:
            if published is not None or self._disk.exists(self._places.log / "tile"):
                raise RefusesToSign(
                    f"there is a log, but {self._places.signed}, the copy of its last signed checkpoint, is "
                    "missing: signing could make two histories of one log; put back the whole home from one "
                    "backup"
                )
            signed = self._sign(RightEdge(0, ()))
            # A crash here leaves a signed checkpoint that is not published: the case below.
            published = self._publish(signed)
        elif published is None or signed.size > published.size:
            # We, or another writer, died between the two; or log/ is of an older time.
            if not self._has_tiles_of(signed):
                raise self._refusal(signed, published)
            # Its name may not have become durable: it is put there once more before anything builds on it.
            self._replace(self._places.signed, self._disk.read(self._places.signed))
            published = self._publish(signed)
        elif signed.size == published.size:
            if signed.root != published.root:
                raise self._refusal(signed, published)
        elif self._root_at(signed.size, published.size) != signed.root:
            raise self._refusal(signed, published)
        self._tidy(published)
        return published

    def _pending(self) -> Pending | None:
        try:
            return Pending.decode(self._disk.read(self._places.pending))
        except FileNotFoundError:
            return None

    def _open(self, path: Path) -> Checkpoint | None:
        try:
            data = self._disk.read(path)
        except FileNotFoundError:
            return None
        try:
            return open_checkpoint(data, self._verifier)
        except BadNote as error:
            raise BadNote(f"{path} is damaged or of another log: {error}") from error

    def _has_tiles_of(self, signed: Checkpoint) -> bool:
        try:
            return self._edge(signed.size).root == signed.root
        except VerificationFailed:
            return False

    def _root_at(self, size: int, published: int) -> bytes | None:
        try:
            return TileReader(self._places.log, self._fetch).root(size, lambda: published)
        except VerificationFailed:
            return None

    def _refusal(self, signed: Checkpoint, published: Checkpoint | None) -> RefusesToSign:
        has = "no checkpoint" if published is None else f"a checkpoint of {published.size} entries"
        return RefusesToSign(
            f"{self._places.log} has {has}, which does not extend the {signed.size} entries that were "
            "signed last: was an older copy put back? Signing now would make two histories of one log; "
            "put back the newest copy"
        )

    def _tidy(self, current: Checkpoint, read: Container[str] = ()) -> None:
        """Remove the files that the newest append made obsolete, or its own files if it did not happen.

        `read`: the names of journal files that are known to be readable to their end.
        """
        pending = self._pending()
        if pending is None or current.size not in (pending.before, pending.after):
            return
        done = current.size == pending.after
        touched: dict[Path, None] = {}
        for file in partial_files(pending.before) if done else files_of(pending.after, pending.before):
            if not file.belongs_to(current.size):
                touched[self._clear(file)] = None
        if done:
            for name in pending.journals:
                self._retire(self._places.journals / name, read=name in read)
            if pending.journals:
                touched[self._places.journals] = None
        # The removals must be durable before the note that lists them is removed: a journal that came back
        # after a power loss would be taken in again.
        for folder in touched:
            if self._disk.exists(folder):
                self._disk.sync(folder)
        # Not synced: a note that comes back after a power loss is still true.
        self._disk.remove(self._places.pending)

    def _clear(self, file: File) -> Path:
        """Remove a file and the folders that it leaves empty; gives the folder that lost a name."""
        path = self._places.log / file.path
        self._disk.remove(path)
        folder = path.parent
        while folder != self._places.log:
            try:
                self._disk.remove_folder(folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise
                if error.errno != errno.ENOENT:
                    return folder
            folder = folder.parent
        return folder

    def _retire(self, path: Path, *, read: bool) -> None:
        """Remove a journal's file that is sequenced; one that could not be read is renamed instead."""
        if not read:
            try:
                found = read_journal(self._disk.read(path))
            except FileNotFoundError:
                return
            read = not found.damaged and first_bad(found.entries) is None
        name = journal_number(path)[0]
        if all(each == path or journal_number(each)[0] != name for each in self._journals()):
            # First, because without its journal nobody would know of it.
            self._disk.unshare(page_file(self._places.journals, name))
        if read:
            self._disk.remove(path)
        else:
            self._disk.replace(path, path.with_suffix(".damaged"))

    def _journals(self) -> list[Path]:
        return [path for path in self._disk.files(self._places.journals) if path.suffix == ".journal"]

    # Appending.

    def adopt(
        self, now: str, then: Sequence[bytes] = (), own: Mapping[Path, Sequence[bytes]] = _NOTHING
    ) -> list[int]:
        """Take in the journals whose owners died, then the caller's own entries; gives the indices of these.

        The caller's entries are `then` and those of whole files of its journal, `own`. A missing file was
        taken in by an interrupted append that `begin` has finished. `now`: the time at which open sessions
        are closed.
        """
        there = [path for path in own if self._disk.exists(path)]
        then = [*then, *(entry for path in there for entry in own[path])]
        with ExitStack() as held:
            taken: list[bytes] = []
            journals: list[Path] = []
            read: list[str] = []
            names = {journal_number(path)[0] for path in own}
            for name, files in groupby(self._journals(), lambda path: journal_number(path)[0]):
                if name in names:
                    continue
                orphan = self._orphan(name, list(files), held)
                if orphan is not None:
                    taken += orphan.entries.entries(now)
                    journals += orphan.files
                    read += [path.name for path in orphan.files if not orphan.entries.damaged]
            indices = self.append([*taken, *then], [*journals, *there], [*read, *(p.name for p in there)])
        return indices[len(taken) :]

    def _orphan(self, name: str, files: Sequence[Path], held: ExitStack) -> _Orphaned | None:
        """A dead owner's journal, its files locked until `held` is closed; None if the owner lives.

        An owner locks a file before it releases the previous one, so a living owner holds at least one.
        """
        for path in files:
            try:
                owned = self._disk.own(path)
            except FileNotFoundError:
                continue
            if owned is None:
                return None
            held.callback(owned.close)
        found = {journal_number(path)[1]: read_journal(self._disk.read(path)) for path in files}
        page = self._disk.shared(page_file(self._places.journals, name))
        return _Orphaned(Orphan(found, page, self._disk.boot()), files)

    def append(
        self, entries: Sequence[bytes], journals: Sequence[Path] = (), read: Container[str] = ()
    ) -> list[int]:
        """Sequence canonical entries, among them all of `journals`; gives their indices.

        `read`: the names of journals that are known to be readable to their end.
        """
        current = self._open(self._places.checkpoint)
        assert current is not None, "begin() has made one"
        if not entries:
            for path in journals:
                self._retire(path, read=path.name in read)
            return []
        edge = self._edge(current.size)
        if edge.root != current.root:
            raise RefusesToSign(
                f"the tiles in {self._places.log} do not give the root of its checkpoint; "
                "see 'stemloom ledger verify'"
            )
        bundles = _bundles(current.size, [*self._open_bundle(edge), *entries])
        after = current.size + len(entries)
        pending = Pending(current.size, after, None, tuple(path.name for path in journals))
        self._disk.write(self._places.pending, pending.encode())
        self._disk.sync(self._places.pending)
        self._disk.sync(self._places.ledger)
        try:
            with _in_background(len(bundles) >= MANY_BUNDLES, self._write_files, bundles):
                grown, tiles = edge.grow(merkle.leaf_hashes(entries))
                self._write_files(tiles)
            # A crash here leaves files beyond the checkpoint, which `begin` removes.
            self._replace(self._places.pending, replace(pending, root=grown.root).encode())
        except OSError:
            # The disk is full or broken. The next writer removes what cannot be removed now. If the note was
            # replaced and only its folder could not be synced, the append has happened.
            with suppress(OSError):
                if self._pending() == pending:
                    self._tidy(current)
            raise
        # From here on the append has happened: the next writer would sign the same root and publish it.
        published = self._publish(self._sign(grown))
        with suppress(OSError):
            # A crash here leaves partial files and journals that `begin` removes.
            self._tidy(published, read)
        return list(range(current.size, grown.size))

    def _edge(self, size: int) -> RightEdge:
        """The right edge in the tiles. Raises VerificationFailed for a missing or short tile."""
        rows: list[tuple[bytes, ...]] = []
        for level in levels_of(size):
            number = (size >> (8 * level)) // TILE
            width = width_at(level, number, size)
            data = self._read(File(level, number, width)) if width else b""
            if len(data) != 32 * width:
                raise VerificationFailed(f"{self._places.log / File(level, number, width).path} is cut short")
            rows.append(tuple(data[i : i + 32] for i in range(0, len(data), 32)))
        return RightEdge(size, tuple(rows))

    def _open_bundle(self, edge: RightEdge) -> list[bytes]:
        """The entries of the partial bundle, checked against their hashes before they are copied."""
        number, width = divmod(edge.size, TILE)
        if not width:
            return []
        file = File(ENTRIES, number, width)
        entries, whole = in_bundle(self._read(file))
        if not whole or tuple(merkle.leaf_hash(entry) for entry in entries) != edge.rows[0]:
            raise RefusesToSign(
                f"{self._places.log / file.path} is not what was signed; see 'stemloom ledger verify'"
            )
        return entries

    def _fetch(self, file: File) -> bytes:
        return self._disk.read(self._places.log / file.path, file.largest)

    def _read(self, file: File) -> bytes:
        path = self._places.log / file.path
        try:
            return self._fetch(file)
        except FileNotFoundError as error:
            raise VerificationFailed(f"{path} is missing; see 'stemloom ledger verify'") from error

    def _write_files(self, files: dict[File, bytes]) -> None:
        """Write files and their folders; durable when it returns."""
        named = {self._places.log / file.path: data for file, data in files.items()}
        touched: dict[Path, None] = {}
        for folder in dict.fromkeys(path.parent for path in named):
            self._make_folders(folder, touched)
        self._disk.write_durable(named)
        for folder in touched:
            self._disk.sync(folder)

    def _make_folders(self, folder: Path, touched: dict[Path, None]) -> None:
        """Make `folder` and the folders above it; adds to `touched` those that got a new name."""
        if self._disk.exists(folder):
            return
        self._make_folders(folder.parent, touched)
        self._disk.make_folder(folder, 0o755)
        touched[folder.parent] = None

    def _sign(self, edge: RightEdge) -> Checkpoint:
        """Sign a checkpoint and keep it outside `log/`. When it returns, the tree of `edge` is the log."""
        checkpoint = Checkpoint(self._verifier.name, edge.size, edge.root)
        note = sign_checkpoint(checkpoint, self._key)
        self._replace(self._places.signed, note)
        return checkpoint

    def republish(self, note: bytes) -> None:
        """Publish `note`, the current checkpoint with more signatures below it; durable when it returns.

        `signed` stays as it is: only its size and root are compared with the published checkpoint.
        """
        self._replace(self._places.checkpoint, note)

    def _publish(self, signed: Checkpoint) -> Checkpoint:
        self._replace(self._places.checkpoint, self._disk.read(self._places.signed))
        return signed

    def _replace(self, path: Path, data: bytes) -> None:
        # The new file is written outside log/, which holds nothing but the log.
        new = self._places.ledger / f"{path.name}.new"
        # After a crash, that name may be a second name of the file at `path`.
        self._disk.remove(new)
        replace_durably(self._disk, path, data, new)


@contextmanager
def _in_background(
    really: bool, work: Callable[[dict[File, bytes]], None], files: dict[File, bytes]
) -> Iterator[None]:
    """Write files on another thread during the block, or, unless `really`, before it."""
    if not really:
        work(files)
        yield
        return
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(work, files)
        yield
        written.result()


def _bundles(size: int, entries: Sequence[bytes]) -> dict[File, bytes]:
    """The bundle files from the one that entry `size` falls in; `entries` begin at that bundle's first."""
    first = size // TILE
    return {
        File(ENTRIES, first + at // TILE, min(TILE, len(entries) - at)): bundle(entries[at : at + TILE])
        for at in range(0, len(entries), TILE)
    }
