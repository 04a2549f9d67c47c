"""Shares in a stem: percentages in text, exact parts per million inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from ...ledger.entries.entries import WHOLE_PPM, Share
from ..errors import BadDeclaration


def parse_shares(texts: Sequence[str]) -> list[tuple[str, int]]:
    """Shares in several texts or separated by commas: `alice=60%,bob=40%`. Raises `BadDeclaration`.

    A comma before the `=` is part of the name: `Lin, Ada=60%`.
    """
    shares = []
    for text in texts:
        begun = ""
        for piece in text.split(","):
            begun += piece
            if "=" in piece:
                shares.append(parse_share(begun.strip()))
                begun = ""
            elif begun:
                begun += ","
        if begun.strip(" ,"):
            shares.append(parse_share(begun.strip(" ,")))
    return shares


def parse_share(text: str) -> tuple[str, int]:
    """`alice=60%` or `alice=33.3334` as a holder's name and exact parts per million.

    Raises `BadDeclaration` for a share finer than a ten-thousandth of a percent.
    """
    name, equals, percent = text.rpartition("=")
    try:
        ppm = Fraction(percent.strip().removesuffix("%").strip()) * (WHOLE_PPM // 100)
    except (ValueError, ZeroDivisionError):
        ppm = None
    if not equals or not name.strip() or ppm is None:
        raise BadDeclaration(f"'{text}' is not a share; write it like 'alice=60%'")
    if ppm.denominator != 1:
        raise BadDeclaration(f"'{text}' is finer than parts per million: at most four decimals of a percent")
    if not 0 < ppm <= WHOLE_PPM:
        raise BadDeclaration(f"'{text}' is not a share: it is above 0 % and at most 100 %")
    return name.strip(), int(ppm)


def checked_shares(side: str, ppm: Mapping[str, int]) -> tuple[Share, ...]:
    """The shares of one side, sorted by holder id. Raises `BadDeclaration` unless they sum to 100 %."""
    if any(part <= 0 for part in ppm.values()):
        raise BadDeclaration(f"a {side} share is above 0 %")
    total = sum(ppm.values())
    if total != WHOLE_PPM:
        raise BadDeclaration(f"the {side} shares sum to {percent(total)}, not to 100 %")
    return tuple(Share(holder=holder, ppm=part) for holder, part in sorted(ppm.items()))


def percent(ppm: int) -> str:
    """Parts per million as an exact percentage: `33.3334 %`."""
    whole, rest = divmod(ppm, WHOLE_PPM // 100)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + " %"
