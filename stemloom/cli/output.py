"""How commands speak: JSON or text on standard output, progress and errors on standard error."""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ..ground.visible import visible, visible_text
from .console import one_line, say, say_painted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ..engine.play.render import Progress as Steps
    from ..ledger.log.log import Log
    from ..script.problems import Problem
    from ..vault.records import Clearance
    from ..vault.vault import Vault

_SHADES = {
    ("Comment",): "c",
    ("Error",): "e",
    ("Keyword",): "k",
    ("Keyword", "Declaration"): "K",
    ("Keyword", "Type"): "n",
    ("Operator", "Word"): "k",
    ("Literal", "Number"): "n",
    ("Literal", "String"): "s",
    ("Literal", "String", "Escape"): "S",
}
"""The letter of each shade of a script, by the lexer's token type: a tuple of names, as in Pygments."""

_STYLES: dict[str, dict[str, Any]] = {
    "c": {"fg": "bright_black"},
    "e": {"fg": "red"},
    "k": {"fg": "magenta"},
    "K": {"fg": "magenta", "bold": True},
    "n": {"fg": "cyan"},
    "s": {"fg": "green"},
    "S": {"fg": "green", "bold": True},
}
"""The colour of each shade: from the sixteen that a terminal's owner sets, never black or white."""

_ALARM = {"error": "red", "warning": "yellow"}
_GUTTER = re.compile(r" *([0-9]*) [|=] ?")


@dataclass(frozen=True, slots=True)
class Console:
    """The global options, the resources that they name, and the output of commands."""

    home: Path | None
    json: bool
    quiet: bool
    verbose: bool

    @property
    def folder(self) -> Path:
        """HOME: `--home`, else `STEMLOOM_HOME`, else the platform's data folder."""
        if self.home is not None:
            return self.home
        from ..ground.user_folders import data_folder, expanded

        named = os.environ.get("STEMLOOM_HOME")
        folder = expanded(named) if named else data_folder()
        if folder is None:
            raise WrongPlace("this user has no home folder: name a folder with --home or STEMLOOM_HOME")
        return folder

    def vault(self, *, create: bool = False) -> Vault:
        """The vault of HOME. `create`: make an empty one if there is none, else refuse."""
        from ..vault.vault import Vault

        return Vault.open(self.folder, create=create)

    def log(self) -> Log:
        """The ledger of HOME, for reading."""
        from ..ledger.log.log import Log

        return Log.open(self.folder, create=False)

    def emit(self, record: Mapping[str, Any], text: str | None = None, *, painted: bool = False) -> None:
        """The result: one line of JSON, in which records are objects, under `--json`; else `text`.

        `painted`: the text is of `shown` or `render`, which have made visible what is of others in it.
        """
        if self.json:
            say_painted(one_line(record, _fields_of))
        elif text:
            (say_painted if painted else say)(text)

    def note(self, *lines: str, painted: bool = False) -> None:
        """Print a note beside the result, on standard error; not with `--quiet`. `painted`: as in `emit`."""
        for line in () if self.quiet else lines:
            say_painted(line if painted else visible(line), err=True)

    def progress(self, *, counted: bool = False) -> Progress:
        """A progress display on standard error; silent without a terminal, with `--json` or `--quiet`.

        `counted`: how many there are, and the time that is left, stand beside it.
        """
        from rich import console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        screen = console.Console(stderr=True)
        more = (MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn()) if counted else ()
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            *more,
            console=screen,
            transient=True,
            disable=self.quiet or self.json or not screen.is_terminal,
        )

    @contextmanager
    def steps(self, names: Mapping[str, str]) -> Iterator[Steps]:
        """A progress display of several steps, each told by its name, how much is done, and of how much.

        `names`: how each is shown.
        """
        with self.progress() as display:
            tasks: dict[str, TaskID] = {}

            def told(step: str, done: int, all: int) -> None:
                if step not in tasks:
                    tasks[step] = display.add_task(names[step], total=all)
                display.update(tasks[step], completed=done, total=all)

            yield told

    @contextmanager
    def telling(self, what: str) -> Iterator[Callable[[int, int | None], None]]:
        """A progress display of one line, and a function that is told the steps done, of how many."""
        with self.progress() as display:
            task = display.add_task(what, total=None)
            yield lambda done, total: display.update(task, completed=done, total=total)


def picked(record: object, names: str) -> dict[str, Any]:
    """The fields `names` of a record, parted by spaces, in this order."""
    return {name: getattr(record, name) for name in names.split()}


def clearance_record(clearance: Clearance) -> dict[str, Any]:
    """A clearance, with what it allows in order."""
    return picked(clearance, "index since until") | {"allows": sorted(clearance.allows)}


def _fields_of(record: object) -> Any:
    import msgspec

    return msgspec.to_builtins(record, enc_hook=str)  # a path is text


class WrongPlace(Exception):
    """A path for output that cannot be used."""

    exit_code = 2


