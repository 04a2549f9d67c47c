"""Sessions that are killed at random instants: the ledger says what was heard, to within one block.

What was heard is in a file that the killed process, or the device behind it, wrote block by block; what each
placement should have been heard by then is known from the same piece played to its end, which gives the same
samples. `STEMLOOM_SEED` chooses other instants, `STEMLOOM_KILLS` how many the long run has.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec import UNSET, structs

from stemloom import Vault
from stemloom.engine.clock import QUANTUM
from stemloom.engine.mix.master import LATENCY_FRAMES
from stemloom.engine.mix.rack import SPAN
from stemloom.engine.plan import Placement as Planned
from stemloom.engine.play import take as takes
from stemloom.engine.play.placement_log import HeardPlacement
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import Entry, Placement, ms_of
from stemloom.ledger.entries.entries import Session as SessionEntry
from stemloom.ledger.log.log import Log
from stemloom.ledger.places import Places
from stemloom.ledger.tlog.consistency import check_continues
from stemloom.ledger.tlog.disk import RealDisk
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from . import alsa
from .crash_driver import sizes
from .test_session import home as sounds

__all__ = ["sounds"]

DRIVER = Path(__file__).with_name("crash_driver.py")
SEED = int(os.environ.get("STEMLOOM_SEED", "1"))
KILLS = int(os.environ.get("STEMLOOM_KILLS", "1000"))
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
LOST = ("memory", "run")
"""What is lost beside the process: the page, or all that is of this run of the machine."""
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


@pytest.fixture(scope="module")
def killer(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    made = Killer(sounds, tmp_path_factory.mktemp("killed"))
    yield made
    made.close()


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


def same(placement: Placement, sounded: HeardPlacement) -> bool:
    """Whether an entry says what the truth does, all of it."""
    planned = sounded.placement
    return (
        key_of(placement) == key_of(planned)
        and (placement.role, placement.section) == (planned.role, planned.section)
        and (placement.seq, placement.frames, placement.ms) == (sounded.seq, sounded.frames, sounded.ms)
    )


def heard_is_logged(
    killer: Killer,
    right: Truth,
    killed: Killed,
    least: int,
    most: int,
    *,
    late: int,
    name: str,
    how: str,
    cut: bool,
) -> None:
    """What is logged is what had been heard when at least `least` and at most `most` frames were mixed.

    `late`: how many frames the last of it may be missing, if nothing tells of it but the journal. `cut`:
    whether what sounded may have been cut before its end, and written so.
    """
    _, placements, _ = placements_of(killed, how)
    written = [each for each in placements if each.recovered is UNSET]
    # What was acknowledged comes first, and is as it would have been.
    assert placements[: len(written)] == written
    whole = bisect_right(right.ended, least) if cut else len(written)
    assert all(same(each, true) for each, true in zip(written[:whole], right.order, strict=False))
    assert killed.known[0] - 1 <= len(written), "an acknowledged entry is lost"
    found = {key_of(each): each for each in placements}
    assert len(found) == len(placements), "a placement is logged twice"
    low, high = right.by(least - late), right.by(most)
    assert low.keys() <= found.keys(), "something was heard that is not logged"
    assert found.keys() <= high.keys(), "something is logged that nobody heard"
    given = right.by(least)
    for key, each in found.items():
        planned = right.planned[key]
        assert (each.role, each.section) == (planned.role, planned.section)
        assert low.get(key, 0) <= each.frames <= high[key], key
        killer.worst.ahead[name] = max(killer.worst.ahead[name], each.frames - given.get(key, 0))
    for key, frames in given.items():
        logged = found[key].frames if key in found else 0
        killer.worst.behind[name] = max(killer.worst.behind[name], frames - logged)
    killer.worst.instants[name] += 1


def killed_while_sounding(
    killer: Killer, kind: str, chance: random.Random, *, lost: str | None = None
) -> None:
    """One instant of a session that is pulled (`read`), or that plays on a device (`play`, `alsa`).

    What is `lost` is so to a session that keeps time: a second of the wall clock is one of the music then.
    """
    seed, seconds = chance.randrange(2), 4 if lost else SECONDS - 1
    wanted = chance.randrange(1, seconds * RATE * FRAME_BYTES)
    block = chance.choice([64, 100, 256, 441, 512, 1024])
    job: dict[str, object] = {"seed": seed, "bytes": wanted, "block": block, "paced": lost is not None}
    if kind == "read":
        job["blocks"] = chance.randrange(1 << 30)
    elif kind == "alsa":
        job["alsa"] = True
    if lost is None:
        # So that many a kill falls into the sequencing of entries.
        job["seal_seconds"] = chance.choice([0.01, 0.1, 1.0])
    killed = killer.run(kind="read" if kind == "read" else "play", lost=lost, **job)
    assert killed.killed
    name = kind if lost is None else f"{kind}, {lost} lost"
    heard_in_file(
        killer, kind, killed, job, name, "power loss" if lost == "run" else "crash", late=lost is not None
    )


def heard_in_file(
    killer: Killer,
    kind: str,
    killed: Killed,
    job: dict[str, object],
    name: str,
    how: str = "crash",
    *,
    late: bool = False,
    cut: bool = False,
) -> None:
    right = killer.truth(int(str(job["seed"])))
    given = np.fromfile(killed.out, "<f4").reshape(-1, 2)
    if kind == "read":
        sound, least = given, len(given) + LATENCY_FRAMES
        flight, whole = 0, 0
        for flight in sizes(int(str(job["blocks"]))):
            if whole + flight > len(given):
                break
            whole += flight
    else:
        primed = alsa_primed(given, right.sound) if kind == "alsa" else 0
        given = given[primed:]
        # A device's output begins with the master's latency, which a host that pulls is not given.
        assert not given[:LATENCY_FRAMES].any()
        sound, least = given[LATENCY_FRAMES:], len(given)
        flight = int(str(job["block"]))
        if kind == "alsa":
            # What it was given stays in its buffer, and in one of ALSA's file plugin, before it is kept.
            flight += 2 * killed.said("buffer")[0] + SPAN
    np.testing.assert_array_equal(sound, right.sound[: len(sound)])
    # A second between two writes, and what a busy disk takes to have the newer one.
    second = RATE * 5 // 4 + flight if late else 0
    heard_is_logged(
        killer, right, killed, least, least + flight + QUANTUM, late=second, name=name, how=how, cut=cut
    )
    if kind == "read":
        # A host knows what has ended to be acknowledged when it has its block.
        written = sum(isinstance(each, Placement) and each.recovered is UNSET for each in killed.entries)
        assert written >= bisect_right(right.ended, least)
    killed.out.unlink()


def killed_while_closing(killer: Killer, kind: str, chance: random.Random) -> None:
    """One instant between the call of `close` and its end; what sounds is cut there."""
    seed = chance.randrange(2)
    block = chance.choice([64, 256, 1024])
    job: dict[str, object] = {"seed": seed, "block": block, "blocks": chance.randrange(1 << 30)}
    job["enough"] = 2 * RATE * FRAME_BYTES
    calls, _ = killer.calls(kind=kind, phase="closing", **{**job, "blocks": 1, "block": 256})
    killed = killer.run(kind=kind, phase="closing", call=chance.randrange(1, calls + 1), **job)
    heard_in_file(killer, kind, killed, job, f"{kind}, closing", cut=True)


def killed_while_opening(killer: Killer, chance: random.Random) -> None:
    """One instant before the first block: a session in which nothing sounded, or none."""
    seed = chance.randrange(2)
    calls, _ = killer.calls(kind="read", phase="opening", seed=seed, blocks=1)
    killed = killer.run(
        kind="read", phase="opening", seed=seed, blocks=1, call=chance.randrange(1, calls + 1)
    )
    if killed.entries or killed.known[0]:
        _, placements, _ = placements_of(killed, "crash")
        assert placements == []
    killer.worst.instants["opening"] += 1


def alsa_primed(given: np.ndarray, sound: np.ndarray) -> int:
    """How many frames of silence PortAudio gave the device before the first that was asked for."""
    if not given.any():
        return 0
    return int(np.flatnonzero(given.any(axis=1))[0] - np.flatnonzero(sound.any(axis=1))[0]) - LATENCY_FRAMES


def killed_render(killer: Killer, chance: random.Random) -> bool:
    """One instant of a render; whether its file was there.

    It is there and whole, and the ledger has all of it, or the ledger has none of it; but where the entries
    are acknowledged and the file has its working name yet, it is whole under that (docs/decisions/0005).
    """
    seed = chance.randrange(2)
    job: dict[str, object] = {"kind": "render", "seed": seed, "text": ENDING}
    right, sound = killer.rendered(seed)
    calls, mixed = killer.calls(phase="", **job)  # type: ignore[arg-type]
    how = chance.choice(["anywhere", "at its end", "by its file"])
    if how == "by its file":
        job["bytes"] = chance.randrange(1, len(sound) * 6)
    else:
        job["call"] = chance.randrange(1 if how == "anywhere" else mixed, calls + 1)
    killed = killer.run(**job)
    parts = list(killer.folder.glob(f".{killed.out.name}.*"))
    assert all(part.suffix == ".part" for part in parts)
    assert set(killer.folder.glob("*.wav")) <= {killed.out}
    there = killed.out.exists()
    logged = False
    if killed.entries:
        _, placements, closing = placements_of(killed, "crash")
        logged = closing.take is not None
        assert [replaced(each) for each in placements] == (right if logged else [])
    if there:
        assert logged
        assert parts == []
    if logged:
        path = killed.out if there else parts[0]
        np.testing.assert_array_equal(soundfile.read(path, dtype="int32", always_2d=True)[0], sound)
        take = takes.load(Path(killer.home / "takes" / f"{closing.session}.json"))
        assert takes.digest(take) == closing.take
    killer.worst.instants["render, whole" if there else "render, logged" if logged else "render, none"] += 1
    # Whoever renders to that name next finds nothing in the way.
    killed.out.unlink(missing_ok=True)
    for part in parts:
        part.unlink()
    return there


def replaced(placement: Placement) -> Placement:
    """Without what differs from one session to the next."""
    return structs.replace(placement, session="", start="")


@dataclass(frozen=True)
class Kind:
    """A way to be killed. `few`: how many of them are in the default run; `share`: of the long one, in %."""

    kill: Callable[[Killer, random.Random], object]
    few: int
    share: int


KINDS = {
    "read": Kind(lambda killer, chance: killed_while_sounding(killer, "read", chance), 5, 20),
    "play": Kind(lambda killer, chance: killed_while_sounding(killer, "play", chance), 5, 25),
    "alsa": Kind(lambda killer, chance: killed_while_sounding(killer, "alsa", chance), 2, 10),
    "read closing": Kind(lambda killer, chance: killed_while_closing(killer, "read", chance), 2, 8),
    "play closing": Kind(lambda killer, chance: killed_while_closing(killer, "play", chance), 2, 7),
    "opening": Kind(killed_while_opening, 2, 5),
    "render": Kind(killed_render, 5, 19),
    "read lost": Kind(
        lambda killer, chance: killed_while_sounding(killer, "read", chance, lost=chance.choice(LOST)), 1, 3
    ),
    "play lost": Kind(
        lambda killer, chance: killed_while_sounding(killer, "play", chance, lost=chance.choice(LOST)), 1, 3
    ),
}
assert sum(kind.share for kind in KINDS.values()) == 100


def kill(killer: Killer, name: str, seed: str) -> None:
    """One instant, which the kind and the seed tell from all others."""
    try:
        KINDS[name].kill(killer, random.Random(seed))
    except AssertionError as error:
        error.add_note(f"killed: {name!r}, {seed!r}")
        raise


@pytest.mark.parametrize("name", KINDS)
def test_a_few_kills(killer: Killer, name: str, tmp_path: Path) -> None:
    if name == "alsa":
        # Or a skip.
        alsa.environment(tmp_path)
    for number in range(KINDS[name].few):
        kill(killer, name, f"{SEED} {number}")
    killer.stands()


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        # What sounded was let go of in the page before the account had it.
        ("read closing", "42 read"),
        ("read closing", "56 read"),
        # A page's anchor counted back to before the session.
        ("play", "2 play"),
        ("play", "4 play"),
    ],
)
def test_what_a_kill_once_broke(killer: Killer, name: str, seed: str) -> None:
    kill(killer, name, seed)


@pytest.mark.long
def test_a_thousand_kills(killer: Killer, tmp_path: Path) -> None:
    alsa.environment(tmp_path)
    names = [name for name, kind in KINDS.items() for _ in range(kind.share)]
    random.Random(SEED).shuffle(names)
    for number in range(KILLS):
        kill(killer, names[number % len(names)], f"{SEED} long {number}")
        if number % 100 == 99:
            killer.stands()
    killer.stands()
    print(killer.worst)
