"""`stemloom vault`, as people type it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.vault.sound.declared import Declared

from .conftest import Write, clicks, tone

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Say) -> Say:
    """Runs `stemloom vault ...` and gives its exit code, output and errors."""
    monkeypatch.setenv("STEMLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture(scope="module")
def lantern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home of Ada, who has the stem "lantern", and of Ben, who has none."""
    folder = tmp_path_factory.mktemp("lantern")
    soundfile.write(folder / "lantern.wav", tone(1.0), 48_000, subtype="FLOAT")
    with Vault.open(folder / "home", create=True) as vault:
        for name in ("Ada", "Ben"):
            vault.add_holder(name)
        assert vault.add([Declared(folder / "lantern.wav", "Ada", "fx")]).added
    return folder


def record(answer: tuple[int, str, str]) -> Any:
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)


def test_from_a_file_to_a_cleared_stem(say: Say, write: Write) -> None:
    ada = record(say("vault holder add 'Ada Lin' --json"))
    assert set(ada) == {"holder", "name", "public_key"}
    write("dusk.wav", clicks(4.0, 8, rate=44_100), 44_100)
    added = record(
        say(
            "vault add dusk.wav --holder 'ada lin' --role beats --bpm 120 --bars 2 --key Dm "
            "--mood warm,night --json"
        )
    )
    (stem,) = added["added"]
    assert (added["held"], added["refused"]) == ([], [])
    assert {
        "stem", "title", "path", "role", "kind", "seconds", "bpm", "bars", "key", "key_confidence", "lufs",
        "true_peak_dbtp",
    } <= set(stem)  # fmt: skip
    assert (stem["title"], stem["kind"], stem["bpm"], stem["bars"], stem["key"]) == (
        "dusk",
        "loop",
        120,
        2,
        "D minor",
    )
    assert record(say("vault list --json"))["stems"][0]["uses"] == []

    given = record(say(f"vault consent grant {stem['stem']} --use stream,export --until 2999-12-31 --json"))
    (consent,) = given["consents"]
    assert {"stem", "uses", "index", "time"} <= set(consent)
    assert consent["uses"] == ["export", "stream"]
    assert consent["until"] == "3000-01-01T00:00:00.000Z"
    assert [s["stem"] for s in record(say("vault search --use stream --bpm 110..130 --json"))["stems"]] == [
        stem["stem"]
    ]

    taken = record(say("vault consent withdraw dusk --use stream --json"))["consents"]
    assert taken[0]["index"] > consent["index"]
    assert record(say("vault search --use stream --json"))["stems"] == []
    shown = record(say("vault show dusk --json"))
    assert list(shown["clearances"]) == ["export"]
    assert [c["action"] for c in shown["consents"]] == ["grant", "withdraw"]


@pytest.mark.parametrize(
    "master",
    ["--master alice=33.3334% --master Bob=66.6666%", "--master 'alice=33.3334%, Bob=66.6666%'"],
)
def test_splits_are_exact(say: Say, write: Write, master: str) -> None:
    for name in ("Alice", "Bob"):
        say(f"vault holder add {name}")
    write("a.wav", tone(1.0))
    say("vault add a.wav --holder Alice --role fx")
    shares = record(say(f"vault split a {master} --json"))
    assert [(s["name"], s["ppm"]) for s in shares["master"]] in (
        [("Alice", 333_334), ("Bob", 666_666)],
        [("Bob", 666_666), ("Alice", 333_334)],
    )
    assert [(s["name"], s["ppm"]) for s in shares["publishing"]] == [("Alice", 1_000_000)]
    code, out, _ = say("vault split a")
    assert code == 0
    assert "33.3334 %" in out


def test_a_batch_with_a_refusal_exits_1_and_names_it(say: Say, write: Write) -> None:
    say("vault holder add Ada")
    write("good.wav", tone(1.0))
    code, out, err = say("vault add good.wav missing.wav --holder Ada --role choir")
    assert code == 1
    assert "1 added, 0 held, 1 refused" in out
    assert "missing.wav" in out
    assert "No such file" in out
    assert "roles that the engine does not balance: choir" in err
    code, out, _ = say("vault add good.wav missing.wav --holder Ada --role choir --json")
    assert code == 1
    assert [each["path"] for each in json.loads(out)["here"]] == ["good.wav"]
    code, out, _ = say("vault add good.wav --holder Ada --role fx --json")
    assert code == 1
    assert "already" in json.loads(out)["refused"][0]["reason"]


