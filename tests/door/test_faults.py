"""What goes wrong under a running set: the music goes on, what was heard is logged, and it is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from stemloom import Player, Vault
from stemloom.engine.errors import DeviceFailed, EngineError
from stemloom.engine.play import take as takes
from stemloom.engine.play.portaudio import portaudio
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.engine.play.stepped import SteppedDevice
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries import entries
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from ..engine import jack

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "harbour_night.loom"


@pytest.fixture
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


def play(home: Path, environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A process that plays, once it does."""
    command = [sys.executable, "-m", "stemloom", "--home", str(home), "--json", "play", str(SCRIPT), *words]
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said(process, "playing ")
    return process


def said(process: subprocess.Popen[str], words: str) -> str:
    """The next of its lines that has these words."""
    assert process.stderr is not None
    lines = []
    while words not in (line := process.stderr.readline()):
        assert line, lines
        lines.append(line)
    return line


def ended(process: subprocess.Popen[str], home: Path) -> dict:
    """What it says in the end, whose take is replayed and whose ledger holds."""
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    found = json.loads(out)
    take = takes.load(Path(found["take"]))
    with Vault.open(home) as vault:
        assert replay(vault, take, lambda block: None, logged=False)[1].same
        logged = [
            entry.ms
            for _, entry in vault.log.entries()
            if isinstance(entry, entries.Placement) and entry.session == take.session
        ]
    assert logged == [placement.ms for placement in take.placements]
    assert verify(home).ok
    return found


def wait(process: subprocess.Popen[str], seconds: float) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)], ids=["ended", "killed"]
)
def test_an_audio_server_that_goes_away(home: Path, number: signal.Signals) -> None:
    with jack.server() as environ:
        process = play(home, environ)
        wait(process, 1.5)
        name = environ["JACK_DEFAULT_SERVER"]
        (server,) = (pid for pid, words in jack.living().items() if name in words)
        os.kill(server, number)
        assert "went away: the music goes on in silence" in said(process, "went away")
        wait(process, 1.5)
        found = ended(process, home)
    assert found["device"] == "silent"
    assert found["seconds"] > 2.5


@pytest.mark.slow
def test_a_process_that_stands_still_for_five_seconds(home: Path) -> None:
    process = play(home, dict(os.environ), "--device", "silent")
    wait(process, 1.5)
    process.send_signal(signal.SIGSTOP)
    # Nothing of ours can tell when five seconds are over in a process that is stopped.
    threading.Event().wait(5)
    process.send_signal(signal.SIGCONT)
    told = said(process, "stood still")
    wait(process, 1.5)
    found = ended(process, home)
    assert 4.5 < float(told.split(" for ")[1].split(" s")[0]) < 8
    assert found["xruns"] >= 1
    assert 2.5 < found["seconds"] < 6


def test_recordings_that_are_deleted_under_a_running_set(home: Path) -> None:
    """What is in memory plays on; what would come next is done without, and named once."""
    told: list[str] = []
    with Player(home, SCRIPT) as player:
        player.on("unready", lambda error: told.append(str(error)))
        device = SteppedDevice()
        player.open_device(device)
        device.step(player.rate)
        shutil.move(home / "vault" / "audio", home / "audio")
        shutil.rmtree(home / "vault" / "conformed")
        for _ in range(20):
            device.step(player.rate)
        assert player.now()
        player.stop()
    assert told
    assert len(told) == len(set(told))
    assert all("is missing: put" in each for each in told)
    take = player.take
    assert take is not None
    assert take.unready
    shutil.move(home / "audio", home / "vault" / "audio")
    with Vault.open(home) as vault:
        assert replay(vault, take, lambda block: None, logged=False)[1].same
    assert verify(home).ok


class JumpingClock(FixedClock):
    """A wall clock that is set forty days ahead, then eighty back, while the music plays."""

    def __init__(self) -> None:
        # From today on: consents were given today.
        today = datetime.now(UTC).date()
        self.days = [str(today + timedelta(days=days)) for days in (0, 40, -40)]
        super().__init__(f"{today}T23:59:59.000Z")
        self.asked = 0

    def now(self) -> str:
        self.asked += 1
        return f"{self.days[self.asked // 8 % 3]}T23:59:59.000Z"


