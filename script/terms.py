"""What the records of a piece are made of: places in the text, keys, lengths, expressions and times."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..ground.pitch import TONICS


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the text: lines and columns from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key. `tonic`: 0 for C to 11 for B."""

    tonic: int
    mode: Literal["major", "minor"]

    @property
    def name(self) -> str:
        return f"{TONICS[self.tonic]} {self.mode}"


@dataclass(frozen=True, slots=True)
class Length:
    """A musical or clock length: `amount` of `unit`."""

    amount: Fraction
    unit: Literal["bars", "beats", "s", "ms"]


# Expressions: conditions and numbers, evaluated by `expression.evaluate`.


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the base unit of its kind: dB, seconds, Hz, fraction (for %), or plain."""

    value: float


@dataclass(frozen=True, slots=True)
class DialValue:
    name: str


@dataclass(frozen=True, slots=True)
class RandomValue:
    """A fresh draw, uniform over lo to hi, each time its line is evaluated."""

    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class Unary:
    operator: Literal["-", "not"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    operator: Literal["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    left: Expression
    right: Expression


Expression = Number | DialValue | RandomValue | Unary | Binary


@dataclass(frozen=True, slots=True)
class LineWindow:
    """The time in its section at which a line is active, and the conditions on it.

    `at_bar`, `at_beat`: from 1. `for_bars` or `for_beats`: its length; without both, to the section's end.
    `when` is evaluated at each bar line; `chance` (0 to 1) and `one_in` once per section occurrence (for
    `play`: once per hit).
    """

    at_bar: int = 1
    at_beat: Fraction = Fraction(1)
    for_bars: int | None = None
    when: Expression | None = None
    chance: float | None = None
    one_in: int | None = None
    for_beats: Fraction | None = None
    every_bars: int | None = None
    """After how many bars, counted from its start, it is active again and again; `None` for once."""

    @property
    def ends(self) -> bool:
        """Whether it has a length of its own."""
        return self.for_bars is not None or self.for_beats is not None

    def length(self, beats_per_bar: int) -> Fraction | None:
        """Its length in beats; `None` to the section's end."""
        return self.for_beats if self.for_bars is None else Fraction(self.for_bars * beats_per_bar)
