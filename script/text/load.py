"""Script files: read whole as UTF-8, or refused with the reason."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from ..piece import Span
from ..problems import ScriptRejected, problem
from ..words import MOST_BYTES
from .parse import too_large


class ScriptNotFound(Exception):
    """There is no script file of that name, or it cannot be read."""

    exit_code = 2


def load(path: str | Path) -> str:
    """The text of the script file at `path`; `-` is standard input.

    Raises `ScriptNotFound` if there is no such file, and `ScriptRejected` for one that is not UTF-8 or has
    more than 256 KiB, of which it reads no more. Line endings stay as they are.
    """
    name = str(path)
    if name == "-":
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
        return text_of(data, len(data), "standard input")
    file = Path(path)
    try:
        with open(file, "rb", opener=_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ScriptNotFound(f"{name!r} is {_kind(status.st_mode)}")
            size = status.st_size
            data = (stream.read(MOST_BYTES + 1) or b"") if size <= MOST_BYTES else b""
    except FileNotFoundError:
        raise ScriptNotFound(f"there is no script {name!r}{_nearby(file)}") from None
    except ValueError:
        raise ScriptNotFound(f"{name!r} is not a file name") from None
    except OSError as error:
        if file.is_dir():
            raise ScriptNotFound(f"{name!r} is {_kind(stat.S_IFDIR)}") from None
        raise ScriptNotFound(f"the script {name!r} cannot be read: {error.strerror}") from None
    return text_of(data, max(size, len(data)), name)


def _at_once(path: str, flags: int) -> int:
    """Opens a file, without waiting for a writer if it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode: int) -> str:
    """What a path names that is not a file, and what to do instead."""
    if stat.S_ISDIR(mode):
        return "a folder; name the script file in it"
    if stat.S_ISFIFO(mode):
        return "a pipe, not a file; to read from one, give - and send it to standard input"
    return "a device, not a file; to read from one, give - and send it to standard input"


def text_of(data: bytes, size: int, name: str) -> str:
    """`data` decoded as UTF-8. `size`: of the whole file, in bytes; `name`: of the file."""
    if size > MOST_BYTES:
        raise ScriptRejected([too_large(size)], "", name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode("utf-8")) + 1
        hint = "save the file as UTF-8 text"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "it looks like UTF-16; " + hint
        elif b"\0" in data[:1024]:
            hint = "it looks like a sound or another binary file; name a .loom text"
        refused = problem(
            "E007",
            Span(line, column, line, column + 1),
            f"the file is not UTF-8 text: byte {data[error.start]:#04x} is here",
            hint,
        )
        raise ScriptRejected([refused], data.decode("utf-8", "replace"), name) from None


def _nearby(file: Path) -> str:
    """A hint if there is such a file with the suffix that was left out."""
    candidate = file.with_name(file.name + ".loom") if file.name else file
    return f"; did you mean {str(candidate)!r}?" if candidate.is_file() else ""


def save(path: str | Path, text: str) -> None:
    """Replace the file at `path` by one with `text`; after a crash either the old or the new one is there.

    The file keeps its mode. A symbolic link stays, and its target is replaced.
    """
    file = Path(path).resolve()
    mode = file.stat().st_mode
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, mode & 0o7777)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
