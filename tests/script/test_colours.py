"""Diagnostics and scripts in colours: on a terminal alone, and saying what is said without them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, strategies as st

from stemloom.cli import main
from stemloom.cli.output import shaded, shown
from stemloom.ground.visible import visible_text
from stemloom.script.check.check import check as check_text
from stemloom.script.piece import Span
from stemloom.script.problems import problem, render

SCRIPTS = Path(__file__).parent.parent / "scripts"
RIGHT = 'piece "P" for stream\npool a = loops\nsection s 8 bars\n    bring x from a\n'
WRONG = RIGHT.replace("from a", "from b")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "p.loom"


def run(home: Path, *arguments: str | Path) -> Result:
    """What comes where there is no terminal."""
    return CliRunner().invoke(main, ["--home", str(home), *map(str, arguments)])


def on_a_terminal(home: Path, *arguments: str | Path, stdin: str = "", **environment: str) -> tuple[int, str]:
    """The exit code and what a terminal gets, on standard output and error alike."""
    inner, outer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "stemloom", "--home", str(home), "-q", *map(str, arguments)],
        env={key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        | {"TERM": "xterm", **environment},
        stdin=subprocess.PIPE,
        stdout=outer,
        stderr=outer,
        text=True,
    )
    os.close(outer)
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    got = b""
    try:
        while block := os.read(inner, 65_536):
            got += block
    except OSError:
        pass  # how Linux says that the other end of a terminal is closed
    os.close(inner)
    return process.wait(), got.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize(
    ("text", "code", "lines"),
    [
        (
            WRONG,
            3,
            [
                '\x1b[1m{file}:4:18:\x1b[0m \x1b[31m\x1b[1merror E030\x1b[0m: unknown pool "b"',
                "\x1b[90m  4 | \x1b[0m    \x1b[35m\x1b[1mbring\x1b[0m x \x1b[35mfrom\x1b[0m b",
                "\x1b[90m    | \x1b[0m\x1b[31m\x1b[1m                 ^\x1b[0m",
                "\x1b[90m    = \x1b[0mpools are a",
                "",
                "\x1b[31m{file}: 1 mistake\x1b[0m",
            ],
        ),
        (
            RIGHT.replace("= loops", "= loops role odd"),
            0,
            [
                '\x1b[1m{file}:2:21:\x1b[0m \x1b[33m\x1b[1mwarning W001\x1b[0m: unknown role "odd"',
                "\x1b[90m  2 | \x1b[0m\x1b[35m\x1b[1mpool\x1b[0m a = \x1b[35mloops\x1b[0m "
                "\x1b[35mrole\x1b[0m odd",
                "\x1b[90m    | \x1b[0m\x1b[33m\x1b[1m                    ^^^\x1b[0m",
                "\x1b[90m    = \x1b[0mroles are bass, beats, fx, harmony, melody, pads, tops, voice",
                "",
                "\x1b[33m{file}: 1 warning\x1b[0m",
            ],
        ),
        (RIGHT, 0, ["\x1b[32m{file}: in order\x1b[0m"]),
    ],
)
def test_a_terminal_gets_colours(home: Path, script: Path, text: str, code: int, lines: list[str]) -> None:
    script.write_text(text)
    told = "".join(line.format(file=script) + "\n" for line in lines)
    assert on_a_terminal(home, "check", script) == (code, told)
    assert plain(told) == run(home, "check", script).stdout


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours(home: Path, script: Path, environment: dict[str, str]) -> None:
    script.write_text(WRONG)
    expected = run(home, "check", script).stdout
    assert on_a_terminal(home, "check", script, **environment) == (3, expected)


def test_an_empty_no_color_does_not_count(home: Path, script: Path) -> None:
    script.write_text(RIGHT)
    assert "\x1b[32m" in on_a_terminal(home, "check", script, NO_COLOR="")[1]


@pytest.mark.parametrize("arguments", [("--json",), ("--editor",)])
def test_what_programs_read_has_no_colours_on_a_terminal(
    home: Path, script: Path, arguments: tuple[str, ...]
) -> None:
    script.write_text(WRONG)
    expected = run(home, "check", *arguments, script) if arguments == ("--editor",) else None
    code, told = on_a_terminal(home, "check", *arguments, script)
    assert code == 3
    assert "\x1b" not in told
    assert told == expected.stdout if expected else json.loads(told)["ok"] is False


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.loom")), ids=lambda path: path.stem)
def test_colours_change_nothing_of_what_is_said(path: Path) -> None:
    text = path.read_bytes().decode()
    problems = check_text(text).problems
    assert plain(shown(problems, text, "a\nb: c.loom")) == render(problems, text, "a\nb: c.loom")
    assert plain(shaded(text)) == visible_text(text.replace("\r\n", "\n"))


@given(st.text(st.characters(exclude_characters="\x1b"), max_size=200), st.data())
def test_colours_change_nothing_of_what_is_said_of_any_text(text: str, data: st.DataObject) -> None:
    line = data.draw(st.integers(1, text.count("\n") + 2))
    column = data.draw(st.integers(1, 220))
    found = problem("E011", Span(line, column, line, column + 3), "one | two = ^", "three: 3 | ^")
    for one in (found, *check_text(text).problems):
        assert plain(shown([one], text, "f")) == render([one], text, "f")


def cells(text: str) -> list[tuple[str, str]]:
    """Each character of one line with the escape codes that it is under."""
    found = []
    style = ""
    for codes, character in re.findall(r"((?:\x1b\[[0-9;]*m)*)(.?)", text):
        style = (style + codes).rpartition("\x1b[0m")[2]
        found += [(character, style)] if character else []
    return found


@pytest.mark.parametrize("column", [1, 40, 100, 300, 420, 500, 700])
def test_a_long_line_is_coloured_as_it_is_cut(column: int) -> None:
    text = 'play a from b "' + "x.X" * 130 + '" chance 5%  # ' + "note " * 60
    told = shown([problem("E011", Span(1, column, 1, column + 1), "no")], text, "f").split("\n")
    source, caret = cells(told[1]), cells(told[2])
    gutter = len("  1 | ")
    first = column - 1 - (caret.index(("^", "\x1b[31m\x1b[1m")) - gutter)
    assert 100 < len(source) - gutter <= 120
    assert source[gutter:] == cells(shaded(text))[first : first + len(source) - gutter]


def test_a_refusal_has_colours_as_well(home: Path, script: Path) -> None:
    script.write_text("oh no\n")
    code, told = on_a_terminal(home, "format", script)
    assert code == 3
    assert told.startswith(f"stemloom: {script} is refused: 1 mistake\n\x1b[1m{script}:1:1:\x1b[0m \x1b[31m")
    assert plain(told) == f"stemloom: {run(home, 'format', script).exception}\n"
    assert on_a_terminal(home, "format", script, NO_COLOR="1") == (3, plain(told))


def test_a_formatted_script_has_colours_on_a_terminal(home: Path) -> None:
    code, told = on_a_terminal(home, "format", "-", stdin=RIGHT.replace(" a =", "   a="))
    assert code == 0
    assert told == (
        '\x1b[35m\x1b[1mpiece\x1b[0m \x1b[32m"P"\x1b[0m \x1b[35mfor\x1b[0m stream\n'
        "\x1b[35m\x1b[1mpool\x1b[0m a = \x1b[35mloops\x1b[0m\n"
        "\x1b[35m\x1b[1msection\x1b[0m s \x1b[36m8\x1b[0m \x1b[36mbars\x1b[0m\n"
        "    \x1b[35m\x1b[1mbring\x1b[0m x \x1b[35mfrom\x1b[0m a\n"
    )
    assert on_a_terminal(home, "format", "-", stdin=RIGHT.replace(" a =", "   a="), NO_COLOR="1") == (
        0,
        RIGHT,
    )


@pytest.mark.parametrize("arguments", [(), ("--editor",), ("--json",)])
def test_what_is_not_seen_in_colours_needs_no_pygments(
    home: Path, script: Path, arguments: tuple[str, ...]
) -> None:
    script.write_text(WRONG)
    line = ["--home", str(home), "-q", "check", str(script), *arguments]
    code = (
        f"import sys; sys.argv[1:] = {line!r}\nfrom stemloom.cli import run\ntry:\n    run()\n"
        "except SystemExit as end:\n    print(end.code, {'pygments', 'rich'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.endswith("\n3 set()\n")
