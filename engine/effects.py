"""What the effects of placements and buses are as numbers, for the dials as they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ..script.effects import duck, filter, send
from ..script.effects.chain import BUS_EFFECTS
from ..script.effects.duck import PlacedDuck
from ..script.effects.effect import Numbers, Parameter
from ..script.effects.filter import PlacedFilter
from ..script.effects.send import PlacedSend
from ..script.piece import Bus, Effects, Expression, Filter, Length
from ..vault.records import ENGINE_RATE
from .clock import BarClock

Number = Callable[[Expression, str, float, float], float]
"""What gives an expression's value, for a purpose, within bounds."""


@dataclass(frozen=True, slots=True)
class PlacedEffects:
    """The effects of one placement, as numbers."""

    sends: tuple[PlacedSend, ...] = ()
    duck: PlacedDuck | None = None
    filters: tuple[PlacedFilter, ...] = ()


NO_EFFECTS = PlacedEffects()


@dataclass(frozen=True, slots=True)
class PlacedBus:
    """A bus of effects: its filters, and the numbers of the others by the names of their parameters."""

    name: str
    numbers: Numbers
    filters: tuple[PlacedFilter, ...] = ()

    @property
    def tail_frames(self) -> int:
        """How long it rings to -60 dB after the last sound, at the engine's rate."""
        had = (effect for effect in BUS_EFFECTS if effect.on(self.numbers))
        return sum(effect.tail_frames(self.numbers, ENGINE_RATE) for effect in had)


def bus_numbers(given: Numbers) -> Numbers:
    """The numbers of a bus, with the defaults of what is not given of the effects that it has."""
    return {
        each.name: given.get(each.name, each.default)
        for effect in BUS_EFFECTS
        if effect.always or effect.on(given)
        for each in effect.parameters
    }


def placed_buses(
    buses: Mapping[str, Bus], clock: BarClock, number: Callable[[str], Number]
) -> tuple[PlacedBus, ...]:
    """The piece's buses as numbers. `number`: of a bus, what gives an expression's value."""

    def one(bus: Bus) -> PlacedBus:
        value = number(bus.name)
        given: dict[str, float] = {}
        for each in (
            each for effect in BUS_EFFECTS for each in effect.parameters if each.name in bus.numbers
        ):
            given[each.name] = _value(value, bus.numbers[each.name], each)
            if each.unit == "beats":
                given[each.name] = clock.frame(Fraction(given[each.name]).limit_denominator(10_000))
        return PlacedBus(bus.name, bus_numbers(given), _filters(bus.filters, clock, value))

    return tuple(one(bus) for bus in buses.values())


def _value(number: Number, expression: Expression, parameter: Parameter, which: object = "") -> float:
    return number(expression, parameter.name.format(which), *map(float, parameter.bounds))


def placed_effects(effects: Effects, clock: BarClock, number: Number) -> PlacedEffects:
    """`effects` as numbers. `number`: the value of an expression, for a purpose, within bounds."""
    if not (effects.sends or effects.duck or effects.filters):
        return NO_EFFECTS
    sends = tuple(PlacedSend(s.bus, _value(number, s.amount, send.AMOUNT, s.bus)) for s in effects.sends)
    ducked = None
    if effects.duck is not None:
        ducked = PlacedDuck(_value(number, effects.duck.depth_db, duck.DEPTH), effects.duck.under)
    return PlacedEffects(sends, ducked, _filters(effects.filters, clock, number))


def _filters(filters: tuple[Filter, ...], clock: BarClock, number: Number) -> tuple[PlacedFilter, ...]:
    placed = []
    for place, each in enumerate(filters):
        to_hz = hz = _value(number, each.hz, filter.FROM_HZ, place)
        if each.to_hz is not None:
            to_hz = _value(number, each.to_hz, filter.INTO_HZ, place)
        frames = 0 if each.over is None else length_frames(each.over, clock)
        placed.append(PlacedFilter(each.kind, hz, to_hz, frames, each.curve))
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