def test_what_a_standing_consent_clears_is_not_said_to_be_cleared_for_nothing(say: Say, write: Write) -> None:
    say("vault holder add Ada")
    write("one.wav", tone(1.0))
    write("two.wav", tone(1.0, hertz=330))
    assert "cleared for nothing" in say("vault add one.wav --holder Ada --role fx")[2]
    say("vault consent standing Ada --use stream")
    assert "cleared for nothing" not in say("vault add two.wav --holder Ada --role fx")[2]


def test_a_trial_says_what_would_be_and_changes_nothing(say: Say, write: Write, tmp_path: Path) -> None:
    say("vault holder add Ada")
    write("loop.wav", clicks(2.0, 4))
    write("bad.wav", tone(1.0) * 0)
    (tmp_path / "list.json").write_text(
        '[{"name": "loop.wav", "bpm": 120, "beats": 4, "mood": ["dry", "warm"]}, {"name": "bad.wav"}]'
    )
    words = "vault add . --manifest list.json --holder Ada --role beats"
    code, out, _ = say(f"{words} --dry-run")
    assert code == 1
    assert "would be added" in out
    assert "loop, 4 beats at 120 bpm" in out
    assert "it is silent" in out
    assert json.loads(say("vault list --json")[1])["stems"] == []
    added = json.loads(say(f"{words} --json")[1])["added"]
    assert [each["title"] for each in added] == ["loop"]
    assert json.loads(say("vault list --json")[1])["stems"][0]["mood"] == ["dry", "warm"]


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"name": {}}]', "[", '[{"name": null}]', "[]"])
def test_a_wrong_json_manifest_is_said(say: Say, write: Write, tmp_path: Path, text: str) -> None:
    say("vault holder add Ada")
    write("loop.wav", clicks(2.0, 4))
    (tmp_path / "list.json").write_text(text)
    code, _, err = say("vault add . --manifest list.json --holder Ada --role beats")
    assert code == 2
    assert "list.json" in err


def test_a_folder_with_a_manifest(say: Say, write: Write, tmp_path: Path) -> None:
    say("vault holder add Ada")
    say("vault holder add Ben")
    write("one.wav", clicks(2.0, 4))
    write("two.wav", tone(0.5))
    (tmp_path / "m.csv").write_text(
        "name,bpm,beats,kind,holder,role,licence,place\none.wav,120,4,loop,,,CC0,x\n"
        "two.wav,,,one-shot,Ben,fx,CC0,y\n"
    )
    answer = say("vault add . --manifest m.csv --holder Ada --role beats --json")
    assert "not used: licence, place\n" in answer[2]
    added = record(answer)["added"]
    assert [(a["title"], a["role"], a["kind"]) for a in added] == [
        ("one", "beats", "loop"),
        ("two", "fx", "hit"),
    ]
    owners = record(say("vault holder list --json"))["holders"]
    assert [(h["name"], h["stems"]) for h in owners] == [("Ada", 1), ("Ben", 1)]
    assert len(record(say("vault consent grant --holder Ben --use live --json"))["consents"]) == 1


def test_a_loop_of_silence_is_held_until_its_holder_insists(say: Say, write: Write) -> None:
    say("vault holder add Ada")
    write("sparse.wav", np.concatenate([tone(0.5), np.zeros((72_000, 1), dtype=np.float32)]))
    line = "vault add sparse.wav --holder Ada --role beats --bpm 120"
    code, out, _ = say(line)
    assert code == 1
    assert "0 added, 1 held, 0 refused" in out
    assert "--accept-silence" in out
    write("full.wav", tone(2.0))
    code, out, _ = say(line.replace("sparse.wav", "sparse.wav full.wav"))
    assert code == 0, out
    assert "1 added, 1 held, 0 refused" in out
    several = line.replace("sparse.wav", "sparse.wav full.wav") + " --accept-silence"
    code, _, told = say(several)
    assert code == 2
    assert "--accept-silence is for a single file" in told
    code, out, _ = say(f"{line} --accept-silence")
    assert code == 0
    assert "taken at its holder's word" in out


