"""What hosts do in the calls that a player makes neither hangs its close nor ends other events."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from stemloom import Player
from stemloom.engine.errors import EngineError

from .small_home import RATE, TEXT, small_home

LONG = 30.0
"""Seconds in which what must happen happens on any machine."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_home(tmp_path_factory.mktemp("listening"))


def opened(home: Path) -> Player:
    return Player.from_text(home, TEXT, use="stream")


def test_a_call_that_does_not_come_back(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    player, begun, free = opened(home), threading.Event(), threading.Event()

    def block(bar: object) -> None:
        begun.set()
        assert free.wait(LONG)

    player.on("bar", block)
    player.read(RATE)
    assert begun.wait(LONG)
    player.read(8 * RATE)
    player.close()
    assert "could not be told to the host: its call for 'bar' has not come back" in caplog.text
    assert player.take is not None
    free.set()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_call_that_leaves(home: Path, error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    sections: list[str] = []

    def call(bar: object) -> None:
        raise error

    with opened(home) as player:
        player.on("bar", call)
        player.on("section", lambda bar: sections.append(bar.section))
        player.read(20 * RATE)
    assert len(sections) >= 2
    assert "the host's call for the event 'bar' failed" in caplog.text


def test_a_call_that_waits_for_the_loop_which_closes_the_player(home: Path) -> None:
    async def main() -> None:
        loop, player, begun = asyncio.get_running_loop(), opened(home), threading.Event()

        def call(bar: object) -> None:
            begun.set()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(LONG)

        player.on("bar", call)
        player.read(RATE)
        assert begun.wait(LONG)
        player.close()

    asyncio.run(main())


def test_a_call_may_gesture_and_close(home: Path) -> None:
    player, closed = opened(home), threading.Event()

    def call(bar: object) -> None:
        player.set("energy", 0.25)
        player.close()
        closed.set()

    player.on("bar", call)
    with suppress(EngineError):  # the call may close it in the middle of this
        player.read(RATE)
    assert closed.wait(LONG)
    assert player.take is not None
    assert [gesture.value for gesture in player.take.gestures] == [0.25]
    player.close()
    with pytest.raises(EngineError, match="the player is closed"):
        player.on("bar", print)


def test_a_player_that_was_closed_is_collected_with_its_calls(home: Path) -> None:
    player = opened(home)
    player.on("bar", partial(print, player))
    player.read(RATE)
    player.close()
    dropped = weakref.ref(player)
    del player
    gc.collect()
    assert dropped() is None
