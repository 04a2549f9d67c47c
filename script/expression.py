"""Conditions and numbers at work: an expression's value for given dials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

from .piece import Binary, DialValue, Expression, Number, RandomValue, Unary

_GREATEST = 1e12


def evaluate(expression: Expression, dials: Mapping[str, float], draw: Callable[[], float]) -> float | bool:
    """The value of a checked expression: a truth value for a condition, else a finite number.

    `dials`: the latched value of each dial. `draw`: uniform over [0, 1), called once for each `random` that
    is met, from left to right; both sides of `and` and `or` are always evaluated, so that the number of
    draws does not depend on their outcome. Arithmetic is total: division by zero gives 0, and results
    are held within 10^12 on either side.
    """
    match expression:
        case Number(value):
            return value
        case DialValue(name):
            return dials[name]
        case RandomValue(lo, hi):
            return lo + (hi - lo) * draw()
        case Unary("not", operand):
            return not evaluate(operand, dials, draw)
        case Unary(_, operand):
            return -evaluate(operand, dials, draw)
        case Binary(operator, first, second):
            left, right = evaluate(first, dials, draw), evaluate(second, dials, draw)
    match operator:
        case "and":
            return bool(left) and bool(right)
        case "or":
            return bool(left) or bool(right)
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "==":
            return left == right
        case "!=":
            return left != right
        case "+":
            return _held(left + right)
        case "-":
            return _held(left - right)
        case "*":
            return _held(left * right)
        case "/":
            return _held(left / right) if right else 0.0


def _held(value: float) -> float:
    if not isfinite(value):
        return _GREATEST if value > 0 else -_GREATEST
    return max(-_GREATEST, min(_GREATEST, value))


def constant(expression: Expression) -> float | bool | None:
    """Its value if no dial and no chance is in it, else null."""
    match expression:
        case Number(value):
            return value
        case Unary(_, operand):
            parts = [operand]
        case Binary(_, left, right):
            parts = [left, right]
        case _:
            return None
    if any(constant(part) is None for part in parts):
        return None
    return evaluate(expression, {}, lambda: 0.0)
