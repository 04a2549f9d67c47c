"""The records of how a piece is mixed: what a line does to its sound, and the buses that sounds share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .terms import Expression, Length, Span


@dataclass(frozen=True, slots=True)
class Send:
    """How much of a sound goes to a bus, 0 to 1."""

    bus: str
    amount: Expression


@dataclass(frozen=True, slots=True)
class Duck:
    """Makes room: `depth_db` softer when a part of `under` is struck, back after `back_seconds`."""

    depth_db: Expression
    under: tuple[str, ...]
    back_seconds: Expression


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter at `hz`, or gliding from there to `to_hz` over a length, by a curve."""

    kind: Literal["lowpass", "highpass", "bandpass"]
    hz: Expression
    to_hz: Expression | None = None
    over: Length | None = None
    curve: Literal["linear", "smooth", "exponential"] = "exponential"


@dataclass(frozen=True, slots=True)
class Glide:
    """From a moment on a number of a line is `value`, or goes from there to `to` over a length, by a curve.

    `what`: `gain`, `pan`, `to BUS` or the kind of a filter, of which it is the first of the line. `at_bar`,
    `at_beat`: of the section, from 1; by default where the line begins.
    """

    what: str
    value: Expression
    to: Expression | None
    over: Length | None
    curve: Literal["linear", "smooth", "exponential"]
    at_bar: int | None = None
    at_beat: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects on a line's sound on its way to the mix."""

    sends: tuple[Send, ...] = ()
    duck: Duck | None = None
    filters: tuple[Filter, ...] = ()
    glides: tuple[Glide, ...] = ()
    via: str | None = None
    """The bus that all of it goes through."""


NO_EFFECTS = Effects()


@dataclass(frozen=True, slots=True)
class BusGlide:
    """A parameter of a bus goes to `to` over a length, by a curve."""

    to: Expression
    over: Length
    curve: Literal["linear", "smooth", "exponential"]


@dataclass(frozen=True, slots=True)
class Bus:
    """A place where sounds are sent to share effects, in the order of `effects/chain.py`.

    `glides`: from those numbers on, counted from the piece's start. `numbers`: those that the script gives
    its effects, by the names of their parameters in `effects/`.
    """

    name: str
    span: Span
    numbers: Mapping[str, Expression] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()
    glides: Mapping[str, BusGlide] = field(default_factory=dict)
