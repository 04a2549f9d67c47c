"""The method of the largest remainder: exact sums, fair quotas, one outcome."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemloom.ledger.royalties.divide import largest_remainder

WEIGHTS = st.lists(st.integers(0, 2**53), min_size=1, max_size=40).filter(any)
TOTALS = st.integers(0, 2**53 - 1)


def ids(count: int) -> list[str]:
    return [f"s{at:06x}" for at in range(count)]


@pytest.mark.parametrize(
    ("total", "weights", "names", "parts"),
    [
        (100, [1, 1, 1], ["a", "b", "c"], [34, 33, 33]),
        (100, [1, 1, 1], ["c", "b", "a"], [33, 33, 34]),
        (1, [1, 1], ["sb", "sa"], [0, 1]),
        (1, [1, 2], ["sa", "sb"], [0, 1]),
        (10, [0, 5, 0], ["a", "b", "c"], [0, 10, 0]),
        (0, [3, 4], ["a", "b"], [0, 0]),
        (0, [0, 0], ["a", "b"], [0, 0]),
        (0, [], [], []),
        (7, [333_333, 333_333, 333_334], ["a", "b", "c"], [2, 2, 3]),
        (2**53 - 1, [2**53 - 1, 1], ["a", "b"], [2**53 - 2, 1]),
    ],
)
def test_divides_as_by_hand(total: int, weights: list[int], names: list[str], parts: list[int]) -> None:
    assert largest_remainder(total, weights, names) == parts


@pytest.mark.parametrize(
    ("total", "weights", "names"),
    [
        (5, [0, 0], ["a", "b"]),
        (5, [], []),
        (-1, [1], ["a"]),
        (1, [2, -1], ["a", "b"]),
        (1, [1], ["a", "b"]),
        (1, [1, 1], ["a", "a"]),
    ],
)
def test_refuses_what_has_no_division(total: int, weights: list[int], names: list[str]) -> None:
    with pytest.raises(ValueError):
        largest_remainder(total, weights, names)


@settings(max_examples=400)
@given(TOTALS, WEIGHTS)
def test_parts_sum_to_the_total_and_stay_within_one_of_their_quota(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, weights, ids(len(weights)))
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        quota = Fraction(total * weight, sum(weights))
        assert quota - 1 < part < quota + 1
        assert part == quota or quota.denominator > 1
        assert part == 0 or weight > 0


@settings(max_examples=200)
@given(TOTALS, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_shares_does_not_matter(total: int, weights: list[int], random: object) -> None:
    names = ids(len(weights))
    straight = dict(zip(names, largest_remainder(total, weights, names), strict=True))
    pairs = list(zip(names, weights, strict=True))
    random.shuffle(pairs)  # type: ignore[attr-defined]
    turned = largest_remainder(total, [weight for _, weight in pairs], [name for name, _ in pairs])
    assert {name: part for (name, _), part in zip(pairs, turned, strict=True)} == straight


@settings(max_examples=200)
@given(TOTALS, WEIGHTS)
def test_who_gets_one_more_has_no_smaller_remainder(total: int, weights: list[int]) -> None:
    names = ids(len(weights))
    whole = sum(weights)
    parts = largest_remainder(total, weights, names)
    rank = [(-(total * weight % whole), name) for weight, name in zip(weights, names, strict=True)]
    more = [rank[at] for at, part in enumerate(parts) if part > total * weights[at] // whole]
    rest = [rank[at] for at, part in enumerate(parts) if part == total * weights[at] // whole]
    assert not more or not rest or max(more) < min(rest)


def test_a_pool_of_one_micro_unit_over_thousands() -> None:
    parts = largest_remainder(1, [7] * 5000, ids(5000))
    assert parts[0] == 1
    assert sum(parts) == 1
