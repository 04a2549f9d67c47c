"""The source of a log's files: a folder, or a web server that publishes it.

A source is small and can be sent to another process; each reads by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import LogUnreachable, NoLedger, VerificationFailed
from .file_view import read_regular
from .note import LARGEST_NOTE
from .tiles import File

if TYPE_CHECKING:
    import urllib3

_SECONDS = 20.0
"""The time that a server has to begin or to continue an answer."""
_TRIES = 4


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
    it answers that a file is missing or forbidden. No more is read than a file of its kind can hold.
    """

    url: str
    _pool: urllib3.PoolManager | None = field(default=None, repr=False, compare=False)

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
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(
                retries=urllib3.Retry(
                    _TRIES, connect=1, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504)
                ),
                timeout=_SECONDS,
            )
        address = f"{self.url}/{path}"
        try:
            answer: Any = self._pool.request(
                "GET", address, preload_content=False, headers={"Accept-Encoding": "identity"}
            )
            try:
                if answer.status in (403, 404, 410):
                    raise FileNotFoundError(address)
                if answer.status != 200:
                    raise LogUnreachable(f"{address} cannot be read: the server answers {answer.status}")
                data: bytes = answer.read(largest + 1)
                if len(data) <= largest:
                    # An answer in chunks may be read short.
                    while more := answer.read(largest + 1 - len(data)):
                        data += more
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise LogUnreachable(f"{address} cannot be read: {_reason(error)}") from error
        if len(data) > largest:
            raise VerificationFailed(f"{address} has more than the {largest} bytes that it can have")
        return data


def _reason(error: Exception) -> str:
    """The innermost reason in the library's error."""
    reason = getattr(error, "reason", None)
    return _reason(reason) if isinstance(reason, Exception) else str(error)


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
