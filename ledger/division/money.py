"""Money: integer micro-units of an ISO 4217 currency, read from and written as exact decimals."""

from __future__ import annotations

import re

from .errors import BadAmount, UnknownCurrency

MICRO = 1_000_000
"""Micro-units in one unit of a currency."""

LARGEST = 2**53 - 1
"""The largest amount an entry holds, in micro-units: a little over nine thousand million units."""

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]{1,6}))?")

_NO_PLACES = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_PLACES = "BHD IQD JOD KWD LYD OMR TND"

_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
    HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL
    LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""

CURRENCIES = frozenset(_CODES.split())
"""ISO 4217 codes of money in circulation. Not codes of funds, metals, tests and units of account."""


def parse_amount(text: str, what: str = "income", *, zero: bool = False) -> int:
    """Micro-units of a positive decimal such as `1000.00`. Raises BadAmount, naming `what`, for any other.

    `zero`: 0 is an amount as well.

    Exact: no float is made. No signs, exponents or group marks, at most six decimal places.
    """
    found = _DECIMAL.fullmatch(text)
    if found is None:
        if re.fullmatch(r"-[0-9]*\.?[0-9]+", text):
            raise BadAmount(f"{what} must be {'0 or more' if zero else 'more than 0'}, and {text!r} is less")
        raise BadAmount(
            f"{text!r} is not an amount; write digits with a point and at most six places, such as 1000.00"
        )
    whole, places = found[1].lstrip("0"), found[2] or ""
    if len(whole) > 10 or (amount := int((whole or "0") + places.ljust(6, "0"))) > LARGEST:
        raise BadAmount(f"{text} is more than one entry can hold, which is {decimal_text(LARGEST)}")
    if amount == 0 and not zero:
        raise BadAmount(f"{what} must be more than 0, and {text!r} is not")
    return amount


def check_currency(code: str) -> str:
    """`code`, if it is a currency of ISO 4217 in capitals. Raises UnknownCurrency."""
    if code in CURRENCIES:
        return code
    hint = (
        f"did you mean {code.upper()}?" if code.upper() in CURRENCIES else "write a code such as EUR or USD"
    )
    raise UnknownCurrency(f"{code!r} is not a currency of ISO 4217; {hint}")


def places(currency: str) -> int:
    """Decimal places that the currency is paid in: 2 for most."""
    return 0 if currency in _NO_PLACES else 3 if currency in _THREE_PLACES else 2


def coin(currency: str) -> int:
    """The smallest amount that the currency is paid in, in micro-units."""
    return int(MICRO // 10 ** places(currency))


def decimal_text(amount: int, least: int = 2) -> str:
    """Micro-units as an exact decimal of at least `least` places: `12.50`, `0.000001`, `1 234.00`.

    Thousands are parted by a no-break space. Inverse of `parse_amount` but for the spaces.
    """
    sign, (whole, micro) = "-" if amount < 0 else "", divmod(abs(amount), MICRO)
    after = f"{micro:06d}".rstrip("0").ljust(least, "0")
    return f"{sign}{whole:,}".replace(",", "\u00a0") + (f".{after}" if after else "")


def money_text(amount: int, currency: str) -> str:
    """`decimal_text` in the currency's places, with its code: `12.50 EUR`."""
    return f"{decimal_text(amount, places(currency))}\u00a0{currency}"
