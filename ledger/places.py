"""The places of a home's ledger.

    HOME/keys/log.key                  the log's private key
    HOME/ledger/lock                   held while entries are sequenced
    HOME/ledger/journals/*.journal     durable entries not yet sequenced, a row of files for each session
    HOME/ledger/pending                the sizes before and after the newest append
    HOME/ledger/signed                 the last checkpoint that was signed
    HOME/ledger/log/checkpoint         the published one
    HOME/ledger/log/tile/...           tiles and entry bundles

`log/` may be published as it is: it holds nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_DIGITS = 8


def journal_file(folder: Path, name: str, number: int) -> Path:
    """A file of the journal of that name; the files sort by name in their order."""
    return folder / f"{name}-{number:0{_DIGITS}d}.journal"


def journal_number(path: Path) -> tuple[str, int]:
    """The inverse: the journal's name and the file's number. Any other name is file 0 of its own journal."""
    name, dash, number = path.stem.rpartition("-")
    if dash and len(number) == _DIGITS and number.isdecimal():
        return name, int(number)
    return path.stem, 0


def page_file(folder: Path, name: str) -> Path:
    """The name under which the page of that journal is shared."""
    return folder / f"{name}.page"


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one home."""

    home: Path

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def key(self) -> Path:
        return self.keys / "log.key"

    @property
    def ledger(self) -> Path:
        return self.home / "ledger"

    @property
    def lock(self) -> Path:
        return self.ledger / "lock"

    @property
    def journals(self) -> Path:
        return self.ledger / "journals"

    @property
    def pending(self) -> Path:
        return self.ledger / "pending"

    @property
    def signed(self) -> Path:
        return self.ledger / "signed"

    @property
    def log(self) -> Path:
        return self.ledger / "log"

    @property
    def checkpoint(self) -> Path:
        return self.log / "checkpoint"
