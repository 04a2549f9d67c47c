"""Laws over scripts made from the grammar itself, so that no rule of it is left out."""

from __future__ import annotations

from functools import cache

import lark
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra.lark import from_lark

from stemloom.script.check.check import check
from stemloom.script.problems import CODES
from stemloom.script.text import lalr
from stemloom.script.text.format import format_text
from stemloom.script.text.parse import parse
from stemloom.script.text.tokens import scan
from stemloom.script.words import UNITS

HEAD, REST = lalr.grammar().split("// Expressions", 1)
GRAMMAR = lark.Lark(
    f"{HEAD}\n%declare EXPRESSION\nexpression: EXPRESSION\n// Names" + REST.split("// Names", 1)[1],
    parser="lalr",
    lexer=lalr.StateLexer,
    start=["statement", "line"],
)
"""The grammar, its expressions as one word each: drawn by its own rules they would soon be endless."""
WORDS = {t.name: t.pattern.value for t in GRAMMAR.terminals if t.pattern is not None}
NAMES = st.sampled_from(["low", "haze", "énergie", "bars", "key", "s", "A", "Bb"])
NUMBERS = st.sampled_from(["0", "1", "4", "16", "0.5", "120", "9" * 30, "0." + "1" * 28])
UNIT = st.sampled_from(sorted(UNITS))
OPERATOR = st.sampled_from(["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"])
EXPRESSION = st.recursive(
    NAMES
    | NUMBERS
    | st.builds("{} {}".format, NUMBERS, UNIT)
    | st.builds("random {} .. -{} {}".format, NUMBERS, NUMBERS, UNIT),
    lambda inner: st.one_of(
        st.builds("( {} {} {} )".format, inner, OPERATOR, inner),
        st.builds("- {}".format, inner.filter(lambda text: not text.startswith("("))),
        st.builds("( not {} )".format, inner),
        st.builds("( - {} )".format, inner),
    ),
    max_leaves=6,
)
OTHERS = {
    "NAME": NAMES,
    "STRING": st.sampled_from(['""', '"x.X. 5"', '"North Quay"', '"# é"']),
    "NUMBER": NUMBERS,
    "UNIT": UNIT,
    "EXPRESSION": EXPRESSION,
}
EXPANDED: dict[str, list[list[str]]] = {}
for rule in GRAMMAR.rules:
    EXPANDED.setdefault(str(rule.origin.name), []).append([str(symbol.name) for symbol in rule.expansion])


def alternatives(name: str) -> list[str]:
    """The rules that a statement or a line may be."""
    return sorted(r for (r,) in EXPANDED[name]) if name in EXPANDED else []


LINES = alternatives("line")
STATEMENTS = [name for name in alternatives("plain") if name != "section"]


def reached(start: str) -> set[str]:
    """Every symbol that a rule may come to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [symbol for expansion in EXPANDED.get(name, ()) for symbol in expansion]
    return found


@cache
def made(start: str) -> st.SearchStrategy[str]:
    """Texts of one rule, their words apart by blanks."""
    spelled = {name: st.just(word) for name, word in WORDS.items()} | OTHERS
    used = {name: words.map(" {} ".format) for name, words in spelled.items() if name in reached(start)}
    return from_lark(GRAMMAR, start=start, explicit=used).map(str.strip)


def placed(rule: str, text: str) -> str:
    return f"section s 8 bars\n    {text}\n" if rule in LINES else f"{text}\n"


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """Statements and sections with comments between and behind them."""
    lines = draw(st.lists(st.sampled_from(["# top", "", "  # within"]), max_size=2))
    for rule in draw(st.lists(st.sampled_from(["section", *STATEMENTS]), max_size=4)):
        lines.append(draw(made(rule)) + draw(st.sampled_from(["", "  # behind", " #"])))
        if rule == "section":
            lines += [f"\t{draw(made(draw(st.sampled_from(LINES))))}" for _ in range(draw(st.integers(0, 3)))]
    return "\n".join(lines)


def in_form(text: str) -> None:
    """A text that the grammar takes is read whole; its canonical form says the same."""
    parsed = parse(text)
    assert parsed.problems == ()
    formatted = format_text(text)
    assert parse(formatted).script == parsed.script
    assert format_text(formatted) == formatted
    assert comments(formatted) == comments(text)
    told(text)


def comments(text: str) -> list[str]:
    return [line.comment for line in scan(text).lines if line.comment is not None]


def told(text: str) -> None:
    checked = check(text)
    assert (checked.piece is None) == any(p.severity == "error" for p in checked.problems)
    places = [(p.span.line, p.span.column) for p in checked.problems]
    assert places == sorted(places)
    assert len(places) <= 100
    assert (len(places) == 100) or not checked.unlisted
    assert {p.code for p in checked.problems} <= set(CODES)


def test_the_rules_are_those_of_the_grammar() -> None:
    assert len(LINES) == 10
    assert len(STATEMENTS) == 20
    assert reached("statement") | reached("line") >= {*OTHERS, *LINES, *STATEMENTS}


@pytest.mark.parametrize("rule", [*STATEMENTS, "section", *LINES])
def test_every_statement_of_the_grammar_is_read_and_written(rule: str) -> None:
    @given(made(rule))
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    def law(text: str) -> None:
        in_form(placed(rule, text))

    law()


@given(scripts())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_whole_scripts_of_the_grammar_are_read_and_written(text: str) -> None:
    in_form(text)


@given(
    st.sampled_from([*STATEMENTS, *LINES]).flatmap(lambda rule: st.tuples(st.just(rule), made(rule))),
    st.data(),
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_a_word_that_is_lost_doubled_or_put_elsewhere_never_raises(
    drawn: tuple[str, str], data: st.DataObject
) -> None:
    rule, text = drawn
    words = text.split()
    place = data.draw(st.integers(0, len(words) - 1))
    word = words[place]
    match data.draw(st.sampled_from(["lost", "doubled", "moved"])):
        case "lost":
            del words[place]
        case "doubled":
            words.insert(place, word)
        case _:
            del words[place]
            words.insert(data.draw(st.integers(0, len(words))), word)
    told(placed(rule, " ".join(words)))
