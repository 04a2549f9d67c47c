"""The clock that gives entries their time: one seam, a system clock and a fixed one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the time."""

    def now(self) -> str:
        """RFC 3339 UTC with milliseconds, 24 characters: `2026-11-21T06:16:00.250Z`."""
        ...


class SystemClock:
    """The wall clock of this machine."""

    def now(self) -> str:
        return text_of(datetime.now(UTC))


def _seconds() -> float:
    """Seconds since the machine started, with those of a suspend where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyClock:
    """The wall clock at the time of making, moved on by a counter that nobody can set.

    A session's entries keep their order in time even if the machine's clock is set meanwhile. `anchor`: now
    by the wall clock; `seconds`: the counter.
    """

    def __init__(self, anchor: datetime | None = None, seconds: Callable[[], float] = _seconds) -> None:
        self._anchor = anchor or datetime.now(UTC)
        self._seconds = seconds
        self._begun = seconds()

    def now(self) -> str:
        return text_of(self._anchor + timedelta(seconds=self._seconds() - self._begun))


class FixedClock:
    """A clock that always gives `text`: for tests, and to repeat a run exactly."""

    def __init__(self, text: str) -> None:
        milliseconds_of(text)
        self.text = text

    def now(self) -> str:
        return self.text


def text_of(moment: datetime) -> str:
    """`moment` as an entry writes it: UTC, cut to milliseconds."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def text_at(milliseconds: int) -> str:
    """The time `milliseconds` after the start of 1970, as an entry writes it."""
    return text_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds))


def milliseconds_of(text: str) -> int:
    """Milliseconds since 1970 of a time as entries write it. ValueError if it is not one.

    The pattern of the record accepts `2026-02-30`; this function does not.
    """
    if len(text) != 24 or not text.isascii() or text[23] != "Z" or text[19] != "." or text[10] != "T":
        raise ValueError(f"{text!r} is not a time like 2026-11-21T06:16:00.250Z")
    moment = datetime.fromisoformat(text[:23])
    seconds = (moment - _EPOCH).days * 86_400 + (moment - _EPOCH).seconds
    return seconds * 1000 + moment.microsecond // 1000


_EPOCH = datetime(1970, 1, 1)
