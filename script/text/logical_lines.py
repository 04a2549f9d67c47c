"""Lines of tokens grouped into statements by their indentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..piece import Span
from ..problems import Problem, problem
from ..words import LINE_WORDS, STATEMENT_WORDS
from .tokens import TextLine, Token

_HEADS = frozenset(STATEMENT_WORDS)
_LINES = frozenset(LINE_WORDS)
_EVENTS = frozenset(("on", "after", "every", "if"))


@dataclass(slots=True)
class LogicalLine:
    """One statement as lines of tokens: the first, and those that continue it.

    `in_section`: it is a line of the section before it. `opens`: it is the head of a section, even if broken.
    `lines` includes the comment and blank lines between the others.
    """

    lines: list[TextLine]
    in_section: bool
    opens: bool = False
    fault: Problem | None = None
    tokens: list[Token] = field(default_factory=list)

    @property
    def word(self) -> str:
        """Its first word."""
        return _first_word(self.tokens)

    @property
    def span(self) -> Span:
        first, last = self.tokens[0].span, self.tokens[-1].span
        return Span(first.line, first.column, last.end_line, last.end_column)


def group(lines: Sequence[TextLine]) -> list[LogicalLine]:
    """The statements of a text. A deeper line continues its statement, but opens the block of a section.

    Indentation is compared as text, so that a tab never equals spaces.
    """
    found: list[LogicalLine] = []
    block: str | None = None
    head: LogicalLine | None = None
    waiting: list[TextLine] = []
    ahead = _indents_ahead(lines)
    for line in lines:
        if not line.tokens:
            waiting.append(line)
            continue
        word = _first_word(line.tokens)
        logical: LogicalLine | None = None
        if not line.indent:
            logical = LogicalLine([line], in_section=False, opens=word == "section")
            head, block = logical, None
        elif head is None:
            logical = LogicalLine([line], in_section=False)
            logical.fault = problem(
                "E014",
                _indent_span(line),
                "this line is indented, but there is nothing above it",
                "start it in column 1",
            )
            head = logical
        elif block is None and _opens_block(head, line):
            head.opens = head.opens or head.word not in _HEADS
            block = line.indent
            logical = LogicalLine([line], in_section=True)
            if not head.opens:
                logical.fault = problem(
                    "E015",
                    line.tokens[0].span,
                    f"`{word}` is not in any section",
                    "begin the block with a section, such as: section walk 8 bars",
                )
                head.opens = True
        elif block is not None and line.indent == block:
            logical = LogicalLine([line], in_section=True)
        elif block is not None and found[-2] is head and _first_is_odd(found[-1], line, ahead):
            first, block = found[-1], line.indent
            place = _indent_span(first.lines[0])
            first.fault = first.fault or problem("E014", place, *_misaligned(first.lines[0].indent, block))
            logical = LogicalLine([line], in_section=True)
        elif block is not None and not line.indent.startswith(block):
            logical = LogicalLine([line], in_section=True)
            logical.fault = problem("E014", _indent_span(line), *_misaligned(line.indent, block))
        if logical is None:
            found[-1].lines += [*waiting, line]
        else:
            found.append(logical)
        found[-1].tokens += line.tokens
        waiting = []
    return found


def _first_is_odd(first: LogicalLine, second: TextLine, ahead: Mapping[int, str]) -> bool:
    """Whether the first line of a block is too deep, rather than all later ones too shallow."""
    if not first.lines[0].indent.startswith(second.indent):
        return False
    return first.word not in _LINES or ahead.get(second.number) == second.indent


def _first_word(tokens: Sequence[Token]) -> str:
    """The first text that is not a stray character."""
    return next((token.text for token in tokens if token.fault is None), tokens[0].text)


def _indents_ahead(lines: Sequence[TextLine]) -> Mapping[int, str]:
    """For each line's number, the indentation of the next line with tokens."""
    ahead: dict[int, str] = {}
    indent = ""
    for line in reversed(lines):
        ahead[line.number] = indent
        if line.tokens:
            indent = line.indent
    return ahead


def _opens_block(head: LogicalLine, line: TextLine) -> bool:
    """Whether an indented line after `head` is a section's first line, rather than more of `head`."""
    if head.opens:
        return True
    word = _first_word(line.tokens)
    return word in _LINES and head.word not in _EVENTS


def _misaligned(indent: str, block: str) -> tuple[str, str]:
    if set(indent) != set(block):
        return (
            f"this line is indented with {_blanks(indent)}, its section with {_blanks(block)}",
            "indent all lines of a section alike; spaces are best",
        )
    return (
        f"this line is indented by {_blanks(indent)}, its section by {_blanks(block)}",
        "give it the same indentation as the lines above",
    )


def _blanks(indent: str) -> str:
    tabs, spaces = indent.count("\t"), indent.count(" ")
    words = [
        f"{count} {name}{'' if count == 1 else 's'}"
        for count, name in ((tabs, "tab"), (spaces, "space"))
        if count
    ]
    return " and ".join(words)


def _indent_span(line: TextLine) -> Span:
    return Span(line.number, 1, line.number, line.tokens[0].column)
