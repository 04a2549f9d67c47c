"""Texts and files that are no scripts: noise, cuts, spoilt words, hostile sizes. None raises or goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from benchmarks.harness import calls
from benchmarks.script import HOSTILE
from stemloom.script.check.check import check
from stemloom.script.problems import CODES, ScriptRejected, render
from stemloom.script.text import lalr
from stemloom.script.text.format import format_text
from stemloom.script.text.parse import parse
from stemloom.script.text.tokens import scan
from stemloom.script.words import RESERVED

from ..marks import slow

WHOLE = (Path(__file__).parent.parent / "scripts" / "right_whole.loom").read_text(encoding="utf-8")
MOST_CALLS = 6_000_000
"""Functions that the check of a text may call: about a second's work, whatever the machine."""


def total(text: str) -> None:
    """Nothing that stands in a text raises; every problem has a place in it and can be shown."""
    checked = check(text)
    assert (checked.piece is None) == any(p.severity == "error" for p in checked.problems)
    lines = text.split("\n")
    for found in checked.problems:
        assert found.code in CODES
        assert found.message
        assert 1 <= found.span.line <= len(lines)
        assert 1 <= found.span.column <= len(lines[found.span.line - 1]) + 1
        assert (found.span.end_line, found.span.end_column) >= (found.span.line, found.span.column)
    render(checked.problems, text, "f")
    try:
        formatted = format_text(text)
    except ScriptRejected as refused:
        formatted = ""
        in_form = bool(not refused.problems)
    else:
        in_form = True
    assert in_form == (parse(text).problems == ())
    assert format_text(formatted) == formatted


@given(st.binary(max_size=200))
@settings(max_examples=150)
def test_noise_never_raises(data: bytes) -> None:
    total(data.decode("latin-1"))
    total(data.decode("utf-8", "surrogateescape"))


@given(st.text(st.characters(exclude_categories=()), max_size=60))
@settings(max_examples=150)
def test_any_text_never_raises(text: str) -> None:
    total(text)


WORDS = sorted(
    {
        *lalr.words_of_grammar().values(),
        *RESERVED,
        "a",
        "b",
        "4",
        "0.5",
        '"x."',
        "bars",
        "dB",
        "%",
        "\n",
        "\n  ",
    }
)


@given(st.lists(st.sampled_from(WORDS), max_size=40))
@settings(max_examples=200)
def test_words_in_any_order_never_raise(words: list[str]) -> None:
    total(" ".join(words))
    total("section s 8 bars\n    bring " + " ".join(words))


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.text(max_size=3))
@settings(max_examples=200)
def test_a_right_script_cut_and_spoilt_never_raises(start: int, end: int, put: str) -> None:
    total(WHOLE[:start])
    total(WHOLE[:start] + put + WHOLE[end:])


@given(st.data())
@settings(max_examples=300)
def test_a_broken_statement_is_one_mistake_and_none_elsewhere(data: st.DataObject) -> None:
    lines = WHOLE.split("\n")
    numbered = [line for line in scan(WHOLE).lines if line.tokens]
    line = data.draw(st.sampled_from(numbered))
    token = data.draw(st.sampled_from(line.tokens))
    source = lines[line.number - 1]
    before, after = source[: token.column - 1], source[token.end_column - 1 :]
    put = data.draw(
        st.sampled_from(["", "?? " + token.text, token.text + " ??", "“" + token.text, token.text + " 7 7"])
    )
    lines[line.number - 1] = before + put + (after if put else after.lstrip())
    checked = check("\n".join(lines))
    errors = [p for p in checked.problems if p.severity == "error"]
    statement_lines = {16, 17} if line.number in (16, 17) else {line.number}
    assert {p.span.line for p in errors} <= statement_lines
    if put:
        assert len(errors) == 1


DEAREST = {
    "open quotes",
    "unknown dials",
    "stray characters",
    "tabs and blanks",
    "pools of one name",
    "unknown names",
}


@pytest.mark.parametrize("name", [slow(name) if name in DEAREST else name for name in HOSTILE])
def test_a_hostile_text_is_a_bounded_amount_of_work(name: str) -> None:
    text = HOSTILE[name]()
    assert check(text).problems
    assert calls(lambda: check(text)) < MOST_CALLS


FILES = {
    "zeros": (bytes(100_000), "E001"),
    "of latin-1": ('piece "Café" for stream\n'.encode("latin-1"), "E007"),
    "of UTF-16": ('piece "P" for stream\n'.encode("utf-16"), "E007"),
    "cut in a character": ('piece "P" for stream # é'.encode()[:-1], "E007"),
    "of 10 MB": (b"rest a\n" * 1_500_000, "E006"),
    "a marked end of line": (b"\xef\xbb\xbfpiece\r\n", "E022"),
    "empty": (b"", "E020"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "E007"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_script_is_told_so(name: str, tmp_path: Path) -> None:
    """The program itself, as a user has it: exit 3, a place, a code, and no traceback."""
    data, code = FILES[name]
    path = tmp_path / "p.loom"
    path.write_bytes(data)
    told = [sys.executable, "-m", "stemloom", "--home", str(tmp_path / "home"), "check", str(path)]
    done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert done.stdout.startswith(f"{path}:1:")
    assert f" error {code}: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert path.read_bytes() == data
