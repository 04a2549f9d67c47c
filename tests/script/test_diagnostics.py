"""Wrong scripts and, beside each, exactly what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemloom.script.check.check import check
from stemloom.script.piece import Span
from stemloom.script.problems import CODES, Problem, ScriptRejected, problem, render, summary

SCRIPTS = Path(__file__).parent.parent / "scripts"
EXPECTED = sorted(SCRIPTS.glob("*.txt"))
RIGHT = sorted(SCRIPTS.glob("right_*.loom"))

HEAD = 'piece "P" for stream\n'
DRY_RUN = {
    *["W020", "W021", "W022", "W023", "W024", "W030", "W037", "W038", "W045", "W046", "W047", "W048", "W050"],
    "W057",
}
"""Codes of the engine: see its tests of the dry run."""
BEYOND_FILES = {
    "E006",
    "E007",
    "E009",
    "E017",
    "E026",
    "W003",
    "W005",
    "W007",
    "W049",
    "W054",
    "W055",
    *DRY_RUN,
}
"""Codes that no script file here can show: of huge texts, bytes, callers and catalogues."""


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.stem)
def test_what_is_said(expected: Path) -> None:
    script = expected.with_suffix(".loom")
    text = text_of(script)
    checked = check(text, file=script.name)
    assert render(checked.problems, text, script.name) + "\n" == text_of(expected)
    assert (checked.piece is None) == any(p.severity == "error" for p in checked.problems)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_nothing_is_said_of_a_right_script(path: Path) -> None:
    checked = check(text_of(path))
    assert checked.problems == ()
    assert checked.piece is not None


def test_every_code_is_shown_by_some_script() -> None:
    shown = {p.code for path in EXPECTED for p in check(text_of(path.with_suffix(".loom"))).problems}
    assert shown | BEYOND_FILES == set(CODES)


def test_a_text_that_is_too_large_is_refused_unread() -> None:
    checked = check("x" * 10_000_000)
    assert [p.code for p in checked.problems] == ["E006"]
    assert checked.problems[0].message == "the script has 9,766 KiB; at most 256 KiB are allowed"
    assert [p.code for p in check("é" * 140_000).problems] == ["E006"], "bytes count, not characters"


def test_too_many_tokens_are_refused() -> None:
    assert [p.code for p in check("- " * 100_001).problems] == ["E009"]


def test_too_many_sections_are_refused() -> None:
    text = HEAD + "".join(f"section s{i} 1 bar\n" for i in range(1_001))
    problems = check(text).problems
    assert [(p.code, p.span.line) for p in problems] == [("E017", 1_002)]


def test_a_use_that_the_piece_is_not_for() -> None:
    text = HEAD + "section s 1 bar\n"
    assert check(text, use="stream").ok
    (found,) = check(text, use="sync").problems
    assert (found.code, found.message) == ("E026", 'this piece is not for "sync"')


def test_at_most_100_are_listed_and_the_others_counted() -> None:
    text = HEAD + "section s 1 bar\n" + "    rest nobody\n" * 130 + "pool a = loops role odd\n"
    checked = check(text)
    assert (len(checked.problems), checked.unlisted) == (100, 31)
    assert all(p.severity == "error" for p in checked.problems), "errors come before doubts"
    broken = check(HEAD + "section s 1 bar\n" + "    rest\n" * 130)
    assert (len(broken.problems), broken.unlisted) == (100, 30)


def test_a_caret_lines_up_under_tabs_and_wide_characters() -> None:
    text = '\tpool "東京" wrong'
    said = render([problem("E011", Span(1, 12, 1, 17), "no")], text, "f")
    assert said.splitlines()[1:] == ['  1 | \tpool "東京" wrong', "    | \t            ^^^^^"]


def test_a_long_line_is_shown_around_the_caret() -> None:
    text = "a" * 5_000 + "HERE" + "b" * 5_000
    source, caret = render([problem("E011", Span(1, 5_001, 1, 5_005), "no")], text, "f").splitlines()[1:]
    assert len(source) < 140
    start = caret.index("^")
    assert source[start : start + 4] == "HERE"
    assert caret.count("^") == 4


def test_a_message_cannot_steer_the_terminal() -> None:
    said = render([problem("E030", Span(1, 1, 1, 2), "unknown \x1b[2J", "\x9b")], "x\x1b", "f")
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in said)


def test_a_rejection_says_all_in_its_text() -> None:
    found = check("rest x\n").problems
    error = ScriptRejected(found, "rest x\n", "f.loom")
    assert error.exit_code == 3
    assert str(error).startswith("f.loom is refused: 3 mistakes\nf.loom:1:1: error E015")


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ((), "no mistakes"),
        (("E001",), "1 mistake"),
        (("E001", "E002", "W001"), "2 mistakes, 1 warning"),
        (("W001", "W002"), "2 warnings"),
    ],
)
def test_summary(codes: tuple[str, ...], said: str) -> None:
    problems: list[Problem] = [problem(code, Span(1, 1, 1, 1), "") for code in codes]
    assert summary(problems) == said


def test_a_quoted_text_may_have_a_thousand_characters() -> None:
    for many, refused in ((1000, False), (1001, True)):
        text = f'{HEAD}pool a = hits\nsection s 99 bars\n    play p from a "{"." * (many - 1)}x"\n'
        assert ("E018" in {problem.code for problem in check(text).problems}) == refused
