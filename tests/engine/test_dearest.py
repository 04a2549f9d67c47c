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


def again_and_again(loops: int, every: str = "for 2 beats every 1 bar") -> str:
    """Loops that begin and end within each bar, as the limits of a script count them."""
    script = dearest(loops, 0, 0, 20)
    return script.replace(" gain d", f" at bar 1 beat 2 {every} gain d")


def ramped(loops: int) -> str:
    """Loops that are drawn anew in each bar of a ramp."""
    script = dearest(loops, 0, 0, 20).replace("key any,", "key any, max stretch 100%,")
    return script.replace("section s 8 bars\n", "section s 32 bars\n    slow to 61 over 31 bars at bar 2\n")


def handed_on(script: str, depth: int) -> str:
    """The script with a chain of sections, each longer than the one before and `as` that."""
    head, move = script.split("move s -> s")
    sections = "".join(f"section s{n} {8 + n} bars as s{n - 1 if n else ''}\n" for n in range(depth))
    sections = sections.replace("s0 8 bars as s\n", "s0 9 bars as s\n")
    return f"{head}{sections}move s -> s{depth - 1}\nmove s{depth - 1} -> s{depth - 1}{move}"


@pytest.mark.parametrize(
    "script",
    [
        ramped(16),
        again_and_again(10),
        again_and_again(10, "for 3.5 beats every 1 bar"),
        handed_on(dearest(*DEAREST["loops"]), 16),
        handed_on(again_and_again(10), 16),
    ],
    ids=["ramped", "again", "across the bar line", "handed on", "handed on again"],
)
def test_what_comes_again_is_a_bounded_amount_of_work(script: str) -> None:
    piece = accepted(script)
    fixed, state = score(piece, snapshot(2_000), use="stream", at=NOW, rate=48_000), first_state(piece, {})
    most = 0
    for _ in range(30):
        made = []
        count = calls(lambda: made.append(next_bar(fixed, state)))  # noqa: B023  called at once
        ((bar, state),) = made
        most = max(most, count if bar.bar else 0)
    assert bar.section == piece.sections[-1].name
    assert 10_000 < most < MOST_CALLS


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (ramped(17), "E047", "34 loops and patterns may begin in bar 2 of section s"),
        (again_and_again(11), "E047", "33 loops and patterns may begin in bar 1 of section s"),
        (again_and_again(16, "for 2 beats every 7 bars"), "E047", "48 loops and patterns may begin in bar 1"),
        (handed_on(dearest(*DEAREST["loops"]), 17), "E010", "end of a chain of more than 16 `as`"),
    ],
)
def test_what_comes_again_too_often_is_refused(script: str, code: str, said: str) -> None:
    problem = check(script).problems[-1]
    assert problem.code == code
    assert said in problem.message


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
