"""Money that is taken back is taken from those who got it, and from nobody else."""

from __future__ import annotations

from typing import Any

DAY = "2026-11-03..2026-11-03"


def three(story: Any) -> Any:
    told = story()
    told.holder("ada", "ben", "mallory", time="2026-01-01T00:00:00.000Z")
    for title, who in (("Pad", "ada"), ("Bass", "ben"), ("Noise", "mallory")):
        told.stem(title, who, time="2026-01-01T00:00:00.000Z")
    return told


def test_a_days_income_corrected_to_nothing_is_not_paid_by_the_next_month(story: Any) -> None:
    """Mallory sounds alone on one day; Ada, who sounds in December, earns all of December's income."""
    told = three(story)
    told.place("Noise", 10, "2026-11-03T10:00:00.000Z")
    of = told.income(1000, DAY)
    told.settle(DAY)
    told.take_back(of, 1000)
    told.place("Pad", 10, "2026-12-05T00:00:00.000Z")
    told.income(1000, "2026-12")
    division = told.settle("2026-12")[2]
    assert [division.of(told.h(name)) for name in ("ada", "mallory")] == [1000, 0]


def test_a_raise_for_others_that_is_taken_back_is_not_owed_by_the_first(story: Any) -> None:
    """Mallory's placements of October come late, and a raise of October's income is mostly hers."""
    told = three(story)
    told.place("Pad", 1, "2026-10-05T00:00:00.000Z")
    of = told.income(1000, "2026-10")
    told.settle("2026-10")
    told.place("Noise", 999, "2026-10-05T00:00:00.000Z")
    told.correct(of, 1_000_000, "receivers")
    told.settle("2026-11")
    told.take_back(of, 1_000_000)
    told.place("Pad", 10, "2026-12-05T00:00:00.000Z")
    told.income(5000, "2026-12")
    told.settle("2026-12")
    assert sum(told.owed("ada")) == 1000
    assert sum(told.owed("mallory")) == 999_000


def test_late_income_of_others_that_is_taken_back_is_not_owed_by_the_first(story: Any) -> None:
    """So it is where the correction is the first entry that states the rule."""
    told = three(story)
    told.place("Pad", 1, "2026-10-05T00:00:00.000Z")
    told.income(1000, "2026-10")
    told.settle("2026-10")
    told.place("Noise", 999, "2026-10-05T00:00:00.000Z")
    of = told.income(1_000_000, "2026-10")
    told.settle("2026-11")
    told.take_back(of, 1_000_000)
    told.settle("2026-12")
    assert told.owed("ada") == (1000, 0)
    assert told.owed("mallory") == (999_000, 0)
