"""Words for a statement that the grammar does not take."""

from __future__ import annotations

import re

from ...ground.pitch import NOTES
from ...ground.uses import USES
from ..piece import Span
from ..problems import Problem, did_you_mean, problem, short
from ..words import FORMS, LINE_WORDS, RESERVED, STATEMENT_WORDS, UNITS
from .lalr import Misfit, words_of_grammar
from .logical_lines import Raw
from .tokens import Token

_OPERATORS = frozenset(("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"))
_MODIFIERS = frozenset(("chance", "gain", "pan", "when", "reverse"))
_CLAUSES = frozenset(
    ("role", "mood", "holder", "set", "energy", "tempo", "key", "never", "prefer", "max", "weight", "not")
)
"""What begins each thing that a pool asks for."""
_MOST_LISTED = 6


def stray_first_word(raw: Raw, *, explain: bool) -> Problem | None:
    """The mistake of a statement whose first word begins none, or none that may stand there."""
    first = raw.tokens[0]
    word = first.text
    if word in (LINE_WORDS if raw.in_section else STATEMENT_WORDS):
        return None
    if raw.in_section and word in STATEMENT_WORDS:
        return problem(
            "E015", first.span, f"`{word}` does not stand inside a section", "start this line in column 1"
        )
    if word in LINE_WORDS:
        return problem("E015", first.span, f"`{word}` stands in no section", "indent it below its section")
    known = LINE_WORDS if raw.in_section else STATEMENT_WORDS
    hint = None
    if explain:
        hint = _lost_first_word(raw) or did_you_mean(word, known, "`", least=0.7)
    what = "a line of a section" if raw.in_section else "a statement"
    if hint is None:
        hint = f"{what} begins with " + listed([f"`{w}`" for w in known])
    return problem("E013", first.span, f"`{short(word)}` does not begin {what}", hint)


def _lost_first_word(raw: Raw) -> str | None:
    """A move or a pool that begins with a name."""
    second, third = ([token.text for token in raw.tokens[1:3]] + ["", ""])[:2]
    if raw.in_section or raw.tokens[0].kind != "word":
        return None
    if second == "->" or (second, third) == ("=", ">"):
        return "a move begins with its word and has its arrow: move a -> b at end"
    return f"a pool begins with its word: {FORMS['pool']}" if second == "=" else None


def explained(raw: Raw, misfit: Misfit) -> Problem:
    """The mistake at the token (or at the end) where a statement stops to fit the grammar."""
    expected = _expectations(misfit.expected)
    form = FORMS[raw.word]
    if misfit.token is None:
        last = raw.tokens[-1].span
        place = Span(last.end_line, last.end_column, last.end_line, last.end_column + 1)
        hint = _sharp_hint(raw) or _amount_hint(raw) or f"such as: {form}"
        return problem("E012", place, "this ends too early" + (f": {expected}" if expected else ""), hint)
    token = misfit.token
    hint = _hint(raw, token, misfit.expected) or f"such as: {form}"
    message = f"`{short(token.text)}` does not fit here"
    if token.kind == "word" and token.text in RESERVED and "NAME" in misfit.expected:
        message = f"`{token.text}` is a word of the language and cannot be a name here"
    return problem("E011", token.span, message + (f": {expected}" if expected else ""), hint)


def _hint(raw: Raw, token: Token, expected: tuple[str, ...]) -> str | None:
    index = next(i for i, t in enumerate(raw.tokens) if t is token)
    before = raw.tokens[index - 1] if index else None
    if before is not None and token.line != before.line and token.text in FORMS:
        return (
            "a deeper line continues the one above; give it the same indentation to make it a line of its own"
        )
    words = words_of_grammar()
    if (
        raw.word == "on"
        and before is not None
        and before.text in ("like", "dislike")
        and token.kind == "symbol"
    ):
        gesture = before.text
        return (
            f"`on {gesture}` is a gesture; a dial of that name stands on the right: on 0.5 < {gesture}: ..."
        )
    if index > 1 and before is not None and before.text == "-" and token.kind == "word":
        first = raw.tokens[index - 2]
        if first.kind == "word" and first.end_pos == before.start_pos and before.end_pos == token.start_pos:
            return f"a name is one word: {short(first.text)}_{short(token.text)}"
    if (
        raw.word == "pool"
        and before is not None
        and before.text in ("loops", "hits")
        and token.kind == "word"
    ):
        near_clause = did_you_mean(token.text, _CLAUSES, "`", least=0.7)
        return near_clause or f"say what they have, such as: {before.text} mood {short(token.text)}"
    if raw.word == "piece" and "COMMA" in expected:
        return f"a piece is for uses, with commas between: {listed(list(USES))}"
    if raw.word == "pool" and token.text in _CLAUSES and "COMMA" in expected:
        return f"a comma stands between what a pool asks for: , {token.text}"
    if raw.word == "pool" and token.text == "share":
        return f"this is a statement of its own: {FORMS['share']}"
    if raw.word == "pool" and token.text == "," and before is not None and before.text in ("loops", "hits"):
        return f"no comma stands before the first that a pool asks for: {before.text} role bass, key fits"
    if (
        raw.word == "pool"
        and index > 1
        and before is not None
        and before.text == ","
        and token.kind == "word"
    ):
        value = raw.tokens[index - 2].text
        near_clause = did_you_mean(token.text, _CLAUSES, "`", least=0.75)
        return near_clause or f"what may be this or that is joined by `or`: {value} or {short(token.text)}"
    if token.kind == "word":
        near = [words[name] for name in expected if name in words and words[name].isalpha()]
        if "UNIT" in expected:
            near += UNITS
        hint = did_you_mean(token.text, near, "`")
        if hint:
            return hint
        named = before is not None and before.kind == "word" and before.text not in UNITS
        if named and {"COMMA", "$END"} & set(expected):
            return "a name of several words is quoted"
    if token.text == "/" and raw.tokens[index + 1 : index + 2] and raw.tokens[index + 1].text == "/":
        return "a comment begins with #"
    if token.text == "=" and words_of_grammar().get("__ANON_0") and "NUMBER" not in expected:
        return "compare with =="
    return None


def _amount_hint(raw: Raw) -> str | None:
    """`to room`: how much of it is missing."""
    before, last = [Token("word", "", 1, 1, 0), *raw.tokens][-2:]
    return f"such as: to {short(last.text)} 30%" if before.text == "to" and last.kind == "word" else None


def _sharp_hint(raw: Raw) -> str | None:
    """`A # minor`: what follows the space and # is a comment."""
    last = raw.tokens[-1]
    comment = raw.lines[-1].comment
    if comment and last.text in NOTES:
        sharp = re.match(r"#\s*(major|minor)\b", comment)
        if sharp:
            return f"# after a space begins a comment; write it close to its note: {last.text}# {sharp[1]}"
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


def listed(words: list[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
