"""Amounts of money: exact both ways, and refused in a sentence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from stemloom.ledger.division.errors import BadAmount, UnknownCurrency
from stemloom.ledger.division.money import (
    CURRENCIES,
    LARGEST,
    check_currency,
    decimal_text,
    money_text,
    parse_amount,
)
from stemloom.ledger.royalties.display_text import money_parts, percent_text


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1000.00", 1_000_000_000),
        ("1000", 1_000_000_000),
        ("0.000001", 1),
        ("0001.5", 1_500_000),
        ("0.1", 100_000),
        ("9007199254.740991", LARGEST),
    ],
)
def test_reads_decimals_exactly(text: str, amount: int) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["0", "0.00", "-5", "-0.01", "-.5"])
def test_refuses_nothing_and_less(text: str) -> None:
    with pytest.raises(BadAmount, match="income must be more than 0"):
        parse_amount(text)


@pytest.mark.parametrize("text", ["9007199254.740992", "1" + "0" * 40, "99999999999"])
def test_refuses_more_than_an_entry_holds(text: str) -> None:
    with pytest.raises(BadAmount, match="more than one entry can hold"):
        parse_amount(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "NaN",
        "inf",
        "1e3",
        "1,000",
        "1 000",
        "1.",
        ".5",
        "1.0000001",
        "0x10",
        "٣",
        "+1",
        "1\n",
        "1_0",
    ],
)
def test_refuses_what_is_no_decimal(text: str) -> None:
    with pytest.raises(BadAmount, match="is not an amount"):
        parse_amount(text)


@given(st.integers(1, LARGEST))
def test_text_and_amount_are_inverse(amount: int) -> None:
    text = decimal_text(amount).replace("\u00a0", "")
    assert parse_amount(text) == amount
    assert Decimal(text) * 1_000_000 == amount


@given(st.integers(0, LARGEST), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_the_two_pieces_of_an_amount_are_the_amount(amount: int, currency: str) -> None:
    joined = "".join(money_parts(amount, currency)).replace("\u00a0", "")
    assert Decimal(joined) * 1_000_000 == amount


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (12_500_000, "EUR", "12.50 EUR"),
        (12_583_127, "EUR", "12.583127 EUR"),
        (1_234_000_000, "JPY", "1 234 JPY"),
        (1_000_000, "KWD", "1.000 KWD"),
        (0, "EUR", "0.00 EUR"),
    ],
)
def test_writes_money_in_its_places(amount: int, currency: str, text: str) -> None:
    assert money_text(amount, currency).replace("\u00a0", " ") == text


@pytest.mark.parametrize("code", ["EUR", "USD", "GBP", "JPY", "CHF", "NGN", "XOF"])
def test_knows_currencies(code: str) -> None:
    assert check_currency(code) == code


@pytest.mark.parametrize(
    ("code", "hint"),
    [("EUX", "write a code"), ("eur", "did you mean EUR"), ("", "write a code"), ("XXX", "write")],
)
def test_refuses_other_codes(code: str, hint: str) -> None:
    with pytest.raises(UnknownCurrency, match=hint):
        check_currency(code)


def test_every_currency_is_three_capitals() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 3, "33.33 %"),
        (2, 3, "66.67 %"),
        (1, 1, "100 %"),
        (0, 5, "0 %"),
        (0, 0, "0 %"),
        (1, 10**9, "under 0.01 %"),
        (10**9 - 1, 10**9, "over 99.99 %"),
    ],
)
def test_percentages_never_round_to_nothing_or_all(part: int, whole: int, text: str) -> None:
    assert percent_text(part, whole).replace("\u00a0", " ") == text
