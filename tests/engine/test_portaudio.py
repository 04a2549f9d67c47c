"""PortAudio beside forks, servers that go, and hosts that look for devices."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stemloom.engine.errors import DeviceFailed
from stemloom.engine.play import portaudio
from stemloom.ledger.verify.verify import verify

from . import alsa, jack
from .on_device import LONG
from .test_session import home as home

FORKED = """
import os, sys, time
from stemloom import Player
from stemloom.engine.errors import EngineError
from stemloom.engine.play.portaudio import devices
player = Player(sys.argv[1], sys.argv[2])
player.open_device(None if sys.argv[3] == "real" else "silent")
player.wait(0.3)
child = os.fork()
if child == 0:
    live = player._live
    changed = lambda: live.change_device("silent")
    for act in (live.stop, live.pause, live.resume, lambda: live.volume(0.5), changed):
        try:
            act()
            print("not refused", flush=True)
        except EngineError as error:
            assert "belongs to the process" in str(error)
    if sys.argv[3] == "real":
        assert [each.name for each in devices()] == ["silent"]
    if sys.argv[4] == "exit":
        sys.exit(0)
    os._exit(0)
begun = time.monotonic()
while not os.waitpid(child, os.WNOHANG)[0]:
    assert time.monotonic() < begun + 20, "the child hangs"
    time.sleep(0.01)
before = player.seconds
player.wait(0.3)
assert player.seconds > before
player.stop()
player.close()
assert player.take.pcm_sha256
"""


def forks(home: Path, folder: Path, environ: dict[str, str], kind: str, end: str) -> None:
    script = folder / "piece.loom"
    script.write_text(LONG)
    command = [sys.executable, "-c", FORKED, str(home), str(script), kind, end]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert verify(home).ok


@pytest.mark.parametrize("end", ["exit", pytest.param("_exit", marks=pytest.mark.slow)])
def test_a_forked_child_leaves_the_silent_device_alone(home: Path, tmp_path: Path, end: str) -> None:
    forks(home, tmp_path, dict(os.environ), "silent", end)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["exit", "_exit"])
def test_a_forked_child_leaves_portaudio_alone(home: Path, tmp_path: Path, end: str) -> None:
    with jack.server() as environ:
        forks(home, tmp_path, environ, "real", end)


def test_the_devices_are_named_with_the_silent_one_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import json; from dataclasses import asdict; from stemloom.engine.play.portaudio import devices; "
        "print(json.dumps([asdict(each) for each in devices()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=alsa.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *real, silent = json.loads(done.stdout)
    assert [each["default"] for each in real].count(True) == 1
    assert all(each["api"] and each["channels"] >= 2 and each["latency"] >= 0 for each in real)
    assert [each["number"] for each in real] == sorted(each["number"] for each in real)
    assert silent["name"] == "silent"
    assert silent["number"] is None

    def missing() -> None:
        raise DeviceFailed("PortAudio is not installed")

    monkeypatch.setattr(portaudio, "portaudio", missing)
    assert [each.name for each in portaudio.devices()] == ["silent"]


LEFT = """
import subprocess, sys
from stemloom import Player
from stemloom.engine.play.portaudio import devices
with Player(sys.argv[1], sys.argv[2]) as player:
    player.open_device()
    player.wait(0.3)
    assert not player.health.clockless
print("played", flush=True)
sys.stdin.readline()
devices()
"""


@pytest.mark.slow
def test_an_audio_server_that_ends_after_the_music_takes_nobody_along(home: Path, tmp_path: Path) -> None:
    """Neither when devices are looked for, nor at the end of the process."""
    script = tmp_path / "piece.loom"
    script.write_text(LONG)
    with jack.server() as environ:
        process = subprocess.Popen(
            [sys.executable, "-c", LEFT, str(home), str(script)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "played\n"
    _, errors = process.communicate("\n", timeout=60)
    assert process.returncode == 0, errors


FREED = """
import subprocess, sys, threading, time
from stemloom import Player
found, told = [], threading.Event()
with Player(sys.argv[1], sys.argv[2]) as player:
    player.on("device", lambda error: told.set())
    begun = time.monotonic()
    player.open_device()
    player.wait(0.5)
    found.append(player.health.clockless)
    subprocess.run(["jack_freewheel", "y"], capture_output=True)
    assert told.wait(60)
    found.append(player.health.clockless)
    subprocess.run(["jack_freewheel", "n"], capture_output=True)
    for _ in range(200):
        player.wait(0.1)
        if not player.health.clockless:
            break
    found.append(player.health.clockless)
    player.stop()
    wall = time.monotonic() - begun
assert player.take.frames <= wall * player.rate, (player.take.frames, wall)
assert found == [False, True, False], found
"""


@pytest.mark.slow
def test_a_server_that_runs_freely_for_a_while_is_held_for_as_long(home: Path, tmp_path: Path) -> None:
    if shutil.which("jack_freewheel") is None:
        pytest.skip("jack_freewheel is not installed")
    script = tmp_path / "piece.loom"
    script.write_text(LONG)
    with jack.server() as environ:
        done = subprocess.run(
            [sys.executable, "-c", FREED, str(home), str(script)],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert verify(home).ok
