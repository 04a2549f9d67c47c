"""What a placement's effects are, for the dials as they stand: sends, ducking, filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..script.piece import Bus, Effects, Expression, Filter, Length
from ..vault.records import ENGINE_RATE
from .clock import BarClock

LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0
MOST_DELAY_BEATS = 16

Number = Callable[[Expression, str, float, float], float]
"""What gives an expression's value, for a purpose, within bounds."""


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


@dataclass(frozen=True, slots=True)
class PlacedBus:
    """A bus of effects, as numbers. `reverb_seconds`, `delay_frames`: 0 for none; mixes 0 to 1."""

    name: str
    reverb_seconds: float
    reverb_mix: float
    delay_frames: int
    feedback: float
    delay_mix: float
    filters: tuple[PlacedFilter, ...]
    mix: float
    gain_db: float

    @property
    def tail_frames(self) -> int:
        """How long it rings to -60 dB after the last sound, at the engine's rate."""
        repeats = 1 + (math.log(0.001) / math.log(self.feedback) if self.feedback > 0 else 0)
        delay = int(self.delay_frames * repeats) if self.delay_frames and self.delay_mix > 0 else 0
        return int(self.reverb_seconds * ENGINE_RATE) + delay


def placed_buses(
    buses: Mapping[str, Bus], clock: BarClock, number: Callable[[str], Number]
) -> tuple[PlacedBus, ...]:
    """The piece's buses as numbers. `number`: of a bus, what gives an expression's value."""

    def one(bus: Bus) -> PlacedBus:
        value = number(bus.name)

        def of(expression: Expression | None, purpose: str, lo: float, hi: float, default: float) -> float:
            return default if expression is None else value(expression, purpose, lo, hi)

        beats = of(bus.delay_beats, "delay", 0.0625, float(MOST_DELAY_BEATS), 0.0)
        return PlacedBus(
            name=bus.name,
            reverb_seconds=of(bus.reverb_seconds, "reverb", 0.1, 30.0, 0.0),
            reverb_mix=of(bus.reverb_mix, "reverb mix", 0.0, 1.0, 1.0),
            delay_frames=clock.frame(Fraction(beats).limit_denominator(10_000)),
            feedback=of(bus.delay_feedback, "feedback", 0.0, 0.95, 0.0),
            delay_mix=of(bus.delay_mix, "delay mix", 0.0, 1.0, 1.0),
            filters=_filters(bus.filters, clock, value),
            mix=of(bus.mix, "mix", 0.0, 1.0, 1.0),
            gain_db=of(bus.gain, "gain", -96.0, 24.0, 0.0),
        )

    return tuple(one(bus) for bus in buses.values())


def placed_effects(effects: Effects, clock: BarClock, number: Number) -> PlacedEffects:
    """`effects` as numbers. `number`: the value of an expression, for a purpose, within bounds."""
    if not (effects.sends or effects.duck or effects.filters):
        return NO_EFFECTS
    sends = tuple(PlacedSend(s.bus, number(s.amount, f"to {s.bus}", 0.0, 1.0)) for s in effects.sends)
    duck = None
    if effects.duck is not None:
        duck = PlacedDuck(number(effects.duck.depth_db, "duck", 0.0, 60.0), effects.duck.under)
    return PlacedEffects(sends, duck, _filters(effects.filters, clock, number))


def _filters(filters: tuple[Filter, ...], clock: BarClock, number: Number) -> tuple[PlacedFilter, ...]:
    placed = []
    for place, filter in enumerate(filters):
        hz = number(filter.hz, f"filter {place}", LOWEST_HZ, HIGHEST_HZ)
        to_hz = hz
        if filter.to_hz is not None:
            to_hz = number(filter.to_hz, f"filter {place} to", LOWEST_HZ, HIGHEST_HZ)
        frames = 0 if filter.over is None else length_frames(filter.over, clock)
        placed.append(PlacedFilter(filter.kind, hz, to_hz, frames, filter.curve))
    return tuple(placed)


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
