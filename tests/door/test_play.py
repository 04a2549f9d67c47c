"""`play`, `replay`, `why` and `doctor`, as they are called on a machine without a sound card."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Self, cast

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stemloom import Player, Vault
from stemloom.cli import main
from stemloom.cli.watch import Watch
from stemloom.engine.errors import SwapRefused
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "examples" / "harbour_night.loom")


@pytest.fixture(scope="module")
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *words])


class Playing:
    """A process that plays to nobody."""

    def __init__(self, home: Path, *words: str) -> None:
        command = [sys.executable, "-m", "stemloom", "--home", str(home), "--json", "play", *words]
        self.process = subprocess.Popen(
            [*command, "--device", "silent"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        self.wait_for("playing ")
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, words: str) -> None:
        """Read what it says until it says this."""
        assert self.process.stderr is not None
        read = []
        while words not in (line := self.process.stderr.readline()):
            assert line, read
            read.append(line)

    def end(self, number: signal.Signals) -> dict:
        """End it by a signal; what it says of what it played."""
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        return json.loads(out)


@pytest.fixture(scope="module")
def played(home: Path) -> dict:
    result = run(
        home, "--json", "play", SCRIPT, "--device", "silent", "--seconds", "2", "--dial", "energy=0.7"
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_play_says_what_was_played_and_logs_it(home: Path, played: dict) -> None:
    assert 2 <= played["seconds"] < 4
    assert played["device"] == "silent"
    assert played["placements"] > 0
    assert played["ms"] > 0
    assert 0 < played["block_p50_ms"] <= played["block_p99_ms"] <= played["block_longest_ms"]
    assert Path(played["take"]).exists()
    assert verify(home).ok


def test_a_replay_proves_the_take_and_writes_nothing(home: Path, played: dict) -> None:
    with Vault.open(home) as vault:
        size = vault.log.size
    result = run(home, "--json", "replay", played["take"], "--check")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["ok"]
    assert said["entries_equal"]
    assert said["pcm_sha256"] == said["expected_pcm_sha256"]
    with Vault.open(home) as vault:
        assert vault.log.size == size


def test_a_take_that_was_changed_fails_its_check(home: Path, played: dict, tmp_path: Path) -> None:
    take = json.loads(Path(played["take"]).read_text())
    take["placements"][0]["frames"] += 1
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(take))
    result = run(home, "--json", "replay", str(changed), "--check")
    assert result.exit_code == 5
    assert json.loads(result.stdout)["differences"] == [0]


def test_a_replay_to_a_file_is_heard_once_more(home: Path, played: dict, tmp_path: Path) -> None:
    out = tmp_path / "again.wav"
    said = json.loads(run(home, "--json", "replay", played["take"], "--out", str(out)).stdout)
    assert said["ok"]
    assert out.stat().st_size > 44 + played["seconds"] * 48_000 * 6 * 0.99
    assert said["session"] != played["session"]
    assert "say where to" in run(home, "replay", played["take"]).output


def test_why_names_line_holder_and_consent(home: Path, played: dict) -> None:
    said = json.loads(run(home, "--json", "why", played["take"], "--at", "0:01.0").stdout)
    assert said["session"] == played["session"]
    assert said["sounds"]
    lines = Path(SCRIPT).read_text().splitlines()
    for sound in said["sounds"]:
        assert sound["part"] in lines[sound["line"] - 1]
        assert sound["holder"]
        assert sound["consent"] > 0
    assert run(home, "why", played["session"], "--at", "9:00").output.startswith("nothing sounds")
    assert "has no session" in str(run(home, "why", "x00", "--at", "1").exception)


def test_the_doctor_says_what_there_is(home: Path) -> None:
    said = json.loads(run(home, "--json", "doctor").stdout)
    assert said["mixer"]["p50_ms"] > 0
    assert said["home"]["vault"]
    assert said["devices"] or said["advice"]


def test_sigterm_ends_the_music_and_seals_it(home: Path) -> None:
    takes = home / "takes"
    before = len(list(takes.glob("*.json")))
    with Playing(home, SCRIPT) as playing:
        with pytest.raises(subprocess.TimeoutExpired):
            playing.process.wait(2)
        said = playing.end(signal.SIGTERM)
    assert said["interrupted"]
    assert said["seconds"] > 1
    assert said["placements"] > 0
    assert len(list(takes.glob("*.json"))) == before + 1
    assert verify(home).ok


def test_what_is_saved_while_it_plays_takes_over(home: Path, tmp_path: Path) -> None:
    """Saved with another gain, with a mistake, away, for another tempo, and as it was."""
    script = tmp_path / "live.loom"
    first = Path(SCRIPT).read_text()
    other = first.replace("gain -2 dB", "gain -9 dB")
    assert other != first
    script.write_text(first)
    with Playing(home, str(script), "--watch") as playing:
        script.write_text(other)
        playing.wait_for('"Harbour, Night" as it was saved takes over')
        script.write_text(first.replace("section", "sektion", 1))
        playing.wait_for("live.loom is refused: ")
        playing.wait_for("the old script plays on")
        script.unlink()
        playing.wait_for("there is no script")
        script.write_text(re.sub(r"^tempo .*$", "tempo 101", first, flags=re.M))
        playing.wait_for("is for 101 bpm, and what plays is at")
        script.write_text(first)
        playing.wait_for("takes over")
        take = playing.end(signal.SIGINT)["take"]
    gestures = json.loads(Path(take).read_text())["gestures"]
    assert [gesture["name"] for gesture in gestures if gesture["kind"] == "script"] == [other, first]
    assert run(home, "replay", take, "--check").exit_code == 0


class Taking:
    """A player that takes over what is in `wanted`, and keeps what it was given."""

    script = "one"

    def __init__(self) -> None:
        self.given: list[str] = []
        self.wanted: set[str] = set()

    def swap_script(self, text: str, name: str) -> None:
        self.given.append(text)
        if text not in self.wanted:
            raise SwapRefused(f"{text} is not wanted")


def saved(script: Path, text: str, at: int) -> None:
    script.write_text(text)
    os.utime(script, (at, at))


def test_what_was_refused_and_is_saved_again_unchanged_is_tried_again(tmp_path: Path) -> None:
    script, player, refused = tmp_path / "live.loom", Taking(), list[Exception]()
    saved(script, "one", 1)
    watch = Watch(cast(Player, player), script, refused.append)

    def look() -> tuple[int, int]:
        for _ in range(4):
            watch.look()
            if watch._swap is not None:
                futures.wait([watch._swap])
        return len(player.given), len(refused)

    assert look() == (0, 0)
    saved(script, "two", 2)
    assert look() == (1, 1)
    assert look() == (1, 1)
    saved(script, "two", 3)
    assert look() == (2, 2)
    player.wanted.add("two")
    saved(script, "two", 4)
    assert look() == (3, 2)
    saved(script, "two", 5)
    assert look() == (3, 2)
    script.write_bytes(b"\xff")
    os.utime(script, (6, 6))
    assert look() == (3, 3)
    assert look() == (3, 3)
    os.utime(script, (7, 7))
    assert look() == (3, 4)
    watch.close()


def test_what_comes_from_a_pipe_cannot_be_watched(home: Path) -> None:
    result = run(home, "play", "-", "--watch")
    assert result.exit_code == 2
    assert "--watch needs a file" in result.output


@pytest.mark.parametrize("name", ["harbour_night", "last_train", "slow_weather", "back_stairs"])
def test_every_example_replays_after_random_reads_and_gestures(home: Path, name: str) -> None:
    rng = random.Random(name)
    text = (ROOT / "examples" / f"{name}.loom").read_text()
    blocks, again = [], []
    with Vault.open(home) as vault:
        session = Session(vault, accepted(text, vault.snapshot()), history=False)
        dials = list(session.score.piece.dials.values())
        acts = [
            session.gestures.like,
            session.gestures.dislike,
            session.gestures.panic,
            lambda: session.gestures.mute("beats", rng.random() < 0.5),
            lambda: session.gestures.fade("pads", rng.random(), rng.random()),
            *(
                lambda dial=dial: session.gestures.set(dial.name, rng.uniform(dial.lo, dial.hi))
                for dial in dials
            ),
            *(lambda cue=cue: session.gestures.cue(cue) for cue in session.score.cues),
        ]
        while session.frame < 20 * 48_000 and not session.ended:
            blocks.append(session.read(rng.choice([1, 64, 333, 4096, 48_000])))
            if rng.random() < 0.2:
                rng.choice(acts)()
        take = session.close()
        _, replayed = replay(vault, take, again.append, logged=False)
    assert len(take.gestures) > 3
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.concatenate(again, axis=1))
    assert replayed.same
