"""A crew of worker processes: what an interrupt, a fork and a worker that hangs leave behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stemloom.ground import processes
from stemloom.ground.processes import Crew, WorkerDied

SAYS_WHO = "import os, sys\nfor line in sys.stdin: print(os.getpid(), line.strip(), flush=True)"
INTERRUPTS = """
import os, signal, sys
for line in sys.stdin:
    if line.strip() == "interrupt": os.kill(os.getppid(), signal.SIGINT)
    print(line.strip(), flush=True)
"""
HANGS = """
import signal, sys
for line in sys.stdin:
    open(line.strip(), "w")
    signal.pause()
"""
PARENT = """
import os, sys
from stemloom.ground.processes import Crew
crew = Crew([sys.executable, "-c", sys.argv[1]])
worker = crew.ask(b"x").split()[0].decode()
if os.fork() == 0:
    # It lives until the test lets go of its standard input.
    sys.stdin.read()
    os._exit(0)
print(worker, flush=True)
os._exit(0)
"""

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def crew_of(program: str) -> Crew:
    return Crew([sys.executable, "-c", program])


def test_the_child_of_a_fork_has_workers_of_its_own() -> None:
    crew = crew_of(SAYS_WHO)
    worker = crew.ask(b"parent").split()[0]
    child = os.fork()
    if child == 0:
        own, word = crew.ask(b"child").split()
        crew.close()
        os._exit(0 if own != worker and word == b"child" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert crew.ask(b"parent").split() == [worker, b"parent"]
    crew.close()


def test_a_forked_child_keeps_no_worker_of_a_parent_that_died_alive() -> None:
    command = [sys.executable, "-c", PARENT, SAYS_WHO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        try:
            worker = os.pidfd_open(int(parent.stdout.readline()))
        except ProcessLookupError:
            return
        assert select.select([worker], [], [], 20)[0] == [worker]
        os.close(worker)


def test_after_an_interrupt_the_next_answer_is_to_the_next_line() -> None:
    crew = crew_of(INTERRUPTS)
    with pytest.raises(KeyboardInterrupt):
        crew.ask(b"interrupt")
    assert crew.ask(b"next") == b"next\n"
    crew.close()


def test_a_worker_that_hangs_is_killed_at_the_close(tmp_path: Path) -> None:
    crew, started = crew_of(HANGS), tmp_path / "started"
    os.mkfifo(started)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(crew.ask, str(started).encode())
        started.read_bytes()
        crew.close()
        with pytest.raises(WorkerDied):
            asked.result()
    assert not crew._busy


def test_an_idle_worker_that_was_stopped_is_killed_at_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "END_SECONDS", 0.0)
    crew = crew_of(SAYS_WHO)
    worker = int(crew.ask(b"x").split()[0])
    os.kill(worker, signal.SIGSTOP)
    crew.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_workers_that_rest_are_started_again() -> None:
    crew = crew_of(SAYS_WHO)
    worker = crew.ask(b"x").split()[0]
    crew.rest()
    with pytest.raises(ProcessLookupError):
        os.kill(int(worker), 0)
    assert crew.ask(b"x").split()[0] != worker
    crew.close()
