"""Expressions at work."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from stemloom.script.check.check import check
from stemloom.script.expression import constant, evaluate
from stemloom.script.piece import Binary, DialValue, Expression, Number, RandomValue, Unary

ARITHMETIC = ("+", "-", "*", "/")


def condition(text: str) -> Expression:
    script = (
        'piece "P" for stream\npool p = loops\ndial d 0..1 = 0.5 at next bar\n'
        "dial cut 200..8000 Hz = 400 at next bar\n"
        f"section s 8 bars\n    bring a from p when {text}\n"
    )
    piece = check(script).piece
    assert piece is not None
    when = piece.sections[0].lines[0].window.when
    assert when is not None
    return when


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("d > 0.5", False),
        ("d >= 0.5", True),
        ("d < 50%", False),
        ("d <= 50%", True),
        ("d == 0.5", True),
        ("d != 0.5", False),
        ("not d > 1", True),
        ("d > 1 or d > 0.2 and d < 0.6", True),
        ("(d > 1 or d > 0.2) and not d < 0.6", False),
        ("1 + 2 * 3 == 7", True),
        ("(1 + 2) * 3 == 9", True),
        ("10 - 4 - 3 == 3", True),
        ("12 / 4 / 3 == 1", True),
        ("-d * -2 == 1", True),
        ("1 / (d - 0.5) == 0", True),
        ("cut == 0.4 kHz", True),
        ("random 2..4 == 2.5", True),
    ],
)
def test_conditions(text: str, value: bool) -> None:
    assert evaluate(condition(text), {"d": 0.5, "cut": 400.0}, lambda: 0.25) is value


def test_draws_are_taken_from_left_to_right_whatever_comes_out() -> None:
    draws = iter([0.0, 0.5, 1.0])

    def draw() -> float:
        return next(draws)

    expression = condition("random 0..1 > 1 and random 0..1 > 0 or random 0..1 > 2")
    assert evaluate(expression, {}, draw) is False
    assert list(draws) == []


numbers: st.SearchStrategy[Expression] = st.recursive(
    st.floats(-1e9, 1e9).map(Number) | st.just(DialValue("d")) | st.just(RandomValue(-1.0, 1e9)),
    lambda inner: st.builds(Binary, st.sampled_from(ARITHMETIC), inner, inner)
    | st.builds(Unary, st.just("-"), inner),
)  # fmt: skip


@given(numbers, st.floats(-1e9, 1e9), st.floats(0, 1, exclude_max=True))
def test_arithmetic_is_total_and_finite(expression: Expression, dial: float, drawn: float) -> None:
    value = evaluate(expression, {"d": dial}, lambda: drawn)
    assert isinstance(value, float)
    assert math.isfinite(value)
    assert abs(value) <= 1e12


@given(numbers)
def test_a_constant_has_neither_dials_nor_draws(expression: Expression) -> None:
    held = constant(expression)
    if any(isinstance(leaf, DialValue | RandomValue) for leaf in leaves(expression)):
        assert held is None
    else:
        assert held == evaluate(expression, {}, lambda: 0.0)


def leaves(expression: Expression) -> Iterator[Expression]:
    match expression:
        case Binary(_, left, right):
            yield from leaves(left)
            yield from leaves(right)
        case Unary(_, operand):
            yield from leaves(operand)
        case _:
            yield expression


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_operators_are_those_of_arithmetic(left: float, right: float) -> None:
    def value(operator: Any) -> float | bool:
        return evaluate(Binary(operator, Number(left), Number(right)), {}, lambda: 0.0)

    assert (value("<"), value("<="), value("==")) == (left < right, left <= right, left == right)
    assert (value(">"), value(">="), value("!=")) == (left > right, left >= right, left != right)
    assert (value("+"), value("-")) == (left + right, left - right)
    assert value("*") == max(-1e12, min(1e12, left * right))
    assert value("/") == (max(-1e12, min(1e12, left / right)) if right else 0.0)


def test_the_longest_statement_is_evaluated() -> None:
    terms = " + ".join(["1"] * 240)
    assert evaluate(condition(f"{terms} == 240"), {}, lambda: 0.0) is True
