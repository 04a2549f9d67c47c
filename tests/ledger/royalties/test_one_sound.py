"""Near-copies of one sound that sound together take one share of a pool, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from stemloom.ledger.division.periods import Period
from stemloom.ledger.royalties.simulate import simulate

COPIES = [f"Copy {number}" for number in range(20)]
POOL = 21_000_000


def told(story: Any, *, alike: bool, apart: bool = False, since: str = "2026-10-15T00:00:00.000Z") -> Any:
    """Ada's loop, and twenty copies of Ben's, a minute each; at once, or one after the other."""
    found = story()
    found.holder("ada", "ben")
    found.stem("Loop", "ada")
    for copy in COPIES:
        found.stem(copy, "ben")
    if alike:
        for one, other in zip(COPIES[1:], COPIES, strict=False):
            found.alike(one, other, since)
    found.place("Loop", 60_000, span=60_000 * 48)
    for number, copy in enumerate(COPIES):
        found.place(copy, 60_000, start_frame=number * 60_000 * 48 if apart else 0, span=60_000 * 48)
    found.income(POOL)
    return found


def shares(found: Any) -> dict[str, int]:
    division = found.divide("2026-11")
    return {name: division.of(found.h(name)) for name in ("ada", "ben")}


def test_twenty_copies_at_once_earn_what_one_does(story: Any) -> None:
    assert shares(told(story, alike=False)) == {"ada": POOL // 21, "ben": 20 * POOL // 21}
    assert shares(told(story, alike=True)) == {"ada": POOL // 2, "ben": POOL // 2}


def test_copies_that_follow_each_other_earn_their_time(story: Any) -> None:
    assert shares(told(story, alike=True, apart=True)) == shares(told(story, alike=False))


def test_a_group_that_is_found_within_the_period_counts_in_the_next(story: Any) -> None:
    found = told(story, alike=True, since="2026-11-02T00:00:00.000Z")
    assert shares(found) == shares(told(story, alike=False))


def test_a_group_that_is_written_after_something_was_heard_counts_in_the_next(story: Any) -> None:
    found = told(story, alike=False)
    for one, other in zip(COPIES[1:], COPIES, strict=False):
        # A clock can be set back, the order of a log cannot.
        found.alike(one, other, "2026-10-15T00:00:00.000Z")
    assert shares(found) == shares(told(story, alike=False))


def test_without_groups_is_simulated_beside(story: Any) -> None:
    found = told(story, alike=True)
    strict, alone = simulate(
        found.usage, Period.parse("2026-11"), "EUR", len(found.entries) - 1, ("strict-ms", "each-alone")
    )
    assert strict.by_holder()[found.h("ben")] == POOL // 2
    assert alone.by_holder()[found.h("ben")] == pytest.approx(20 * POOL // 21, abs=1)
