"""Ctrl-C at any instant: the ledger verifies, the take replays, and nothing that was mixed is lost."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import soundfile

from stemloom import Player, Vault, render
from stemloom.engine.play import take as takes
from stemloom.engine.play.replay import replay
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from ..marks import slow

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "harbour_night.loom"
BLOCK = 7_000


@pytest.fixture
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


@contextmanager
def interrupted_at(call: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt in this thread at its n-th call or return; gives how many there were."""
    count = [0]

    def look(frame: FrameType, event: str, arg: object) -> None:
        count[0] += 1
        if count[0] == call:
            raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        yield count
    finally:
        sys.setprofile(None)


def check_whole(home: Path, player: Player, sound: list[np.ndarray]) -> None:
    """The ledger verifies and holds what the take does, which gives the same sound again."""
    assert player.take is not None
    assert verify(home).ok
    with Vault.open(home) as vault:
        again: list[np.ndarray] = []
        take = takes.load(home / "takes" / f"{player.session}.json")
        _, replayed = replay(vault, take, again.append, logged=False)
    assert replayed.same
    given = np.concatenate(again, axis=1).T
    # A block may be lost on its way to the host, when it counts as given; none comes twice or out of order.
    at = 0
    for block in sound:
        while not np.array_equal(given[at : at + len(block)], block):
            at += BLOCK
            assert at <= len(given)
        at += len(block)


def test_an_interrupt_at_every_call_of_read_and_close(home: Path) -> None:
    player = Player(home, SCRIPT, use="stream", seed=3)
    sound = []
    call, done = 1, False
    while not done:
        if call % 5 == 0:
            player.set("energy", call % 7 / 7)
        try:
            with interrupted_at(call) as count:
                sound.append(player.read(BLOCK))
            # Where nothing was composed there were fewer calls.
            done = call > 400 and count[0] < call
        except KeyboardInterrupt:
            pass
        call += 1
    call = 1
    while player.take is None:
        try:
            with interrupted_at(call):
                player.close()
        except KeyboardInterrupt:
            call += 1
    player.close()
    check_whole(home, player, sound)


@pytest.mark.parametrize("where", range(0, 60, 4))
def test_an_interrupt_while_a_player_opens_leaves_nothing(home: Path, where: int) -> None:
    try:
        with interrupted_at(where):
            Player(home, SCRIPT).close()
    except KeyboardInterrupt:
        pass
    with Player(home, SCRIPT) as player:
        sound = player.read(BLOCK)
    check_whole(home, player, [sound])


@contextmanager
def ticking(seconds: Callable[[], float]) -> Iterator[Callable[[], None]]:
    """SIGALRM interrupts this thread, as Ctrl-C does; what is given sets it off anew."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_REAL, seconds())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("count", [slow(60), pytest.param(1000, marks=pytest.mark.long)])
def test_random_interrupts(home: Path, count: int) -> None:
    rng = random.Random(count)
    left = count
    while left:
        player = Player(home, SCRIPT, use="stream", seed=left)
        for _ in range(26):
            with ticking(lambda: rng.uniform(0.001, 0.03)) as again:
                try:
                    again()
                    for _ in range(20):
                        player.read(rng.choice([64, 4800, 48_000]))
                except KeyboardInterrupt:
                    left = max(left - 1, 0)
        while player.take is None:
            try:
                with ticking(lambda: rng.uniform(0.0005, 0.2)) as again:
                    again()
                    player.close()
            except KeyboardInterrupt:
                left = max(left - 1, 0)
        check_whole(home, player, [])


def test_an_interrupt_of_a_render_leaves_the_ledger_whole(home: Path, tmp_path: Path) -> None:
    rng = random.Random(5)
    text, interrupted = SCRIPT.read_text(), 0
    for n in range(12):
        with Vault.open(home) as vault:
            piece = accepted(text, vault.snapshot())
            try:
                with ticking(lambda: rng.uniform(0.001, 0.8)) as again:
                    again()
                    render(vault, piece, tmp_path / f"{n}.flac", seconds=20, use="stream")
            except KeyboardInterrupt:
                interrupted += 1
            # It may come when the file is whole and logged already.
            assert not list(tmp_path.glob(".*.part"))
            for out in tmp_path.glob("*.flac"):
                assert soundfile.info(out).frames >= 20 * 48_000
        assert verify(home).ok
    assert interrupted > 2
