"""The characters that no text of an entry may hold: those that steer a terminal, or break or turn a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029"
_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Those that change the direction of what follows, so that a line shows another text than it holds."""
_found = re.compile(f"[{_CONTROLS}{_TURNING}]").search


def plain(data: bytes) -> bool:
    """Whether the canonical bytes of one entry or of many hold no such character for certain.

    JSON escapes control characters with a backslash, and quotes in the same way.
    """
    return b"\\" not in data and b"\x7f" not in data and data.isascii()


def check_printing(data: bytes) -> str | None:
    """What is wrong with the texts of an entry, from its canonical bytes; None if nothing is."""
    if plain(data):
        return None
    for name, value in msgspec.json.decode(data).items():
        for text in _texts(value):
            found = _found(text)
            if found is not None:
                return f"its {name} has the character U+{ord(found.group()):04X}, which cannot be printed"
    return None


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)
