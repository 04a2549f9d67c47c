"""The ledger: placements a second, durable and under a signed root; verification, receipts, recovery, memory.

Beside it, in the same run, SQLite in WAL mode with synchronous=FULL, which has the same rows durable and no
proofs of them.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stemloom.engine.mix import rack
from stemloom.engine.mix.callback import TIMES, duration_of, step_of
from stemloom.engine.mix.machine import monotonic_ns, sleep_ns
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.play.scribe import Scribe
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.canonical import PlacementForm
from stemloom.ledger.entries.entries import ms_of
from stemloom.ledger.log.inclusion_receipt import check_receipt
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.disk import RealDisk
from stemloom.ledger.verify.verify import verify

from .harness import Figure
from .made_entries import FORMS, SESSION, TIME, Story

RATE, SECONDS = 100_000, int(os.environ.get("STEMLOOM_LEDGER_SECONDS", "60"))
MILLION = 1_000_000
LARGE = int(os.environ.get("STEMLOOM_LEDGER_ENTRIES", "10000000"))
AHEAD = 4_000
"""How many placements are intended before they sound."""
_BATCH = 1 << 16


def figures() -> Iterator[Figure]:
    """All of it, in folders that are gone afterwards."""
    # First, while the disk has nothing to do: where a large folder was just removed, it discards for a while.
    with tempfile.TemporaryDirectory() as folder:
        yield of_recovery(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from of_writing(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from of_reading(Path(folder) / "home")


# Writing, on one core.


@njit(nogil=True)
def _play(desk, count, rate, times, scratch):  # type: ignore[no-untyped-def]
    """Be a mixer in which `rate` placements end a second; how often the ring had no room for one.

    COMMITTED of the desk's status says up to which number they are intended.
    """
    begun = monotonic_ns(scratch)
    full = 0
    for id in range(count):
        due = begun + id * 1_000_000_000 // rate
        now = monotonic_ns(scratch)
        if now < due:
            # As a mixer does: a block's worth at a time.
            sleep_ns(scratch, max(due - now, 1_300_000))
        while id >= rack.seen(desk.status, rack.COMMITTED):
            sleep_ns(scratch, 100_000)
        while desk.status[rack.REPORTS_WRITTEN] - rack.seen(desk.status, rack.REPORTS_READ) >= rack.REPORTS:
            full += 1
            sleep_ns(scratch, 100_000)
        before = monotonic_ns(scratch)
        rack.report(desk, rack.ENDED, id, id * 480, id * 480 + 400, 400)
        times[step_of(monotonic_ns(scratch) - before)] += 1
    return full


def writing(home: Path, seconds: int) -> dict[str, float]:
    """Run the whole write path for so long, on one core; what came of it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    log = Log.open(home, create=True)
    story = Story(log.origin)
    log.append(story.entries)
    made = Mixer(0, -1).rack
    desk = rack.Desk(made.status, made.waiting, made.voices, made.buses, made.commands, made.reports)
    times, scratch = np.zeros(TIMES, np.int64), np.zeros(2, np.int64)
    _play(desk, 0, RATE, times, scratch)
    forms, count = story.forms(), seconds * RATE
    scribe = Scribe(log, FixedClock(TIME), SESSION, list, 0)
    scribe.live = True
    scribe.write([story.opened()])
    full: list[int] = []
    begun, cpu = time.perf_counter(), time.process_time()
    mixer = threading.Thread(target=lambda: full.append(_play(desk, count, RATE, times, scratch)))
    intended = done = 0
    into = np.zeros(4096, rack.REPORT)
    mixer.start()
    while done < count:
        while intended < min(count, done + AHEAD):
            upto = min(intended + 1000, count)
            scribe.intend({id: story.placement(id) for id in range(intended, upto)})
            intended = upto
            rack.tell(made.status, rack.COMMITTED, intended)
        taken = rack.pull(made.status, made.reports, into)
        if not taken:
            time.sleep(0.002)
            continue
        ids, entries, ms = _entries(into[:taken], done, forms)
        scribe.ended(ids, entries, ms)
        done += taken
    mixer.join()
    heard = time.perf_counter() - begun
    scribe.close()
    took = time.perf_counter() - begun
    state = scribe.state
    sums = np.cumsum(times)
    return {
        "placements": count,
        "seconds": took,
        "heard_seconds": heard,
        "cpu_seconds": time.process_time() - cpu,
        "sealed": state.sealed,
        "full": full[0],
        "p999_us": duration_of(int(np.searchsorted(sums, 0.999 * sums[-1]))) / 1e3,
        "p50_us": duration_of(int(np.searchsorted(sums, 0.5 * sums[-1]))) / 1e3,
        "resident_mb": _resident() / 1e6,
        "size": log.size,
    }


def _entries(
    reports: NDArray[np.void], seq: int, forms: Sequence[PlacementForm]
) -> tuple[list[int], list[bytes], int]:
    """What an account makes of reports."""
    ids: list[int] = []
    entries: list[bytes] = []
    ms = 0
    for number, (_, _, id, start, _, frames) in enumerate(reports.tolist(), seq):
        ids.append(id)
        entries.append(forms[id % FORMS].fill(number, start, frames, TIME))
        ms += ms_of(frames, 48_000)
    return ids, entries, ms


