"""The method of the largest remainder: exact sums, fair quotas, one outcome."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from stemloom.ledger.division.divide import largest_remainder

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


def divide_many(seed: int, count: int) -> None:
    """Random pools over random stems, and each stem's amount over random splits: every sum is exact."""
    chance = Random(seed)
    for _ in range(count):
        pool = chance.choice((chance.randrange(10), chance.randrange(10**6), chance.randrange(2**53)))
        ms = [chance.choice((1, chance.randrange(1, 10**9))) for _ in range(chance.randrange(1, 6))]
        amounts = largest_remainder(pool, ms, ids(len(ms)))
        assert sum(amounts) == pool
        for amount, weight in zip(amounts, ms, strict=True):
            assert 0 <= amount * sum(ms) - pool * weight + sum(ms) <= 2 * sum(ms)
            master_ppm = chance.randrange(1_000_001)
            sides = largest_remainder(amount, (master_ppm, 1_000_000 - master_ppm), ("master", "publishing"))
            assert sum(sides) == amount
            cuts = sorted(chance.randrange(1_000_001) for _ in range(chance.randrange(4)))
            ppm = [after - before for before, after in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
            for side in sides:
                parts = largest_remainder(side, ppm, ids(len(ppm)))
                assert sum(parts) == side
                assert all(part == 0 for part, share in zip(parts, ppm, strict=True) if share == 0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_thousands_of_random_pools_and_splits_divide_exactly(seed: int) -> None:
    divide_many(seed, 500)


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_a_million_random_pools_and_splits_divide_exactly(seed: int) -> None:
    divide_many(seed, 1000)
