"""A withdrawal by another process, measured in the sound of a device that keeps a real clock."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stemloom import Vault
from stemloom.engine.play.live import Live
from stemloom.engine.play.session import Session
from stemloom.ledger.entries import entries
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared

from ..marks import slow

RATE = 48_000
MOST_SECONDS = 0.5
SCRIPT = """piece "One" for stream
tempo 240
pool all = loops role pads, key any
section one 1 bars
    bring x from all
move one -> one at end
"""
OTHER = """
import sys, time
from stemloom import Vault
with Vault.open(sys.argv[1]) as vault:
    stem = vault.stems()[0].stem
    print("ready", flush=True)
    for line in sys.stdin:
        (vault.withdraw if line.strip() == "withdraw" else vault.grant)([stem], ["stream"])
        print(time.monotonic(), flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    tone = (0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)[None, :]
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        (added,) = vault.add_sounds([(Declared(Path("a"), "Ada", "pads", bars=1), tone)]).added
        vault.grant([added.stem.stem], ["stream"])
    return home


class Heard:
    """What the device was given, and until when: the system's monotonic clock at the end of each block."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._since: float | None = None
        """Since when there has been silence, as the last of the blocks that sounded came."""
        self._sounds = False

    def take(self, block: np.ndarray) -> None:
        now = time.monotonic()
        with self._news:
            loud = np.flatnonzero(np.abs(block).max(axis=0) > 1e-6)
            if loud.size:
                self._since = now - (block.shape[1] - 1 - int(loud[-1])) / RATE
            self._sounds = bool(loud.size) and int(loud[-1]) == block.shape[1] - 1
            self._news.notify_all()

    def sounds(self) -> None:
        """Wait until it sounds."""
        with self._news:
            assert self._news.wait_for(lambda: self._sounds, 20)

    def silent(self) -> float:
        """Wait until it is silent and stays so for a quarter of a second; when the last sound was."""
        with self._news:
            while True:
                assert self._news.wait_for(lambda: not self._sounds, 20)
                since = self._since
                if not self._news.wait_for(lambda: self._sounds, 0.25):
                    assert since is not None
                    return since


@pytest.fixture
def other(home: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def say(process: subprocess.Popen[str], word: str) -> float:
    """Have the other process withdraw or grant; when its command returned."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


@pytest.mark.parametrize("times", [2, slow(5), pytest.param(200, marks=pytest.mark.long)])
def test_a_withdrawal_silences_another_process(home: Path, other: subprocess.Popen[str], times: int) -> None:
    rng = random.Random(times)
    heard = Heard()
    took: list[float] = []
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT, vault.snapshot()))
        session.prepare(4)
        live = Live(session, threading.RLock(), device="silent", on_output=heard.take)
        live.start()
        for _ in range(times):
            heard.sounds()
            live.wait(rng.uniform(0, 1.2))
            heard.sounds()
            returned = say(other, "withdraw")
            took.append(heard.silent() - returned)
            say(other, "grant")
        live.stop()
        session.close()
        session.seal()
        logged = [entry for _, entry in vault.log.entries()]
    consents = [each for each in logged if isinstance(each, entries.Consent)]
    withdrawn = [each for each in consents if each.action == "withdraw"]
    placed = [each for each in logged if isinstance(each, entries.Placement)]
    median, most = 1000 * np.median(took), 1000 * max(took)
    print(f"{times} withdrawals: silent {median:.0f} ms after the command, at most {most:.0f} ms")
    assert len(took) == len(withdrawn) == times
    assert max(took) < MOST_SECONDS
    assert len(placed) >= times
    assert verify(home).ok
