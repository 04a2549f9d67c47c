"""A device without a clock is held to ours; one that has a clock is not, whatever it goes through."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.engine.mix import callback
from stemloom.engine.mix.callback import ADDRESSES, ALLOWED_NS, CLOCKLESS, DUE_NS, RATE
from stemloom.engine.mix.machine import outer
from stemloom.ledger.verify.verify import verify

from . import alsa
from .test_session import SCRIPT, home as home

FRAMES = 48_000
SECOND = 1_000_000_000
BEGUN = 7 * SECOND
waits_until = outer(callback.waits_until)


def watched(allowed_seconds: float = 0.5) -> np.ndarray:
    """The words of a device whose clock is watched."""
    at = np.zeros(ADDRESSES, np.int64)
    at[RATE], at[ALLOWED_NS] = FRAMES, round(allowed_seconds * SECOND)
    return at


def asked(seed: int, block: int, buffered: float, speed: float) -> Iterator[tuple[int, int]]:
    """When, in ns, a device with a clock of its own asks, and for how many frames.

    It fills a buffer of so many seconds, then asks for each block as it is played, late now and then; it
    stands still for a while, or runs dry and fills its buffer anew. It goes on for five minutes.
    """
    chance = random.Random(seed)
    now = float(BEGUN)
    empty_at = now
    while now < BEGUN + 300 * SECOND:
        event = chance.random()
        if event < 0.001:
            now += chance.uniform(0, 20) * SECOND
        elif event < 0.01:
            now += chance.uniform(0, 2 * buffered) * SECOND
        empty_at = max(empty_at, now)
        while empty_at - now <= buffered * SECOND:
            yield round(now), block
            empty_at += block * SECOND / FRAMES / speed
        now = empty_at - buffered * SECOND


@settings(max_examples=30)
@given(
    st.integers(0, 1 << 30),
    st.sampled_from([512, 1024, 4096]),
    st.sampled_from([0.01, 0.1, 0.35]),
    st.sampled_from([0.99, 0.9999, 1.0, 1.0001, 1.01]),
)
def test_a_device_with_a_clock_is_never_held(seed: int, block: int, buffered: float, speed: float) -> None:
    """Full buffers, gaps, standstills, a clock a hundredth too fast."""
    at = watched()
    for now, frames in asked(seed, block, buffered, speed):
        assert waits_until(at, now, frames) <= now
    assert not at[CLOCKLESS]


def test_a_device_with_a_long_buffer_is_allowed_it() -> None:
    at = watched(2 * 3.0)
    for now, frames in asked(1, 1024, 3.0, 1.01):
        assert waits_until(at, now, frames) <= now


@pytest.mark.parametrize("block", [64, 441, 1024, 65_536])
@pytest.mark.parametrize("speed", [1.2, 2.0, 100.0])
def test_a_device_without_a_clock_is_not_ahead_of_ours(block: int, speed: float) -> None:
    """Once it is found out, by no more than the block it asks for; one that is a fifth too fast as well."""
    at, now, given_frames = watched(), BEGUN, 0
    while now < BEGUN + 20 * SECOND:
        now = max(now, waits_until(at, now, block))
        ahead = given_frames * SECOND // FRAMES - (now - BEGUN)
        assert ahead <= (SECOND // 1000 if at[CLOCKLESS] else 0.6 * SECOND + block * SECOND // FRAMES)
        given_frames += block
        # How long it takes over the block.
        now += round(block * SECOND / FRAMES / speed)
    assert at[CLOCKLESS]


def test_a_device_that_gets_its_clock_back_is_let_go() -> None:
    """A server that was told to run freely, and then no more."""
    at, now = watched(), BEGUN
    while not at[CLOCKLESS]:
        waits_until(at, now, 512)
        now += SECOND // 1000
    period = 512 * SECOND // FRAMES
    now = int(at[DUE_NS])
    for _ in range(200):
        now = max(now + period, waits_until(at, now, 512))
    assert not at[CLOCKLESS]
    assert waits_until(at, now, 512) <= now


PLAYED = """
import json, sys, time
from stemloom import Player
told = []
with Player(sys.argv[1], sys.argv[2]) as player:
    player.on("device", lambda error: told.append(str(error)))
    begun = time.monotonic()
    player.open_device(block=int(sys.argv[3]))
    player.wait(float(sys.argv[4]))
    health = player.health
    player.stop()
    wall = time.monotonic() - begun
take = player.take
print(json.dumps({
    "wall": wall, "frames": take.frames, "most": max((p.ms for p in take.placements), default=0),
    "told": told, "clockless": health.clockless,
}))
"""


def played(home: Path, folder: Path, block: int, seconds: float) -> dict:
    environ = alsa.environment(folder, alsa.CLOCKLESS)
    script = folder / "piece.loom"
    script.write_text(SCRIPT.replace("section a 2 bars", "section a 64 bars"))
    command = [sys.executable, "-c", PLAYED, str(home), str(script), str(block), str(seconds)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert verify(home).ok
    return json.loads(done.stdout)


def test_music_on_a_device_without_a_clock_takes_its_time(home: Path, tmp_path: Path) -> None:
    found = played(home, tmp_path, 0, 1.5)
    assert found["clockless"]
    assert found["frames"] <= found["wall"] * FRAMES
    assert found["most"] <= found["wall"] * 1000 + 1
    (told,) = found["told"]
    assert "has no clock" in told


@pytest.mark.slow
@pytest.mark.parametrize(("block", "seconds"), [(64, 1.0), (4096, 1.0), (0, 0.01)])
def test_so_it_does_with_any_block_and_when_it_is_stopped_at_once(
    home: Path, tmp_path: Path, block: int, seconds: float
) -> None:
    found = played(home, tmp_path, block, seconds)
    assert found["frames"] <= found["wall"] * FRAMES
    assert len(found["told"]) <= 1
