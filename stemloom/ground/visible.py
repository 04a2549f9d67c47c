"""Texts of others as they may be printed: nothing in them steers a terminal, hides, or breaks a line."""

from __future__ import annotations

import os

_UNSEEN = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0, *range(0xE0100, 0xE01F0)]
)
"""Letters and marks that Unicode counts among those that print, and that show nothing."""


def is_seen(character: str) -> bool:
    """Whether a character prints as itself: no control, no override of direction, nothing without a width.

    The no-break space does: amounts of money have it in them.
    """
    return character == "\u00a0" or (character.isprintable() and ord(character) not in _UNSEEN)


def visible(name: str | os.PathLike[str]) -> str:
    r"""The name with escapes for what does not print: `\n`, `\x1b`, and `\xff` for a byte outside UTF-8."""
    return "".join(c if is_seen(c) else _escape(c) for c in os.fspath(name))


def visible_text(text: str) -> str:
    """A text of several lines in the same way; line ends stay."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
