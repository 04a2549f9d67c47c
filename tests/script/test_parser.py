"""The grammar has no conflict, and the names of Lark that we lean on are what we take them for."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import lark
import pytest

from benchmarks.harness import calls
from stemloom.script.check.check import check
from stemloom.script.text import lalr
from stemloom.script.text.parse import parse
from stemloom.script.text.tokens import Token, scan
from stemloom.script.text.tree import BinaryTerm, LineStatement, SectionStatement, TermClause
from stemloom.script.words import FORMS, LINE_WORDS, RESERVED

WHOLE = (Path(__file__).parent.parent / "scripts" / "right_language.loom").read_text(encoding="utf-8")


def test_the_grammar_has_no_conflict() -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    level = lark.logger.level
    lark.logger.addHandler(handler)
    lark.logger.setLevel(logging.DEBUG)
    try:
        lalr.parser(("statement", "line", "script"), debug=True)
    finally:
        lark.logger.removeHandler(handler)
        lark.logger.setLevel(level)
    assert log.getvalue() == ""


def test_the_state_of_larks_parser_is_seen_by_our_lexer() -> None:
    seen: list[tuple[str, bool]] = []

    class Watching(lalr.StateLexer):
        def type_of(self, token: Token, parser_state: Any) -> str:
            kind = super().type_of(token, parser_state)
            row = parser_state.parse_conf.parse_table.states[parser_state.position]
            seen.append((kind, kind in row))
            return kind

    tokens = scan("bring bring from hold over 4 bars").lines[0].tokens
    node = lalr.parser(("line",), lexer=Watching).parse(tokens)
    assert isinstance(node, LineStatement)
    assert seen == [(kind, True) for kind in ("BRING", "NAME", "FROM", "NAME", "OVER", "NUMBER", "UNIT")]


def test_a_word_with_two_meanings_in_a_row_has_the_one_that_leads_on() -> None:
    text = "section s 8 bars\n    rest a at bar 2 beat 3\nsting a from b at next 2 beat\n"
    assert parse(text).problems == ()


def test_what_was_expected_is_only_what_leads_on() -> None:
    tokens = scan("bring a from b over 4 bars 5").lines[0].tokens
    mistake = lalr.read(tokens, "line", explain=True)
    assert mistake.token is tokens[-1]
    assert "OVER" in mistake.expected
    for name in mistake.expected:
        assert name not in ("RPAR", "PLUS", "OR"), "a row of the table holds these; none leads on"


@pytest.mark.parametrize("word", FORMS)
def test_every_example_is_right(word: str) -> None:
    text = FORMS[word]
    if word in LINE_WORDS:
        text = f"section s 8 bars\n    {text}"
    assert parse(text).problems == ()


def test_all_of_the_language_is_read() -> None:
    assert parse(WHOLE).problems == ()


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_reserved_word_is_no_name(word: str) -> None:
    (found,) = parse(f"section s 8 bars\n    rest {word}\n").problems
    assert found.code == "E011"
    assert "cannot be a name" in found.message


def test_all_other_words_are_free_as_names() -> None:
    words = sorted(w for w in lalr.words_of_grammar().values() if w.isalpha() and w not in RESERVED)
    assert len(words) > 60
    for word in words:
        text = f"section {word} 8 bars\n    bring {word} from {word} gain {word} when {word} > {word}\n"
        assert (
            parse(f"{text}move {word} -> {word} when {word} > 1\npool {word} = loops role {word}\n").problems
            == ()
        )


def test_operators_bind_as_usual() -> None:
    def term(text: str) -> object:
        (section,) = parse(f"section s 8 bars\n    rest a when {text}\n").script.statements
        assert isinstance(section, SectionStatement)
        (line,) = section.lines
        assert isinstance(line, LineStatement)
        (when,) = line.modifiers
        assert isinstance(when, TermClause)
        return when.term

    for short, explicit in (
        ("a > 1 + 2 * 3", "a > (1 + (2 * 3))"),
        ("a - b - c > 0", "((a - b) - c) > 0"),
        ("-a * b > 0", "(-a) * b > 0"),
        ("not a > 1 and b > 2 or c > 3", "((not (a > 1)) and (b > 2)) or (c > 3)"),
    ):
        assert term(short) == term(explicit)
        assert isinstance(term(short), BinaryTerm)


def test_places_are_exact() -> None:
    text = '\ufeffsection  s 8..16 bars # c\r\n\tplay  a from b "x. X" at bar 2\r\n\t\tbeat 1.5\r\n'
    (section,) = parse(text).script.statements
    assert isinstance(section, SectionStatement)
    (line,) = section.lines
    assert isinstance(line, LineStatement)
    assert section.name is not None
    assert section.length is not None
    places = [section.name, section.length, line, line.part, line.pattern, *line.modifiers]
    assert [
        (p.span.line, p.span.column, p.span.end_line, p.span.end_column) for p in places if p is not None
    ] == [(1, 10, 1, 11), (1, 12, 1, 22), (2, 2, 3, 11), (2, 8, 2, 9), (2, 17, 2, 23), (2, 24, 3, 11)]


@pytest.mark.parametrize(
    "line", ["    bring a from b when e > 0.3", "    bring a form b wen e > 0.3", "  ?? (x"]
)
def test_5000_lines_are_lines_of_one_section(line: str) -> None:
    """How long it takes is for `python -m benchmarks script`."""
    parsed = parse('piece "P" for stream\nsection s 8 bars\n' + f"{line}\n" * 5_000)
    assert len(parsed.script.statements) == 2


@pytest.mark.parametrize(
    ("once", "again"),
    [
        ("", "    rest {i}\n"),
        ("", "    rest nobody{i}\n"),
        ("pool p{i} = loops\n", "    bring a from q{i}\n"),
        ("dial d{i} 0..1 = 0 at next bar\n", "    rest a when d{i} > e{i}\n"),
        ("", "    # {i}\n"),
        ("move any -> s when 1 > 2\n", "section t{i} 1 bar\n"),
        ("zz{i} yy\n", "    xx{i} yy\n"),
    ],
)
def test_the_work_of_a_check_grows_with_the_text(once: str, again: str) -> None:
    def work(lines: int) -> int:
        numbers = range(lines)
        text = "".join(once.format(i=i) for i in numbers) + "section s 8 bars\n    bring a from p\n"
        text += "".join(again.format(i=i) for i in numbers)
        return calls(lambda: check(text))

    work(10)
    assert work(1_600) < 4.5 * work(400)
