"""The most that a script may ask of the composer in a bar is little enough to be ready in time."""

from __future__ import annotations

import pytest

from benchmarks.compose import NOW, snapshot
from benchmarks.harness import calls
from benchmarks.script import DEAREST, dearest
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.script.check.check import accepted, check

MOST_CALLS = 100_000
"""Functions called in a bar, Python's and C's: 50 ms on a slow machine. `benchmarks script` has the time."""


@pytest.mark.parametrize("name", DEAREST)
def test_the_dearest_bar_is_a_bounded_amount_of_work(name: str) -> None:
    piece = accepted(dearest(*DEAREST[name]))
    fixed = score(piece, snapshot(2_000), use="stream", at=NOW, rate=48_000)
    state, starts = first_state(piece, {}), 0
    most = 0
    for _ in range(12):
        made = []
        count = calls(lambda: made.append(next_bar(fixed, state)))  # noqa: B023  called at once
        ((bar, state),) = made
        most, starts = max(most, count if bar.bar else 0), starts + len(bar.starts)
    assert starts > 12 * 30
    assert 10_000 < most < MOST_CALLS


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((33, 0, 0, 1), "33 loops and patterns may begin in bar 1 of section s"),
        ((32, 0, 0, 140), "steps of calculation in bar 1"),
        ((16, 17, 1, 1), "33 loops and patterns may begin in bar 1 of section s"),
    ],
)
def test_what_is_dearer_is_refused(more: tuple[int, int, int, int], said: str) -> None:
    (problem,) = check(dearest(*more)).problems
    assert problem.code == "E047"
    assert said in problem.message
