"""Notices to the host: events, told on threads of their own, so that nothing waits for a host's code.

One event is told after another, in the order in which they happened. A call that has not come back after
`PATIENCE_SECONDS` is set aside: another thread goes on with the other calls, and its own events wait until it
comes back. Whatever a call raises is logged and ends nothing.

The threads hold the notices weakly: a player that nobody holds any more is collected, although calls were
given that hold it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any, Self

from ...script.problems import counted
from ..arguments import shown
from ..errors import EngineError
from .event_stream import EventStream
from .events import EVENTS, MOST_WAITING, Event, known_event

PATIENCE_SECONDS = 1.0
"""How long other calls wait for one that does not come back."""
CLOSE_SECONDS = 2.0
"""How long `close` waits for the calls."""
_log = logging.getLogger("stemloom")


@dataclass(eq=False)
class _Listener:
    """One call of the host's, and the events that wait for it, each with its number among all events."""

    event: str
    call: Callable[[Any], object]
    waiting: deque[tuple[int, object]] = field(default_factory=deque)
    since: float | None = None
    """When the present call began; None when there is none."""
    dropped: int = 0

    def put(self, number: int, what: object) -> None:
        """Have an event wait for the call; of too many the oldest is dropped."""
        self.waiting.append((number, what))
        if len(self.waiting) > MOST_WAITING:
            self.waiting.popleft()
            self.dropped += 1


