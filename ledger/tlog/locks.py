"""Locks on files among all processes and threads (flock), waited for no longer than is stated.

A lock belongs to the open file, and a process that is forked has the same file open: the lock would outlive
its owner for as long as the child lives. So every descriptor that was locked here is closed in a child at
once. Closed, not unlocked: the owner keeps its lock.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import threading
import time
from collections import deque
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from ..errors import LockHeld
from ..unbroken import give_way

LOCK_SECONDS = 10.0
"""How long a lock is waited for."""
_SLICE_SECONDS = 0.1
"""How soon who waits sees that an interrupt came."""


class _How(NamedTuple):
    path: Path
    flags: int
    mode: int
    kind: int


# `_opening` guards what is below it. It is held at a fork, so that a child knows every locked descriptor.
_opening = threading.Lock()
_opened: dict[int, tuple[int, int]] = {}
"""The device and inode of the files that this process has locked, by descriptor."""
_queues: dict[_How, _Queue] = {}


def open_locked(
    path: Path,
    flags: int,
    mode: int = 0o600,
    *,
    shared: bool = False,
    wait: bool = True,
    seconds: float = LOCK_SECONDS,
) -> int:
    """Open a file or folder and lock it among all processes and threads; gives the descriptor.

    The lock is free after `close_locked`, or when the process dies. Raises OSError; LockHeld where another
    has had the lock for `seconds`, or without `wait` BlockingIOError at once.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = _open(path, flags, mode)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return descriptor
    except BaseException as error:
        close_locked(descriptor)
        if not (wait and isinstance(error, BlockingIOError)):
            raise
    return _waited_for(_How(path, flags, mode, kind), seconds)


def close_locked(descriptor: int) -> None:
    """Close what `open_locked` gave, which frees its lock; nothing in a child, where it is closed already."""
    with _opening:
        if _opened.pop(descriptor, None) is None:
            return
    with suppress(OSError):
        # A child that is just being made may have the file open for another moment.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


class _Locked(AbstractContextManager[int]):
    # A class, because an interrupt can come between a generator's `yield` and the block under its lock.
    def __init__(self, path: Path, mode: int | None, shared: bool, wait: bool, seconds: float) -> None:
        self._path, self._mode, self._shared = path, mode, shared
        self._wait, self._seconds = wait, seconds
        self._process = self._descriptor = -1

    def __enter__(self) -> int:
        flags = os.O_RDONLY if self._mode is None else os.O_RDWR | os.O_CREAT
        self._process = os.getpid()
        self._descriptor = open_locked(
            self._path, flags, self._mode or 0, shared=self._shared, wait=self._wait, seconds=self._seconds
        )
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        if os.getpid() == self._process:
            close_locked(self._descriptor)


def locked(
    path: Path,
    mode: int | None = None,
    *,
    shared: bool = False,
    wait: bool = True,
    seconds: float = LOCK_SECONDS,
) -> AbstractContextManager[int]:
    """Hold the lock of `open_locked`. `mode`: open for writing, and make a file that is not there."""
    return _Locked(path, mode, shared, wait, seconds)


@dataclass(eq=False, slots=True)
class _Waiter:
    """One who waits for a lock; `_opening` guards it."""

    descriptor: int = -1
    error: OSError | None = None
    news: SimpleQueue[None] = field(default_factory=SimpleQueue)


class _Queue:
    """Those of this process who wait for one lock. The system has no lock with a time limit, and who asks
    again and again never gets one that is taken again at once: so one thread waits in their place.
    """

    def __init__(self, how: _How) -> None:
        self._how = how
        self.waiters: deque[_Waiter] = deque()

    def run(self) -> None:
        more = True
        while more:
            descriptor, error = -1, None
            try:
                descriptor = _open(self._how.path, self._how.flags, self._how.mode)
                fcntl.flock(descriptor, self._how.kind)
            except OSError as found:
                error = found
            with _opening:
                waiter = self.waiters.popleft() if self.waiters else None
                more = bool(self.waiters)
                if not more and _queues.get(self._how) is self:
                    del _queues[self._how]
                if waiter is not None:
                    waiter.descriptor, waiter.error = descriptor, error
                    waiter.news.put(None)
            if waiter is None and descriptor >= 0:
                close_locked(descriptor)


def _open(path: Path, flags: int, mode: int) -> int:
    with _opening:
        descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
        found = os.fstat(descriptor)
        _opened[descriptor] = found.st_dev, found.st_ino
    return descriptor


def _waited_for(how: _How, seconds: float) -> int:
    """The descriptor of a locked file. Raises LockHeld, OSError."""
    end, waiter = time.monotonic() + seconds, _Waiter()
    queue: _Queue | None = None
    try:
        with _opening:
            queue = _queues.get(how)
            if queue is None:
                queue = _Queue(how)
                _thread.start_new_thread(queue.run, ())
                _queues[how] = queue
            queue.waiters.append(waiter)
        while (left := end - time.monotonic()) > 0:
            give_way()
            with suppress(Empty):
                waiter.news.get(timeout=min(left, _SLICE_SECONDS))
                if waiter.error is not None:
                    raise waiter.error
                return waiter.descriptor
        raise LockHeld(
            f"{_holder(how.path)} has held the lock of {how.path} for {seconds:g} s: "
            "try again when it is done, or end it"
        )
    except BaseException:
        with _opening:
            if queue is not None and waiter in queue.waiters:
                queue.waiters.remove(waiter)
        if waiter.descriptor >= 0:
            close_locked(waiter.descriptor)
        raise


def _holder(path: Path) -> str:
    """Who has the lock, as far as the system tells."""
    try:
        found = os.stat(path)
        file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == file:
                own = int(fields[4]) == os.getpid()
                return "this process itself" if own else f"another process ({fields[4]})"
    except (OSError, IndexError, ValueError):
        # Not every system has such a list, and its form is not ours.
        return "another process"
    return "another process"


def _close_in_child() -> None:
    _opening.release()
    for descriptor, file in list(_opened.items()):
        with suppress(OSError):
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == file:
                os.close(descriptor)
    _opened.clear()
    _queues.clear()


os.register_at_fork(before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_close_in_child)
