"""One writer of money at a time, over a ledger that is read as of one checkpoint."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..division.books import Entries, Read
from ..entries.canonical import encode
from ..errors import VerificationFailed
from ..tlog.checkpoint import read_body
from ..tlog.disk import locked
from ..tlog.merkle import leaf_hash, root_from_leaves
from ..tlog.tiles import TILE


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

    The first pass over it hashes what it reads, and raises VerificationFailed where the entries are not those
    that the checkpoint was signed for. Later passes do not.
    """
    note = log.checkpoint().decode()
    body = read_body(note.partition("\n\n")[0] + "\n")
    checked = False

    def read() -> Entries:
        nonlocal checked
        if not checked:
            yield from _hashed(log.entries(0, body.size), body.root)
            checked = True
        else:
            yield from log.entries(0, body.size)

    return CheckpointedLog(size=body.size, root=body.root.hex(), checkpoint=note, read=read)


def _hashed(entries: Entries, root: bytes) -> Entries:
    """The same entries; once all were read, their Merkle root is held against `root`."""
    bundles: list[bytes] = []
    leaves: list[bytes] = []
    for index, entry in entries:
        leaves.append(leaf_hash(encode(entry)))
        if len(leaves) == TILE:
            bundles.append(root_from_leaves(leaves))
            leaves = []
        yield index, entry
    if leaves:
        bundles.append(root_from_leaves(leaves))
    if root_from_leaves(bundles) != root:
        raise VerificationFailed(
            "the entries of the ledger are not those that its checkpoint was signed for; "
            "see 'stemloom ledger verify'"
        )


def money_lock(home: Path) -> AbstractContextManager[object]:
    """Hold the right to write money into the ledger of HOME, among all processes; waits for it.

    Without it two processes that settle one period at once could both find it not settled. The log has a
    lock of its own for each append; this one spans reading, dividing and appending. Freed by the system if
    the process dies.
    """
    return locked(home / "ledger" / "royalties.lock", 0o644)
