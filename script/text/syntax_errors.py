"""Messages and hints for a statement that does not fit the grammar."""

from __future__ import annotations

import re

from ...ground.pitch import NOTES
from ...ground.uses import USES
from ..piece import Span
from ..problems import Problem, did_you_mean, listed, problem, short
from ..words import FORMS, LINE_WORDS, RESERVED, STATEMENT_WORDS, UNITS
from .lalr import SyntaxMistake, words_of_grammar
from .logical_lines import LogicalLine
from .other_words import (
    SONG,
    STARTING,
    first_of_a_line,
    in_a_line,
    in_a_move,
    in_a_pool,
    in_a_section,
    of_a_section,
)
from .tokens import Token

_OPERATORS = frozenset(("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"))
_MODIFIERS = frozenset(("chance", "gain", "pan", "reverse"))
_CLAUSES = frozenset(
    (
        "role",
        "mood",
        "holder",
        "set",
        "energy",
        "tempo",
        "key",
        "never",
        "prefer",
        "max",
        "weight",
        "not",
        "named",
        "song",
    )
)
"""The first words of a pool's clauses."""
_MINOR = frozenset(("m", "min", "minor"))
_MOST_LISTED = 6


def stray_first_word(logical: LogicalLine, *, explain: bool) -> Problem | None:
    """The mistake of a statement whose first word begins no statement, or none that belongs there."""
    first = logical.tokens[0]
    word = first.text
    if word in (LINE_WORDS if logical.in_section else STATEMENT_WORDS):
        return None
    if logical.in_section and word in STATEMENT_WORDS:
        return problem(
            "E015",
            first.span,
            f"`{word}` does not belong inside a section",
            of_a_section(word) or "start this line in column 1",
        )
    if word in LINE_WORDS:
        return problem("E015", first.span, f"`{word}` is not in any section", "indent it below its section")
    known = LINE_WORDS if logical.in_section else STATEMENT_WORDS
    hint = SONG if word == "song" else None
    if explain and hint is None:
        hint = first_of_a_line(word) if logical.in_section else None
        hint = hint or _lost_first_word(logical) or did_you_mean(word, known, "`", least=0.7)
    what = "a line of a section" if logical.in_section else "a statement"
    if hint is None:
        hint = f"{what} begins with " + listed([f"`{w}`" for w in known])
    return problem("E013", first.span, f"`{short(word)}` does not begin {what}", hint)


def _lost_first_word(logical: LogicalLine) -> str | None:
    """A move or a pool that begins with a name."""
    second, third = ([token.text for token in logical.tokens[1:3]] + ["", ""])[:2]
    if logical.in_section or logical.tokens[0].kind != "word":
        return None
    if second == "->" or (second, third) == ("=", ">"):
        return "a move begins with `move` and has an arrow: move a -> b at end"
    return f"a pool begins with `pool`: {FORMS['pool']}" if second == "=" else None


def explained(logical: LogicalLine, mistake: SyntaxMistake) -> Problem:
    """The mistake at the first token that does not fit the grammar, or at the end."""
    expected = _expectations(mistake.expected)
    form = FORMS[logical.word]
    if mistake.token is None:
        last = logical.tokens[-1].span
        place = Span(last.end_line, last.end_column, last.end_line, last.end_column + 1)
        hint = _sharp_hint(logical) or _amount_hint(logical) or _glide_hint(logical, mistake.expected)
        hint = hint or f"such as: {form}"
        if logical.word == "section" and any(each.text == "starting" for each in logical.tokens[3:]):
            hint = STARTING
        return problem("E012", place, "this ends too early" + (f": {expected}" if expected else ""), hint)
    token = mistake.token
    hint = _hint(logical, token, mistake.expected) or f"such as: {form}"
    message = f"`{short(token.text)}` does not fit here"
    if token.kind == "word" and token.text in RESERVED and "NAME" in mistake.expected:
        message = f"`{token.text}` is a word of the language and cannot be a name here"
    return problem("E011", token.span, message + (f": {expected}" if expected else ""), hint)


def _glide_hint(logical: LogicalLine, expected: tuple[str, ...]) -> str | None:
    """A glide without its length."""
    words = [token.text for token in logical.tokens]
    if expected != ("OVER",) or "->" not in words:
        return None
    return f"a glide says how long it takes, such as: {' '.join(words[words.index('->') :])} over 4 bars"


def _hint(logical: LogicalLine, token: Token, expected: tuple[str, ...]) -> str | None:
    index = next(i for i, t in enumerate(logical.tokens) if t is token)
    before = logical.tokens[index - 1] if index else _NOTHING_BEFORE
    words = [each.text for each in logical.tokens]
    if "starting" in words[: index + 1] and (token.text == "starting" or logical.word == "section"):
        return STARTING
    if token.text == "song":
        return SONG
    if index and token.line != before.line and token.text in FORMS:
        return (
            "a deeper line continues the one above; give it the same indentation to make it a line of its own"
        )
    if logical.word == "on" and before.text in ("like", "dislike") and token.kind == "symbol":
        said = f"`on {before.text}` is a gesture; compare with a dial of that name on the right:"
        return f"{said} on 0.5 < {before.text}: ..."
    if index > 1 and before.text == "-" and token.kind == "word":
        first = logical.tokens[index - 2]
        if first.kind == "word" and first.end_pos == before.start_pos and before.end_pos == token.start_pos:
            return f"a name is one word: {short(first.text)}_{short(token.text)}"
    if logical.word == "trigger" and token.text == "from":
        return 'nobody hears a trigger, so it has no pool: trigger kick "x...x..."'
    if logical.word == "piece" and "COMMA" in expected:
        return f"a piece is for uses, with commas between: {listed(USES)}"
    hint = None
    if logical.word == "pool":
        hint = in_a_pool(words, index) or _pool_hint(logical, index, expected)
    elif logical.in_section:
        hint = in_a_line(words, index)
    elif logical.word == "section":
        hint = in_a_section(words, index)
    elif logical.word == "move":
        hint = in_a_move(words, index)
    return hint or _word_hint(logical, index, expected)


