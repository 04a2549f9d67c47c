"""The clocks that give entries their time."""

from __future__ import annotations

from datetime import UTC, datetime

from stemloom.ledger.clock import SteadyClock, SystemClock, milliseconds_of


def test_a_steady_clock_goes_by_its_counter_alone() -> None:
    seconds = 1000.0
    clock = SteadyClock(datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC), lambda: seconds)
    assert clock.now() == "2026-11-25T23:59:59.000Z"
    seconds += 1.25
    assert clock.now() == "2026-11-26T00:00:00.250Z"
    seconds += 86_400 * 400
    assert clock.now() == "2027-12-31T00:00:00.250Z"


def test_a_steady_clock_begins_with_the_wall_clock() -> None:
    before = milliseconds_of(SystemClock().now())
    clock = SteadyClock()
    between = milliseconds_of(clock.now())
    assert before <= between <= milliseconds_of(SystemClock().now()) + 1
