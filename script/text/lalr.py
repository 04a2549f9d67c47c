"""Lark's LALR parser with our own lexer: the only module that knows Lark.

Lark 1.2 and 1.3 let a lexer class see the parser's state. Lark does not document the parts used here: that
state's `parse_conf.parse_table.states`, `position` and `state_stack`, and a rule's `expansion` and `origin`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from ..effects.chain import BUS_EFFECTS, rule
from ..words import RESERVED, UNITS
from .build import Build
from .tokens import Token


@dataclass(frozen=True, slots=True)
class SyntaxMistake:
    """The first token that does not fit, `None` for the end, and the sorted grammar names that would fit."""

    token: Token | None
    expected: tuple[str, ...]


class StateLexer(Lexer):  # type: ignore[misc]
    """Types each token as the parser's state accepts it: a keyword first, then a unit, then a name."""

    __future_interface__ = 1

    def __init__(self, lexer_conf: Any) -> None:
        words = spelled(lexer_conf.terminals)
        self.meanings = {text: _meanings(text, words) for text in {*words, *UNITS, *RESERVED}}

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        for token in lexer_state.text:
            token.type = self.type_of(token, parser_state)
            yield token

    def type_of(self, token: Token, parser_state: Any) -> str:
        """The grammar's name of `token` in the parser's state."""
        if token.kind == "number":
            return "NUMBER"
        if token.kind == "string":
            return "STRING"
        meanings = self.meanings.get(token.text) or (_NAME if token.kind == "word" else _NOTHING)
        if len(meanings) == 1:
            return meanings[0]
        row = parser_state.parse_conf.parse_table.states[parser_state.position]
        fitting = [meaning for meaning in meanings if meaning in row]
        if len(fitting) > 1:
            fitting = [meaning for meaning in fitting if _leads_on(meaning, parser_state)] or fitting
        return (fitting or meanings[::-1])[0]


_NAME, _NOTHING = ("NAME",), ("NOTHING",)


def _meanings(text: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """The types that a word or sign has somewhere in a script."""
    meanings = [words[text]] if text in words else []
    if text in UNITS:
        meanings.append("UNIT")
    if text not in RESERVED and text.isidentifier():
        meanings.append("NAME")
    return tuple(meanings) or _NOTHING


def _leads_on(name: str, parser_state: Any) -> bool:
    """Whether a token of that name can be shifted, once what is before it is reduced.

    The table's row is not enough: after a number it accepts `beat` as a keyword (`at bar 2 beat 3`) and as a
    unit (`at next 2 beats`), since the state does not know which number came before.
    """
    states = parser_state.parse_conf.parse_table.states
    stack = list(parser_state.state_stack)
    while True:
        action = states[stack[-1]].get(name)
        if action is None:
            return False
        rule = action[1]
        if not hasattr(rule, "expansion"):
            return True
        if rule.expansion:
            del stack[-len(rule.expansion) :]
        stack.append(states[stack[-1]][rule.origin.name][1])


def spelled(terminals: Iterable[Any]) -> dict[str, str]:
    """Each fixed word and sign of the grammar, with its name there."""
    return {t.pattern.value: t.name for t in terminals if t.pattern is not None and t.pattern.type == "str"}


def grammar() -> str:
    """The grammar, with a line for each effect of a bus."""
    text = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    effects = "".join(f"          | {rule(effect)}\n" for effect in BUS_EFFECTS)
    return text.replace("bus_effect: filter\n", f"bus_effect: filter\n{effects}")


def parser(starts: Sequence[str], lexer: type[Lexer] = StateLexer, **options: Any) -> Lark:
    """A parser of the grammar that gives tree nodes."""
    return Lark(
        grammar(),
        parser="lalr",
        lexer=lexer,
        start=list(starts),
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=Build(),
        **options,
    )


@cache
def _statements() -> Lark:
    return parser(("statement", "line"))


@cache
def words_of_grammar() -> dict[str, str]:
    """Each name of a fixed word or sign in the grammar, with its spelling."""
    return {name: word for word, name in spelled(_statements().terminals).items()}


def read(tokens: Sequence[Token], start: str, *, explain: bool) -> Any:
    """The node that one statement's tokens make, or the `SyntaxMistake`.

    `start`: `statement` or `line`. `explain`: whether a mistake lists the expected tokens; that takes a trial
    of every candidate, since the table's row also has tokens that lead nowhere.
    """
    try:
        return _statements().parse(tokens, start=start)
    except UnexpectedToken as error:
        token = error.token if isinstance(error.token, Token) else None
        expected = error.interactive_parser.accepts() if explain else ()
        return SyntaxMistake(token, tuple(sorted(expected)))
