"""Writers that are killed at random instants lose no acknowledged entry, and double none."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stemloom.ledger.entries.entries import Income
from stemloom.ledger.log.log import Log
from stemloom.ledger.verify.verify import verify

# Writes entries from `first` on, by journal and by append in turn; prints each number once acknowledged.
WRITER = """
import sys
from stemloom.ledger.entries.entries import Income
from stemloom.ledger.log.log import Log

home, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def income(number):
    return Income(time="2026-11-21T06:16:00.250Z", source="sync", currency="EUR", amount=number + 1,
                  period="2026", reference="x")

with Log.open(home, create=True) as log:
    number = first
    print("ready", flush=True)
    while number < first + count:
        with log.journal() as journal:
            for _ in range(3):
                journal.write([income(number), income(number + 1)])
                print(number, number + 1, flush=True)
                number += 2
        log.append([income(number)])
        print(number, flush=True)
        number += 1
"""


def start(home: Path, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), str(first), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def check(home: Path, acknowledged: set[int]) -> list[int]:
    log = Log.open(home, create=True)
    found = [entry.amount - 1 for _, entry in log.entries() if isinstance(entry, Income)]
    assert len(found) == len(set(found))
    assert acknowledged <= set(found)
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())
    return found


def killed(home: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: set[int] = set()
    for turn in range(rounds):
        writers = [start(home, 1_000_000 * (2 * turn + n), 100_000) for n in range(1 + turn % 2)]
        # The instant is a number of acknowledgements, so that it does not hang on the machine's speed.
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 40)):
                acknowledged |= {int(word) for word in writer.stdout.readline().split() if word != "ready"}
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            out, _ = writer.communicate(timeout=30)
            whole = out[: out.rfind("\n") + 1]
            acknowledged |= {int(word) for word in whole.split() if word != "ready"}
        assert verify(home).problems == ()
    check(home, acknowledged)


def test_a_few_kills(home: Path) -> None:
    killed(home, rounds=4, seed=int(os.environ.get("STEMLOOM_SEED", "1")))


@pytest.mark.long
def test_many_kills(home: Path) -> None:
    killed(home, rounds=300, seed=int(os.environ.get("STEMLOOM_SEED", "2")))


def test_two_processes_at_once(home: Path) -> None:
    writers = [start(home, 1_000_000 * n, 70) for n in range(2)]
    outs = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    acknowledged = {int(word) for out in outs for word in out.split() if word != "ready"}
    found = check(home, acknowledged)
    assert sorted(found) == sorted(acknowledged)
    # Each writer's own entries are in its own order.
    for n in range(2):
        own = [number for number in found if number // 1_000_000 == n]
        assert own == sorted(own)
