"""What a placement's effects are, for the dials as they stand: sends, ducking, filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..script.piece import Effects, Expression, Length
from .clock import BarClock

LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0


@dataclass(frozen=True, slots=True)
class PlacedSend:
    """`amount`: 0 to 1."""

    bus: str
    amount: float


@dataclass(frozen=True, slots=True)
class PlacedDuck:
    """How much softer, in dB, while the part `under` sounds."""

    depth_db: float
    under: str


@dataclass(frozen=True, slots=True)
class PlacedFilter:
    """A filter at `hz`, gliding to `to_hz` over `frames` from the placement's start, by `curve`."""

    kind: Literal["lowpass", "highpass", "bandpass"]
    hz: float
    to_hz: float
    frames: int
    curve: Literal["linear", "smooth", "exponential"]


@dataclass(frozen=True, slots=True)
class PlacedEffects:
    """The effects of one placement, as numbers."""

    sends: tuple[PlacedSend, ...] = ()
    duck: PlacedDuck | None = None
    filters: tuple[PlacedFilter, ...] = ()


NO_EFFECTS = PlacedEffects()


def placed_effects(
    effects: Effects, clock: BarClock, number: Callable[[Expression, str, float, float], float]
) -> PlacedEffects:
    """`effects` as numbers. `number`: the value of an expression, for a purpose, within bounds."""
    if not (effects.sends or effects.duck or effects.filters):
        return NO_EFFECTS
    sends = tuple(PlacedSend(s.bus, number(s.amount, f"to {s.bus}", 0.0, 1.0)) for s in effects.sends)
    duck = None
    if effects.duck is not None:
        duck = PlacedDuck(number(effects.duck.depth_db, "duck", 0.0, 60.0), effects.duck.under)
    filters = []
    for place, filter in enumerate(effects.filters):
        hz = number(filter.hz, f"filter {place}", LOWEST_HZ, HIGHEST_HZ)
        to_hz = hz
        if filter.to_hz is not None:
            to_hz = number(filter.to_hz, f"filter {place} to", LOWEST_HZ, HIGHEST_HZ)
        frames = 0 if filter.over is None else length_frames(filter.over, clock)
        filters.append(PlacedFilter(filter.kind, hz, to_hz, frames, filter.curve))
    return PlacedEffects(sends, duck, tuple(filters))


def length_frames(length: Length, clock: BarClock) -> int:
    """A length of the script in frames."""
    match length.unit:
        case "bars":
            return clock.frame(length.amount * clock.beats_per_bar)
        case "beats":
            return clock.frame(length.amount)
        case "s":
            return int(length.amount * clock.rate)
        case "ms":
            return int(length.amount * clock.rate / 1000)
