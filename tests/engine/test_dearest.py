"""The most that a script may ask of the composer in a bar is little enough to be ready in time."""

from __future__ import annotations

import sys

import pytest

from benchmarks.compose import NOW, snapshot
from benchmarks.script import DEAREST, dearest
from stemloom.engine.compose import next_bar
from stemloom.engine.score import score
from stemloom.engine.state import first_state
from stemloom.script.check import accepted, check

MOST_CALLS = 100_000
"""Functions called in a bar, Python's and C's: 50 ms on a slow machine. `benchmarks script` has the time."""


@pytest.mark.parametrize("name", DEAREST)
def test_the_dearest_bar_is_a_bounded_amount_of_work(name: str) -> None:
    piece = accepted(dearest(*DEAREST[name]))
    fixed = score(piece, snapshot(2_000), use="stream", at=NOW, rate=48_000)
    state, starts = first_state(piece, {}), 0
    most = count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    for number in range(12):
        count = 0
        sys.setprofile(note if number else None)
        try:
            bar, state = next_bar(fixed, state)
        finally:
            sys.setprofile(None)
        most, starts = max(most, count), starts + len(bar.starts)
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
