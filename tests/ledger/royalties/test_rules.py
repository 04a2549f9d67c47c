"""Other rules beside that of milliseconds, and how evenly a period lies over people and sounds."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from stemloom.ledger.division.errors import BadRule
from stemloom.ledger.division.periods import Period
from stemloom.ledger.royalties.fairness import fairness, gini, lorenz
from stemloom.ledger.royalties.fairness_page import fairness_page
from stemloom.ledger.royalties.simulate import Simulated, simulate

from .outline import Outline

NOVEMBER = Period.parse("2026-11")
NASTY = "<script>alert(1)</script> & {{ 7*7 }}"


def evening(story: Any) -> Any:
    """Two sessions of 900 ms and of 100 ms: a pad that is long, a hit that is short, and much."""
    told = story()
    told.holder("ada", "ben", "cleo")
    told.stem("Pad", "ada", role="pads")
    told.stem("Hit", "ben", role="tops")
    told.stem("Hush", "cleo")
    told.place("Pad", 800, session="x01", section="verse")
    for _ in range(2):
        told.place("Hit", 50, session="x01", section="verse")
    told.place("Hit", 75, session="x02", section="verse")
    told.place("Hit", 25, session="x02", section="hook")
    told.income(1200)
    return told


def divided(told: Any, *rules: str) -> tuple[Simulated, ...]:
    return simulate(told.usage, NOVEMBER, "EUR", len(told.entries) - 1, rules)


@pytest.mark.parametrize(
    ("rule", "pad", "hit"),
    [
        ("strict-ms", 960, 240),  # 800 and 200 of 1 000 ms
        ("per-session", 533, 667),  # 8/9 of 600, and 1/9 of 600 with all of the other 600
        ("section-presence", 300, 900),  # one section, and three
        ("floor:100", 800, 400),  # 800, and four times 100, of 1 200
        ("floor:0", 960, 240),
    ],
)
def test_by_hand(story: Any, rule: str, pad: int, hit: int) -> None:
    told = evening(story)
    (made,) = divided(told, rule)
    assert made.by_holder() == {told.h("ada"): pad, told.h("ben"): hit}
    assert made.by_role({told.s("Pad"): "pads", told.s("Hit"): "tops"}) == {"pads": pad, "tops": hit}


def test_the_strict_rule_is_that_of_the_settlement(story: Any) -> None:
    told = evening(story)
    (made,) = divided(told, "strict-ms")
    assert made.division == told.divide()
    told.settle()
    assert simulate(told.usage, NOVEMBER, "EUR", made.division.last, ["strict-ms"])[0] == made


@given(seed=st.integers(0, 2**32), pool=st.integers(0, 10**12))
def test_every_rule_gives_out_the_pool_exactly(story: Any, seed: int, pool: int) -> None:
    chance, told = Random(seed), story()
    told.holder("ada", "ben", "cleo")
    for title, who in (("Pad", "ada"), ("Hit", "ben"), ("Hush", "cleo")):
        told.stem(title, who, {"ada": 333_333, who: 666_667} if who != "ada" else None)
    for _ in range(chance.randrange(1, 15)):
        told.place(
            chance.choice(("Pad", "Hit", "Hush")),
            chance.choice((0, 1, 10**6)),
            session=f"x{chance.randrange(4)}",
            section=chance.choice(("a", "b")),
        )
    told.income(pool + 1)
    for made in divided(told, "strict-ms", "per-session", "section-presence", "floor:500"):
        assert sum(made.by_holder().values()) + made.division.unallocated == pool + 1


@pytest.mark.parametrize("rule", ["", "strict", "floor", "floor:-1", "floor:x", "floor:9999999", "floor:1.5"])
def test_no_rule(story: Any, rule: str) -> None:
    with pytest.raises(BadRule):
        divided(evening(story), rule)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(values: list[int]) -> None:
    whole, count = sum(values), len(values)
    apart = sum(abs(one - other) for one in values for other in values)
    assert gini(values) == (Fraction(apart, 2 * count * whole) if whole else 0)


def test_gini_at_its_ends() -> None:
    assert gini([]) == gini([0, 0]) == gini([7, 7, 7]) == 0
    assert gini([0, 0, 0, 9]) == Fraction(3, 4)
    assert lorenz([3, 1]) == [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)]


def test_what_a_placement_earns_is_without_income_that_came_late(story: Any) -> None:
    told = story()
    told.holder("ada")
    told.stem("Pad", "ada")
    told.place("Pad", 10, "2026-10-05T00:00:00.000Z")
    told.income(70, "2026-10")
    told.settle("2026-10")
    told.income(50, "2026-10")
    told.place("Pad", 10, "2026-11-05T00:00:00.000Z")
    told.income(100, "2026-11")
    made = fairness(told.usage.books, told.divide())
    assert [(each.placements, each.amount_each) for each in made.shapes] == [(1, 100)]
    assert [each.amount for each in made.holders.members] == [150]


def test_what_the_rule_favours_is_shown(story: Any) -> None:
    told = evening(story)
    told.entries[4] = type(told.entries[4])(
        **{
            field: getattr(told.entries[4], field)
            for field in told.entries[4].__struct_fields__
            if field != "shape"
        },
        shape="hit",
    )
    made = fairness(told.usage.books, told.divide())
    assert [(each.name, each.placements, each.ms) for each in made.shapes] == [
        ("loop", 1, 800),
        ("hit", 4, 200),
    ]
    assert made.bias == Fraction(960) / Fraction(240, 4) == 16
    assert [(each.id, each.ms, each.amount) for each in made.holders.members] == [
        (told.h("ada"), 800, 960),
        (told.h("ben"), 200, 240),
        (told.h("cleo"), 0, 0),
    ]
    assert (made.stems.unheard, made.holders.unheard, made.holders.top_tenth) == (1, 1, 0.8)
    assert made.holders.gini_amount == round(float(gini([960, 240, 0])), 6)


def test_the_page_is_one_safe_file(story: Any) -> None:
    told = evening(story)
    made = fairness(told.usage.books, told.divide())
    text = fairness_page(made, {told.h("ada"): NASTY, told.s("Pad"): NASTY})
    outline = Outline(text)
    assert "script" not in outline.tags
    assert NASTY in outline.text
    assert text.count("<svg") == 3
