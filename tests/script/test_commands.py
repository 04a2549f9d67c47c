"""`check` and `format` on the command line, and reading script files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemloom.cli import main
from stemloom.script.problems import ScriptRejected
from stemloom.script.text.format import format_text
from stemloom.script.text.load import ScriptNotFound, load, save
from stemloom.vault.vault import Vault

SCRIPTS = Path(__file__).parent.parent / "scripts"
RIGHT = 'piece "P" for stream\npool a = loops\nsection s 8 bars\n    bring x from a\n'
MESSY = RIGHT.replace("pool a =", "pool   a=")
WRONG = RIGHT.replace("from a", "from b")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "p.loom"


def run(home: Path, *arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *map(str, arguments)], input=stdin)


def test_a_right_script(home: Path, script: Path) -> None:
    script.write_text(RIGHT)
    result = run(home, "check", script)
    assert (result.exit_code, result.stdout) == (0, f"{script}: in order\n")
    assert "checked without a vault" in result.stderr
    assert not home.exists(), "checking makes nothing"


def test_a_wrong_script(home: Path, script: Path) -> None:
    script.write_text(WRONG)
    result = run(home, "check", script)
    assert result.exit_code == 3
    assert result.stdout == (
        f'{script}:4:18: error E030: unknown pool "b"\n'
        "  4 |     bring x from b\n"
        "    |                  ^\n"
        "    = pools are a\n\n"
        f"{script}: 1 mistake\n"
    )


def test_problems_as_json(home: Path, script: Path) -> None:
    script.write_text(WRONG)
    (home / "x").mkdir(parents=True)
    result = run(home, "--json", "-q", "check", script)
    assert result.exit_code == 3
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "ok": False,
        "problems": [
            {
                "code": "E030",
                "severity": "error",
                "line": 4,
                "column": 18,
                "end_line": 4,
                "end_column": 19,
                "message": 'unknown pool "b"',
                "hint": "pools are a",
            }
        ],
    }
    script.write_text(RIGHT)
    assert json.loads(run(home, "--json", "check", script).stdout) == {"ok": True, "problems": []}


def test_a_warning_does_not_refuse(home: Path, script: Path) -> None:
    script.write_text(RIGHT.replace("= loops", "= loops role odd"))
    result = run(home, "check", script)
    assert result.exit_code == 0
    assert result.stdout.endswith(f"{script}: 1 warning\n")


def test_a_use_that_the_piece_is_not_for(home: Path, script: Path) -> None:
    script.write_text(RIGHT)
    assert run(home, "check", script, "--use", "stream").exit_code == 0
    result = run(home, "check", script, "--use", "sync")
    assert result.exit_code == 3
    assert "E026" in result.stdout


def test_lines_for_editors(home: Path, script: Path) -> None:
    script.write_text(WRONG.replace("= loops", "= loops role odd") + "move s \u2028 s\n")
    result = run(home, "check", "--editor", script)
    assert result.exit_code == 3
    assert result.stdout == (
        f'{script}:2:21: W001: unknown role "odd"\n'
        f'{script}:4:18: E030: unknown pool "b"\n'
        f"{script}:5:8: E003: `\N{REPLACEMENT CHARACTER}` is not part of the language\n"
    )
    assert run(home, "check", "--editor", "-", stdin="oh no\n").stdout.startswith("standard input:1:1: E0")
    script.write_text(RIGHT)
    result = run(home, "-q", "check", "--editor", script)
    assert (result.exit_code, result.output) == (0, "")


def test_lines_for_editors_beyond_the_first_hundred(home: Path, script: Path) -> None:
    script.write_text(RIGHT + "    rest nobody\n" * 130)
    result = run(home, "check", "--editor", script)
    assert len(result.stdout.splitlines()) == 100
    assert result.stderr.endswith(f"stemloom: {script}: 100 mistakes, and 30 more\n")
    as_json = run(home, "--json", "check", "--editor", script).stdout
    assert len(json.loads(as_json)["problems"]) == 100


def test_the_help_says_how_a_line_for_editors_looks(home: Path) -> None:
    told = " ".join(run(home, "check", "--help").output.split())
    assert "FILE:LINE:COLUMN: CODE: MESSAGE" in told
    assert "NO_COLOR" in told


def test_standard_input(home: Path) -> None:
    assert run(home, "check", "-", stdin=RIGHT).stdout == "standard input: in order\n"
    assert run(home, "check", "-", stdin=b"\xff").exit_code == 3


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"\xff\xfep\0i\0", "E007", (1, 1)),
        (b'piece "caf\xe9" for stream\n', "E007", (1, 11)),
        (b'piece "P" for stream\r\n# \xc3\xa9 \x80\n', "E007", (2, 5)),
        (RIGHT.encode() + b"\0", "E001", (5, 1)),
        (b"x" * 300_000, "E006", (1, 1)),
    ],
)
def test_files_that_are_no_script(
    home: Path, script: Path, data: bytes, code: str, place: tuple[int, int]
) -> None:
    script.write_bytes(data)
    result = run(home, "--json", "check", script)
    assert result.exit_code == 3
    found = [p for p in json.loads(result.stdout)["problems"] if p["code"] == code]
    assert [(p["line"], p["column"]) for p in found] == [place]
    text = run(home, "check", script)
    assert (text.exit_code, text.stdout.count(code)) == (3, 1)


def test_pools_are_looked_at_in_the_vault_of_the_home(home: Path, script: Path) -> None:
    Vault.open(home, create=True).close()
    script.write_text(RIGHT)
    result = run(home, "check", script)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{script}:2:6: warning W003: pool a is empty: the vault has no loops\n"
        "  2 | pool a = loops\n"
        "    |      ^\n"
        "    = its lines rest until the vault has such stems; ask for less, or add some\n\n"
        f"{script}: 1 warning\n"
    )


def test_a_huge_file_is_not_read(home: Path, script: Path) -> None:
    with script.open("wb") as stream:
        stream.truncate(10_000_000_000)
    result = run(home, "check", script)
    assert result.exit_code == 3
    assert "the script has 9,765,625 KiB; at most 256 KiB are allowed" in result.stdout


def test_no_such_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "there.loom").write_text(RIGHT)
    for name, said in (
        ("nowhere.loom", "there is no script"),
        (".", "is a folder"),
        ("there", "did you mean"),
        ("a\0b", "is not a file name"),
    ):
        with pytest.raises(ScriptNotFound, match=said) as caught:
            load(f"{tmp_path}/{name}")
        assert caught.value.exit_code == 2
    assert isinstance(run(home, "check", tmp_path / "nowhere").exception, ScriptNotFound)


def test_format_in_place(home: Path, script: Path) -> None:
    script.write_bytes(MESSY.replace("\n", "\r\n").encode() + b"\r\n# end")
    script.chmod(0o640)
    assert run(home, "format", script).stdout == f"{script}: written\n"
    assert script.read_bytes() == RIGHT.encode() + b"\n# end\n"
    assert stat.S_IMODE(script.stat().st_mode) == 0o640
    before = script.stat()
    assert run(home, "format", script).stdout == f"{script}: unchanged\n"
    assert script.stat().st_mtime_ns == before.st_mtime_ns
    assert os.listdir(script.parent) == ["p.loom"]


def test_format_only_checks(home: Path, script: Path) -> None:
    script.write_text(MESSY)
    result = run(home, "format", "--check", script)
    assert (result.exit_code, result.stdout) == (1, f"{script}: would change\n")
    assert script.read_text() == MESSY
    script.write_text(RIGHT)
    assert run(home, "format", "--check", script).exit_code == 0
    assert json.loads(run(home, "--json", "format", "--check", script).stdout)["changed"] is False


def test_format_standard_input(home: Path) -> None:
    assert run(home, "format", "-", stdin=MESSY).stdout == RIGHT
    assert json.loads(run(home, "--json", "format", "-", stdin=MESSY).stdout)["text"] == RIGHT


def test_a_script_that_cannot_be_read_stays_as_it_is(home: Path, script: Path) -> None:
    script.write_text(MESSY + "oh no\n")
    result = run(home, "format", script)
    assert isinstance(result.exception, ScriptRejected)
    assert script.read_text() == MESSY + "oh no\n"


def test_a_script_that_is_refused_for_its_sense_is_still_formatted(home: Path, script: Path) -> None:
    script.write_text(MESSY.replace("from a", "from nowhere   duck 6dB under x"))
    assert run(home, "format", script).exit_code == 0
    assert script.read_text() == RIGHT.replace("from a", "from nowhere duck 6 dB under x")


def test_saving_follows_a_link_and_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "there" / "p.loom"
    target.parent.mkdir()
    target.write_text("old")
    link = tmp_path / "link.loom"
    link.symlink_to(target)
    save(link, "new\n")
    assert link.is_symlink()
    assert target.read_text() == "new\n"
    with pytest.raises(UnicodeEncodeError):
        save(link, "\ud800")
    assert os.listdir(target.parent) == ["p.loom"]
    assert target.read_text() == "new\n"


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("right_*.loom")), ids=lambda path: path.stem)
def test_comments_stay(path: Path) -> None:
    text = path.read_bytes().decode()
    formatted = format_text(text)
    assert formatted.count("#") == text.count("#")
    assert "\r" not in formatted
    assert formatted.endswith("\n")


def test_layout_of_the_canonical_form() -> None:
    text = (
        "\n\n# top\npiece 'x'\n".replace("'", '"')
        + "\n\n\nsection s 8bars # eight\n\n # first\n  bring a from b#no\n".replace("#no", " # no")
        + "\n     # within\n     gain - 3 dB-( 2dB )\n\n  # last\n# next\nmeter 6 / 8\n\n"
    )
    assert format_text(text) == (
        '# top\npiece "x"\n\nsection s 8 bars  # eight\n\n    # first\n    bring a from b  # no\n'
        "        # within\n        gain -3 dB - (2 dB)\n\n    # last\n# next\nmeter 6/8\n"
    )


def test_a_file_name_cannot_steer_the_terminal(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb.loom"
    path.write_text("zz\n")
    for arguments in (("check", path), ("check", "--editor", path), ("format", path)):
        result = run(home, *arguments)
        shown = result.stdout + str(result.exception)
        assert "\x1b" not in shown
        assert "b.loom:1:1" in shown
        assert "\nb.loom" not in shown
