"""The state of a log at one moment, read while no writer is at work.

A home has the log, the checkpoint that was signed last, the note of an append, and journals. A copy has the
log alone, and so does a web server, which moreover cannot list its files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadNote, VerificationFailed
from ..log.pending import Pending
from ..places import Places
from ..tlog.checkpoint import Checkpoint, open_checkpoint
from ..tlog.file_view import FileView, kind_of, read_regular
from ..tlog.locks import locked
from ..tlog.note import LARGEST_NOTE, Verifier
from ..tlog.report import Problem
from ..tlog.source import FolderSource, Source
from ..tlog.tiles import File, partial_files

_LARGEST_PENDING = 1 << 24
"""Bytes: an append that takes in hundreds of thousands of journals."""
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Quiesced:
    """Everything that a writer may change or remove, read while none was at work."""

    checkpoint: bytes | None
    signed: bytes | None
    pending: Pending | None
    view: FileView | WebView
    """The files under `log/`; the partial ones are read."""
    source: Source
    """Where the full tiles and bundles are read, which never change."""
    journals: tuple[Problem, ...]
    """Warnings about journals that no living process owns."""


@contextmanager
def _without_writers(home: Places | None) -> Iterator[None]:
    """Keep writers out while the files are listed, and those are read that may be removed."""
    if home is None or not home.lock.exists():
        yield
        return
    with locked(home.lock, shared=True):
        yield


def read_quiesced(log: Path, home: Places | None, verifier: Verifier) -> Quiesced:
    """A home's log, or a copy in a folder."""
    with _without_writers(home):
        return _read_quiesced(log, home, verifier)


def read_quiesced_web(source: Source, verifier: Verifier) -> Quiesced:
    """A log that a web server publishes. Raises LogUnreachable."""
    view = WebView(source)
    for _ in range(_TRIES):
        view = WebView(source)
        try:
            checkpoint: bytes | None = source.checkpoint()
        except FileNotFoundError:
            checkpoint = None
        reference = readable_checkpoint(checkpoint, verifier)
        view.keep(partial_files(reference.size if reference is not None else 0))
        # A log that grew meanwhile has other partial files than its checkpoint of before.
        if not view.lost:
            break
    return Quiesced(checkpoint=checkpoint, signed=None, pending=None, view=view, source=source, journals=())


class WebView:
    """The files of a log that a web server publishes, read as they are asked for; used like a `FileView`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: dict[File, bytes] = {}
        self.lost: dict[str, str] = {}
        """By path, files that the server should have, and what is wrong with them."""

    def keep(self, files: list[File]) -> None:
        for file in files:
            try:
                self._kept[file] = self.read(file)
            except FileNotFoundError:
                continue

    def read(self, file: File) -> bytes:
        """The bytes of a file. Raises FileNotFoundError if the server does not have a valid one."""
        if file in self._kept:
            return self._kept[file]
        try:
            return self._source.read(file)
        except FileNotFoundError:
            self.lost[file.path] = f"{file.path} is missing"
            raise
        except VerificationFailed as error:
            self.lost[file.path] = str(error)
            raise FileNotFoundError(file.path) from error


def _read_quiesced(log: Path, home: Places | None, verifier: Verifier) -> Quiesced:
    view = FileView(log)
    checkpoint = (
        small_file(log / "checkpoint", LARGEST_NOTE)
        if view.unreadable("checkpoint", LARGEST_NOTE) is None
        else None
    )
    signed = small_file(home.signed, LARGEST_NOTE) if home else None
    noted = small_file(home.pending, _LARGEST_PENDING) if home else None
    reference = readable_checkpoint(checkpoint, verifier) or readable_checkpoint(signed, verifier)
    view.keep(partial_files(reference.size if reference is not None else 0))
    return Quiesced(
        checkpoint=checkpoint,
        signed=signed,
        pending=Pending.decode(noted) if noted is not None else None,
        view=view,
        source=FolderSource(log),
        journals=tuple(_journals(home)) if home else (),
    )


def small_file(path: Path, largest: int) -> bytes | None:
    """The bytes of a small file: None if it is missing, empty if it is too large or no regular file."""
    try:
        return read_regular(path, largest)
    except FileNotFoundError:
        return None
    except VerificationFailed:
        return b""


def readable_checkpoint(data: bytes | None, verifier: Verifier) -> Checkpoint | None:
    if data is None:
        return None
    try:
        return open_checkpoint(data, verifier)
    except BadNote:
        return None


def _journals(home: Places) -> Iterator[Problem]:
    """Warnings about journals whose owners died, about damaged ones, and about things that are no journal."""
    if not home.journals.is_dir() or not os.access(home.journals, os.R_OK | os.X_OK):
        return
    for path in sorted(home.journals.iterdir()):
        name = f"journals/{path.name}"
        kind = kind_of(path.lstat().st_mode)
        if kind is not None:
            yield Problem(None, f"../{name}", f"{name} is {kind}, not a journal; no writer takes it in")
        elif path.suffix == ".damaged":
            yield Problem(None, f"../{name}", f"{name} is a journal of which a part could not be read")
        elif path.suffix == ".journal" and not _owned(path):
            yield Problem(None, f"../{name}", f"{name} waits for the next writer to take it in")


def _owned(journal: Path) -> bool:
    """Whether a living process writes to the journal."""
    try:
        with locked(journal, shared=True, wait=False):
            return False
    except BlockingIOError:
        return True
