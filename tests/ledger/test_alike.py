"""Stems that are one sound: what is heard of several at the same time earns once."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from stemloom.ledger.division.alike import Sounded, counted, groups
from stemloom.ledger.division.periods import Period
from stemloom.ledger.entries.entries import Distinct, Likeness

BEFORE, WITHIN = "2026-10-20T00:00:00.000Z", "2026-11-03T00:00:00.000Z"
PERIOD = Period.parse("2026-11")
SECOND = 48_000

placements = st.lists(
    st.builds(Sounded, st.integers(0, 40), st.integers(1, 30), st.integers(0, 10_000)), min_size=1, max_size=8
)


def likeness(stem: str, like: str, time: str = BEFORE) -> Likeness:
    return Likeness(time=time, stem=stem, like=like, score_milli=990, fingerprint=2)


def distinct(of: int, time: str = BEFORE) -> Distinct:
    return Distinct(time=time, likeness=of, asked="hab", reason="another take of it")


def test_twenty_copies_at_once_earn_as_one() -> None:
    assert sum(counted([Sounded(0, 60 * SECOND, 60_000)] * 20)) == 60_000


def test_what_does_not_overlap_counts_whole() -> None:
    assert counted([Sounded(0, SECOND, 1000), Sounded(SECOND, SECOND, 1000)]) == [1000, 1000]


def test_the_part_that_overlaps_is_divided() -> None:
    # The second half of the first and the first half of the second.
    assert counted([Sounded(0, 2 * SECOND, 2000), Sounded(SECOND, 2 * SECOND, 2000)]) == [1500, 1500]


@given(placements)
def test_each_counts_by_its_frames(together: list[Sounded]) -> None:
    wanted = []
    for each in together:
        frames = range(each.start_frame, each.start_frame + each.frames)
        shares = (
            Fraction(1, sum(o.start_frame <= frame < o.start_frame + o.frames for o in together))
            for frame in frames
        )
        wanted.append(int(each.ms * sum(shares) / each.frames))
    assert counted(together) == wanted


@pytest.mark.parametrize(
    ("said", "ended", "last", "found"),
    [
        ([(3, likeness("sb", "sa")), (5, likeness("sc", "sb"))], {}, 9, {"sa", "sb", "sc"}),
        ([(3, likeness("sb", "sa", WITHIN))], {}, 9, set()),
        ([(3, likeness("sb", "sa"))], {}, 2, set()),
        ([(3, likeness("sb", "sa"))], {3: (6, distinct(3))}, 9, set()),
        ([(3, likeness("sb", "sa"))], {3: (6, distinct(3, WITHIN))}, 9, {"sa", "sb"}),
        ([(3, likeness("sb", "sa")), (4, likeness("sb", "sa"))], {3: (6, distinct(3))}, 9, {"sa", "sb"}),
    ],
)
def test_a_group_holds_from_the_next_period_on(
    said: list[tuple[int, Likeness]], ended: dict[int, tuple[int, Distinct]], last: int, found: set[str]
) -> None:
    assert groups(said, ended, PERIOD, last) == dict.fromkeys(sorted(found), "sa")
