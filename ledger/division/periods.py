"""Periods of settlement: whole days, UTC, written as `2026-11`, `2026-Q4`, `2026` or `FROM..TO`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from .errors import BadPeriod

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_QUARTER = re.compile(r"([0-9]{4})-Q([1-4])")
_YEAR = re.compile(r"[0-9]{4}")
_RANGE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.\.([0-9]{4}-[0-9]{2}-[0-9]{2})")
_HINT = "write 2026-11, 2026-Q4, 2026 or 2026-11-01..2026-11-30"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC. An instant `t` is inside if `start <= t < end`, compared as text.

    `text` is as it was written; `first_day` and `last_day` are inside; `start` and `end` are RFC 3339 with
    milliseconds, `end` the first instant after it.
    """

    text: str
    first_day: date
    last_day: date

    @classmethod
    def parse(cls, text: str) -> Period:
        """The period that `text` names. Raises BadPeriod. Inverse: `Period.parse(p.text) == p`."""
        try:
            return cls(text, *_days(text))
        except (ValueError, OverflowError) as error:
            raise BadPeriod(f"{text!r} is not a period; {_HINT}") from error

    @property
    def start(self) -> str:
        return f"{self.first_day.isoformat()}T00:00:00.000Z"

    @property
    def end(self) -> str:
        return f"{(self.last_day + timedelta(days=1)).isoformat()}T00:00:00.000Z"

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1

    def covers(self, other: Period) -> bool:
        """Whether all of `other` lies inside."""
        return self.first_day <= other.first_day and other.last_day <= self.last_day

    def overlaps(self, other: Period) -> bool:
        """Whether a day lies in both."""
        return self.first_day <= other.last_day and other.first_day <= self.last_day

    def same_days(self, other: Period) -> bool:
        """Whether both are the same days, however they are written."""
        return (self.first_day, self.last_day) == (other.first_day, other.last_day)

    def __contains__(self, time: object) -> bool:
        return isinstance(time, str) and self.start <= time < self.end


def _days(text: str) -> tuple[date, date]:
    if found := _MONTH.fullmatch(text):
        return _months(int(found[1]), int(found[2]), 1)
    if found := _QUARTER.fullmatch(text):
        return _months(int(found[1]), 3 * int(found[2]) - 2, 3)
    if _YEAR.fullmatch(text):
        return _months(int(text), 1, 12)
    if found := _RANGE.fullmatch(text):
        first, last = date.fromisoformat(found[1]), date.fromisoformat(found[2])
        if last < first:
            raise ValueError("ends before it starts")
        if last == date.max:
            raise ValueError("no day after it")
        return first, last
    raise ValueError("no form of a period")


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    first = date(year, month, 1)
    after = month - 1 + count
    return first, date(year + after // 12, after % 12 + 1, 1) - timedelta(days=1)
