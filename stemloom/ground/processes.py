"""Worker processes that answer each line with a line: a file that crashes its decoder ends a worker, not us.

A worker is a plain program: one of `multiprocessing` would run the host's main module again.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress


class WorkerDied(Exception):
    """Two workers, one after the other, ended over the same line. `code`: the exit code of the second."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a worker process ended with code {code}")
        self.code = code


class Crew:
    """Workers that run one program, started when they are needed. Safe to use from several threads.

    There are at most as many as threads that ask at the same time; `close` ends them.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._turn = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._closed = False

    def ask(self, line: bytes) -> bytes:
        """The answer of a worker, which is replaced once if it dies. Raises `WorkerDied`."""
        for _ in range(2):
            worker = self._taken()
            answer = worker.ask(line)
            if answer:
                self._give_back(worker)
                return answer
            with self._turn:
                self._busy.discard(worker)
            code = worker.close()
        raise WorkerDied(code)

    def close(self) -> None:
        """End the workers, busy ones too: a thread that waits for one gets `WorkerDied`."""
        with self._turn:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill()
        for worker in idle:
            worker.close()

    def _taken(self) -> _Process:
        with self._turn:
            if self._closed:
                raise WorkerDied(0)
            worker = self._idle.pop() if self._idle else _Process(self._command)
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: _Process) -> None:
        with self._turn:
            self._busy.discard(worker)
            if not self._closed:
                self._idle.append(worker)
                return
        worker.close()


class _Process:
    """One worker and the two ends of its conversation."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C in a terminal is for us: we end the workers.
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def ask(self, line: bytes) -> bytes:
        """The answer, empty if the process has died."""
        try:
            self._requests.write(line + b"\n")
            self._requests.flush()
            answer = self._answers.readline()
        except BrokenPipeError:
            return b""
        return answer if answer.endswith(b"\n") else b""

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
        """End the process and give its exit code."""
        with suppress(BrokenPipeError):
            self._requests.close()
        code = self._process.wait()
        self._answers.close()
        return code


def cores() -> int:
    """The number of workers that can run at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
