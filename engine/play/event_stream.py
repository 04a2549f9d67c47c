"""Iteration over a player's events in the loop of an asyncio program."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from contextlib import suppress
from typing import Generic, Self

from .events import MOST_WAITING, Event, Happened, What


class EventStream(Generic[What]):
    """The events of some kinds, from now on: `async for event, what in stream`.

    It ends when the player closes, after `aclose`, and in a forked process; it may be left at any time. For a
    loop that is behind, the last `MOST_WAITING` events wait, and `dropped` counts the others. The tasks that
    iterate over it run in one loop, and each event goes to one of them.
    """

    def __init__(self, events: frozenset[Event]) -> None:
        self.dropped = 0
        """How many events were dropped because the loop was behind."""
        self._events = events
        self._lock = threading.RLock()
        """Guards all below."""
        self._waiting: deque[Happened[What]] = deque()
        self._over = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop of the tasks that wait."""
        self._come = asyncio.Event()
        self._called = False
        """Whether that loop was told to look, and has not looked yet."""
        self._process = os.getpid()

    def put(self, event: Event, what: What) -> None:
        """Queue an event, if it is of the kinds wanted; from any thread, without waiting."""
        if event not in self._events:
            return
        with self._lock:
            if self._over:
                return
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(Happened(event, what))
            self._call()

    def end(self) -> None:
        """Let what waits be the last of it."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._over = True
            self._call()

    def _call(self) -> None:
        """Have the loop look, once for all that comes until it does."""
        if self._loop is None or self._called:
            return
        self._called = True
        # A loop that is closed has no task left that waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        with self._lock:
            self._called = False
        self._come.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Happened[What]:
        loop = asyncio.get_running_loop()
        while os.getpid() == self._process:
            with self._lock:
                if loop is not self._loop:
                    self._loop, self._come, self._called = loop, asyncio.Event(), False
                self._come.clear()
                if self._waiting:
                    return self._waiting.popleft()
                if self._over:
                    break
            await self._come.wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Take nothing more, and forget what waits."""
        self._waiting.clear()
        self.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()
