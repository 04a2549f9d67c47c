"""What the nodes of a parsed script are made of: places, names, numbers and expressions.

Places do not count when two trees are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from ..terms import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a script, with its place."""

    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Node):
    """`text`: the statement in canonical form, in one line; empty if it is `Broken`."""

    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name or a quoted text (without its quotes)."""

    text: str


@dataclass(frozen=True, slots=True)
class Quantity(Node):
    """A number with its unit, as written."""

    value: Fraction
    unit: str | None


@dataclass(frozen=True, slots=True)
class Range(Node):
    """From `lo` to `hi`; one value alone is both. A unit of the upper end alone is given to both."""

    lo: Quantity
    hi: Quantity


@dataclass(frozen=True, slots=True)
class KeyName(Node):
    tonic: Name
    mode: Literal["major", "minor"]


# Expressions


@dataclass(frozen=True, slots=True)
class RandomRange(Node):
    range: Range


@dataclass(frozen=True, slots=True)
class UnaryTerm(Node):
    operator: Literal["-", "not"]
    operand: Term


@dataclass(frozen=True, slots=True)
class BinaryTerm(Node):
    operator: Literal["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    left: Term
    right: Term


Term: TypeAlias = Quantity | Name | RandomRange | UnaryTerm | BinaryTerm
"""An expression as written; a `Name` in it is a dial's."""
