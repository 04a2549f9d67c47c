"""A Pygments lexer of the language, which types each word as the parser does at its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from pygments.lexer import Lexer
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from ..words import MOST_STATEMENT_TOKENS, UNITS
from .lalr import SyntaxMistake, read, words_of_grammar
from .logical_lines import LogicalLine, group
from .tokens import Token, scan

Fragment = tuple[int, Any, str]
"""Its start in the text, its Pygments token type, and its text."""

_BETWEEN = re.compile(r"#[^\n]*|[^#]+")

_STEPS = re.compile(r'(")|([xo]+)|(X+)|(\.+)|([1-9]+)|( +)|[^"xoX.1-9 ]+')
_STEP_KINDS = (Error, String.Delimiter, String.Symbol, String.Escape, Punctuation, Number.Integer, Whitespace)
"""The type of each group in `_STEPS`; first the type of characters that are no steps."""

_JOINING = frozenset(("and", "or", "not"))
_PUNCTUATION = frozenset("(),:")


class LoomLexer(Lexer):  # type: ignore[misc]
    """Colours scripts for programs that use Pygments, which find it as `loom` or by `*.loom`.

    A word that may be a name is a keyword only where the grammar expects it. After the first word that does
    not fit its statement, all words of the grammar are keywords. Lines of a section are known outside
    sections too, so that they can be shown without their head.
    """

    name = "Loom"
    aliases = ("loom",)
    filenames = ("*.loom",)
    mimetypes = ("text/x-loom",)

    def get_tokens_unprocessed(self, text: str) -> Iterator[Fragment]:
        """The fragments of any `text`, which joined give `text` again. Never raises.

        The time is linear in the length of the text.
        """
        keywords = frozenset(words_of_grammar().values())
        done = 0
        for logical in group(scan(text).lines):
            _set_types(logical, keywords)
            steps = logical.word in ("play", "trigger")
            before: Token | None = None
            for token in logical.tokens:
                yield from _between(text, done, token.start_pos)
                if steps and token.kind == "string" and (before is None or before.text != "notes"):
                    yield from _pattern(token)
                else:
                    kind = _kind(token, before, keywords)
                    first = before is None and kind is Keyword
                    yield token.start_pos, Keyword.Declaration if first else kind, token.text
                done = token.end_pos
                before = token
        yield from _between(text, done, len(text))


def _set_types(logical: LogicalLine, keywords: frozenset[str]) -> None:
    """Let the parser type the tokens of a statement, up to the first that does not fit.

    No more tokens are read than a statement may have, since deep nesting makes the parser slow.
    """
    tokens = list(takewhile(lambda token: token.fault is None, logical.tokens[:MOST_STATEMENT_TOKENS]))
    if not tokens or tokens[0].text not in keywords:
        return
    for start in ("line", "statement") if logical.in_section else ("statement", "line"):
        mistake = read(tokens, start, explain=False)
        if not isinstance(mistake, SyntaxMistake) or mistake.token is None:
            return
        mistake.token.type = ""
        if mistake.token is not tokens[0]:
            return


def _kind(token: Token, before: Token | None, keywords: frozenset[str]) -> Any:
    """The Pygments type of a token: by its parser type, or by its text if it has none."""
    if token.kind == "bad":
        return Error
    if token.kind == "string":
        return String.Double
    if token.kind == "number":
        return Number.Float if "." in token.text else Number.Integer
    counted = before is not None and before.kind == "number"
    if token.type == "UNIT" or (not token.type and counted and token.text in UNITS):
        return Keyword.Type
    if token.kind == "symbol":
        return Punctuation if token.text in _PUNCTUATION else Operator
    if token.type == "NAME" or token.text not in keywords:
        return Name
    return Operator.Word if token.text in _JOINING else Keyword


def _pattern(token: Token) -> Iterator[Fragment]:
    """A step string: its hits, accents, rests and chances."""
    for match in _STEPS.finditer(token.text):
        yield token.start_pos + match.start(), _STEP_KINDS[match.lastindex or 0], match.group()


def _between(text: str, start: int, end: int) -> Iterator[Fragment]:
    """The blanks, line ends and comments between two tokens."""
    for match in _BETWEEN.finditer(text, start, end):
        position, found = match.start(), match.group()
        if found[0] == "#":
            comment = found.rstrip()
            yield position, Comment.Single, comment
            position, found = position + len(comment), found[len(comment) :]
        if found:
            yield position, Whitespace, found
