"""Expressions: their value for given dials, and the least and greatest value that they can have."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from .piece import Binary, DialValue, Expression, Number, RandomValue, Unary

_GREATEST = 1e12
_ANYWHERE = (-_GREATEST, _GREATEST)
NEVER, ALWAYS = (0.0, 0.0), (1.0, 1.0)


def evaluate(expression: Expression, dials: Mapping[str, float], draw: Callable[[], float]) -> float | bool:
    """The value of a checked expression: a truth value for a condition, else a finite number.

    `dials`: the latched value of each dial. `draw`: uniform over [0, 1), called once for each `random` that
    is met, from left to right; both sides of `and` and `or` are always evaluated, so that the number of
    draws does not depend on their outcome. Arithmetic is total: division by zero gives 0, and results
    are held within 10^12 on either side.
    """
    # By type and not by pattern, which takes five times as long; a bar may evaluate thousands.
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, DialValue):
        return dials[expression.name]
    if isinstance(expression, Binary):
        left = evaluate(expression.left, dials, draw)
        return _OPERATORS[expression.operator](left, evaluate(expression.right, dials, draw))
    if isinstance(expression, RandomValue):
        return expression.lo + (expression.hi - expression.lo) * draw()
    operand = evaluate(expression.operand, dials, draw)
    return not operand if expression.operator == "not" else -operand


def _held(value: float) -> float:
    if -_GREATEST <= value <= _GREATEST:
        return value
    return _GREATEST if value > 0 else -_GREATEST


_OPERATORS: dict[str, Callable[[float | bool, float | bool], float | bool]] = {
    "and": lambda left, right: bool(left) and bool(right),
    "or": lambda left, right: bool(left) or bool(right),
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "+": lambda left, right: _held(left + right),
    "-": lambda left, right: _held(left - right),
    "*": lambda left, right: _held(left * right),
    "/": lambda left, right: _held(left / right) if right else 0.0,
}


def constant(expression: Expression) -> float | bool | None:
    """The value of an expression without dials and chance, else `None`."""
    fixed = all(isinstance(each, Number) for each in _operands(expression))
    return evaluate(expression, {}, lambda: 0.0) if fixed else None


def _operands(expression: Expression) -> Iterator[Number | DialValue | RandomValue]:
    """The numbers, dials and draws in an expression, in any order."""
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Binary):
            waiting += each.left, each.right
        elif isinstance(each, Unary):
            waiting.append(each.operand)
        else:
            yield each


Extent = tuple[float, float]
"""The least and the greatest value; of a condition `NEVER` or `ALWAYS`, or (0, 1)."""


def extent(expression: Expression, dials: Mapping[str, Extent]) -> Extent:
    """The bounds of an expression's value over all values of its dials and draws. Never too narrow.

    `dials`: the range of each; a dial without one may have any value.
    """
    if isinstance(expression, Number):
        return expression.value, expression.value
    if isinstance(expression, DialValue):
        return dials.get(expression.name, _ANYWHERE)
    if isinstance(expression, RandomValue):
        # As in `evaluate`, whose rounding may give slightly more than `hi`.
        return expression.lo, max(expression.hi, expression.lo + (expression.hi - expression.lo))
    if isinstance(expression, Unary):
        lo, hi = extent(expression.operand, dials)
        return (1.0 - hi, 1.0 - lo) if expression.operator == "not" else (-hi, -lo)
    return _joined(expression.operator, extent(expression.left, dials), extent(expression.right, dials))


def _joined(word: str, left: Extent, right: Extent) -> Extent:
    """The extent of two expressions joined by an operator."""
    match word:
        case "and" | "or":
            join = min if word == "and" else max
            return join(left[0], right[0]), join(left[1], right[1])
        case "==" | "!=":
            same = left[0] == left[1] == right[0] == right[1]
            apart = left[1] < right[0] or right[1] < left[0]
            if not same and not apart:
                return 0.0, 1.0
            return ALWAYS if same == (word == "==") else NEVER
        case "<" | "<=" | ">" | ">=":
            compare = _OPERATORS[word]
            ends = (left[1], right[0]), (left[0], right[1])
            surest, likeliest = ends if word[0] == "<" else ends[::-1]
            return float(compare(*surest)), float(compare(*likeliest))
        case "/" if right[0] <= 0 <= right[1]:
            return (0.0, 0.0) if left == (0, 0) or right == (0, 0) else _ANYWHERE
    found = [float(_OPERATORS[word](a, b)) for a in left for b in right]
    return min(found), max(found)


def steps(expression: Expression) -> int:
    """The cost of an expression: one for a number or a dial, eight for a `random`, which takes a hash."""
    return sum(8 if isinstance(each, RandomValue) else 1 for each in _operands(expression))


def draws(expression: Expression) -> bool:
    """Whether an expression contains a `random`."""
    return any(isinstance(each, RandomValue) for each in _operands(expression))