def _resident() -> int:
    """The largest memory so far, in bytes. Linux counts what getrusage says from before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def of_writing(folder: Path) -> Iterator[Figure]:
    """The write path for a minute, in a process of its own; then SQLite with the same rows."""
    words = [sys.executable, "-m", "benchmarks.ledger", "writing", str(folder / "home"), str(SECONDS)]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    rate = found["placements"] / found["seconds"]
    beside = sqlite(folder / "rows.sqlite", found["placements"] // 10)
    busy = found["cpu_seconds"] / found["placements"]
    yield Figure(
        "placements written, durable and under a signed root, on one core",
        {"ours": 1 / rate, "sqlite": 1 / beside},
        f"{rate:,.0f} a second for {found['seconds']:.0f} s, {1e6 * busy:.1f} us of the core each; "
        f"SQLite, WAL, synchronous=FULL, commits of 1 000: {beside:,.0f} a second without proofs",
    )
    yield Figure(
        "enqueue of a placement from the mixer's side",
        {"p99.9": found["p999_us"] / 1e6, "p50": found["p50_us"] / 1e6},
        f"p99.9 {found['p999_us']:.2f} us while that is written; the ring was full {found['full']:.0f} times",
    )
    report = verify(folder / "home", workers=os.cpu_count() or 1)
    assert report.ok, report.problems[:3]
    assert found["sealed"] == found["placements"] + 1


def sqlite(path: Path, count: int) -> float:
    """Rows a second that SQLite takes in commits of 1 000."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE placement (session, seq, stem, use, tier, role, part, section, line, start_frame, "
        "frames, rate, start, ms, consent)"
    )
    stem, words = "s" + "a" * 20, ("stream", "free", "pads", "part", "verse")
    begun = time.perf_counter()
    for first in range(0, count, 1000):
        database.execute("BEGIN")
        rows = [
            (SESSION, seq, stem, *words, 3, seq * 480, 400, 48_000, TIME, 8, 2)
            for seq in range(first, first + 1000)
        ]
        database.executemany(f"INSERT INTO placement VALUES ({','.join('?' * 15)})", rows)
        database.execute("COMMIT")
    took = time.perf_counter() - begun
    database.close()
    return count / took


# Recovery.


def of_recovery(folder: Path) -> Figure:
    """A session of a million placements whose process died before any of it was in the log."""
    home = folder / "home"
    log = Log.open(home, create=True)
    story = Story(log.origin)
    log.append(story.entries)
    journal = log.journal()
    journal.write([story.opened()])
    forms = story.forms()
    for first in range(0, MILLION, 10_000):
        ids = list(range(first, first + 10_000))
        entries = [forms[id % FORMS].fill(id, id * 480, 400, TIME) for id in ids]
        journal.ended(ids, entries, 8 * len(ids))
    journal._file.close()
    begun = time.perf_counter()
    Log.open(home, create=True)
    seconds = time.perf_counter() - begun
    assert log.size == MILLION + 5
    alone, count = _files_alone(home / "ledger" / "log" / "tile", folder / "copy")
    return Figure(
        "recovery of a million placements after a crash",
        {"recovery": seconds, "files": alone},
        f"{seconds:.1f} s; to write its {count:,} files alone, durable, takes this disk {alone:.1f} s",
    )


def _files_alone(made: Path, copy: Path) -> tuple[float, int]:
    """Seconds that a disk takes to make the files of a log, on one thread, and how many they are."""
    files = {copy / path.relative_to(made): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    for parent in {path.parent for path in files}:
        parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    RealDisk().write_durable(files)
    return time.perf_counter() - begun, len(files)


# Reading.


def of_reading(home: Path) -> Iterator[Figure]:
    """A log that grows to `LARGE` entries: verified at a million and at the end, with receipts and memory."""
    log = Log.open(home, create=True)
    story = Story(log.origin)
    log.append([*story.entries, story.opened()])
    forms = story.forms()
    done = 0
    memory: dict[int, float] = {}
    for upto in (MILLION, LARGE):
        for first in range(done, upto, _BATCH):
            ids = range(first, min(first + _BATCH, upto))
            log._sequence({}, [forms[id % FORMS].fill(id, id * 480, 400, TIME) for id in ids])
        done = upto
        seconds, memory[upto] = _verified(home)
        if upto == MILLION:
            yield Figure(
                "a million entries verified, on two cores",
                {"verify": seconds},
                f"{seconds:.1f} s: every hash, signature and rule",
            )
    rng = np.random.default_rng(1)
    took = []
    for index in rng.integers(0, LARGE, 50).tolist():
        begun = time.perf_counter()
        receipt = log.prove(index)
        took.append(time.perf_counter() - begun)
        check_receipt(receipt, log.vkey)
    yield Figure(
        f"a receipt from a log of {LARGE:,} entries",
        {"median": median(took), "longest": max(took)},
        f"{1000 * median(took):.1f} ms, at most {1000 * max(took):.1f} ms",
    )
    yield Figure(
        "memory of a verification",
        {},
        f"{memory[MILLION]:.0f} MB at a million entries, {memory[LARGE]:.0f} MB at {LARGE:,}",
    )


def _verified(home: Path) -> tuple[float, float]:
    """Seconds that a verification takes in a process of its own, and its largest memory in MB."""
    words = [sys.executable, "-m", "benchmarks.ledger", "verifying", str(home)]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return found["seconds"], found["mb"]


def verifying(home: Path) -> dict[str, float]:
    """Verify a log by two processes."""
    begun = time.perf_counter()
    report = verify(home, workers=2)
    seconds = time.perf_counter() - begun
    assert report.ok, report.problems[:3]
    return {"seconds": seconds, "mb": _resident() / 1e6}


if __name__ == "__main__":
    if sys.argv[1] == "writing":
        print(json.dumps(writing(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        print(json.dumps(verifying(Path(sys.argv[2]))))
