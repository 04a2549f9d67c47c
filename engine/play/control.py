"""The control thread of a session: everything that decides, writes down or closes is done on it.

A host may be interrupted wherever it is: by Ctrl-C, by a notebook's stop, by an exception of another thread.
What runs here is never broken off. Whoever asked for it may be: the job then goes on to its end, and the next
one waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .whole import Job

T = TypeVar("T")
_log = logging.getLogger("stemloom")


class Control:
    """One thread that does jobs in the order given."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            # It may run all the same.
            self._jobs.put(None)
            raise

    def run(self, call: Callable[[], T]) -> T:
        """Have `call` made after all that was asked for before, and give what it gives or raises.

        A call that is asked for on the control thread itself is made at once.
        """
        if threading.get_ident() == self._thread.ident:
            return call()
        job = Job(call)
        self._jobs.put(job)
        return job.wait()

    def post(self, call: Callable[[], object]) -> None:
        """The same without waiting; what it raises is logged."""

        def quietly() -> None:
            try:
                call()
            except Exception:  # noqa: BLE001 - nobody waits for it
                _log.exception("what a session had still to do has failed")

        self._jobs.put(Job(quietly))

    def close(self) -> None:
        """End the thread when it has done what was asked for; a job asked for later is never done."""
        self._jobs.put(None)
        if threading.get_ident() != self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.do()
            del job
