"""The source of a log's files: a folder, or a web server that publishes it.

A source is small and can be sent to another process; each reads by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import NoLedger
from .file_view import read_regular
from .note import LARGEST_NOTE
from .tiles import File

if TYPE_CHECKING:
    from .web import WebFiles


class Source(Protocol):
    """The files of one log."""

    def read(self, file: File) -> bytes:
        """A file's bytes. Raises FileNotFoundError, OSError, VerificationFailed for another kind of file."""
        ...

    def checkpoint(self) -> bytes:
        """The published checkpoint, as it is now. Raises as `read`."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The folder `log/`, or a copy of it."""

    log: Path

    def read(self, file: File) -> bytes:
        return read_regular(self.log / file.path, file.largest)

    def checkpoint(self) -> bytes:
        return read_regular(self.log / "checkpoint", LARGEST_NOTE)

    def __str__(self) -> str:
        return str(self.log)


@dataclass(slots=True)
class WebSource:
    """A log that a static web server publishes; its `checkpoint` and `tile/` are below `url`.

    Raises LogUnreachable where the server does not answer or answers with an error, FileNotFoundError where
    it answers that a file is missing or forbidden. No more is read than a file of its kind can hold, and no
    longer than `web.BOUNDS` allow.
    """

    url: str
    _files: WebFiles | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.url = self.url.rstrip("/")

    def __reduce__(self) -> tuple[type[WebSource], tuple[str]]:
        return type(self), (self.url,)

    def read(self, file: File) -> bytes:
        return self._get(file.path, file.largest)

    def checkpoint(self) -> bytes:
        return self._get("checkpoint", LARGEST_NOTE)

    def __str__(self) -> str:
        return self.url

    def _get(self, path: str, largest: int) -> bytes:
        if self._files is None:
            # The library is loaded by those who read from the web.
            from .web import WebFiles

            self._files = WebFiles()
        return self._files.get(f"{self.url}/{path}", largest)


def source_of(place: str | Path) -> Source:
    """The source of a copy of a log: a folder (see `log_folder`) or a web address. Raises NoLedger."""
    text = str(place)
    if text.startswith(("http://", "https://")):
        return WebSource(text)
    folder = log_folder(Path(place))
    if not folder.is_dir():
        raise NoLedger(f"there is no ledger in {place}")
    return FolderSource(folder)


def log_folder(place: Path) -> Path:
    """The folder of the tiles: `place`, or the one inside it if it is a home or a home's folder `ledger`."""
    for within in (place / "ledger" / "log", place / "log"):
        if within.is_dir():
            return within
    return place
