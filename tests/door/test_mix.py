"""`stemloom mix` and `stemloom vault fits`, as people type them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from stemloom import Vault

Say = Callable[..., tuple[int, str, str]]
PIECE = """piece "Short" for stream
tempo 112..116
key D minor
seed 2
loudness off
pool drums = loops role beats, mood night
pool lows = loops role bass, key fits
pool chords = loops role harmony, key fits
section verse 4 bars
    bring drums from drums
    bring low from lows gain -20 dB # far too soft
    bring keys from chords
move verse -> silence at end
"""


@pytest.fixture(scope="module")
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


@pytest.fixture
def say(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Say) -> Say:
    """Runs `stemloom ...` beside the script `short.loom`; gives its exit code, output and errors."""
    monkeypatch.setenv("STEMLOOM_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.loom").write_text(PIECE)
    return command


def test_it_tells_the_line_in_words_in_json_and_in_a_picture(say: Say, home: Path, tmp_path: Path) -> None:
    with Vault.open(home) as vault:
        size = vault.log.size
    code, out, err = say("mix short.loom --picture short.svg")
    assert (code, err) == (0, "")
    assert re.search(r"^Short: 0:\d\d, -\d+\.\d LUFS", out)
    assert "line 11: bring low from lows gain -20 dB\n" in out
    assert "in place of -20 dB" in out
    svg = (tmp_path / "short.svg").read_text()
    ElementTree.fromstring(svg)
    assert "line 11" in svg
    code, out, _ = say("--json mix short.loom")
    record = json.loads(out)
    assert code == 0
    assert [each["section"] for each in record["sections"]] == ["verse"]
    assert {each["part"] for each in record["parts"]} == {"drums", "low", "keys"}
    assert record["findings"][0]["line"] == 11
    assert record["findings"][0]["kind"] == "level"
    with Vault.open(home) as vault:
        assert vault.log.size == size, "nobody heard it"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("mix short.loom --picture short.jpg", 2, "'short.jpg' must end in .svg"),
        ("mix short.loom --picture no/short.svg", 2, "there is no folder 'no'"),
        ("mix short.loom --seconds 4 --bars 2", 2, "say the length in --seconds or in --bars, not in both"),
        ("mix short.loom --seconds 4000", 2, "an hour"),
        ("mix short.loom --dial energy=1", 2, "energy"),
        ("mix none.loom", 2, "none.loom"),
        ("mix short.loom --use sync", 3, "sync"),
        ("vault fits Nothing", 4, "Nothing"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(say: Say, line: str, code: int, words: str) -> None:
    ended, out, err = say(line)
    assert words in err
    assert "Traceback" not in err
    assert (ended, out) == (code, "")


def test_a_script_with_a_mistake_is_refused_with_its_place(say: Say, tmp_path: Path) -> None:
    (tmp_path / "short.loom").write_text(PIECE.replace("from chords", "from cords"))
    code, _, err = say("mix short.loom")
    assert code == 3
    assert "short.loom:12" in err


def test_a_full_disk_leaves_no_half_picture(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def full(path: Any, *words: Any, **more: Any) -> int:
        if Path(path).name.startswith(".short.svg."):
            raise OSError(28, os.strerror(28))
        return opened(path, *words, **more)

    monkeypatch.setattr(os, "open", full)
    code, out, err = say("mix short.loom --bars 1 --picture short.svg")
    assert (code, out) == (1, "")
    assert "no space left on the disk while writing 'short.svg'" in err
    assert [path.name for path in tmp_path.iterdir()] == ["short.loom"]


def test_what_goes_with_a_stem_is_listed_best_first(say: Say) -> None:
    code, out, err = say('vault fits "Far Lamp" --role harmony,bass')
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Far Lamp: melody, D minor"
    assert " ".join(lines[2].split()) == "title role key shift stretch agreement chords in common"
    code, out, _ = say('--json vault fits "Far Lamp" --role harmony,bass')
    record = json.loads(out)
    weights = [each["weight"] for each in record["fits"]]
    assert weights == sorted(weights, reverse=True)
    assert {each["role"] for each in record["fits"]} == {"harmony", "bass"}
    assert all(abs(each["stretch"] - 1) <= 0.12 for each in record["fits"] if each["stretch"] is not None)
    assert lines[3].startswith(record["fits"][0]["title"])
