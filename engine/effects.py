"""What the effects of placements and buses are as numbers, for the dials as they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from ..script.effects import duck, filter, send
from ..script.effects.chain import BUS_EFFECTS, PARAMETERS
from ..script.effects.duck import PlacedDuck
from ..script.effects.effect import Numbers, Parameter
from ..script.effects.filter import PlacedFilter
from ..script.effects.glide import MOVES, Curve, PlacedGlide
from ..script.effects.send import PlacedSend
from ..script.piece import Bus, BusGlide, Effects, Expression, Filter, Glide, Length
from ..vault.records import ENGINE_RATE
from .clock import BarClock, Grid

Number = Callable[[Expression, str, float, float], float]
"""What gives an expression's value, for a purpose, within bounds."""


@dataclass(frozen=True, slots=True)
class PlacedEffects:
    """The effects of one placement, as numbers."""

    sends: tuple[PlacedSend, ...] = ()
    duck: PlacedDuck | None = None
    filters: tuple[PlacedFilter, ...] = ()
    glides: tuple[PlacedGlide, ...] = ()
    """In the order of their starts."""
    via: str | None = None
    """The bus that all of it goes through, and nothing past it."""


NO_EFFECTS = PlacedEffects()


@dataclass(frozen=True, slots=True)
class PlacedBusGlide:
    """From the session's start on a parameter of a bus goes to `to` over `frames`, by a curve."""

    name: str
    to: float
    frames: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class PlacedBus:
    """A bus of effects: its filters, and the numbers of the others by the names of their parameters."""

    name: str
    numbers: Numbers
    filters: tuple[PlacedFilter, ...] = ()
    glides: tuple[PlacedBusGlide, ...] = ()

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
        glides = tuple(_bus_glide(name, each, clock, value) for name, each in bus.glides.items())
        return PlacedBus(bus.name, bus_numbers(given), _filters(bus.filters, clock, value), glides)

    return tuple(one(bus) for bus in buses.values())


def _bus_glide(name: str, glide: BusGlide, clock: BarClock, number: Number) -> PlacedBusGlide:
    parameter = PARAMETERS[name]
    to = number(glide.to, f"{name} to", *map(float, parameter.bounds))
    return PlacedBusGlide(name, to, length_frames(glide.over, clock), glide.curve)


def _value(number: Number, expression: Expression, parameter: Parameter, which: object = "") -> float:
    return number(expression, parameter.name.format(which), *map(float, parameter.bounds))


def placed_effects(
    effects: Effects, clock: BarClock, number: Number, glides: Sequence[PlacedGlide] = ()
) -> PlacedEffects:
    """`effects` as numbers. `number`: the value of an expression, for a purpose, within bounds.

    `glides`: of the placement, in the order of their starts, those of filters by their kinds.
    """
    if not (effects.sends or effects.duck or effects.filters or effects.via or glides):
        return NO_EFFECTS
    sends = tuple(PlacedSend(s.bus, _value(number, s.amount, send.AMOUNT, s.bus)) for s in effects.sends)
    ducked = None
    if effects.duck is not None:
        back = _value(number, effects.duck.back_seconds, duck.BACK)
        ducked = PlacedDuck(
            _value(number, effects.duck.depth_db, duck.DEPTH), effects.duck.under, float(back)
        )
    filters, by_kind = list(_filters(effects.filters, clock, number)), dict[str, int]()
    for place, each in enumerate(filters):
        by_kind.setdefault(each.kind, place)
    placed = []
    for glide in glides:
        if glide.what in filter.KINDS:
            if glide.what not in by_kind and len(filters) == filter.MOST:
                continue
            if glide.what not in by_kind:
                by_kind[glide.what] = len(filters)
                filters.append(_waiting(glide))
            glide = replace(glide, what=f"filter {by_kind[glide.what]}")
        placed.append(glide)
    return PlacedEffects(sends, ducked, tuple(filters), tuple(placed), effects.via)


def _waiting(first: PlacedGlide) -> PlacedFilter:
    """The filter that is not there before its first glide."""
    kind = cast(filter.Kind, first.what)
    return PlacedFilter(kind, first.value, first.value, 0, "exponential", waits=True)


GLIDING = {
    "gain": Parameter("gain", "dB", (-96, 24), "gain"),
    "pan": Parameter("pan", "", (-1, 1), "pan"),
    "to": send.AMOUNT,
    **dict.fromkeys(filter.KINDS, filter.FROM_HZ),
}
"""The numbers of a line that may glide, by their first words."""


def placed_glides(
    glides: Sequence[Glide],
    clock: BarClock,
    grid: Grid,
    number: Number,
    start: tuple[int, Fraction],
    section: tuple[int, int],
) -> list[PlacedGlide]:
    """The glides of a line as numbers, in the order of their starts.

    `clock`, `grid`: of its section. `start`: the bar and beat of those that have no time of their own.
    `section`: its first bar, and how many it has.
    """
    placed, counts = [], Counter[str]()
    first_bar, bars = section
    for each in glides:
        place = counts[each.what]
        counts[each.what] += 1
        bar, beat = start if each.at_bar is None else (each.at_bar, each.at_beat)
        if bar > bars:
            continue
        least, most = GLIDING[each.what.split()[0]].bounds
        purpose = each.what if each.at_bar is None else f"{each.what} {place} at a time"
        value = to = number(each.value, purpose, float(least), float(most))
        if each.to is not None:
            to = number(each.to, f"{purpose} to", float(least), float(most))
        at = grid.bar_beat(first_bar) + (bar - 1) * clock.beats_per_bar + (beat - 1) * clock.meter_beat
        frames = 0 if each.over is None else _lasting(each.over, clock, grid, at)
        placed.append(PlacedGlide(each.what, grid.frame(at), frames, value, to, each.curve))
    return sorted(placed, key=lambda g: g.start)


def _lasting(length: Length, clock: BarClock, grid: Grid, beat: Fraction) -> int:
    """The frames that a length lasts from a beat on, along what the tempo does meanwhile."""
    if length.unit not in ("bars", "beats"):
        return length_frames(length, clock)
    unit = clock.beats_per_bar if length.unit == "bars" else clock.meter_beat
    return grid.frame(beat + length.amount * unit) - grid.frame(beat)


def in_force(glides: Sequence[PlacedGlide], frame: int) -> list[PlacedGlide]:
    """Those that are at work at a frame or begin later: of each number one at most that has begun."""
    begun = {each.what: each for each in glides if each.start <= frame}
    return [*sorted(begun.values(), key=lambda g: g.start), *(g for g in glides if g.start > frame)][:MOVES]


def glided(glides: Sequence[PlacedGlide], what: str, frame: int, otherwise: float) -> float:
    """Where a number is at a frame; `otherwise` before the first of its glides."""
    begun = [each for each in glides if each.what == what and each.start <= frame]
    return begun[-1].at(frame) if begun else otherwise


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
            return clock.frame(length.amount * clock.meter_beat)
        case "s":
            return int(length.amount * clock.rate)
        case "ms":
            return int(length.amount * clock.rate / 1000)
