"""Worker processes that answer each line with a line: a file that crashes its decoder ends a worker, not us.

A worker is a plain program: one of `multiprocessing` would run the host's main module again.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from typing import cast
from weakref import WeakSet

END_SECONDS = 1.0
"""How long workers that have nothing to do may take to end before they are killed."""


class WorkerDied(Exception):
    """Two workers, one after the other, ended over the same line. `code`: the exit code of the second."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a worker process ended with code {code}")
        self.code = code


class Crew:
    """Workers that run one program, started when they are needed. Safe to use from several threads.

    There are at most as many as threads that ask at the same time; `close` ends them. The child of a fork has
    a crew without workers: it never writes to those of its parent, nor keeps them alive.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._turn = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._closed = False
        _crews.add(self)

    def ask(self, line: bytes) -> bytes:
        """The answer of a worker, which is replaced once if it dies. Raises `WorkerDied`."""
        for _ in range(2):
            worker = self._taken()
            try:
                answer = worker.ask(line)
            except BaseException:
                # What it answers now would be taken for the answer to the next line.
                worker.kill()
                self._end(worker)
                raise
            if answer:
                self._give_back(worker)
                return answer
            code = self._end(worker)
        raise WorkerDied(code)

    def rest(self) -> None:
        """End the workers that have nothing to do; others are started when they are needed."""
        with self._turn:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.dismiss()
        until = time.monotonic() + END_SECONDS
        for worker in idle:
            worker.close(until - time.monotonic())

    def close(self) -> None:
        """End the workers, busy ones too: a thread that waits for one gets `WorkerDied`."""
        with self._turn:
            self._closed = True
            for worker in self._busy:
                worker.kill()
        self.rest()

    def _taken(self) -> _Process:
        with self._turn:
            if self._closed:
                raise WorkerDied(0)
            if self._idle:
                worker = self._idle.pop()
                self._busy.add(worker)
                return worker
        return self._started()

    def _started(self) -> _Process:
        with _starting:
            worker = _Process(self._command)
            with self._turn:
                self._busy.add(worker)
                if self._closed:
                    worker.kill()
        return worker

    def _give_back(self, worker: _Process) -> None:
        with self._turn:
            self._busy.discard(worker)
            if not self._closed:
                self._idle.append(worker)
                return
        worker.close()

    def _end(self, worker: _Process) -> int:
        with self._turn:
            self._busy.discard(worker)
        return worker.close()

    def _leave_to_parent(self) -> None:
        """In the child of a fork: the workers are the parent's."""
        for worker in (*self._idle, *self._busy):
            worker.let_go()
        self._turn = threading.Lock()
        self._idle, self._busy = [], set()


class _Process:
    """One worker and the two ends of its conversation."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Without buffers: the child of a fork would write out what the parent's held.
            bufsize=0,
            # Ctrl-C in a terminal is for us: we end the workers.
            process_group=0,
        )
        self._requests = cast(FileIO, self._process.stdin)
        self._answers = cast(FileIO, self._process.stdout)

    def ask(self, line: bytes) -> bytes:
        """The answer, empty if the process has died."""
        left = memoryview(line + b"\n")
        try:
            while left:
                left = left[self._requests.write(left) :]
        except BrokenPipeError:
            return b""
        answer = bytearray()
        while not answer.endswith(b"\n"):
            piece = self._answers.read(1 << 16)
            if not piece:
                return b""
            answer += piece
        return bytes(answer)

    def kill(self) -> None:
        self._process.kill()

    def dismiss(self) -> None:
        """Have the process end by itself, without waiting for it."""
        self._requests.close()

    def close(self, patience: float = END_SECONDS) -> int:
        """End the process, by force after so many seconds, and give its exit code."""
        self.dismiss()
        try:
            self._process.wait(max(patience, 0))
        except subprocess.TimeoutExpired:
            self._process.kill()
        code = self._process.wait()
        self._answers.close()
        return code

    def let_go(self) -> None:
        """Close the two ends without touching the process."""
        for end in (self._requests, self._answers):
            with suppress(OSError):
                end.close()
        # It is not ours to wait for.
        self._process.returncode = 0


_crews: WeakSet[Crew] = WeakSet()
_starting = threading.RLock()
"""Held while a worker is started, so that no fork copies ends of pipes that no crew knows yet."""


def _leave_all_to_parent() -> None:
    for crew in list(_crews):
        crew._leave_to_parent()
    _starting.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_starting.acquire,
        after_in_parent=_starting.release,
        after_in_child=_leave_all_to_parent,
    )


def cores() -> int:
    """The number of workers that can run at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
