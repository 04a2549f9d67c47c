"""The whole road by its commands, on real recordings: vault, consent, render, ledger, money."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
AUDIO = Path(os.environ.get("STEMLOOM_TEST_AUDIO") or ROOT.parent / "shared" / "audio")
SCRIPT = """piece "Road" for stream, export
tempo 118..124
key A major
seed 5
pool drums = loops role beats
pool picked = loops role harmony, key fits
pool leads = loops role melody, key fits
pool taps = hits role tops
section a 4 bars
    bring drums from drums
    bring picked from picked at bar 2
    play tap from taps "x... x... x... x..."
section b 4 bars
    bring drums from drums
    bring lead from leads gain -2 dB
move a -> b at end
move b -> silence at end
"""
ROLES = {
    "gtr": "harmony",
    "keys": "harmony",
    "lead": "melody",
    "bass": "bass",
    "pad": "pads",
    "tick": "tops",
    "snap": "tops",
}

needs_audio = pytest.mark.skipif(not (AUDIO / "MANIFEST.csv").exists(), reason=f"no recordings in {AUDIO}")


def run(home: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "stemloom", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def as_json(home: Path, *arguments: str, expect: int = 0) -> dict:
    return json.loads(run(home, *arguments, "--json", expect=expect).stdout)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A home with at least 20 real recordings by two holders, consents, a render, a settlement."""
    if not (AUDIO / "MANIFEST.csv").exists():
        pytest.skip(f"no recordings in {AUDIO}")
    folder = tmp_path_factory.mktemp("road")
    home, script = folder / "home", folder / "road.loom"
    script.write_text(SCRIPT)
    with (AUDIO / "MANIFEST.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["bpm"] or row["kind"] == "one-shot"]
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", "holder", "role", "bpm", "beats", "key", "kind"])
        writer.writeheader()
        for number, row in enumerate(rows):
            loop = row["kind"] == "loop"
            role = next((r for piece, r in ROLES.items() if piece in row["name"]), "beats")
            writer.writerow(
                {
                    "name": row["name"],
                    "holder": ("Ada Quist", "Ben Osei")[number % 2],
                    "role": role,
                    "bpm": row["bpm"] if loop else "",
                    "beats": row["beats"] if loop else "",
                    "key": row["key"],
                    "kind": row["kind"],
                }
            )
    # `vault add` makes a home where there is none only after a holder has.
    for name in ("Ada Quist", "Ben Osei"):
        as_json(home, "vault", "holder", "add", name)
    added = as_json(home, "vault", "add", str(AUDIO), "--manifest", str(manifest))
    stems = [stem["stem"] for stem in added["added"]]
    granted = as_json(home, "vault", "consent", "grant", *stems, "--use", "stream,export")
    out = folder / "road.flac"
    rendered = as_json(
        home, "render", str(script), "--out", str(out), "--use", "stream", "--tier", "subscriber"
    )
    return {
        "home": home,
        "script": script,
        "out": out,
        "added": added,
        "granted": granted,
        "rendered": rendered,
    }


@needs_audio
def test_intake_and_consent(road: dict) -> None:
    assert len(road["added"]["added"]) >= 20
    assert not road["added"]["refused"]
    assert len(road["granted"]["consents"]) == len(road["added"]["added"])
    for stem in road["added"]["added"]:
        assert {"stem", "title", "path", "role", "kind", "seconds", "bpm", "bars", "key", "lufs"} <= set(stem)


@needs_audio
def test_render_ledger_and_settlement_agree(road: dict) -> None:
    home, rendered = road["home"], road["rendered"]
    assert rendered["true_peak_dbtp"] <= -1
    assert as_json(home, "ledger", "verify")["ok"]
    shown = [
        json.loads(line)
        for line in run(home, "ledger", "show", "--kind", "placement", "--json").stdout.splitlines()
    ]
    entries = [each["entry"] for each in shown if each["entry"]["session"] == rendered["session"]]
    assert len(entries) == rendered["placements"] > 10
    per_stem: dict[str, int] = {}
    for entry in entries:
        per_stem[entry["stem"]] = per_stem.get(entry["stem"], 0) + entry["ms"]
    assert {stem["stem"]: stem["ms"] for stem in rendered["stems"]} == per_stem

    period = entries[0]["start"][:7]
    as_json(home, "royalty", "income", "1000", "--currency", "EUR", "--period", period, "--reference", "one")
    settled = as_json(home, "royalty", "settle", period, "--currency", "EUR", "--early")
    assert {stem["stem"]: stem["ms"] for stem in settled["stems"]} == per_stem
    assert settled["total_ms"] == sum(per_stem.values())
    assert sum(stem["amount"] for stem in settled["stems"]) == settled["pool"] == 1_000_000_000
    assert sum(holder["amount"] for holder in settled["holders"]) == settled["pool"]
    for stem in settled["stems"]:
        exact = Fraction(settled["pool"] * stem["ms"], settled["total_ms"])
        assert abs(stem["amount"] - exact) < 1
    for holder in settled["holders"]:
        statement = as_json(home, "royalty", "statement", holder["holder"], period)
        assert statement["accrued"] == holder["amount"]
    assert as_json(home, "ledger", "verify")["ok"]


@needs_audio
def test_the_sound_holds_what_the_ledger_says(road: dict, tmp_path: Path) -> None:
    """Taking a stem away silences just its logged time: what the file holds and the ledger says agree."""
    sound, rate = soundfile.read(road["out"])
    assert len(sound) == road["rendered"]["frames"]
    active = np.abs(sound).max(axis=1) > 1e-4
    take = json.loads(Path(road["rendered"]["take"]).read_text())
    last = max(p["start_frame"] + p["frames"] for p in take["placements"])
    assert len(sound) - last < 0.2 * rate
    for placement in take["placements"]:
        if placement["frames"] < 2000:
            continue
        middle = slice(placement["start_frame"], placement["start_frame"] + placement["frames"])
        assert active[middle].mean() > 0.3


@needs_audio
def test_rendering_again_is_bit_identical(road: dict, tmp_path: Path) -> None:
    again = as_json(
        road["home"], "render", str(road["script"]), "--out", str(tmp_path / "again.wav"), "--use", "stream"
    )
    assert again["pcm_sha256"] == road["rendered"]["pcm_sha256"]
    assert again["session"] != road["rendered"]["session"]
    assert [s["ms"] for s in again["stems"]] == [s["ms"] for s in road["rendered"]["stems"]]


@needs_audio
def test_a_withdrawn_stem_is_left_out_and_the_ledger_still_verifies(road: dict, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(road["home"], home)
    gone = next(stem["stem"] for stem in road["rendered"]["stems"])
    withdrawn = as_json(home, "vault", "consent", "withdraw", gone, "--use", "stream,export")
    assert [consent["stem"] for consent in withdrawn["consents"]] == [gone]
    again = as_json(
        home, "render", str(road["script"]), "--out", str(tmp_path / "again.wav"), "--use", "stream"
    )
    assert gone not in {stem["stem"] for stem in again["stems"]}
    assert as_json(home, "ledger", "verify")["ok"]


@needs_audio
def test_one_changed_byte_is_found_and_named(road: dict, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(road["home"], home)
    files = sorted(path for path in (home / "ledger" / "log").rglob("*") if path.is_file())
    assert len(files) >= 3
    for path in files:
        data = bytearray(path.read_bytes())
        place = len(data) // 2
        data[place] ^= 1
        path.write_bytes(data)
        report = as_json(home, "ledger", "verify", expect=5)
        data[place] ^= 1
        path.write_bytes(data)
        assert not report["ok"]
        told = json.dumps(report["problems"])
        assert path.name in told
        if "entries" in path.parts:
            assert any(problem["index"] is not None for problem in report["problems"])
    assert as_json(home, "ledger", "verify")["ok"]


MISTAKES = [
    (["render", "none.loom", "--out", "o.wav"], 2, "none.loom"),
    (["render", "{script}", "--out", "o.xyz"], 2, "must end in .aif, .aiff, .flac"),
    (["render", "{script}", "--out", "o.wav", "--use", "sync"], 3, "not for sync"),
    (["render", "{script}", "--out", "o.wav", "--dial", "x=1"], 2, 'no dial "x"'),
    (["render", "{script}", "--out", "o.wav", "--dial", "x"], 2, "NAME=VALUE"),
    (["vault", "add", "none.wav", "--holder", "Ada Quist", "--role", "beats"], 1, "none.wav"),
    (["vault", "consent", "grant", "nothing", "--use", "stream"], 4, "nothing"),
    (["vault", "consent", "grant", "loop_garzul", "--use", "radio"], 2, "radio"),
    (["royalty", "settle", "2026-13"], 2, "2026-13"),
    (["royalty", "statement", "Nobody", "2026-11"], 4, "Nobody"),
    (["ledger", "prove", "999999"], None, "999999"),
    (["vault", "lst"], 2, "lst"),
]


@needs_audio
@pytest.mark.parametrize(("arguments", "code", "said"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_gives_one_sentence(
    road: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int | None,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [argument.format(script=road["script"]) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "stemloom", "--home", str(road["home"]), *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code if code is not None else done.returncode != 0
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file", "vault", "holder", "add", "Ada", expect=2)
    assert "file" in done.stderr
    done = run(tmp_path / "none", "vault", "list", expect=4)
    assert "none" in done.stderr


@needs_audio
def test_the_example_on_real_recordings(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "real_recordings.py"),
            str(AUDIO),
            "--home",
            str(tmp_path / "home"),
            "--out",
            str(tmp_path / "found.flac"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "verified" in done.stdout
    assert soundfile.info(tmp_path / "found.flac").frames == 120 * 48_000
