"""Periods: what they cover, how they meet, and what is none."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from stemloom.ledger.division.errors import BadPeriod
from stemloom.ledger.division.periods import Period

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 30))


@pytest.mark.parametrize(
    ("text", "start", "end", "days"),
    [
        ("2026-11", "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z", 30),
        ("2026-12", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z", 31),
        ("2024-02", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z", 29),
        ("2026-Q1", "2026-01-01T00:00:00.000Z", "2026-04-01T00:00:00.000Z", 90),
        ("2026-Q4", "2026-10-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z", 92),
        ("2026", "2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z", 365),
        ("2026-11-03..2026-11-03", "2026-11-03T00:00:00.000Z", "2026-11-04T00:00:00.000Z", 1),
        ("2026-12-31..2027-01-01", "2026-12-31T00:00:00.000Z", "2027-01-02T00:00:00.000Z", 2),
    ],
)
def test_covers_whole_days(text: str, start: str, end: str, days: int) -> None:
    period = Period.parse(text)
    assert (period.start, period.end, period.days) == (start, end, days)
    assert start in period
    assert end not in period


@pytest.mark.parametrize(
    "text",
    [
        "",
        "november",
        "2026-13",
        "2026-00",
        "2026-1",
        "26-11",
        "2026-Q0",
        "2026-Q5",
        "2026-q4",
        "0000",
        "9999",
        "9999-12",
        "2026-11-31..2026-12-01",
        "2026-11-02..2026-11-01",
        "2026-11-01..9999-12-31",
        "2026-11-01..",
        "2026-11-01",
        "2026-11 ",
        "2026-11\n",
        "٢٠٢٦-11",
        "2026W01",
        "2026-W01-1..2026-W02-1",
    ],
)
def test_refuses_what_is_no_period(text: str) -> None:
    with pytest.raises(BadPeriod, match="is not a period; write 2026-11"):
        Period.parse(text)


@given(DAYS, st.integers(0, 800), DAYS, st.integers(0, 800))
def test_overlap_is_having_a_day_in_common(first: date, length: int, other: date, more: int) -> None:
    def ranged(start: date, days: int) -> Period:
        end = min(start, date(9999, 12, 30) - timedelta(days=days)) + timedelta(days=days)
        return Period.parse(f"{min(start, end).isoformat()}..{end.isoformat()}")

    one, two = ranged(first, length), ranged(other, more)
    assert Period.parse(one.text) == one
    assert one.overlaps(two) == two.overlaps(one)
    assert one.overlaps(two) == (one.start < two.end and two.start < one.end)
    assert one.covers(two) == (one.start <= two.start and two.end <= one.end)
    assert (one.covers(two) and two.covers(one)) == one.same_days(two)
