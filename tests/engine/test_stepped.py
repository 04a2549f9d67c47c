"""The device that takes blocks when it is told to: one player, whole steps, and nothing lost."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from stemloom import Player
from stemloom.engine.errors import DeviceFailed
from stemloom.engine.play.stepped import SteppedDevice

from .on_device import playing, rendered as rendered, same, to_the_end
from .test_session import RATE, SCRIPT, home as home


def test_a_stepped_device_serves_one_player_at_a_time(home: Path, rendered: np.ndarray) -> None:
    for block in (0, -1, 1 << 17):
        with pytest.raises(ValueError, match="a block has"):
            SteppedDevice(block)
    device = SteppedDevice()
    with playing(home, device) as (_, live):
        given = [device.step(1)]
        with Player.from_text(home, SCRIPT) as player:
            with pytest.raises(DeviceFailed, match="serves a player already"):
                player.open_device(device)
            assert len(player.read(64)) == 64
        for frames in (-1, 1 << 62):
            with pytest.raises(ValueError, match="a step is of"):
                device.step(frames)
        with pytest.raises(TypeError):
            device.step(1.5)  # type: ignore[arg-type]
        assert len(device.step(0)) == 0
        given.append(to_the_end(device))
        assert live.wait(20)
    same(given, rendered)
    with playing(home, device) as (_, live):
        same([to_the_end(device)], rendered)


def test_two_threads_that_step_get_whole_steps(home: Path, rendered: np.ndarray) -> None:
    device, given = SteppedDevice(64), []

    def step() -> None:
        for _ in range(8):
            given.append(device.step(5000))

    with playing(home, device):
        threads = [threading.Thread(target=step) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rest = to_the_end(device)
    pieces = {each.tobytes() for each in given}
    wanted = [rendered[n * 5000 :][:5000] for n in range(16)]
    assert pieces == {each.tobytes() for each in wanted}
    same([*wanted, rest], rendered)


@pytest.mark.parametrize("at", [1, 2, 5, 9, 20])
def test_what_an_interrupted_step_took_is_given_by_the_next(
    home: Path, rendered: np.ndarray, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    device, calls = SteppedDevice(), 0
    plain = SteppedDevice._serve

    def interrupted(*arguments: object) -> bool:
        nonlocal calls
        more = plain(*arguments)  # type: ignore[arg-type]
        calls += 1
        if calls == at:
            raise KeyboardInterrupt
        return more

    with playing(home, device):
        with monkeypatch.context() as patch:
            patch.setattr(SteppedDevice, "_serve", interrupted)
            with pytest.raises(KeyboardInterrupt):
                device.step(RATE)
        given = [device.step(100), device.step(RATE), to_the_end(device)]
    same(given, rendered)
