"""Sessions that are killed at random instants: the ledger says what was heard, to within one block.

What was heard is in a file that the killed process wrote block by block; what each placement should have been
heard by then is known from the same piece played to its end, which gives the same samples.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_session import home as sounds

from stemloom import Vault
from stemloom.engine.clock import QUANTUM
from stemloom.engine.master import LATENCY_FRAMES
from stemloom.engine.plan import Placement as Planned
from stemloom.engine.session import Session
from stemloom.ledger.entries import Entry, Placement, ms_of
from stemloom.ledger.entries import Session as SessionEntry
from stemloom.ledger.log import Log
from stemloom.ledger.verify import verify
from stemloom.script.check import accepted

__all__ = ["sounds"]

DRIVER = Path(__file__).with_name("crash_driver.py")
SEED = int(os.environ.get("STEMLOOM_SEED", "1"))
SPAN = 256
SCRIPT = """piece "Crash" for stream
tempo 120
pool beats = loops role beats
pool pads = loops role pads
pool ticks = hits role tops
section a 2 bars
    bring beats from beats
    bring pads from pads over 1 beats
    play tick from ticks "x.x.X.x.x.x.X.xx"
section b 1 bars
    bring beats from beats
    play tick from ticks "x..x..x..x..x..x"
    play tock from ticks "..x...x...x...x." gain -9 dB