class Subscription:
    """Called, or left as a context manager, it takes a call back that was given for an event.

    No call begins after that. It may be called again, and from any thread, that of the call itself included.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def __call__(self) -> None:
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()


class Notices:
    """The host's calls, by event. Threads begin with the first event that somebody waits for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        """Guards all below; the threads wait on it."""
        self._listeners: list[_Listener] = []
        self._streams: weakref.WeakSet[EventStream[Any]] = weakref.WeakSet()
        self._number = 0
        self._threads: dict[threading.Thread, _Listener | None] = {}
        """Each thread, with the listener that it calls at present."""
        self._present: _Listener | None = None
        """The listener whose call the others wait for."""
        self._until: float | None = None
        """When a close gives up; None while none was asked for."""
        self._waited_for = False
        """Whether somebody waits for the close, and says what was not told."""
        self._closed = False
        self._process = os.getpid()

    def add(self, event: str, call: Callable[[Any], object]) -> Subscription:
        """Have `call` called with what comes with each such event, until the subscription takes it back.

        Raises ValueError for an unknown event, TypeError for what cannot be called, EngineError when the
        player is closed and in a process that was forked from the player's.
        """
        event = known_event(event)
        if not callable(call):
            raise TypeError(f"{shown(call)} cannot be called with what happens")
        if iscoroutinefunction(call):
            raise TypeError(f"{shown(call)} is a coroutine function: iterate over `events` with `async for`")
        listener = _Listener(event, call)
        with self._changed:
            self._must_be_open()
            self._listeners.append(listener)
        here = weakref.ref(self)

        def end() -> None:
            if (notices := here()) is not None:
                notices._remove(listener)

        return Subscription(end)

    def stream(self, *events: str) -> EventStream[Any]:
        """The events of these kinds from now on, of all kinds if none is named. Raises as `add` does."""
        kinds: set[Event] = {known_event(event) for event in events or EVENTS}
        stream: EventStream[Any] = EventStream(frozenset(kinds))
        with self._changed:
            self._must_be_open()
            self._streams.add(stream)
        return stream

    def tell(self, event: str, what: object) -> None:
        """Queue an event; nobody is waited for. Does nothing once closed, or in a forked process."""
        event = known_event(event)
        if os.getpid() != self._process:
            return
        with self._changed:
            if self._until is not None:
                return
            for stream in self._streams:
                stream.put(event, what)
            self._number += 1
            for listener in self._listeners:
                if listener.event == event:
                    listener.put(self._number, what)
            self._wake()

    def close(self, within: float = CLOSE_SECONDS) -> None:
        """Tell what is queued, for at most `within` seconds, log what could not be told, and end.

        Where a host's call calls it, it does not wait; what is queued is told after it.
        """
        if os.getpid() != self._process:
            return
        with self._changed:
            if self._until is None:
                self._until = time.monotonic() + within
                for stream in self._streams:
                    stream.end()
                self._wake()
            if threading.current_thread() in self._threads:
                return
            self._waited_for = True
            try:
                while not self._over():
                    self._changed.wait(self._until - time.monotonic())
            finally:
                untold = self._give_up()
            ending = [thread for thread, calls in self._threads.items() if calls is None]
        _say(untold)
        for thread in ending:
            thread.join(CLOSE_SECONDS)

    def __del__(self) -> None:
        if os.getpid() == self._process:
            with self._changed:
                self._closed = True
                for stream in self._streams:
                    stream.end()
                self._changed.notify_all()

    def _must_be_open(self) -> None:
        if os.getpid() != self._process:
            raise EngineError("the player belongs to the process that opened it: no events are told here")
        if self._until is not None:
            raise EngineError("the player is closed: it tells no more events")

    def _remove(self, listener: _Listener) -> None:
        if os.getpid() != self._process:
            return
        with self._changed:
            if listener in self._listeners:
                self._listeners.remove(listener)
            listener.waiting.clear()
            self._changed.notify_all()

    # What follows is called with `_changed` held.

    def _wake(self) -> None:
        """Have somebody tell what waits: a thread that makes no call, or else a new one."""
        self._changed.notify_all()
        waits = any(listener.waiting for listener in self._listeners)
        if not waits or None in self._threads.values():
            return
        thread = threading.Thread(
            target=_run, args=(weakref.ref(self), self._changed), name="stemloom events", daemon=True
        )
        self._threads[thread] = None
        # Where Python is ending, or the system has no more threads, what waits is left to the next attempt.
        try:
            thread.start()
        except RuntimeError:
            del self._threads[thread]

    def _over(self) -> bool:
        """Whether a close has nothing to wait for any more."""
        busy = any(listener.waiting or listener.since is not None for listener in self._listeners)
        return self._closed or (self._until is not None and (not busy or time.monotonic() >= self._until))

    def _give_up(self) -> str | None:
        """End: let the threads go. Gives a sentence on what could not be told, if there is any."""
        untold = sum(len(listener.waiting) for listener in self._listeners)
        stuck = [repr(listener.event) for listener in self._listeners if listener.since is not None]
        self._closed = True
        self._listeners.clear()
        self._changed.notify_all()
        why = f": its call for {' and '.join(stuck)} has not come back" if stuck else ""
        return f"{counted(untold, 'event')} could not be told to the host{why}" if untold or stuck else None

    def _take(self) -> tuple[_Listener, object] | None:
        """The next event and whom to tell it; None while there is none, or a call is waited for."""
        free = [each for each in self._listeners if each.waiting and each.since is None]
        if not free or self._patience() > 0:
            return None
        listener = min(free, key=lambda each: each.waiting[0][0])
        _, what = listener.waiting.popleft()
        listener.since = time.monotonic()
        self._present = self._threads[threading.current_thread()] = listener
        self._wake()
        return listener, what

    def _patience(self) -> float:
        """For how long the present call is still waited for."""
        since = None if self._present is None else self._present.since
        return 0.0 if since is None else since + PATIENCE_SECONDS - time.monotonic()

    def _pause(self) -> float | None:
        """For how long a thread without a call may sleep; None until something changes."""
        pauses = [] if self._until is None else [self._until - time.monotonic()]
        if any(each.waiting and each.since is None for each in self._listeners):
            pauses.append(self._patience())
        return min(pauses, default=None)

    def _came_back(self, listener: _Listener) -> bool:
        """A call has come back; gives whether its thread is still needed."""
        needed = self._present is listener or None not in self._threads.values()
        listener.since = None
        if self._present is listener:
            self._present = None
        if needed:
            self._threads[threading.current_thread()] = None
        else:
            del self._threads[threading.current_thread()]
        self._changed.notify_all()
        return needed


def _say(sentence: str | None) -> None:
    """Log a warning. Never with the lock held: the handler is the host's too."""
    if sentence is not None:
        _log.warning("%s", sentence)


def _run(here: weakref.ref[Notices], changed: threading.Condition) -> None:
    """Tell events until the notices are closed or collected."""
    while (found := _next(here, changed)) is not None:
        listener, what = found
        del found
        try:
            listener.call(what)
        except BaseException:  # noqa: BLE001 - it is the host's, and nothing that it raises is for this thread
            _log.exception("the host's call for the event %r failed", listener.event)
        del what
        with changed:
            dropped, listener.dropped = listener.dropped, 0
            notices = here()
            needed = notices is not None and notices._came_back(listener)
        if dropped:
            _say(f"{counted(dropped, 'event')} {listener.event!r} were dropped: the host's call was behind")
        del listener, notices
        if not needed:
            return


def _next(here: weakref.ref[Notices], changed: threading.Condition) -> tuple[_Listener, object] | None:
    """The next event and whom to tell it; None when there will be no more. Holds nothing while it waits."""
    with changed:
        while (notices := here()) is not None and not notices._over():
            if (found := notices._take()) is not None:
                return found
            pause = notices._pause()
            del notices
            changed.wait(pause)
        untold = None if notices is None or notices._waited_for else notices._give_up()
    _say(untold)
    return None
