"""The time that a log itself tells, by which an entry is too early, too late, or backdated.

Entries that are written at once, such as an income or a withdrawal, move this time on, and so does the
closing of a session. What one of them says may lie before it only as far as clocks err. Sessions may come
later than they were (`entries/lateness.py`); `sessions.py` judges them.

A witness's cosignature of the first `size` entries at a time says that no later entry was there at that time,
and that all earlier ones were.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from msgspec import UNSET

from ..clock import milliseconds_of, text_at
from ..entries import entries
from ..entries.lateness import CLOCK_ERROR_MS
from ..tlog.cosignature import Cosignature

Witnessed = tuple[int, int]
"""A size of the log, and when a witness saw it, in ms since 1970."""


def witnessed_at(size: int, cosignatures: Sequence[Cosignature]) -> list[Witnessed]:
    """What the cosignatures of a checkpoint say of when the log had this size: the first of them saw it."""
    times = [1000 * each.time for each in cosignatures]
    return [(size, min(times))] if times else []


class Moments:
    """The time of a log after the entries taken so far. `witnessed`: what witnesses saw of it."""

    __slots__ = ("_now", "_said", "_seen", "_sizes")

    def __init__(self, witnessed: Sequence[Witnessed] = ()) -> None:
        self._now = 0
        self._said = -1
        """The index of the entry that moved it on last."""
        self._seen = sorted(witnessed)
        self._sizes = [size for size, _ in self._seen]

    def at(self, index: int) -> int:
        """The time from which on the entry at an index was written, in ms since 1970; 0 if nothing tells."""
        seen = bisect_right(self._sizes, index)
        return max(self._now, self._seen[seen - 1][1] if seen else 0)

    def until(self, index: int) -> int | None:
        """The time by which a witness had seen the entry at an index; None if none has."""
        seen = bisect_right(self._sizes, index)
        return self._seen[seen][1] if seen < len(self._seen) else None

    def early(self, index: int, time: str) -> str | None:
        """What is wrong with an entry that says a time after the one at which a witness had seen it."""
        seen = self.until(index)
        if seen is None or milliseconds_of(time) <= seen + CLOCK_ERROR_MS:
            return None
        return f"it says {time}, and a witness saw it before, at {text_at(seen)}"

    def take(self, index: int, entry: entries.Entry) -> Iterator[str]:
        """Take the next entry, but for a placement; what is wrong with its time."""
        time = said_at(entry)
        if time is None:
            return
        wrong = self.early(index, time)
        if wrong is not None:
            yield wrong
        moment, now = milliseconds_of(time), self.at(index)
        if not _at_once(entry):
            # A closing that comes late is judged with its session.
            if isinstance(entry, entries.Session) and entry.state == "closed":
                self._move(index, max(moment, self._now))
            return
        backwards = moment < now - CLOCK_ERROR_MS
        if backwards:
            yield self._backwards(entry, time, now)
        # It is told once, where it begins: what follows is measured by the clock that wrote it.
        self._move(index, moment if backwards else max(moment, self._now))

    def _move(self, index: int, moment: int) -> None:
        if moment != self._now:
            self._now, self._said = moment, index

    def _backwards(self, entry: entries.Entry, time: str, since: int) -> str:
        behind = f"it says {time}, and the log had come to {text_at(since)} before it"
        if since > self._now:
            behind = f"it says {time}, and a witness saw the log without it at {text_at(since)}"
        elif self._said >= 0:
            behind += f" (entry {self._said})"
        if isinstance(entry, entries.Consent | entries.Standing) and entry.received is UNSET:
            return f"{behind}: what was signed elsewhere says when it was received"
        return f"{behind}: the times run backwards"


def said_at(entry: entries.Entry) -> str | None:
    """The time at which an entry says that it was written; None for what its holder says, and placements."""
    match entry:
        case entries.Placement() | entries.Holder() | entries.Key() | entries.Stem() | entries.Splits():
            return None
        case entries.Consent() | entries.Standing():
            return entry.since
        case _:
            return entry.time


def _at_once(entry: entries.Entry) -> bool:
    """Whether an entry is in the log as soon as it is made; a session's are in its journal before."""
    return not isinstance(entry, entries.Session | entries.Gap)
