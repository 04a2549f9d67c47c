"""Notices to the host: events, called on a thread of their own, so that nothing waits for a host's code."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

EVENTS = (
    "bar",
    "section",
    "started",
    "ended",
    "withdrawn",
    "script",
    "xrun",
    "stopped",
    "ledger",
    "device",
    "unready",
    "failed",
)
_log = logging.getLogger("stemloom")


class Notices:
    """The host's calls, by event. The thread begins with the first of them."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[..., object]]] = {}
        self._queue: queue.SimpleQueue[tuple[str, object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, event: str, call: Callable[..., object]) -> None:
        """Have `call` called with the subject of each such event."""
        self._calls.setdefault(event, []).append(call)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stemloom events", daemon=True)
            self._thread.start()

    def tell(self, event: str, what: object) -> None:
        """Queue an event; nobody is waited for."""
        if event in self._calls:
            self._queue.put((event, what))

    def close(self) -> None:
        """Tell what is still queued, then end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            if self._thread is not threading.current_thread():
                self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            event, what = item
            for call in self._calls[event]:
                try:
                    call(what)
                except Exception:  # noqa: BLE001 - it is the host's
                    _log.exception("the host's call for the event %r failed", event)
