"""Names of files as they may be printed: nothing in them steers a terminal or breaks a line."""

from __future__ import annotations

import os


def visible(name: str | os.PathLike[str]) -> str:
    r"""The name with escapes for what does not print: `\n`, `\x1b`, and `\xff` for a byte outside UTF-8."""
    return "".join(c if c.isprintable() else _escape(c) for c in os.fspath(name))


def visible_text(text: str) -> str:
    """A text of several lines in the same way; line ends and tabs stay."""
    return "".join(c if c in "\n\t" else visible(c) for c in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
