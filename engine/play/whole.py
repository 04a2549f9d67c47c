"""What is done whole, whatever breaks off the wait for it.

Ctrl-C interrupts the main thread anywhere, also between two steps of which one is nothing without the other.
What is done here is done on another thread, which no interrupt reaches: it breaks off the wait alone.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """A call that is made once, on one thread, and waited for on others."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        # A lock of the interpreter's own: an interrupt leaves it as it was before or after.
        self._done = threading.Lock()
        self._done.acquire()
        self._ended = False
        self._values: list[T] = []
        self.error: BaseException | None = None

    def do(self) -> None:
        """Make the call."""
        try:
            self._values.append(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self.error = error
        self._ended = True
        self._done.release()

    def wait(self, seconds: float | None = None) -> T:
        """What the call gives, or raises. Raises TimeoutError when it has not ended in time."""
        # If it has ended, an interrupt may have come when the lock was taken and not given back.
        if not self._ended:
            if not self._done.acquire(timeout=-1 if seconds is None else seconds):
                raise TimeoutError("what was asked for takes longer; it goes on")
            self._done.release()
        if self.error is not None:
            raise self.error
        return self._values[0]


def whole(act: Callable[[], T], seconds: float | None = None) -> T:
    """What `act` gives, or raises; it is done on a thread of its own, and waited for so long.

    An interrupt breaks off the wait alone, and the act goes on to its end. Raises TimeoutError for one that
    takes longer, which goes on as well.
    """
    job = Job(act)
    try:
        _thread.start_new_thread(job.do, ())
    except RuntimeError:
        # At the end of the process there are no more threads to be had, nor interrupts.
        job.do()
    return job.wait(seconds)


class Broken:
    """Whether whoever waits for a job was interrupted: the job looks, and ends where it is whole."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def check(self) -> None:
        """Raises KeyboardInterrupt once the waiting thread was interrupted."""
        if self._set:
            raise KeyboardInterrupt


def unbroken(call: Callable[[Broken], T]) -> T:
    """What `call` gives, or raises; it is made on a thread of its own, and has ended when this returns.

    An interrupt of the thread that waits is passed on: `call` asks `Broken.check` where it may end. It is
    raised here once the call has ended, however often it comes.
    """
    broken, gate, wanted = Broken(), threading.Lock(), [True]
    job = Job(lambda: call(broken))

    def begin() -> None:
        with gate:
            pass
        if wanted:
            job.do()

    gate.acquire()
    try:
        _thread.start_new_thread(begin, ())
    except BaseException:
        # It may have been started all the same.
        wanted.clear()
        gate.release()
        raise
    interrupt: BaseException | None = None
    while True:
        try:
            with suppress(RuntimeError):  # it is open already
                gate.release()
            value = job.wait()
        except BaseException as error:
            if error is job.error and not (interrupt is not None and isinstance(error, KeyboardInterrupt)):
                raise
            if error is job.error:
                break
            interrupt = error
            broken.set()
        else:
            if interrupt is None:
                return value
            break
    assert interrupt is not None
    raise interrupt
