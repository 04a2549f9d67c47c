"""Writing to a console that has not every character: it gets what it has, and `?` for the rest."""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

_ASCII = "stemloom_ascii"


def suit_console() -> None:
    """Have standard output and standard error write `?` for what they cannot show, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Click takes a stream in ASCII for one that is set up wrongly, and writes UTF-8 to it.
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if ascii_only else None, errors="replace")


def one_line(record: Mapping[str, Any], default: Callable[[object], Any] | None = None) -> str:
    """The record as JSON. What standard output cannot write stands there as an escape, so nothing is lost.

    `default`: gives what is written for an object that JSON does not know.
    """
    text = json.dumps(record, ensure_ascii=False, default=default)
    # JSON lets these stand as they are, and a terminal obeys some of them.
    text = re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)
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
