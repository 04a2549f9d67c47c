"""Tokens: one scan of a text gives them with exact places, line by line, and they give canonical text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..piece import Span
from ..problems import Problem, problem
from .other_words import unclosed

_SCAN = re.compile(
    r"""
      (?P<newline> \r?\n )
    | (?P<blank>   [ \t]+ )
    | (?P<comment> (?<![^ \t\n\ufeff]) \# [^\n]* )
    | (?P<string>  "[^"\r\n]*" )
    | (?P<number>  [0-9]+ (?: \.[0-9]+ )? )
    | (?P<word>    [A-G]\#\w*(?![\w#]) | [^\W\d]\w* )
    | (?P<symbol>  -> | \.\. | [<>=!]= | [-+*/<>=():,%] )
    | (?P<open>    "[^"\r\n]* )
    | (?P<bad>     . )
    """,
    re.VERBOSE | re.DOTALL,
)

_TURNS = r"\u202a-\u202e\u2066-\u2069"
"""Characters that reverse the direction of what follows, so that a text is not what it looks like."""

_CONTROL = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ud800-\udfff{_TURNS}]|\r(?!\n)")

_UNSEEN_LETTERS = re.compile("[\u115f\u1160\u3164\uffa0]")
"""Characters that Unicode counts as letters, but that are blank."""

_PASTED = {
    **dict.fromkeys("“”„‟«»″", 'write a straight quote: "'),
    **dict.fromkeys("‘’‚‛′", 'write a straight quote: "'),
    **dict.fromkeys("‐‑‒–—―−", "write a plain minus: -"),
    **dict.fromkeys("→⟶➔⇒", "write an arrow as ->"),
    **dict.fromkeys("…‥", "write a range with two dots: .."),
    **dict.fromkeys("×∗", "write *"),
    **dict.fromkeys("÷", "write /"),
    **dict.fromkeys("≤", "write <="),
    **dict.fromkeys("≥", "write >="),
    **dict.fromkeys("≠", "write !="),
    **dict.fromkeys("％", "write %"),
    **dict.fromkeys("♯", "write a sharp as # right after its note: F#"),
    **dict.fromkeys("♭", "write a flat as b right after its note: Bb"),
    **dict.fromkeys(["\u00a0", *map(chr, range(0x2000, 0x200B)), "\u202f", "\u3000"], "write a plain space"),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\u00ad", "delete it: it is invisible"),
}  # fmt: skip
"""Characters that word processors and web pages put in place of plain ones, with the advice."""

_TIGHT_BEFORE = frozenset((",", ":", ")", "%", ".."))
_TIGHT_AFTER = frozenset(("(", ".."))

_MOST_DIGITS = 30

_UNSEEN = {c for c in _PASTED if c.isspace() or not c.isprintable()}


@dataclass(slots=True)
class Token:
    """One word, number, quoted text or sign.

    `kind`: `word`, `number`, `string`, `symbol`, or `bad` with its `fault`. `type`: the grammar's name for
    it, set while parsing, since a word's meaning depends on its place. `start_pos`, `end_pos`: offsets in
    the text; these and the place have the names that Lark looks for.
    """

    kind: str
    text: str
    line: int
    column: int
    start_pos: int
    type: str = ""
    fault: Problem | None = None

    @property
    def end_line(self) -> int:
        return self.line

    @property
    def end_column(self) -> int:
        return self.column + len(self.text)

    @property
    def end_pos(self) -> int:
        return self.start_pos + len(self.text)

    @property
    def span(self) -> Span:
        return Span(self.line, self.column, self.line, self.column + len(self.text))


@dataclass(slots=True)
class TextLine:
    """One line of the text. `comment` starts with its `#`; `None` if there is none."""

    number: int
    indent: str = ""
    tokens: list[Token] = field(default_factory=list)
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    lines: Sequence[TextLine]
    problems: Sequence[Problem]
    """Faults in comments; other faults are on their `bad` tokens."""
    whole: bool
    """Whether all of the text was read."""


def scan(text: str, most: int | None = None) -> Scan:
    """The lines of `text`, split at LF and CRLF only. A byte order mark at its start is skipped.

    `most`: the number of tokens after which reading stops, if there are more.
    """
    lines = [TextLine(1)]
    problems: list[Problem] = []
    count = 0
    line = lines[0]
    line_start = 0
    start = 1 if text.startswith("\ufeff") else 0
    if start:
        line_start = 1
    for match in _SCAN.finditer(text, start):
        kind = match.lastgroup
        assert kind is not None
        position = match.start()
        if kind == "newline":
            line = TextLine(line.number + 1)
            lines.append(line)
            line_start = match.end()
            continue
        if kind == "blank":
            if position == line_start:
                line.indent = match.group()
            continue
        column = position - line_start + 1
        if count == most and kind != "comment":
            return Scan(lines, problems, whole=False)
        if kind == "comment":
            line.comment = match.group().rstrip()
            fault = _control(match.group().removesuffix("\r"), line.number, column)
            if fault:
                problems.append(fault)
            continue
        token = Token(kind, match.group(), line.number, column, position)
        if kind == "bad" or kind == "open":
            token.kind = "bad"
            token.fault = _fault(text, token, played=bool(line.tokens) and line.tokens[0].text == "play")
        elif kind == "string":
            token.fault = _control(token.text, line.number, column)
        elif kind == "word" and not token.text.isascii():
            token.fault = _unseen(token)
        elif kind == "number" and len(token.text) > _MOST_DIGITS:
            token.fault = problem("E028", token.span, f"a number has at most {_MOST_DIGITS} digits")
        line.tokens.append(token)
        count += 1
    return Scan(lines, problems, whole=True)


def _control(text: str, line: int, column: int) -> Problem | None:
    match = _CONTROL.search(text)
    if match is None:
        return None
    start, character = column + match.start(), match.group()
    hint = "delete it: a script is plain text"
    if character == "\r":
        hint = "a line ends with LF or CRLF"
    elif character > "\u2000" and character < "\u2070":
        hint = "delete it: it reverses the direction of the text, so that what is read is not what is seen"
    message = f"there is a control character (U+{ord(character):04X}) here"
    return problem("E001", Span(line, start, line, start + 1), message, hint)


def _unseen(token: Token) -> Problem | None:
    match = _UNSEEN_LETTERS.search(token.text)
    if match is None:
        return None
    start = token.column + match.start()
    message = f"there is an invisible letter (U+{ord(match.group()):04X}) here"
    return problem("E002", Span(token.line, start, token.line, start + 1), message, "delete it")


def _fault(text: str, token: Token, *, played: bool) -> Problem:
    """The mistake of a character that begins no token. `played`: in a line that plays a pattern."""
    character = token.text[0]
    control = _control(character, token.line, token.column)
    if control:
        return control
    pasted = _PASTED.get(character)
    if pasted:
        name = f"U+{ord(character):04X}" if character in _UNSEEN else f"`{character}`"
        return problem(
            "E002", token.span, f"the typographic character {name} is not part of the language", pasted
        )
    if character == '"':
        return problem("E004", token.span, *unclosed(token.text, pattern=played))
    before = text[token.start_pos - 1 : token.start_pos]
    after = text[token.end_pos : token.end_pos + 1]
    if character == "." and (before.isdecimal() or after.isdecimal()):
        message = "a number needs digits on both sides of its dot"
        return problem("E005", token.span, message, "write 0.5 or 5.0; a range has two dots: 1..5")
    hint = _plainly(character)
    if character == "." and before in ("x", "X", "."):
        hint = 'a pattern stands in quotes: "x... x..."'
    elif character == "#":
        hint = "a comment needs a space before its #; a sharp follows its note without one: F# minor"
    elif character == "'":
        hint = 'names are quoted with "'
    elif character == ";":
        hint = "each statement has its own line"
    elif character in "[]{}":
        hint = "there are no brackets; numbers are grouped with ( )"
    elif character in "&|":
        hint = "write `and` or `or`"
    return problem("E003", token.span, f"`{character}` is not part of the language", hint)


def _plainly(character: str) -> str | None:
    """The advice for a character outside the language, or `None` if there is none."""
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and plain.isascii() and plain.isprintable() and plain.strip():
        return f"write a plain {plain}"
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return f"write {digit}"
    if unicodedata.combining(character):
        return "write the letter and its accent as one character"
    return None if character.isprintable() else f"delete it: U+{ord(character):04X} is invisible"


def canonical(tokens: Sequence[Token]) -> str:
    """Parsed tokens in one line: one space between them but where none is usual."""
    written: list[str] = []
    before: Token | None = None
    for token in tokens:
        if before is not None and _spaced(before, token):
            written.append(" ")
        written.append(token.text)
        before = token
    return "".join(written)


def _spaced(before: Token, token: Token) -> bool:
    if before.type == "SIGN" or token.type == "TIGHT" or before.type == "TIGHT":
        return False
    return token.text not in _TIGHT_BEFORE and before.text not in _TIGHT_AFTER
