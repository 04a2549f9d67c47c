"""docs/editors.md: what it has users paste works, on the lines that `check --editor` writes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stemloom.cli import main
from stemloom.script.text.lalr import words_of_grammar

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "editors.md").read_text(encoding="utf-8")
WORDS = {word for word in words_of_grammar().values() if word.isalpha()}
SCRIPT = """piece "A # B" for stream  # note
tempo 112
key F# minor
pool beats = loops role odd
section walk 8 bars
    bring beats from beets
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder in which the page's commands were run, with `set.loom`."""
    for name, runs in (("python", ""), ("stemloom", "-m stemloom")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {runs} "$@"\n')
        program.chmod(0o755)
    for block in blocks("sh"):
        subprocess.run(["bash", "-euc", block], env=environment(tmp_path), check=True)
    (tmp_path / "set.loom").write_text(SCRIPT)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "HOME": str(home), "PATH": path, "STEMLOOM_HOME": str(home / "none")}


def listed(home: Path) -> list[str]:
    (home / "set.loom").write_text(SCRIPT)
    arguments = ["--home", str(home / "none"), "-q", "check", "--editor", str(home / "set.loom")]
    return CliRunner().invoke(main, arguments).stdout.splitlines()


def test_the_line_that_the_page_shows(tmp_path: Path) -> None:
    (shown,) = blocks("text")
    assert [line.removeprefix(f"{tmp_path}/") for line in listed(tmp_path)][1:] == shown.splitlines()


def test_vs_code_reads_the_lines(tmp_path: Path) -> None:
    (block,) = blocks("json")
    (task,) = json.loads(block)["tasks"]
    assert task["args"][:-1] == ["-q", "check", "--editor"]
    pattern = task["problemMatcher"]["pattern"]
    read = [
        {name: found[group] for name, group in pattern.items() if name != "regexp"}
        for found in (re.match(pattern["regexp"], line) for line in listed(tmp_path))
        if found is not None
    ]
    file = str(tmp_path / "set.loom")
    assert read == [
        {
            "file": file,
            "line": "4",
            "column": "25",
            "code": "W001",
            "severity": "W",
            "message": 'unknown role "odd"',
        },
        {
            "file": file,
            "line": "6",
            "column": "22",
            "code": "E030",
            "severity": "E",
            "message": 'unknown pool "beets"',
        },
    ]


def test_the_words_are_the_grammars(home: Path) -> None:
    vim = (home / ".vim" / "syntax" / "loom.vim").read_text().splitlines()[0]
    assert set(vim.removeprefix("syntax keyword loomWord ").split()) == WORDS
    lisp = (home / ".emacs.d" / "loom.el").read_text()
    quoted = lisp[lisp.index("'(") + 2 : lisp.index(")")]
    assert set(quoted.split()) == {f'"{word}"' for word in WORDS}


def test_the_lisp_is_whole(home: Path) -> None:
    r"""Without its quoted texts its parentheses pair; `\\(` in one stands for a group of its expression."""
    lisp = (home / ".emacs.d" / "loom.el").read_text()
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "", lisp)
    assert bare.count("(") == bare.count(")") > 8
    assert '"' not in bare
    expressions = re.findall(r'\(("(?:\\.|[^"\\])*") [01.]', lisp)
    assert [json.loads(one) for one in expressions] == [
        "\\(?:^\\|[ \t]\\)\\(#.*\\)",
        '"[^"\n]*"',
        r"\_<[0-9.]+",
    ]


VIM = """edit set.loom
function! At(line, column)
    return synIDattr(synID(a:line, a:column, 1), 'name')
endfunction
redir! > told.txt
silent echo &filetype
silent echo At(1, 1) At(1, 7) At(1, 10) At(1, 16) At(1, 27) At(2, 7) At(3, 6) At(3, 8) At(6, 5)
silent make
for found in getqflist()
    silent echo found.valid bufname(found.bufnr) found.lnum found.col found.type found.nr found.text
endfor
redir END
qall!
"""


def vim_with_all() -> bool:
    """Whether there is a Vim here, and not one of the builds that leave out its language."""
    if shutil.which("vim") is None:
        return False
    features = subprocess.run(["vim", "--version"], capture_output=True, text=True, check=False).stdout
    return {"+eval", "+syntax", "+quickfix"} <= set(features.split())


@pytest.mark.skipif(not vim_with_all(), reason="needs Vim with +eval, +syntax and +quickfix")
def test_vim_shows_colours_and_the_list(home: Path) -> None:
    (home / ".vimrc").write_text("set nocompatible\nfiletype plugin on\nsyntax on\n")
    (home / "try.vim").write_text(VIM)
    command = ["vim", "-es", "-u", ".vimrc", "-S", "try.vim"]
    subprocess.run(
        command, cwd=home, env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    told = [line.rstrip() for line in (home / "told.txt").read_text().splitlines()]
    assert "loom" in told
    assert "loomWord loomText loomText loomWord loomComment loomNumber  loomWord loomWord" in told
    assert told[-2:] == [
        '1 set.loom 4 25 W 1 unknown role "odd"',
        '1 set.loom 6 22 E 30 unknown pool "beets"',
    ]
