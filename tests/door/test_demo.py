"""The demo, as a newcomer runs it, and listened to as far as a program can."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault, check, render
from stemloom.demo import PIECES

ROOT = Path(__file__).resolve().parents[2]
RATE = 48_000


def demo(folder: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "stemloom", "demo", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done


@pytest.fixture(scope="module")
def run(demo_folder: Callable[[], Path]) -> tuple[Path, dict]:
    folder = demo_folder()
    return folder, json.loads((folder / "record.json").read_text())


def test_the_record_has_its_fields(run: tuple[Path, dict]) -> None:
    folder, record = run
    assert {"audio", "seconds", "home", "timeline", "statement", "ledger", "stems"} <= set(record)
    assert record["ledger"]["verified"] is True
    assert len(record["ledger"]["root"]) == 64
    for stem in record["stems"]:
        assert set(stem) == {"stem", "title", "holder", "ms"}
    for name in ("audio", "home", "timeline", "statement"):
        assert (folder / record[name]).exists()
    with Vault.open(folder / record["home"]) as vault:
        stems = vault.stems()
        assert len(stems) >= 100
        assert len({stem.role for stem in stems}) >= 7
        assert len(vault.holders()) == 7


@pytest.mark.slow
def test_a_second_run_is_bit_identical(run: tuple[Path, dict], tmp_path: Path) -> None:
    folder, first = run
    second = json.loads(demo(folder, "--json", "--out", str(tmp_path / "again.flac")).stdout)
    assert second["pcm_sha256"] == first["pcm_sha256"]
    one, _ = soundfile.read(folder / first["audio"], dtype="int32")
    two, _ = soundfile.read(tmp_path / "again.flac", dtype="int32")
    np.testing.assert_array_equal(one, two)


def test_it_is_loud_enough_and_under_its_ceiling_by_another_meter(run: tuple[Path, dict]) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    folder, record = run
    said = subprocess.run(
        [
            "ffmpeg",
            "-nostats",
            "-i",
            str(folder / record["audio"]),
            "-af",
            "ebur128=peak=true",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    summary = said[said.rindex("Summary:") :]
    loudness = float(re.search(r"I:\s+(-?[\d.]+) LUFS", summary).group(1))
    peak = float(re.search(r"Peak:\s+(-?[\d.]+) dBFS", summary).group(1))
    assert loudness == pytest.approx(record["lufs"], abs=0.15)
    assert loudness == pytest.approx(-14, abs=1)
    assert peak <= -1.0
    momentary = [float(value) for value in re.findall(r" S:\s*(-[\d.]+)", said)][50:-60]
    assert np.ptp(np.quantile(momentary, [0.05, 0.95])) < 10


def test_it_ends_as_music_ends(run: tuple[Path, dict]) -> None:
    folder, record = run
    sound, _ = soundfile.read(folder / record["audio"])
    seconds = np.sqrt((sound[-5 * RATE :] ** 2).mean(axis=1).reshape(5, RATE).mean(axis=1))
    assert np.all(np.diff(seconds) < 0)
    assert seconds[-1] < 10 ** (-50 / 20)
    assert seconds[0] > 10 ** (-40 / 20)


def test_rhythm_stands_on_the_grid(demo_home: Callable[[], Path], tmp_path: Path) -> None:
    """A lone bar-long accent of a clicky hit, rendered: each onset is within 1 ms of its sixteenth."""
    text = 'piece "Grid" for stream\ntempo 113\nseed 1\npool w = hits role beats, mood rim or block\n'
    text += 'section a 8 bars\n    play w from w "X... X... X... X..."\nmove a -> silence\n'
    with Vault.open(demo_home()) as vault:
        rendered = render(vault, check(text).piece, tmp_path / "grid.wav")
        source = vault.samples(rendered.stems[0].stem)
    sound, _ = soundfile.read(tmp_path / "grid.wav")
    lead = onset(np.abs(source).max(axis=0))
    for hit in range(32):
        frame = round(60 * RATE * hit / 113)
        heard = onset(np.abs(sound[frame : frame + 9600]).max(axis=1))
        assert abs(heard - lead) < RATE / 1000


def test_loops_start_on_their_bars(demo_home: Callable[[], Path], tmp_path: Path) -> None:
    """Every beat of the vault, at a tempo that none was made at: each downbeat is within 1 ms of its bar."""
    text = 'piece "Bars" for stream\ntempo 119\nseed 2\npool d = loops role beats, prefer fresh\n'
    text += "section a 1 bars\n    bring d from d\n"
    with Vault.open(demo_home()) as vault:
        rendered = render(vault, check(text).piece, tmp_path / "bars.wav", bars=21)
        leads = {s.stem: onset(np.abs(vault.samples(s.stem)[:, :4800]).max(axis=0)) for s in rendered.stems}
    sound, _ = soundfile.read(tmp_path / "bars.wav")
    assert len(leads) >= 4
    for sounded in rendered.sounded[:20]:
        placement = sounded.placement
        assert placement.start_frame == round(placement.bar * 4 * 60 * RATE / 119)
        assert 0.001 < abs(placement.variant.stretch - 1) < 0.08
        heard = onset(np.abs(sound[placement.start_frame : placement.start_frame + 4800]).max(axis=1))
        assert abs(heard - leads[placement.stem]) < RATE / 1000, placement.title


def onset(envelope: np.ndarray) -> int:
    return int(np.argmax(envelope > 0.2 * envelope.max()))


def test_tonal_parts_change_without_a_click(demo_home: Callable[[], Path], tmp_path: Path) -> None:
    """Where sections meet and stems are redrawn, nothing bends more sharply than the sounds themselves do."""
    text = 'piece "Soft" for stream\ntempo 114\nkey D minor\nseed 4\n'
    text += "pool p = loops role pads, key fits\npool b = loops role bass, key fits\n"
    text += "section a 3 bars\n    bring p from p\n    bring b from b\n    vary p every 1 bars\n"
    text += "section c 5 bars\n    bring p from p\n    bring b from b at bar 2\n    vary p every 2 bars\n"
    text += "move a -> c at end\nmove c -> a at end\n"
    with Vault.open(demo_home()) as vault:
        rendered = render(vault, check(text).piece, tmp_path / "soft.wav", bars=32)
    sound, _ = soundfile.read(tmp_path / "soft.wav")
    bend = np.abs(np.diff(sound, n=2, axis=0)).max(axis=1)
    lines = [bar.start_frame for bar in rendered.bars if 0 < bar.start_frame < len(sound) - RATE]
    at_lines = np.array([bend[frame - 960 : frame + 3840].max() for frame in lines])
    between = np.array([bend[frame - 28_800 : frame - 24_000].max() for frame in lines])
    assert at_lines.max() <= 1.5 * between.max()


@pytest.mark.slow
def test_it_leaves_its_scripts_and_says_how_to_hear_them(tmp_path: Path) -> None:
    record = json.loads(demo(tmp_path, "--json", "--seconds", "1").stdout)
    assert record["scripts"][0] == record["script"]
    assert [Path(script).name for script in record["scripts"]] == [piece.name for piece in PIECES]
    for script, piece in zip(record["scripts"], PIECES, strict=True):
        assert (tmp_path / script).read_bytes() == piece.read_bytes()
    changed = tmp_path / record["scripts"][1]
    changed.write_text("# mine\n" + changed.read_text())
    said = demo(tmp_path, "--seconds", "1")
    assert changed.read_text().startswith("# mine")
    assert "back_stairs.loom differs from the demo's own" in said.stderr
    for script in record["scripts"][1:]:
        assert f"stemloom --home {record['home']} render {script} --out" in said.stdout
    command = said.stdout.rstrip().splitlines()[-1].split()
    rendered = subprocess.run(
        [sys.executable, "-m", *command, "--seconds", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "slow-weather.wav: 2.0 s" in rendered.stdout


def everything(folder: Path) -> bytes:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).digest()


def at_home(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stemloom", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("make", "said"), [("file", "is a file"), ("full", "holds something")])
def test_it_touches_nothing_of_others(tmp_path: Path, make: str, said: str) -> None:
    home = tmp_path / "mine"
    if make == "file":
        home.write_text("mine")
    else:
        home.mkdir()
        (home / "thesis.txt").write_text("mine")
    before = everything(tmp_path)
    done = at_home(home, "demo")
    assert done.returncode == 2
    assert said in done.stderr
    assert everything(tmp_path) == before


@pytest.mark.slow
def test_it_keeps_what_was_added_to_an_earlier_demo(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert at_home(home, "demo", "--seconds", "2").returncode == 0
    script = str(ROOT / "examples" / "harbour_night.loom")
    assert at_home(home, "render", script, "--out", str(tmp_path / "a.wav"), "--seconds", "2").returncode == 0
    assert (
        at_home(home, "demo", "--seconds", "2").returncode == 0
    )  # a render alone is what the demo invites to
    (home / "song.wav").write_text("mine")
    assert "song.wav" in at_home(home, "demo").stderr
    (home / "song.wav").unlink()
    text = (home / "back_stairs.loom").read_text()
    (home / "back_stairs.loom").write_text(text + "# mine\n")
    assert "back_stairs.loom" in at_home(home, "demo").stderr
    (home / "back_stairs.loom").write_text(text)
    assert at_home(home, "vault", "holder", "add", "Real Me").returncode == 0
    before = everything(tmp_path)
    done = at_home(home, "demo")
    assert done.returncode == 2
    assert "a holder" in done.stderr
    assert everything(tmp_path) == before


@pytest.mark.slow
def test_a_killed_demo_can_be_run_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = subprocess.Popen([sys.executable, "-m", "stemloom", "--home", str(home), "demo", "-q"])
    while not (home / "ledger").exists():
        assert first.poll() is None
    second = at_home(home, "demo")
    assert second.returncode == 2
    assert "another demo is at work" in second.stderr
    first.kill()
    first.wait()
    assert at_home(home, "demo", "--seconds", "1").returncode == 0


@pytest.mark.parametrize(
    ("out", "said"), [("x.wma", "must end in .wav or .flac or .aiff"), ("no/x.wav", "no folder 'no'")]
)
def test_a_wrong_output_is_refused_before_any_work(tmp_path: Path, out: str, said: str) -> None:
    done = demo(tmp_path, "--out", out, expect=2)
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
