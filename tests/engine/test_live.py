"""Playing on a device: the same samples as offline, whatever the device's timing, and nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stemloom import Vault
from stemloom.engine.clock import QUANTUM
from stemloom.engine.errors import DeviceFailed
from stemloom.engine.mix import callback
from stemloom.engine.mix.callback import duration_of
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.mix.machine import outer
from stemloom.engine.play import take as takes
from stemloom.engine.play.live import Live
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.engine.play.stepped import SteppedDevice
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from ..marks import slow
from . import alsa
from .test_session import RATE, SCRIPT, home as home

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PLAY = Path(__file__).with_name("play_on_alsa.py")


@pytest.fixture(scope="module")
def demo(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


@pytest.mark.parametrize("patient", ["patient", "hasty"])
@pytest.mark.parametrize("seed", [0, *map(slow, (1, 2))])
def test_what_a_device_was_given_is_what_the_take_replays(
    home: Path, tmp_path: Path, seed: int, patient: str
) -> None:
    """On a device without a clock, which is far ahead of every decision unless it waits."""
    script = tmp_path / "piece.loom"
    script.write_text(SCRIPT)
    replays_what_was_given(home, script, tmp_path, str(seed), patient)


@pytest.mark.parametrize("name", ["harbour_night", *map(slow, ["last_train", "slow_weather", "back_stairs"])])
def test_every_example_on_a_device_is_what_its_take_replays(demo: Path, tmp_path: Path, name: str) -> None:
    replays_what_was_given(demo, EXAMPLES / f"{name}.loom", tmp_path, "4", "patient", "30")


def replays_what_was_given(home: Path, script: Path, folder: Path, *options: str) -> None:
    """Play with gestures at random moments, and again from the take: the same samples and entries."""
    environ = alsa.environment(folder)
    command = [sys.executable, str(PLAY), str(home), str(script), *options]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    take = takes.load(Path(said["take"]))
    assert take.gestures
    if "patient" in options:
        assert said["late"] == said["lost"] == 0
    blocks: list[np.ndarray] = []
    with Vault.open(home) as vault:
        session, replayed = replay(vault, take, blocks.append)
        session.seal()
    sound = np.concatenate(blocks, axis=1)
    given = alsa.captured(folder)
    # PortAudio primes the device with silence of its own.
    primed = first_sound(given) - first_sound(sound)
    assert primed >= LATENCY_FRAMES
    np.testing.assert_array_equal(given[:, primed : primed + sound.shape[1]], sound)
    assert not given[:, primed + sound.shape[1] :].any()
    assert replayed.same
    # A device far ahead of its take may play more than can be kept; then the take claims no hash.
    assert (take.pcm_sha256 is None) == (said["lost"] > 0)
    assert replayed.take.placements == take.placements
    assert verify(home).ok


def first_sound(sound: np.ndarray) -> int:
    return int(np.flatnonzero(np.abs(sound).max(axis=0))[0])


def played(
    home: Path, script: str = SCRIPT, device: str | SteppedDevice = "silent", **options: object
) -> tuple[Session, Live, Vault]:
    vault = Vault.open(home)
    session = Session(vault, accepted(script))
    session.prepare(8)
    return session, Live(session, threading.RLock(), device=device, **options), vault


@pytest.mark.parametrize("seed", range(3))
def test_the_stepped_device_is_given_the_rendered_piece(home: Path, seed: int) -> None:
    """Whatever its blocks and steps, without a decision that is late or a frame that is lost."""
    rng = np.random.default_rng(seed)
    with Vault.open(home) as vault:
        offline = Session(vault, accepted(SCRIPT))
        sound = offline.read(1 << 20)
        expected = offline.close()
    device, heard, given = SteppedDevice(int(rng.choice([1, 64, 100, 441, 1024]))), [], []
    with pytest.raises(DeviceFailed, match="nothing plays"):
        device.step(1)
    session, live, vault = played(home, device=device, on_output=heard.append)
    with vault:
        live.start()
        while not given or len(given[-1]):
            given.append(device.step(int(rng.integers(1, RATE))))
        assert live.wait(20)
        live.stop()
        take = session.close()
    assert live.health.lost == 0
    assert take.late == ()
    assert take.pcm_sha256 == expected.pcm_sha256
    assert take.placements == expected.placements
    np.testing.assert_array_equal(np.concatenate(heard, axis=1), sound)
    # A device hears the sound later by what the limiter looks ahead.
    all_given = np.concatenate(given).T[:, LATENCY_FRAMES:]
    np.testing.assert_array_equal(all_given[:, : sound.shape[1]], sound)
    assert not all_given[:, sound.shape[1] :].any()


@pytest.mark.slow
def test_the_silent_device_keeps_time_and_the_piece_is_the_rendered_one(home: Path) -> None:
    with Vault.open(home) as vault:
        offline = Session(vault, accepted(SCRIPT))
        sound = offline.read(1 << 20)
        expected = offline.close()
    heard: list[np.ndarray] = []
    session, live, vault = played(home, on_output=heard.append)
    with vault:
        live.start()
        assert live.wait(20)
        live.stop()
        take = session.close()
        health = live.health
        if take.late or take.frames > expected.frames:
            # The machine was too busy for this thread: a decision came late, or it could not be told in time
            # that the piece was over. What was heard then is what the take says.
            blocks: list[np.ndarray] = []
            replay(vault, take, blocks.append)[0].seal()
            sound = np.concatenate(blocks, axis=1)
            expected = take
    assert health.lost == 0
    assert health.blocks >= 8 * RATE // 256
    assert 0 < health.p50 <= health.p99 <= health.p999 <= health.longest
    assert take.pcm_sha256 == expected.pcm_sha256
    assert take.placements == expected.placements
    np.testing.assert_array_equal(np.concatenate(heard, axis=1), sound)


def test_a_pause_stands_still_and_goes_on(home: Path) -> None:
    device = SteppedDevice()
    session, live, vault = played(home, device=device)
    with vault:
        live.start()
        device.step(RATE // 2)
        live.pause()
        device.step(RATE // 4)
        stood = session.mixer.frame
        assert not device.step(RATE // 4).any()
        assert session.mixer.frame == stood > 0
        live.resume()
        assert device.step(RATE // 4).any()
        assert session.mixer.frame > stood
        live.stop()
        session.close()


def test_a_stem_withdrawn_by_another_process_fades_and_its_time_is_exact(home: Path) -> None:
    heard: list[np.ndarray] = []
    text = SCRIPT.replace("    bring pads from pads over 1 bars gain level * 6 dB - 6 dB\n", "")
    text = "\n".join(line for line in text.splitlines() if "play tick" not in line)
    device = SteppedDevice()
    session, live, vault = played(home, text, device, on_output=heard.append)
    with vault, Vault.open(home) as other:
        live.start()
        device.step(7 * RATE // 10)
        stem = next(p.stem for p in session.playing if p.part == "beats")
        before = session.mixer.frame
        other.withdraw([stem], ["stream", "export"])
        device.step(8 * RATE // 10)
        live.stop()
        take = session.close()
        other.grant([stem], ["stream", "export"])
    (placed,) = (p for p in take.placements if p.stem == stem)
    (change,) = take.changes
    assert before <= change.frame <= before + RATE // 2
    # The last four frames of the straight fade lie below -60 dB.
    assert placed.frames == change.frame + 4800 - 4 - placed.start_frame
    sound = np.concatenate(heard, axis=1)
    # The master's high-pass rings out in the first quantum of silence.
    silent = change.frame + 4800 + 2 * QUANTUM
    assert np.abs(sound[:, silent : change.frame + RATE // 4]).max() == 0


def test_a_device_that_is_not_there_is_said(home: Path, tmp_path: Path) -> None:
    alsa.environment(tmp_path)
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT))
        with pytest.raises(DeviceFailed, match="cannot be opened"):
            Live(session, threading.RLock(), device="no such device")
        session.close()


def test_the_histogram_knows_its_durations() -> None:
    step_of = outer(callback.step_of)
    for nanoseconds in [*range(1, 100), *(int(1.3**n) for n in range(20, 80))]:
        step = step_of(nanoseconds)
        assert nanoseconds <= duration_of(step) <= nanoseconds * (1 + 1 / 16) + 1
        assert step == 0 or duration_of(step - 1) < nanoseconds


def test_a_device_that_does_not_start_leaves_a_session_that_can_be_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vault.open(home) as vault:
        offline = Session(vault, accepted(SCRIPT))
        expected = offline.read(1 << 20)
        offline.close()
    session, live, vault = played(home)

    def refuse(self: object) -> None:
        raise DeviceFailed("it will not")

    with vault:
        with monkeypatch.context() as patch:
            patch.setattr("stemloom.engine.play.stream.SilentDevice.start", refuse)
            with pytest.raises(DeviceFailed, match="it will not"):
                live.start()
        np.testing.assert_array_equal(session.read(1 << 20), expected)
        session.close()


def test_a_device_that_goes_away_is_told_and_the_music_goes_on(home: Path) -> None:
    told: list[tuple[str, object]] = []
    text = SCRIPT.replace("move a -> b at end", "move a -> silence at end")
    device = SteppedDevice()
    session, live, vault = played(home, text, device, on_event=lambda kind, what: told.append((kind, what)))
    with vault:
        live.start()
        device.step(3 * RATE)
        device.stop()
        gone = session.mixer.frame
        assert live.wait(20)
        live.stop()
        take = session.close()
        again = replay(vault, take, lambda block: None, logged=False)[1]
    assert "the music goes on in silence" in str(dict(told)["device"])
    assert take.frames > gone
    assert again.same
