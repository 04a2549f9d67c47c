"""Sessions that are killed at random instants: the ledger says what was heard, to within one block.

What was heard is in a file that the killed process, or the device behind it, wrote block by block; what each
placement should have been heard by then is known from the same piece played to its end, which gives the same
samples. `STEMLOOM_SEED` chooses other instants, `STEMLOOM_KILLS` how many the long run has.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec import UNSET

from stemloom.engine.clock import QUANTUM
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.mix.rack import SPAN
from stemloom.engine.play import take as takes
from stemloom.engine.play.placement_log import HeardPlacement
from stemloom.ledger.entries.entries import Placement

from . import alsa
from .crash_driver import sizes
from .killer import (
    ENDING,
    FRAME_BYTES,
    RATE,
    SECONDS,
    Killed,
    Killer,
    Truth,
    key_of,
    placements_of,
    replaced,
)
from .test_session import home as sounds

__all__ = ["sounds"]

SEED = int(os.environ.get("STEMLOOM_SEED", "1"))
KILLS = int(os.environ.get("STEMLOOM_KILLS", "1000"))
LOST = ("memory", "run")
"""What is lost beside the process: the page, or all that is of this run of the machine."""


@pytest.fixture(scope="module")
def killer(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    made = Killer(sounds, tmp_path_factory.mktemp("killed"))
    yield made
    made.close()


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
        # Once it is closed, what was mixed and not given out is not logged.
        sound, least, ahead = given, len(given), LATENCY_FRAMES
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
        sound, least, ahead = given[LATENCY_FRAMES:], len(given), 0
        flight = int(str(job["block"]))
        if kind == "alsa":
            # What it was given stays in its buffer, and in one of ALSA's file plugin, before it is kept.
            flight += 2 * killed.said("buffer")[0] + SPAN
    np.testing.assert_array_equal(sound, right.sound[: len(sound)])
    # A second between two writes, and what a busy disk takes to have the newer one.
    second = RATE * 5 // 4 + flight if late else 0
    most = least + ahead + flight + QUANTUM
    heard_is_logged(killer, right, killed, least, most, late=second, name=name, how=how, cut=cut)
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
