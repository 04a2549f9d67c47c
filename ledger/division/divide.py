"""Division of whole amounts: nothing is lost, nothing is made.

The method of the largest remainder (Hamilton), in exact integers. Worked by hand: 100 micro-units over
the weights 1, 1, 1 of `a`, `b`, `c`. Each quota is 33 1/3, so each gets 33 and one micro-unit is left.
The remainders are equal, so the smallest id takes it: 34, 33, 33.
"""

from __future__ import annotations

from collections.abc import Sequence


def largest_remainder(total: int, weights: Sequence[int], ids: Sequence[str]) -> list[int]:
    """Parts of `total` in proportion to `weights`, in their order; the parts sum to `total`.

    Each part is its quota `total * weight / sum(weights)` rounded down, or that and one. Those that get one
    more are those with the largest remainders; of equal remainders, those with the smaller id. A weight of
    0 gets 0. Raises ValueError for a negative total or weight, repeated ids, or nothing to divide by.
    """
    if len(weights) != len(ids):
        raise ValueError(f"{len(weights)} weights for {len(ids)} ids")
    if len(set(ids)) != len(ids):
        raise ValueError("an id appears twice among the shares")
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("a total and weights are 0 or more")
    whole = sum(weights)
    if whole == 0:
        if total:
            raise ValueError(f"{total} cannot be divided over shares of nothing")
        return [0] * len(weights)
    quotas = [divmod(total * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in quotas]
    left = total - sum(parts)
    if left:
        order = sorted(range(len(ids)), key=lambda at: (-quotas[at][1], ids[at]))
        for at in order[:left]:
            parts[at] += 1
    return parts
