"""Runs sessions and renders of one home, kills them, and reads what they left in the log.

Beside them stands the truth: the same piece played to its end, which gives the same samples.
"""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from msgspec import UNSET, structs

from stemloom import Vault
from stemloom.engine.clock import QUANTUM
from stemloom.engine.plan import Placement as Planned
from stemloom.engine.play.placement_log import HeardPlacement
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import Entry, Placement, Session as SessionEntry, ms_of
from stemloom.ledger.log.log import Log
from stemloom.ledger.places import Places
from stemloom.ledger.tlog.consistency import check_continues
from stemloom.ledger.tlog.disk import RealDisk
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from . import alsa

DRIVER = Path(__file__).with_name("crash_driver.py")
RATE = 48_000
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
ENDING = SCRIPT.replace("move b -> a at end", "move b -> silence at end")
SECONDS = 10
FRAME_BYTES = 8
Key = tuple[str, str, int, int]


@dataclass
class Truth:
    """The piece as it is when nobody is killed: its samples, and what was heard of each placement when."""

    sound: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.float32))
    heard: dict[Key, tuple[list[int], list[int]]] = field(default_factory=dict)
    """Frames mixed, and frames heard by then, in quanta."""
    order: list[HeardPlacement] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    """For each of `order`, how many frames were mixed when it had ended."""
    planned: dict[Key, Planned] = field(default_factory=dict)

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
    found = Truth()
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT), seed=seed, seconds=SECONDS + 4, logged=False)
        session.prepare(4)
        keys: dict[int, Key] = {}

        def listen(kind: str, what: object) -> None:
            if isinstance(what, Planned):
                keys[what.id] = key_of(what)
                found.planned[keys[what.id]] = what

        session.conductor.listeners.append(listen)
        blocks = []
        while session.frame < SECONDS * RATE:
            blocks.append(session.read(QUANTUM).T)
            mixed = session.mixer.frame
            for each in session.sounded[len(found.order) :]:
                found.order.append(each)
                found.ended.append(mixed)
                note(found, mixed, key_of(each.placement), each.frames)
            for now in session.mixer.sounding():
                note(found, mixed, keys[now.id], now.frames)
        session.abandon()
    found.sound = np.concatenate(blocks)
    return found


def note(found: Truth, mixed: int, key: Key, frames: int) -> None:
    times, heard = found.heard.setdefault(key, ([], []))
    times.append(mixed)
    heard.append(frames)


@dataclass(frozen=True)
class Killed:
    """What a killed session left, and what became of it."""

    out: Path
    killed: bool
    told: list[list[str]]
    """The lines that it was told, in words."""
    entries: list[Entry]
    """What came into the log of it."""

    @property
    def known(self) -> tuple[int, int]:
        """How many entries it knew as acknowledged, and how many as sealed."""
        states = [line for line in self.told if len(line) == 2 and line[0].isdecimal()]
        return (int(states[-1][0]), int(states[-1][1])) if states else (0, 0)

    def said(self, word: str) -> list[int]:
        return [int(number) for first, number in self.told if first == word]


class AnotherRun(RealDisk):
    """The disk of a machine that was started anew."""

    def boot(self) -> str:
        return "00000000-0000-4000-8000-000000000000"


@dataclass
class Worst:
    """The greatest differences so far, in frames, of what is logged from what was given out."""

    instants: Counter[str] = field(default_factory=Counter)
    ahead: Counter[str] = field(default_factory=Counter)
    behind: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{sum(self.instants.values())} instants"]
        for what, count in sorted(self.instants.items()):
            lines.append(f"{what}: {count}; frames ahead {self.ahead[what]}, behind {self.behind[what]}")
        return "\n".join(lines)