def test_a_manifest_says_of_each_file_what_is_done_with_it(say: Say, write: Write, tmp_path: Path) -> None:
    say("vault holder add Ada")
    folder = tmp_path / "pack"
    folder.mkdir()
    sparse = np.concatenate([tone(0.5), np.zeros((72_000, 1), dtype=np.float32)])
    for name in ("one", "two", "three"):
        write(f"pack/{name}.wav", sparse * {"one": 1, "two": 0.5, "three": 0.25}[name])
    (tmp_path / "list.csv").write_text("name,accept-silence\none.wav,yes\ntwo.wav,no\nthree.wav,perhaps\n")
    line = "vault add pack --manifest list.csv --holder Ada --role beats --bpm 120"
    code, _, told = say(line)
    assert code == 2
    assert "line 4: accept-silence is yes or no, not 'perhaps'" in told
    (tmp_path / "list.csv").write_text("name,accept-silence\none.wav,yes\ntwo.wav,no\nthree.wav,\n")
    code, out, _ = say(line)
    assert "1 added, 2 held, 0 refused" in out
    write("pack/long.wav", tone(3.1))
    write("pack/waltz.wav", tone(3.0, hertz=300))
    (tmp_path / "list.csv").write_text("name,trim,tail,meter\nlong.wav,no,wrap,\nwaltz.wav,,,3/4\n")
    code, out, _ = say(line)
    assert code == 0, out
    assert "1 bar at 120 bpm" in out
    assert "2 bars of 3/4 at 120 bpm" in out


def test_a_missing_file_is_in_the_table_alone_or_among_others(say: Say, write: Write) -> None:
    say("vault holder add Ada")
    write("good.wav", tone(1.0))
    for files in ("missing.wav", "missing.wav good.wav"):
        code, out, _ = say(f"vault add {files} --holder Ada --role fx --json")
        assert code == 1
        assert [Path(refused["path"]).name for refused in json.loads(out)["refused"]] == ["missing.wav"]


def test_a_role_that_is_meant(say: Say, write: Write) -> None:
    say("vault holder add Ada")
    write("horns.wav", tone(1.0))
    code, _, err = say("vault add horns.wav --holder Ada --role brass --new-role")
    assert code == 0
    assert "roles that the engine does not balance: brass" in err