_NOTHING_BEFORE = Token("word", "", 1, 1, 0)


def _pool_hint(logical: LogicalLine, index: int, expected: tuple[str, ...]) -> str | None:
    token, before = logical.tokens[index], logical.tokens[max(index - 1, 0)]
    first = before.text in ("loops", "hits", "slices")
    if first and token.kind == "word":
        near = did_you_mean(token.text, _CLAUSES, "`", least=0.7)
        return near or f"say what they have, such as: {before.text} mood {short(token.text)}"
    if token.text in _CLAUSES and "COMMA" in expected:
        return f"a comma separates the conditions of a pool: , {token.text}"
    if token.text == "share":
        return f"this is a statement of its own: {FORMS['share']}"
    if first and token.text == ",":
        return f"there is no comma before the first condition of a pool: {before.text} role bass, key fits"
    if index > 1 and before.text == "," and token.kind == "word":
        value = logical.tokens[index - 2].text
        near = did_you_mean(token.text, _CLAUSES, "`", least=0.75)
        return near or f"alternatives are joined by `or`: {value} or {short(token.text)}"
    return None


def _word_hint(logical: LogicalLine, index: int, expected: tuple[str, ...]) -> str | None:
    token, before = logical.tokens[index], logical.tokens[index - 1] if index else _NOTHING_BEFORE
    words = words_of_grammar()
    if logical.word == "chords" and token.kind == "word" and "COMMA" in expected:
        return f"a comma separates chords: {short(before.text)}, {short(token.text)}"
    if token.kind == "word":
        near = [words[name] for name in expected if name in words and words[name].isalpha()]
        if "UNIT" in expected:
            near += UNITS
        hint = did_you_mean(token.text, near, "`")
        if hint:
            return hint
        named = bool(index) and before.kind == "word" and before.text not in UNITS
        if named and not logical.in_section and {"COMMA", "$END"} & set(expected):
            return "a name of several words needs quotes"
    if token.text == "/" and logical.tokens[index + 1 : index + 2] and logical.tokens[index + 1].text == "/":
        return "a comment begins with #"
    compares = logical.word == "on" or "when" in (each.text for each in logical.tokens[:index])
    if token.text == "=" and compares and "NUMBER" not in expected:
        return "compare with =="
    return None


def _amount_hint(logical: LogicalLine) -> str | None:
    """`to room`: the amount is missing."""
    before, last = [_NOTHING_BEFORE, *logical.tokens][-2:]
    return f"such as: to {short(last.text)} 30%" if before.text == "to" and last.kind == "word" else None


def _sharp_hint(logical: LogicalLine) -> str | None:
    """`A # minor`: what follows the space and # is a comment. `A#minor`: the mode is not apart."""
    last = logical.tokens[-1]
    mode = re.fullmatch(r"([A-G][#b]?)(maj|major|min|minor|m)", last.text)
    if mode and logical.tokens[0].text == "key":
        return f"the mode is a word of its own: {mode[1]} {'minor' if mode[2] in _MINOR else 'major'}"
    comment = logical.lines[-1].comment
    if comment and last.text in NOTES:
        sharp = re.match(r"#\s*(major|minor)\b", comment)
        if sharp:
            return f"# after a space begins a comment; write it right after its note: {last.text}# {sharp[1]}"
    return None


def _expectations(expected: tuple[str, ...]) -> str:
    words = words_of_grammar()
    kinds = []
    if "NAME" in expected:
        kinds.append("a dial" if "NUMBER" in expected else "a name")
    if "STRING" in expected:
        kinds.append('a "quoted text"')
    if "NUMBER" in expected:
        kinds.append("a number")
    if "UNIT" in expected:
        kinds.append("a unit")
    spelled = sorted(words[name] for name in expected if name in words)
    rest = [w for w in spelled if w not in _OPERATORS and w not in ("(", ")")]
    operators = len(spelled) - len(rest)
    if "MINUS" in expected and "NUMBER" in expected:
        operators = 0
    if _MODIFIERS & set(rest) and len(rest) > _MOST_LISTED:
        rest = []
        kinds.append("a modifier such as `at bar 5` or `over 4 bars`")
    if {"PLUS", "STAR"} & set(expected) and operators:
        kinds.append("a calculation or comparison")
    if ")" in spelled and "RPAR" in expected:
        kinds.append("`)`")
    kinds += [f"`{word}`" for word in rest]
    if "$END" in expected:
        kinds.append("the end of the line")
    if not kinds or len(kinds) > _MOST_LISTED + 3:
        return ""
    return "expected " + listed(kinds)