class Killer:
    """Runs sessions of one home and kills them."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.truths: dict[int, Truth] = {}
        self.renders: dict[int, tuple[list[Placement], np.ndarray]] = {}
        self.worst = Worst()
        self._calls: dict[tuple[object, ...], tuple[int, int]] = {}
        self._log: list[Entry] = []
        self._count = 0
        self._driver = subprocess.Popen(
            [sys.executable, str(DRIVER), str(home), SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._driver.stdout is not None
        assert self._driver.stdout.readline() == "ready\n"
        with Log.open(home) as log:
            self._log += [entry for _, entry in log.entries()]

    def truth(self, seed: int) -> Truth:
        if seed not in self.truths:
            self.truths[seed] = truth(self.home, seed)
        return self.truths[seed]

    def rendered(self, seed: int) -> tuple[list[Placement], np.ndarray]:
        """What a render that nobody kills has: its entries, and its samples as 24 bits of 32."""
        if seed not in self.renders:
            whole = self.run(kind="render", seed=seed, text=ENDING)
            _, placements, closing = placements_of(whole, None)
            assert closing.take is not None
            samples = soundfile.read(whole.out, dtype="int32", always_2d=True)[0]
            self.renders[seed] = [replaced(each) for each in placements], samples
            whole.out.unlink()
        return self.renders[seed]

    def run(self, *, lost: str | None = None, **job: object) -> Killed:
        """Run a session to its kill, and have the next process take in what it left.

        `lost`: the memory that outlives the process is lost as well, or is of another run of the machine.
        What was in the log at the kill must stand there afterwards, the same at the same place.
        """
        self._count += 1
        out = self.folder / f"{self._count}.{'wav' if job['kind'] == 'render' else 'raw'}"
        told = self.folder / f"{self._count}.told"
        if "alsa" in job:
            config = self.folder / f"{self._count}.conf"
            config.write_text(alsa.CONFIG.format(file=out))
            job["alsa"] = str(config)
        plain = {"home": str(self.home), "text": SCRIPT, "phase": "", "paced": False}
        answer = self._ask({**plain, "out": str(out), "told": str(told), **job})
        assert answer["killed"] or answer["status"] == 0
        with Log.open(self.home) as log:
            kept = log.checkpoint()
            sealed = [entry for _, entry in log.entries(len(self._log))]
        pages = sorted(Path("/dev/shm").glob(f"stemloom-{answer['pid']}-*.page"))
        if lost == "memory":
            for page in pages:
                page.unlink()
        with Log.open(self.home, create=True, disk=AnotherRun() if lost == "run" else None) as log:
            entries = [entry for _, entry in log.entries(len(self._log))]
            tiles = TileReader(
                Places(self.home).log, lambda file: (Places(self.home).log / file.path).read_bytes()
            )
            check_continues(kept, log.checkpoint(), parse_vkey(log.vkey), tiles)
        assert entries[: len(sealed)] == sealed
        self._log += entries
        lines = told.read_text().split("\n")[:-1] if told.exists() else []
        found = Killed(out, bool(answer["killed"]), [line.split() for line in lines], entries)
        assert found.known[1] <= len(sealed), "something was told as sealed that was in no log"
        assert not any(page.exists() for page in pages)
        assert not list(Places(self.home).journals.iterdir())
        return found

    def calls(self, *, kind: str, phase: str, **job: object) -> tuple[int, int]:
        """How many calls a phase has when nobody is killed, and after how many of them a mix is done."""
        where = kind, phase, job["seed"]
        if where not in self._calls:
            # The first of its kind has more to do than those after it.
            for _ in range(2):
                whole = self.run(kind=kind, phase=phase, **job)
                assert not whole.killed
                whole.out.unlink(missing_ok=True)
            self._calls[where] = whole.said("calls")[-1], max(whole.said("mix"), default=0)
        return self._calls[where]

    def stands(self) -> None:
        """The log is whole, has no session that nobody closed, and all that was ever seen in it."""
        report = verify(self.home)
        assert (report.problems, report.warnings) == ((), ())
        with Log.open(self.home) as log:
            assert [entry for _, entry in log.entries()] == self._log

    def close(self) -> None:
        self._driver.communicate(timeout=60)
        assert self._driver.returncode == 0

    def _ask(self, job: dict[str, object]) -> dict[str, int]:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps(job) + "\n")
        self._driver.stdin.flush()
        answer: dict[str, int] = json.loads(self._driver.stdout.readline())
        return answer


def placements_of(killed: Killed, how: str | None) -> tuple[SessionEntry, list[Placement], SessionEntry]:
    """A session's entries, which agree with each other. `how`: how it must have been recovered, if it was."""
    opened, *placements, closing = killed.entries
    assert isinstance(opened, SessionEntry)
    assert isinstance(closing, SessionEntry)
    assert (opened.state, closing.state) == ("opened", "closed")
    assert (closing.take is None) == (closing.recovered is not UNSET)
    assert closing.recovered in (UNSET, how)
    assert opened.session == closing.session
    found: list[Placement] = []
    for seq, each in enumerate(placements):
        assert isinstance(each, Placement)
        assert (each.seq, each.session, each.rate) == (seq, opened.session, RATE)
        assert each.ms == ms_of(each.frames, each.rate)
        assert each.recovered in (UNSET, closing.recovered)
        assert opened.time <= each.start <= closing.time
        found.append(each)
    assert (closing.placements, closing.ms) == (len(found), sum(each.ms for each in found))
    return opened, found, closing


def replaced(placement: Placement) -> Placement:
    """Without what differs from one session to the next."""
    return structs.replace(placement, session="", start="")
