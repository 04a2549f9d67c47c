"""Each construct: a script and its plan, a wrong script and what is said of it. See `constructs.py`."""

from __future__ import annotations

import pytest

from stemloom.script.check.check import check
from stemloom.script.text.format import format_text
from stemloom.script.text.lalr import words_of_grammar
from stemloom.script.text.tokens import scan

from .constructs import FOLDER, Case, cases, planned, said_of, whole, written

FILES = sorted(FOLDER.glob("*.txt"))
CASES = [case for path in FILES for case in cases(path)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_script_gives_its_plan(case: Case) -> None:
    assert planned(case) == case.plan


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_of_the_wrong_one_exactly_this_is_said(case: Case) -> None:
    assert said_of(case).rstrip("\n") == case.said.rstrip("\n")
    assert check(whole(case.wrong)).piece is None


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_script_is_in_canonical_form(case: Case) -> None:
    assert format_text(case.text, "case.loom") == case.text


def test_every_word_of_the_language_is_shown() -> None:
    shown = {token.text for case in CASES for line in scan(case.text).lines for token in line.tokens}
    words = {word for word in words_of_grammar().values() if not word.startswith("_")}
    assert words - shown == set()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_writing_a_file_anew_changes_nothing(path: object) -> None:
    assert written(path) == path.read_text(encoding="utf-8")  # type: ignore[attr-defined, arg-type]
