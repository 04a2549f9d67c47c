"""Work that an interrupt cannot break off: it is done on a thread of its own, while its caller waits.

Python raises KeyboardInterrupt in the main thread, between any two steps of it: after a lock was taken and
before anybody knows of it, after an entry became durable and before it is counted. Nothing reaches another
thread. So what changes a ledger is done there whenever it is called from the main thread; the interrupt is
raised in the caller once the work is done.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_work = threading.local()


class _Aside:
    """One piece of work, and its outcome."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.done = threading.Lock()
        self.done.acquire()
        self.finished = self.interrupted = False
        self.result: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        _work.aside = self
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001
            self.error = error
        finally:
            self.finished = True
            self.done.release()


def unbroken(work: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The same function, which no interrupt breaks off; a second interrupt no longer waits for its end."""

    @wraps(work)
    def whole(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        if threading.get_ident() != threading.main_thread().ident:
            return work(*args, **kwargs)
        aside = _Aside(lambda: work(*args, **kwargs))
        try:
            _thread.start_new_thread(aside.run, ())
        except RuntimeError:
            # The system has no more threads, or the interpreter is ending.
            return work(*args, **kwargs)
        interrupt: BaseException | None = None
        try:
            aside.done.acquire()
        except BaseException as error:  # noqa: BLE001
            interrupt, aside.interrupted = error, True
            if not aside.finished:
                # If it is, the interrupt may have come when the lock was taken already.
                aside.done.acquire()
        if interrupt is not None:
            raise interrupt from aside.error
        if aside.error is not None:
            try:
                raise aside.error
            finally:
                # The error's traceback has this frame in it.
                aside.error = None
        return aside.result  # type: ignore[return-value]

    return whole


def give_way() -> None:
    """Raise KeyboardInterrupt in work that has begun nothing yet, if its caller was interrupted meanwhile."""
    aside = getattr(_work, "aside", None)
    if aside is not None and aside.interrupted:
        raise KeyboardInterrupt
