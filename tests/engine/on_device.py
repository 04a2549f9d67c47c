"""A session that a device plays, for tests of devices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stemloom import Vault
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.play.live import Live
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.engine.play.stepped import SteppedDevice
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from .test_session import SCRIPT

LONG = SCRIPT.replace("section a 2 bars", "section a 64 bars")


@contextmanager
def playing(
    home: Path, device: str | SteppedDevice, text: str = SCRIPT, **options: object
) -> Iterator[tuple[Session, Live]]:
    """A session that a device plays; in the end its ledger holds and its take replays."""
    with Vault.open(home) as vault:
        session = Session(vault, accepted(text))
        session.prepare(8)
        live = Live(session, threading.RLock(), device=device, **options)
        live.start()
        yield session, live
        live.stop()
        assert live.failed is None
        take = session.close()
        assert replay(vault, take, lambda block: None, logged=False)[1].same
    assert verify(home).ok


@pytest.fixture
def rendered(home: Path) -> np.ndarray:
    """The piece as a device is given it, (frames, 2)."""
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT), logged=False)
        sound = session.read(1 << 20)
        session.abandon()
    return np.concatenate([np.zeros((2, LATENCY_FRAMES), np.float32), sound], axis=1).T


def to_the_end(device: SteppedDevice) -> np.ndarray:
    """All that is left."""
    blocks = [device.step(4096)]
    while len(blocks[-1]):
        blocks.append(device.step(4096))
    return np.concatenate(blocks)


def same(given: list[np.ndarray], rendered: np.ndarray) -> None:
    sound = np.concatenate(given)
    np.testing.assert_array_equal(sound[: len(rendered)], rendered)
    assert not sound[len(rendered) :].any()
