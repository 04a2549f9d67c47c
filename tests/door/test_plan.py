"""`stemloom plan`: the table, the JSON, and the reasons of each choice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from stemloom import Vault
from stemloom.cli import main
from stemloom.vault.sound.declared import Declared

RATE = 48_000
SCRIPT = """piece "Plan" for stream
tempo 120
seed 3
bus room = reverb 2 s
pool beats = loops role beats, never twice in 4 bars
pool sparks = hits role fx
dial push 0..1 = 0.5 at next bar
section a 4 bars
    bring beats from beats gain push * 4 dB pan -0.5 reverse
        to room 30% lowpass 400 Hz -> 12 kHz over 4 bars
    bring more from beats at bar 2 duck 6 dB under beats
    bring none from beats at bar 3
    play spark from sparks "X..............."
move a -> silence at end
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("plan") / "home"
    rng = np.random.default_rng(5)
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for title, role, seconds in (("One", "beats", 4.0), ("Two", "beats", 4.0), ("Zap", "fx", 0.2)):
            path = home.parent / f"{title}.wav"
            soundfile.write(path, rng.standard_normal((int(seconds * RATE), 2)) * 0.1, RATE, subtype="FLOAT")
            said = {"bpm": Fraction(120), "bars": 2} if role == "beats" else {"shape": "hit"}
            offers.append(Declared(path, "Ada", role, title=title, **said))
        assert len(vault.add(offers).added) == 3
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return home


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "plan.loom"
    path.write_text(SCRIPT)
    return path


def plan(home: Path, script: Path, *arguments: str) -> Result:
    before = ["--home", str(home), *(["--json"] if "--json" in arguments else [])]
    rest = [argument for argument in arguments if argument != "--json"]
    return CliRunner().invoke(main, [*before, "plan", str(script), *rest])


def test_the_table(home: Path, script: Path) -> None:
    done = plan(home, script)
    first = re.search(r'takes "(\w+)"', plan(home, script, "--why").stdout)
    assert first is not None
    one, two = first[1], {"One": "Two", "Two": "One"}[first[1]]
    assert done.exit_code == 0
    assert (
        done.stdout
        == f"""\
4 bars at 120 bpm; the piece ends after bar 4

bar  beat  bars  section  part   stem  gain  line  how
  1     1     4  a        beats  {one}      2     9  pan -0.5, reverse, to room 30%, lowpass 400 Hz -> 12 kHz
  1     1   0.1  a        spark  Zap      0    13
  2     1     3  a        more   {two}      0    11  duck 6 dB under beats
  2     1   0.1  a        spark  Zap      0    13
  3     1   0.1  a        spark  Zap      0    13
  4     1   0.1  a        spark  Zap      0    13
line 12: none rests: pool beats is empty: every stem has sounded within 4 bars
"""
    )


def test_the_reasons(home: Path, script: Path) -> None:
    said = plan(home, script, "--why").stdout
    one = re.search(r'line 9: beats takes "(\w+)"', said)
    assert one is not None
    two = {"One": "Two", "Two": "One"}[one[1]]
    assert (
        f"""
bar 1, line 9: beats takes "{one[1]}", 1 of 2 in pool beats
  chance  weight  stem
   50.0%       1  One
   50.0%       1  Two

bar 1, line 13: spark takes "Zap", 1 of 1 in pool sparks
  chance  weight  stem
  100.0%       1  Zap

bar 2, line 11: more takes "{two}", 1 of 1 in pool beats
  chance  weight  stem  for
  100.0%     0.5  {two}   length x0.5
  left out, sounded within 4 bars: "{one[1]}"

bar 3, line 12: none rests, none left in pool beats
  left out, sounded within 4 bars: "One", "Two"
"""
        in said
    )


def test_what_a_section_takes_again_is_said(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "again.loom"
    script.write_text(
        'piece "Again" for stream\ntempo 120\npool beats = loops role beats\n'
        "section a 2 bars\n    bring beats from beats\n"
    )
    said = plan(home, script, "--why", "--bars", "4").stdout
    first = re.search(r'bar 1, line 5: beats takes "(\w+)"', said)
    assert first is not None
    assert f'bar 3, line 5: beats takes "{first[1]}" again, as when its section came before\n' in said
    made = json.loads(plan(home, script, "--json", "--why", "--bars", "4").stdout)
    assert [choice["again"] for choice in made["choices"]] == [False, True]


def test_the_json_has_effects_and_every_candidate(home: Path, script: Path) -> None:
    made = json.loads(plan(home, script, "--json", "--why", "--dial", "push=1").stdout)
    first = made["placements"][0]
    assert {name: first[name] for name in ("gain_db", "pan", "reverse", "semitones", "sends", "duck")} == {
        "gain_db": 4,
        "pan": -0.5,
        "reverse": True,
        "semitones": 0,
        "sends": {"room": 0.3},
        "duck": None,
    }
    assert first["filters"] == [
        {"kind": "lowpass", "hz": 400, "to_hz": 12_000, "frames": 8 * RATE, "curve": "exponential"}
    ]
    assert [(c["bar"], c["line"], c["part"], len(c["candidates"])) for c in made["choices"]] == [
        (1, 9, "beats", 2),
        (1, 13, "spark", 1),
        (2, 11, "more", 2),
        (3, 12, "none", 2),
        (4, 12, "none", 2),
    ]
    assert made["choices"][3]["stem"] is None
    assert made["choices"][2]["candidates"][1]["excluded"] == "sounded within 4 bars"
    assert "choices" not in json.loads(plan(home, script, "--json").stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--dial", "pull=1"), 2, '"Plan" has no dial "pull"; its dials: push'),
        (("--dial", "push=7"), 2, "dial push goes from 0 to 1; 7 is outside"),
        (("--use", "export"), 3, '"Plan" is for stream, not for export'),
        (("--bars", "0"), 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_is_said(
    home: Path, script: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stemloom", "--home", str(home), "plan", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr


def test_the_check_has_a_dry_run(home: Path, script: Path) -> None:
    done = CliRunner().invoke(main, ["--home", str(home), "check", str(script)])
    assert done.exit_code == 0
    heading = "warning W021: none rests in bar 3 of section a: "
    heading += "pool beats is empty: every stem has sounded within 4 bars"
    assert (
        done.stdout
        == f"""\
{script}:12:5: {heading}
  12 |     bring none from beats at bar 3
     |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
     = let its pool take in more, or repeat sooner

{script}: 1 warning
"""
    )
