"""How commands speak: JSON or text on standard output, progress and errors on standard error."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..ledger.log import Log
    from ..vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Door:
    """What the global options say, and the resources that they lead to."""

    home: Path | None
    json: bool
    quiet: bool
    verbose: bool

    @property
    def folder(self) -> Path:
        """HOME: `--home`, else `STEMLOOM_HOME`, else the platform's data folder."""
        if self.home is not None:
            return self.home
        named = os.environ.get("STEMLOOM_HOME")
        if named:
            return Path(named)
        from platformdirs import user_data_path

        return user_data_path("stemloom", appauthor=False)

    def vault(self, *, create: bool = False) -> Vault:
        """The vault of HOME. `create`: make an empty one if there is none, else refuse."""
        from ..vault.vault import Vault

        return Vault.open(self.folder, create=create)

    def log(self) -> Log:
        """The ledger of HOME, for reading."""
        from ..ledger.log import Log

        return Log.open(self.folder, create=False)

    def emit(self, record: Mapping[str, Any], text: str | None = None) -> None:
        """The result: `record` as one line of JSON under `--json`, else `text`."""
        if self.json:
            click.echo(json.dumps(record, ensure_ascii=False))
        elif text:
            click.echo(text)

    def note(self, text: str) -> None:
        """A word beside the result: on standard error, not with `--quiet`."""
        if not self.quiet:
            click.echo(text, err=True)

    def progress(self) -> Progress:
        """A progress display on standard error; silent without a terminal, with `--json` or `--quiet`."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=self.quiet or self.json or not console.is_terminal,
        )


class WrongPlace(Exception):
    """A path that the user gave for output and that will not do."""

    exit_code = 2


def checked_output(path: Path | None, suffix: str | None = None) -> None:
    """Refuse, before any work is done, a path that could not be written to. `suffix`: what it must end in."""
    if path is None:
        return
    if suffix is not None and path.suffix.lower() != suffix:
        raise WrongPlace(f"{str(path)!r} must end in {suffix}")
    if path.is_dir():
        raise WrongPlace(f"{str(path)!r} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise WrongPlace(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> str:
    """A plain-text table; `right` names the columns that align right. No colours, so that it pipes well."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True))
        )
        for r in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def fail(error: BaseException, *, verbose: bool) -> int:
    """Word `error` in one sentence on standard error and give the exit code for it.

    An exception of ours carries `exit_code` and its own sentence. Trouble with the disk is worded here.
    Anything else is a fault of ours, and says so.
    """
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        click.echo(f"stemloom: {error}", err=True)
        return code
    if isinstance(error, OSError):
        click.echo(f"stemloom: {_disk_sentence(error)}", err=True)
        return 1
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    click.echo(
        f"stemloom: a fault in Stemloom itself ({type(error).__name__}: {error}). "
        "Run the command with -v for the details that a report needs.",
        err=True,
    )
    return 1


def _disk_sentence(error: OSError) -> str:
    place = f" {os.fspath(error.filename)!r}" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space left on the disk while writing{place or ' a file'}; free some and try again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"no permission to use{place or ' a file'}; choose another place with --home or --out"
        case errno.ENOENT:
            return f"there is no{place or ' such file'}"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{place.strip() or 'a path'} is a file where a folder is needed"
        case errno.EISDIR:
            return f"{place.strip() or 'a path'} is a folder where a file is needed"
    return f"{error.strerror or error}{':' if place else ''}{place}"
