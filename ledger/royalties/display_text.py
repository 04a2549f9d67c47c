"""Numbers and times of a statement as text for people; nothing is rounded unless a docstring says so.

A number and its unit are held together by a no-break space.
"""

from __future__ import annotations

from datetime import date

from ..division.money import decimal_text, places
from ..division.periods import Period

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

SOURCE_TEXT = {
    "subscription": "Subscriptions",
    "enterprise": "Enterprise licences",
    "export": "Export licences",
    "sync": "Sync fees",
}
"""The names of sources of income in a statement."""


def day_text(time: str) -> str:
    """`21 November 2026` of an RFC 3339 time or a date."""
    day = date.fromisoformat(time[:10])
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_day(time: str) -> str:
    """`21 Nov` of an RFC 3339 time or a date."""
    day = date.fromisoformat(time[:10])
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def moment_text(time: str) -> str:
    """`21 November 2026, 06:16:00.250 UTC` of an RFC 3339 time in UTC."""
    return f"{day_text(time)}, {time[11:23]}\u00a0UTC"


def period_text(text: str) -> str:
    """`November 2026`, `October to December 2026`, `2026`, or `3 November 2026 to 9 November 2026`."""
    period = Period.parse(text)
    first, last = period.first_day, period.last_day
    if len(text) == 4:
        return text
    if len(text) == 7 and "Q" in text:
        return f"{_MONTHS[first.month - 1]} to {_MONTHS[last.month - 1]} {first.year}"
    if len(text) == 7:
        return f"{_MONTHS[first.month - 1]} {first.year}"
    return f"{day_text(first.isoformat())} to {day_text(last.isoformat())}"


def duration_text(ms: int) -> str:
    """Exact, to the millisecond: `1 h 02 min 03.450 s`, `3 min 12.480 s`, `0.250 s`."""
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}\u00a0h {minutes:02d}\u00a0min {seconds:02d}.{rest:03d}\u00a0s"
    if minutes:
        return f"{minutes}\u00a0min {seconds:02d}.{rest:03d}\u00a0s"
    return f"{seconds}.{rest:03d}\u00a0s"


def percent_text(part: int, whole: int) -> str:
    """`12.34 %`, rounded half up to two places; `under 0.01 %` for something that would round to nothing."""
    if whole == 0 or part == 0:
        return "0\u00a0%"
    if part == whole:
        return "100\u00a0%"
    hundredths = (part * 20_000 + whole) // (2 * whole)
    if hundredths == 0:
        return "under 0.01\u00a0%"
    if hundredths == 10_000:
        return "over 99.99\u00a0%"
    return f"{hundredths // 100}.{hundredths % 100:02d}\u00a0%"


def ppm_text(ppm: int) -> str:
    """Parts per million as an exact percentage: `33.3333 %`, `50 %`."""
    return f"{decimal_text(ppm * 100, 0)}\u00a0%"


def money_parts(amount: int, currency: str) -> tuple[str, str]:
    """An exact amount in two pieces: in the currency's own places, and the finer digits after them.

    `("12.58", "3127")`, `("12.58", "3000")`, `("12.50", "")`; joined they are the amount.
    """
    least = places(currency)
    text = decimal_text(amount, least)
    if text == decimal_text(amount - amount % 10 ** (6 - least), least):
        return text, ""
    whole, _, after = decimal_text(amount, 6).partition(".")
    return (f"{whole}.{after[:least]}", after[least:]) if least else (whole, f".{after}")