move a -> b at end
move b -> a at end
"""
SECONDS = 14
Key = tuple[str, str, int, int]


@dataclass
class Truth:
    """The piece as it is when nobody is killed: its samples, and what was heard of each placement when."""

    sound: np.ndarray
    heard: dict[Key, tuple[list[int], list[int]]] = field(default_factory=dict)
    """Frames mixed, and frames heard by then, in quanta."""

    def by(self, mixed: int) -> dict[Key, int]:
        """What had been heard when so many frames were mixed; what was not in play is left out."""
        found = {}
        for key, (times, frames) in self.heard.items():
            at = bisect_right(times, mixed)
            if at and frames[at - 1]:
                found[key] = frames[at - 1]
        return found


def key_of(placement: Planned | Placement) -> Key:
    return placement.stem, placement.part, placement.line, placement.start_frame


def truth(home: Path, seed: int) -> Truth:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT), seed=seed, seconds=SECONDS + 2, logged=False)
        session.prepare(4)
        keys: dict[int, Key] = {}
        ended: list[tuple[int, Key, int]] = []

        def listen(kind: str, what: object) -> None:
            if isinstance(what, Planned):
                keys[what.id] = key_of(what)

        session.conductor.listeners.append(listen)
        found = Truth(np.empty(0))
        blocks = []
        while session.frame < SECONDS * session.rate:
            blocks.append(session.read(QUANTUM).T)
            mixed = session.mixer.frame
            for each in session.sounded[len(ended) :]:
                ended.append((mixed, key_of(each.placement), each.frames))
                note(found, *ended[-1])
            for now in session.mixer.sounding():
                note(found, mixed, keys[now.id], now.frames)
        session.abandon()
        found.sound = np.concatenate(blocks)
    return found


def note(found: Truth, mixed: int, key: Key, frames: int) -> None:
    times, heard = found.heard.setdefault(key, ([], []))
    times.append(mixed)
    heard.append(frames)


class Killer:
    """Runs sessions of one home and kills them."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.script = folder / "crash.loom"
        self.script.write_text(SCRIPT)
        self._driver = subprocess.Popen(
            [sys.executable, str(DRIVER), str(home), str(self.script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._driver.stdout is not None
        assert self._driver.stdout.readline() == "ready\n"
        self.count = 0
        self.worst = 0

    def kill(self, kind: str, **job: object) -> tuple[dict[str, bool], Path, Path]:
        """The answer, what was given out, and what was told."""
        self.count += 1
        out = self.folder / f"{self.count}.{'wav' if kind == 'render' else 'raw'}"
        told = self.folder / f"{self.count}.told"
        words = {"kind": kind, "home": str(self.home), "script": str(self.script)}
        line = json.dumps({**words, "out": str(out), "told": str(told), **job})
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(line + "\n")
        self._driver.stdin.flush()
        answer = json.loads(self._driver.stdout.readline())
        assert answer["killed"] or answer["status"] == 0
        return answer, out, told

    def close(self) -> None:
        self._driver.communicate(timeout=60)
        assert self._driver.returncode == 0


@pytest.fixture(scope="module")
def killer(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    made = Killer(sounds, tmp_path_factory.mktemp("killed"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def truths(sounds: Path) -> Callable[[int], Truth]:
    known: dict[int, Truth] = {}

    def of(seed: int) -> Truth:
        if seed not in known:
            known[seed] = truth(sounds, seed)
        return known[seed]

    return of


def adopted(home: Path, before: int) -> list[Entry]:
    """What came into the log since it had `before` entries, when the next process has opened it."""
    with Log.open(home, create=True) as log:
        return [entry for _, entry in log.entries(before)]


def shared_memory() -> list[Path]:
    return list(Path("/dev/shm").glob("stemloom-*.page")) if Path("/dev/shm").is_dir() else []


def killed_while_sounding(
    killer: Killer, truths: Callable[[int], Truth], kind: str, chance: random.Random, *, lost: bool = False
) -> None:
    """One instant. `lost`: the memory that outlives the process is lost as well."""
    home, seed = killer.home, chance.randrange(2)
    block = chance.choice([64, 100, 256, 441, 512, 1024])
    right = truths(seed)
    with Log.open(home) as log:
        before = log.size
    pages = set(shared_memory())
    last = int((SECONDS - 1) * 48_000) * 8
    answer, out, told = killer.kill(kind, seed=seed, block=block, bytes=chance.randrange(1, last))
    assert answer["killed"]
    if lost:
        for page in set(shared_memory()) - pages:
            page.unlink()
    given = np.fromfile(out, "<f4").reshape(-1, 2)
    entries = adopted(home, before)
    # A device's output begins with the master's latency, which a host that pulls is not given.
    head = LATENCY_FRAMES if kind == "play" else 0
    sound = given[head:]
    np.testing.assert_array_equal(sound, right.sound[: len(sound)])
    session, *rest = entries
    assert isinstance(session, SessionEntry)
    closing = rest.pop()
    assert isinstance(closing, SessionEntry)
    assert (session.state, closing.state, closing.recovered, closing.take) == (
        "opened",
        "closed",
        "crash",
        None,
    )
    placements = [entry for entry in rest if isinstance(entry, Placement)]
    assert placements == rest
    assert [each.seq for each in placements] == list(range(len(placements)))
    assert (closing.placements, closing.ms) == (len(placements), sum(each.ms for each in placements))
    for each in placements:
        assert each.ms == ms_of(each.frames, each.rate)
    found = {key_of(each): each.frames for each in placements}
    assert len(found) == len(placements), "a placement is logged twice"
    # What was mixed lies the latency and at most a block and a span ahead of what was given out.
    least = len(given) + (0 if kind == "play" else LATENCY_FRAMES)
    most = least + block + SPAN
    low, high = right.by(least - QUANTUM), right.by(most)
    if lost:
        low = right.by(least - QUANTUM - 48_000 - 2 * block)
        low = {key: min(frames, high.get(key, 0)) for key, frames in low.items()}
        whole = {key_of(each) for each in placements if not isinstance(each.recovered, str)}
        low = {key: frames for key, frames in low.items() if key in whole or key in found}
    assert found.keys() <= high.keys(), "something was logged that nobody heard"
    assert low.keys() <= found.keys(), "something was heard that is not logged"
    for key, frames in found.items():
        assert low.get(key, 0) <= frames <= high[key], key
        killer.worst = max(killer.worst, high[key] - frames)
    words = [line.split() for line in told.read_text().splitlines()[1:] if line.count(" ") == 1]
    if words:
        acknowledged, sealed = map(int, words[-1])
        assert sealed <= acknowledged <= len(entries)
    assert set(shared_memory()) <= pages
    out.unlink()
    told.unlink()


def killed_render(killer: Killer, chance: random.Random) -> bool:
    """One instant of a render; whether its file was there."""
    home = killer.home
    with Log.open(home) as log:
        before = log.size
    _, out, _ = killer.kill("render", seed=chance.randrange(2), seconds=chance.uniform(0, 0.6))
    entries = adopted(home, before)
    there = out.exists()
    sessions = [entry for entry in entries if isinstance(entry, SessionEntry)]
    placements = [entry for entry in entries if isinstance(entry, Placement)]
    if there:
        assert soundfile.info(out).frames > 0
        assert [each.state for each in sessions] == ["opened", "closed"]
        assert sessions[1].take is not None
        assert placements
    if sessions and sessions[-1].take is None:
        # Nothing was heard of a file that never was.
        assert not there
        assert (sessions[-1].placements, sessions[-1].ms, placements) == (0, 0, [])
        assert sessions[-1].recovered == "crash"
    for left in killer.folder.glob(f"*{out.stem}*"):
        left.unlink()
    return there


@pytest.mark.parametrize("kind", ["read", "play"])
def test_a_few_kills_while_it_sounds(killer: Killer, truths: Callable[[int], Truth], kind: str) -> None:
    chance = random.Random(f"{SEED} {kind}")
    for _ in range(8):
        killed_while_sounding(killer, truths, kind, chance)
    assert verify(killer.home).problems == ()


def test_a_few_kills_whose_memory_is_lost(killer: Killer, truths: Callable[[int], Truth]) -> None:
    chance = random.Random(f"{SEED} lost")
    for _ in range(3):
        killed_while_sounding(killer, truths, "play", chance, lost=True)
    assert verify(killer.home).problems == ()


def test_a_few_kills_of_a_render(killer: Killer) -> None:
    chance = random.Random(f"{SEED} render")
    killer.script.write_text(SCRIPT.replace("move b -> a at end", "move b -> silence at end"))
    try:
        for _ in range(6):
            killed_render(killer, chance)
    finally:
        killer.script.write_text(SCRIPT)
    report = verify(killer.home)
    assert (report.problems, report.warnings) == ((), ())


@pytest.mark.long
def test_a_thousand_kills(killer: Killer, truths: Callable[[int], Truth]) -> None:
    chance = random.Random(f"{SEED} thousand")
    for number in range(800):
        killed_while_sounding(killer, truths, "read" if number % 2 else "play", chance, lost=number % 20 == 0)
        if number % 100 == 99:
            assert verify(killer.home).problems == ()
    killer.script.write_text(SCRIPT.replace("move b -> a at end", "move b -> silence at end"))
    whole = sum(killed_render(killer, chance) for _ in range(200))
    killer.script.write_text(SCRIPT)
    report = verify(killer.home)
    assert (report.problems, report.warnings) == ((), ())
    print(f"1000 instants; {whole} renders were whole; at most {killer.worst} frames behind")
