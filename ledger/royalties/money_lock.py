"""One writer of money at a time, over a ledger that is read as of one checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..division.books import Entries, Read
from ..entries.canonical import decode
from ..errors import VerificationFailed
from ..tlog.checkpoint import read_body
from ..tlog.hashed import HashedLog, bundles_of
from ..tlog.locks import locked
from ..tlog.merkle import leaf_hash, root_from_leaves


class ReadableLog(Protocol):
    """The part of `ledger.log.Log` that royalties read."""

    @property
    def home(self) -> Path: ...

    @property
    def origin(self) -> str: ...

    @property
    def vkey(self) -> str: ...

    def checkpoint(self) -> bytes: ...

    def entries(self, start: int = 0, stop: int | None = None) -> Entries: ...

    def stored(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]: ...


@dataclass(frozen=True, slots=True)
class CheckpointedLog:
    """A log as of one of its signed checkpoints."""

    size: int
    root: str
    """Lower-case hex."""
    checkpoint: str
    read: Read
    """Starts a pass over the entries under the checkpoint."""


def at_checkpoint(log: ReadableLog) -> CheckpointedLog:
    """The log as of now, without later entries.

    Each pass over it hashes what it reads, and raises VerificationFailed where the entries are not those that
    the checkpoint was signed for: the first at its end, the others at each row of 256.
    """
    note = log.checkpoint().decode()
    body = read_body(note.partition("\n\n")[0] + "\n")
    bundles: list[bytes] = []

    def read() -> Entries:
        if bundles or not body.size:
            hashed = HashedLog(body.size, body.root, bundles, log.stored)
            for index, entry in hashed.entries():
                yield index, decode(entry)
            return
        leaves: list[bytes] = []
        for index, entry in log.stored(0, body.size):
            leaves.append(leaf_hash(entry))
            yield index, decode(entry)
        found = bundles_of(leaves)
        if root_from_leaves(found) != body.root:
            raise VerificationFailed(
                "the entries of the ledger are not those that its checkpoint was signed for; "
                "see 'stemloom ledger verify'"
            )
        bundles[:] = found

    return CheckpointedLog(size=body.size, root=body.root.hex(), checkpoint=note, read=read)


def money_lock(home: Path) -> AbstractContextManager[object]:
    """Hold the right to write money into the ledger of HOME, among all processes; waits for it.

    Without it two processes that settle one period at once could both find it not settled. The log has a
    lock of its own for each append; this one spans reading, dividing and appending. Freed by the system if
    the process dies.
    """
    return locked(home / "ledger" / "royalties.lock", 0o644)
