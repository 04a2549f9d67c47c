"""Devices come, go, hang, are changed and are interrupted; the music is the same, and none of it is lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from stemloom import Player, Vault
from stemloom.engine.errors import DeviceFailed, EngineError
from stemloom.engine.play import live as live_module, portaudio, stream
from stemloom.engine.play.live import DRAIN_SECONDS, Live
from stemloom.engine.play.session import Session
from stemloom.engine.play.stepped import SteppedDevice
from stemloom.engine.play.stream import MOST_BLOCK, SilentDevice
from stemloom.engine.play.whole import whole
from stemloom.script.check.check import accepted

from ..marks import slow
from . import alsa
from .on_device import LONG, playing, rendered as rendered, same, to_the_end
from .test_session import RATE, SCRIPT, home as home


def test_another_device_goes_on_at_the_next_frame(home: Path, rendered: np.ndarray) -> None:
    """Even in the middle of what was mixed for the one before."""
    first, second = SteppedDevice(100), SteppedDevice(441)
    with playing(home, first) as (_, live):
        given = [first.step(30_001)]
        live.change_device(second)
        assert len(first.step(100)) == 0
        given.append(second.step(777))
        third = SteppedDevice()
        live.change_device(third)
        given.append(to_the_end(third))
        assert live.wait(20)
    same(given, rendered)


def test_after_a_device_went_away_another_takes_over(home: Path) -> None:
    told = threading.Event()
    device, other = SteppedDevice(), SteppedDevice()
    with playing(home, device, LONG, on_event=lambda *_: told.set()) as (session, live):
        device.step(RATE)
        device.stop()
        assert told.wait(20)
        assert live.health.device == "silent"
        live.change_device(other)
        assert live.health.device == "stepped"
        before = session.mixer.frame
        assert before >= RATE
        assert other.step(RATE).any()
        assert RATE // 2 < session.mixer.frame - before < 2 * RATE


def test_a_pause_outlasts_a_change(home: Path, rendered: np.ndarray) -> None:
    first, second = SteppedDevice(), SteppedDevice()
    with playing(home, first) as (session, live):
        given = first.step(RATE)
        live.pause()
        first.step(4096)
        stood = session.mixer.frame
        live.change_device(second)
        assert live.paused
        assert not second.step(4096).any()
        assert session.mixer.frame == stood
        live.resume()
        second.step(4096)
        given = to_the_end(second)
        np.testing.assert_array_equal(given[: 4096 * 4], rendered[stood + 4096 :][: 4096 * 4])


@pytest.mark.parametrize("seed", [0, *map(slow, (1, 2, 3))])
def test_whatever_is_done_to_devices_the_take_replays(home: Path, seed: int) -> None:
    """Pauses, volumes and changes between devices that wait and one that does not."""
    chance = random.Random(seed)
    stepped: list[SteppedDevice] = []

    def change() -> None:
        stepped[:] = [SteppedDevice(chance.choice([1, 100, 441]))] if not stepped else []
        live.change_device(stepped[0] if stepped else "silent", block=chance.choice([0, 64, 333]))

    with playing(home, "silent", LONG) as (session, live):
        acts = [live.pause, live.resume, lambda: live.volume(chance.random(), chance.random()), change]
        for _ in range(25):
            chance.choice(acts)()
            if stepped:
                stepped[0].step(chance.randrange(5000))
            else:
                live.wait(chance.uniform(0, 0.05))
        if stepped:
            live.resume()
            assert len(stepped[0].step(RATE)) == RATE
        assert session.mixer.frame > 0


@pytest.mark.parametrize("fault", ["open", "start"])
def test_a_change_that_fails_leaves_the_old_one_playing(
    home: Path, rendered: np.ndarray, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def refuse(self: object) -> None:
        raise DeviceFailed("it will not")

    device, taken = SteppedDevice(), SteppedDevice()
    with playing(home, device) as (_, live):
        given = [device.step(RATE)]
        threads = {each.name for each in threading.enumerate() if "stemloom" in each.name}
        if fault == "open":
            other: str | SteppedDevice = taken
            with playing(home, taken), pytest.raises(DeviceFailed, match="serves a player already"):
                live.change_device(other)
        else:
            with monkeypatch.context() as patch:
                patch.setattr(SilentDevice, "start", refuse)
                with pytest.raises(DeviceFailed, match="it will not"):
                    live.change_device("silent")
        assert {each.name for each in threading.enumerate() if "stemloom" in each.name} == threads
        given.append(to_the_end(device))
        assert live.wait(20)
    same(given, rendered)
    with pytest.raises(EngineError, match="the music is over"):
        live.change_device("silent")


def test_the_volume_is_the_listeners_alone(home: Path, rendered: np.ndarray) -> None:
    """The take is as without it, which `playing` holds; the gain is exact where it stands still."""
    device = SteppedDevice()
    with playing(home, device) as (_, live):
        given = [device.step(RATE)]
        live.volume(0.25, 0.1)
        given.append(device.step(RATE))
        live.volume(1)
        given.append(device.step(RATE))
        for gain, seconds in ((-0.1, 0), (1.1, 0), (float("nan"), 0), (1, -1), (1, float("inf"))):
            with pytest.raises(ValueError, match=r"0 to"):
                live.volume(gain, seconds)
        with pytest.raises(TypeError, match="not of type str"):
            live.volume("loud")  # type: ignore[arg-type]
    sound = np.concatenate(given)
    ramp = RATE // 10
    np.testing.assert_array_equal(sound[:RATE], rendered[:RATE])
    quiet = sound[RATE + ramp + 1 : 2 * RATE]
    np.testing.assert_array_equal(quiet, rendered[RATE + ramp + 1 : 2 * RATE] * np.float32(0.25))
    np.testing.assert_array_equal(sound[2 * RATE + ramp :], rendered[2 * RATE + ramp : 3 * RATE])
    assert (
        np.abs(sound[RATE : RATE + ramp] / np.where(rendered == 0, 1, rendered)[RATE : RATE + ramp]).max()
        <= 1
    )


@pytest.mark.slow
def test_a_stop_fades_as_long_as_it_is_told(home: Path) -> None:
    with playing(home, "silent", LONG) as (session, live):
        live.wait(0.3)
        before = session.mixer.frame
        live.stop(fade=0.5)
        assert session.mixer.frame - before > 0.4 * RATE
        with pytest.raises(ValueError, match="a fade takes"):
            live.stop(-1)


@pytest.mark.parametrize("block", [0, MOST_BLOCK])
def test_no_more_is_logged_than_time_has_passed(home: Path, block: int) -> None:
    """Not even of a long block that has only begun."""
    with Vault.open(home) as vault:
        session = Session(vault, accepted(LONG))
        session.prepare(8)
        live = Live(session, threading.RLock(), device="silent", block=block)
        begun = time.monotonic()
        live.start()
        live.wait(0.05)
        live.stop()
        took = time.monotonic() - begun
        assert session.close().frames <= took * RATE


class HungDevice(SilentDevice):
    """Says that it is active, takes no block, and does not stop."""

    name = "hung"
    active = True

    def start(self) -> None:
        pass

    def stop(self) -> None:
        threading.Event().wait()


def test_a_device_that_opens_too_late_is_closed_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, abandoned = threading.Event(), threading.Event()

    class LateDevice:
        def __init__(self, *_: object) -> None:
            answers.wait()

        def abandon(self) -> None:
            abandoned.set()

    monkeypatch.setattr(stream, "PortAudioDevice", LateDevice)
    monkeypatch.setattr(stream, "OPEN_SECONDS", 0.05)
    with Player.from_text(home, SCRIPT) as player:
        with pytest.raises(DeviceFailed, match="did not open within"):
            player.open_device()
        assert len(player.read(64)) == 64
    answers.set()
    assert abandoned.wait(20)


@pytest.mark.slow
def test_a_device_that_hangs_is_left_in_bounded_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "open_device", lambda rack, deck, rate, *_: HungDevice(rack, deck, rate))
    with playing(home, "hung", LONG) as (_, live):
        begun = time.monotonic()
        live.stop()
        # Twice what is stated, for a machine that does much else.
        assert time.monotonic() - begun < 2 * (DRAIN_SECONDS + portaudio.CLOSE_SECONDS)


WRONG = [
    ({"block": -1}, ValueError),
    ({"block": 10**7}, ValueError),
    ({"block": 10**400}, ValueError),
    ({"block": 1.5}, TypeError),
    ({"block": "x"}, TypeError),
    ({"block": None}, TypeError),
    ({"latency": "soon"}, ValueError),
    ({"latency": -1}, ValueError),
    ({"latency": float("nan")}, ValueError),
    ({"latency": float("inf")}, ValueError),
    ({"latency": 10**400}, ValueError),
    ({"latency": None}, TypeError),
    ({"device": 3.5}, TypeError),
    ({"device": True}, TypeError),
    ({"device": b"silent"}, TypeError),
    ({"device": "no such device"}, DeviceFailed),
    ({"device": ""}, DeviceFailed),
    ({"device": 9999}, DeviceFailed),
    ({"device": -1}, DeviceFailed),
    ({"device": 10**400}, DeviceFailed),
]


def test_what_is_no_device_is_said_in_a_sentence_and_leaves_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "ALSA_CONFIG_PATH", alsa.environment(tmp_path)["ALSA_CONFIG_PATH"])
    with Player.from_text(home, SCRIPT) as player:
        threads = {each.name for each in threading.enumerate() if "stemloom" in each.name}
        for options, error in WRONG:
            with pytest.raises(error) as raised:
                player.open_device(**{"device": "silent", **options})  # type: ignore[arg-type]
            assert "\n" not in str(raised.value)
            assert len(str(raised.value)) < 600
        assert {each.name for each in threading.enumerate() if "stemloom" in each.name} == threads
        assert player.read(64).shape == (64, 2)


def test_what_is_done_whole_goes_on_when_the_wait_is_broken_off() -> None:
    begun, done = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait()
        done.set()

    interrupted = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        whole(act)
    assert begun.is_set()
    assert not done.is_set()
    interrupted.set()
    assert done.wait(20)
    with pytest.raises(ZeroDivisionError):
        whole(lambda: 1 / 0)
    with pytest.raises(TimeoutError):
        whole(threading.Event().wait, 0.01)


@pytest.mark.parametrize("act", ["stop", "change"])
def test_an_interrupted_stop_or_change_is_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    plain = Live._fade_out
    caught = threading.Event()

    def interrupted(self: Live) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        caught.wait()
        return plain(self)

    with playing(home, "silent", LONG) as (_, live):
        live.wait(0.1)
        with monkeypatch.context() as patch:
            patch.setattr(Live, "_fade_out", interrupted)
            with pytest.raises(KeyboardInterrupt):
                live.stop() if act == "stop" else live.change_device("silent")
        caught.set()
