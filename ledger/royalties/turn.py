"""One writer of money at a time, over a ledger that is read as of one checkpoint."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from ..checkpoint import read_body
from .books import Entries, Read


class ReadableLog(Protocol):
    """What royalties read of a `ledger.log.Log`."""

    @property
    def home(self) -> Path: ...

    @property
    def origin(self) -> str: ...

    @property
    def vkey(self) -> str: ...

    def checkpoint(self) -> bytes: ...

    def entries(self, start: int = 0, stop: int | None = None) -> Entries: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """A log as one of its signed checkpoints has it."""

    size: int
    root: str
    """Lower-case hex."""
    checkpoint: str
    read: Read
    """Starts a pass over the entries under the checkpoint."""


def sealed(log: ReadableLog) -> Sealed:
    """The log as of now: what is appended later is not in it."""
    note = log.checkpoint().decode()
    body = read_body(note.partition("\n\n")[0] + "\n")
    return Sealed(
        size=body.size, root=body.root.hex(), checkpoint=note, read=partial(log.entries, 0, body.size)
    )


@contextmanager
def turn(home: Path) -> Iterator[None]:
    """Hold the right to write money into the ledger of HOME, among all processes; waits for it.

    Without it two processes that settle one period at once could both find it not settled. The log has a
    lock of its own for each append; this one spans reading, dividing and appending. Freed by the system if
    the process dies.
    """
    path = home / "ledger" / "royalties.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