def checked_output(path: Path | None, suffix: str | None = None) -> None:
    """Refuse, before any work is done, a path that cannot be written. `suffix`: its required ending."""
    if path is None:
        return
    if suffix is not None and path.suffix.lower() != suffix:
        raise WrongPlace(f"{str(path)!r} must end in {suffix}")
    if path.is_dir():
        raise WrongPlace(f"{str(path)!r} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise WrongPlace(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> str:
    """A plain-text table; `right` names the columns that align right. No colours, so that it pipes well.

    No cell breaks its line.
    """
    cells = [[visible(str(cell)) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True))
        )
        for r in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def in_colour(stream: IO[str]) -> bool:
    """Whether `stream` takes colours: it is a terminal that has them, and `NO_COLOR` is unset or empty."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def shaded(text: str) -> str:
    """The script `text` in colours. Without the escape codes it is `text` as `say` prints it."""
    text = text.replace("\r\n", "\n")
    return _painted(text, _letters(text), visible_text)


def shown(problems: Sequence[Problem], text: str, file: str) -> str:
    """The text of `script.problems.render` in colours. Without the escape codes it is the same."""
    from ..script.problems import render

    file = visible(file)
    # Of a long source line only what is near its caret is shown. The shades are laid out as a text too, a
    # letter for each character, and rendered beside it, so that they are cut at the same places.
    letters = _letters(text) if problems else ""
    return "\n\n".join(_shown(p, render([p], text, ""), render([p], letters, ""), file) for p in problems)


def said(problem: Problem) -> tuple[str, str, str]:
    """The place (`:4:18`), kind (`error E030`) and message of a problem, each fit for a terminal's line."""
    from ..script.problems import render

    place, kind, message = render([problem], "", "").split("\n")[0].split(": ", 2)
    return place, kind, message


def _shown(problem: Problem, plain: str, letters: str, file: str) -> str:
    alarm = _ALARM[problem.severity]
    place, kind, message = said(problem)
    head = click.style(f"{file}{place}:", bold=True)
    lines = [f"{head} {click.style(kind, fg=alarm, bold=True)}: {message}"]
    for line, shades in list(zip(plain.split("\n"), letters.split("\n"), strict=True))[1:]:
        gutter = _GUTTER.match(line)
        assert gutter is not None
        body = line[gutter.end() :]
        if gutter[1]:
            body = _painted(body, shades[gutter.end() :])
        elif "|" in gutter[0]:
            body = click.style(body, fg=alarm, bold=True)
        lines.append(click.style(gutter[0], fg="bright_black") + body)
    return "\n".join(lines)


def _letters(text: str) -> str:
    """The letter of each character's shade, `-` for none; line ends stay."""
    from ..script.text.lexer import LoomLexer

    return "".join(
        re.sub(r"[^\r\n]", _letter(kind), piece)
        for _, kind, piece in LoomLexer().get_tokens_unprocessed(text)
    )


def _letter(kind: tuple[str, ...]) -> str:
    for length in range(len(kind), 0, -1):
        if kind[:length] in _SHADES:
            return _SHADES[kind[:length]]
    return "-"


def _painted(text: str, letters: str, seen: Callable[[str], str] = str) -> str:
    """`text` in colours; `letters` has at least one letter for each character. `seen`: makes it visible."""
    painted = []
    for letter, run in groupby(zip(text, letters, strict=False), key=lambda pair: pair[1]):
        piece = seen("".join(character for character, _ in run))
        painted.append(click.style(piece, **_STYLES[letter]) if letter in _STYLES else piece)
    return "".join(painted)


def fail(error: BaseException, *, verbose: bool, as_json: bool = False) -> int:
    """Print `error` as one sentence on standard error, and give its exit code.

    `as_json`: print it on standard output as well, as one JSON object.
    """
    from ..script.problems import ScriptRejected, summary

    code = getattr(error, "exit_code", 1)
    notes = (visible(note) for note in notes_of(error))
    say_painted("; ".join((f"stemloom: {worded(error, verbose=verbose)}", *notes)), err=True)
    if as_json:
        plain = str(error) if hasattr(error, "exit_code") else worded(error, verbose=False)
        record: dict[str, object] = {"ok": False, "exit": code, "error": plain}
        if isinstance(error, ScriptRejected):
            record["error"] = f"{error.file} is refused: {summary(error.problems)}"
            record["problems"] = [problem_record(problem) for problem in error.problems]
        say_painted(one_line(record))
    return code


def notes_of(error: BaseException | None) -> Sequence[str]:
    """What a command has to say beside an error that passed through it."""
    return getattr(error, "__notes__", ())


def worded(error: BaseException, *, verbose: bool) -> str:
    """`error` in a sentence that is made visible; `verbose`: prints the traceback of an internal fault.

    Our exceptions carry an `exit_code` and their own sentence. Errors of the disk are worded here. Any other
    exception is an internal fault, and is reported as one.
    """
    if hasattr(error, "exit_code"):
        return _sentence(error)
    if isinstance(error, OSError):
        return visible(_disk_sentence(error))
    if verbose:
        say("".join(traceback.format_exception(error)), err=True)
    return visible(
        f"a fault in Stemloom itself ({type(error).__name__}: {error}). "
        "Run the command with -v for the details that a report needs."
    )


def problem_record(problem: Problem) -> dict[str, Any]:
    """A problem of a script, as `--json` lists it; lines and columns from 1."""
    span: dict[str, Any] = _fields_of(problem.span)
    return picked(problem, "code severity") | span | picked(problem, "message hint")


def _sentence(error: BaseException) -> str:
    """The exception's own sentence; with a script's problems in colours, if they can be seen."""
    from ..script.problems import ScriptRejected, render

    words = str(error)
    if not isinstance(error, ScriptRejected):
        # A name of a file, or a word of a list, may hold what a terminal obeys, and a line that looks like
        # ours. Those lines of an error that are its own are indented.
        return "\n  ".join(map(visible, words.split("\n  ")))
    if not in_colour(sys.stderr):
        return words
    listed = render(error.problems, error.text, error.file).rstrip()
    return words.removesuffix(listed) + shown(error.problems, error.text, error.file)


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


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file as a whole or not at all; an OSError names `path`. `private`: for its owner alone."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        error.filename = os.fspath(path)  # the file that was asked for, not the one beside it
        raise
