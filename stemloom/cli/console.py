"""The one place through which commands print: what comes from others cannot steer a terminal.

A console that has not every character gets what it has, and `?` for the rest.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..ground.visible import is_seen, visible_text

_ASCII = "stemloom_ascii"


def suit_console() -> None:
    """Have standard output and standard error write `?` for what they cannot show, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Click takes a stream in ASCII for one that is set up wrongly, and writes UTF-8 to it.
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if ascii_only else None, errors="replace")


def say(text: str, *, err: bool = False) -> None:
    """Print lines on standard output or standard error, with escapes for whatever does not print."""
    click.echo(visible_text(text), err=err)


def say_painted(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print lines that hold escape codes of our own; what is of others in them was made visible before."""
    click.echo(text, err=err, nl=nl)


def give(data: str) -> None:
    """Write a file's text to standard output: to the byte where that is a file or a pipe, else as `say`."""
    click.echo(visible_text(data) if sys.stdout.isatty() else data.encode(), nl=False)


def escaped(text: str) -> str:
    """A line of JSON, with escapes for what JSON lets stand and a terminal obeys or hides."""
    return "".join(c if is_seen(c) else json.dumps(c)[1:-1] for c in text)


def one_line(record: Mapping[str, Any], default: Callable[[object], Any] | None = None) -> str:
    """The record as JSON. What standard output cannot write stands there as an escape, so nothing is lost.

    `default`: gives what is written for an object that JSON does not know.
    """
    text = escaped(json.dumps(record, ensure_ascii=False, default=default))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(record, default=default)
    return text


def _ascii(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode,
        known.decode,
        incrementalencoder=known.incrementalencoder,
        incrementaldecoder=known.incrementaldecoder,
        name=_ASCII,
    )


codecs.register(_ascii)