def test_a_home_among_other_things_is_refused_and_nothing_is_written(say: Say, tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    code, out, err = say(f"--home {tmp_path} vault holder add Ada")
    assert (code, out) == (2, "")
    assert "holds other things and is not a Stemloom home; name a new or empty folder with --home" in err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("vault list", 4, "there is no vault in"),
        ("vault show x", 4, "there is no vault in"),
        ("vault add a.wav --holder Ada --role fx", 4, "there is no vault in"),
    ],
)
def test_without_a_vault(say: Say, line: str, code: int, sentence: str) -> None:
    got, out, err = say(line)
    assert (got, out) == (code, "")
    assert sentence in err


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("vault show nowt", 4, "there is no stem 'nowt' in the vault"),
        ("vault show lanter", 4, "did you mean 'lantern'?"),
        ("vault consent grant nowt --use live", 4, "there is no stem 'nowt'"),
        ("vault consent grant lantern --use radio", 2, "'radio' is not a use"),
        ("vault consent grant lantern", 2, "Missing option '--use'"),
        ("vault consent grant --use live", 2, "name stems, or a holder"),
        ("vault consent grant lantern --use live --until soon", 2, "--until is a date"),
        ("vault consent grant lantern --use live --until 2020-01-01", 2, "over before it began"),
        ("vault consent grant --holder Ben --use live", 4, "Ben has no stems"),
        ("vault add a.wav --holder Adda --role fx", 4, "there is no holder 'Adda'; did you mean 'Ada'?"),
        ("vault add a.wav --role fx", 2, "add --holder"),
        ("vault add a.wav --holder Ada", 2, "has no role: add --role"),
        ("vault add a.wav --holder Ada --role fx --bpm fast", 2, "--bpm is a number, not 'fast'"),
        ("vault add a.wav --holder Ada --role fx --bpm 1/0", 2, "--bpm is a number"),
        ("vault add a.wav --holder Ada --role fx --bpm 5", 2, "5 bpm is outside"),
        ("vault add a.wav --holder Ada --role fx --key H", 2, "'H' is not a key"),
        ("vault add a.wav b.wav --holder Ada --role fx --title x", 2, "for a single file"),
        ("vault add lantern.wav --manifest m.csv --holder Ada", 2, "--manifest goes with one folder"),
        ("vault add . --manifest nowhere.csv --holder Ada", 2, "'nowhere.csv' does not exist"),
        (
            "vault add . --manifest m.csv --holder Ada",
            2,
            "m.csv: it has no column 'role': add one, or say --role",
        ),
        ("vault add . --manifest slip.csv --holder Ada", 2, "'rolle' is unknown; did you mean 'role'?"),
        ("vault add . --manifest pipe --holder Ada --role fx", 2, "pipe is not a regular file"),
        ("vault add . --manifest /dev/zero --holder Ada --role fx", 2, "/dev/zero is not a regular file"),
        ("vault add lantern.wav --holder Ada --role beets", 2, 'did you mean "beats"?'),
        ("vault add .empty --holder Ada --role fx", 2, "no audio files in .empty"),
        ("vault search --bpm 130..110", 2, "is empty: write the lower end first"),
        ("vault search --key H", 2, "'H' is not a key"),
        ("vault search --holder Bem", 4, "did you mean 'Ben'?"),
        ("vault split lantern --master ada=60%", 2, "sum to 60 %, not to 100 %"),
        ("vault split lantern --master ada", 2, "'ada' is not a share"),
        ("vault split lantern --master ada=50% --master Ada=50%", 2, "named twice"),
        ("vault split lantern --master ada=60% --master zed=40%", 4, "there is no holder 'zed'"),
        ("vault holder add ada", 2, "there is a holder 'Ada' already"),
        ("vault holder add ' '", 2, "the name is empty"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_exit_code(
    say: Say, lantern: Path, tmp_path: Path, line: str, code: int, sentence: str
) -> None:
    shutil.copytree(lantern, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "m.csv").write_text("name\nlantern.wav\n")
    (tmp_path / "slip.csv").write_text("name,rolle\nlantern.wav,fx\n")
    got, out, err = say(line)
    assert sentence in err
    assert (got, out) == (code, "")
    assert "Traceback" not in err


def test_one_row_that_cannot_be_meant_leaves_the_others_in(say: Say, write: Write, tmp_path: Path) -> None:
    say("vault holder add Ada")
    for hertz in (220, 330, 440):
        write(f"{hertz}.wav", tone(1.0, hertz=hertz))
    moods = ";".join(f"mood {number}" for number in range(20_000 // 2))
    (tmp_path / "m.csv").write_text(f"name,mood\n220.wav,warm\n330.wav,{moods}\n440.wav,{chr(0x130) * 200}\n")
    code, out, err = say("vault add . --manifest m.csv --holder Ada --role fx --json")
    answer = json.loads(out)
    assert (code, [stem["title"] for stem in answer["added"]]) == (1, ["220"]), err
    assert [(Path(row["path"]).name, row["reason"]) for row in answer["refused"]] == [
        ("330.wav", "10000 moods are declared; 16 are the most"),
        ("440.wav", "the mood has 400 characters; 200 are the most"),
    ]


def test_the_shell_completes_stems_and_holders(say: Say, write: Write, tmp_path: Path) -> None:
    say("vault holder add Ada")
    write("lantern.wav", tone(1.0))
    say("vault add lantern.wav --holder Ada --role fx")

    def completed(line: str, home: Path) -> list[str]:
        asked = {
            "_STEMLOOM_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "stemloom"], env={**os.environ, **asked, "STEMLOOM_HOME": str(home)},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        return [word.split(",")[1] for word in done.stdout.split()]

    assert completed("stemloom vault show lan", tmp_path / "home") == ["lantern"]
    assert completed("stemloom vault search --holder A", tmp_path / "home") == ["Ada"]
    assert completed("stemloom vault show lan", tmp_path / "nowhere") == []


def test_a_light_question_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, stemloom.vault.vault, stemloom.cli.vault; print(*sys.modules)"],
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout.split()  # fmt: skip
    heavy = {"scipy", "numba", "soundfile", "soxr", "sounddevice", "rich"}
    assert not heavy & set(loaded)
    assert "stemloom.vault.vault" in loaded
