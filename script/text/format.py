"""The canonical text of a script: usual spacing, four spaces a level, comments and line breaks kept."""

from __future__ import annotations

from collections.abc import Sequence

from ..problems import ScriptRejected
from .logical_lines import LogicalLine
from .parse import reading
from .tokens import TextLine, canonical

_LEVEL = "    "


def format_text(text: str, file: str = "script") -> str:
    """`text` in canonical form; raises `ScriptRejected` if a statement in it cannot be read.

    Parsing the result gives an equal tree, and formatting it again changes nothing. A statement stays broken
    into lines where it was. Runs of blank lines become one; lines end with LF.
    """
    read = reading(text)
    if read.parsed.problems:
        raise ScriptRejected(read.parsed.problems, text, file)
    written: list[str] = []
    lines = iter(read.lines)
    in_block = False
    for logical in read.logical_lines:
        waiting: list[TextLine] = []
        for line in lines:
            if line is logical.lines[0]:
                break
            waiting.append(line)
        _between(written, waiting, in_block=in_block, next_in_block=logical.in_section)
        _statement(written, logical)
        for _ in logical.lines[1:]:
            next(lines)
        in_block = logical.in_section or logical.opens
    _between(written, list(lines), in_block=in_block, next_in_block=False)
    while written and not written[-1]:
        written.pop()
    return "".join(line + "\n" for line in written)


def _between(written: list[str], lines: Sequence[TextLine], *, in_block: bool, next_in_block: bool) -> None:
    """Comments and blank lines between two statements.

    A comment goes with the statement after it, unless it is indented at a section's end.
    """
    stays = in_block
    for line in lines:
        if line.comment is None:
            if written and written[-1]:
                written.append("")
            continue
        stays = stays and bool(line.indent)
        written.append((_LEVEL if next_in_block or stays else "") + line.comment)


def _statement(written: list[str], logical: LogicalLine) -> None:
    indent = _LEVEL if logical.in_section else ""
    for line in logical.lines:
        if line.tokens:
            comment = f"  {line.comment}" if line.comment else ""
            written.append(indent + canonical(line.tokens) + comment)
            if line is logical.lines[0]:
                indent += _LEVEL
        elif line.comment:
            written.append(indent + line.comment)