def test_a_wall_clock_that_jumps_changes_no_sample(home: Path) -> None:
    text = SCRIPT.read_text()
    with Vault.open(home) as vault:
        plain = Session(vault, accepted(text, vault.snapshot()), logged=False)
        expected = plain.read(20 * plain.rate)
        plain.abandon()
        clock = JumpingClock()
        session = Session(vault, accepted(text, vault.snapshot()), clock=clock)
        np.testing.assert_array_equal(session.read(20 * session.rate), expected)
        take = session.close()
        session.seal()
        times = {
            entry.start[:7]
            for _, entry in vault.log.entries()
            if isinstance(entry, entries.Placement) and entry.session == take.session
        }
    assert len(times) > 1
    assert verify(home).ok


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Error opening OutputStream: Invalid sample rate [PaErrorCode -9997]", "does not take 48000 Hz"),
        (
            "Error opening OutputStream: Device unavailable [PaErrorCode -9985]",
            "Device unavailable; `stemloom",
        ),
    ],
)
def test_a_device_that_is_refused_leaves_a_player_that_plays_in_silence(
    home: Path, monkeypatch: pytest.MonkeyPatch, reason: str, words: str
) -> None:
    try:
        sounddevice = portaudio()
    except DeviceFailed as error:
        pytest.skip(str(error))

    def refuse(**options: object) -> None:
        raise sounddevice.PortAudioError(reason)

    monkeypatch.setattr(sounddevice, "_StreamBase", refuse)
    monkeypatch.setattr(sounddevice, "query_devices", lambda device, kind: {"name": "a card"})
    with Player(home, SCRIPT) as player:
        with pytest.raises(DeviceFailed, match=words):
            player.open_device(0)
        player.open_device("silent")
        player.wait(0.5)
        assert player.seconds > 0
        player.stop()
    assert verify(home).ok


def test_numbers_of_numpy_are_numbers_and_what_is_none_is_said(home: Path) -> None:
    with Player(home, SCRIPT, seed=np.int64(3)) as player:  # type: ignore[arg-type]
        player.set("energy", np.float32(0.25))  # type: ignore[arg-type]
        player.fade("pads", np.float64(0.5), np.int64(1))
        assert player.read(np.int64(480)).shape == (480, 2)  # type: ignore[arg-type]
        for act in (lambda: player.set("energy", "loud"), lambda: player.fade("pads", None)):
            with pytest.raises(TypeError, match=r"is a number; .* is none"):
                act()
        with pytest.raises(TypeError):
            player.read(1.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cannot be called"):
            player.on("bar", 3)  # type: ignore[arg-type]
    take = player.take
    assert take is not None
    assert take.seed == 3
    assert [gesture.value for gesture in take.gestures] == [0.25, 0.5]
    with pytest.raises(EngineError, match="a seed is a whole number"):
        Player(home, SCRIPT, seed=-1)


def test_a_read_of_more_than_there_is_gives_the_piece(home: Path) -> None:
    text = "\n".join(
        [
            'piece "Short" for stream',
            "tempo 114",
            "pool all = loops role beats",
            "section one 1 bars",
            "    bring all from all",
            "move one -> silence at end",
        ]
    )
    with Player.from_text(home, text) as player:
        sound = player.read(3600 * 48_000)
        assert 100_000 < len(sound) < 1_000_000
        assert len(player.read(1)) == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_that_is_not_one_reaches_the_output(home: Path, value: float) -> None:
    with Player(home, SCRIPT) as player:
        acts = [
            lambda: player.set("energy", value),
            lambda: player.fade("pads", value),
            lambda: player.fade("pads", 0.5, value),
        ]
        for act in acts:
            with pytest.raises(EngineError, match="outside"):
                act()
        assert np.isfinite(player.read(48_000)).all()
