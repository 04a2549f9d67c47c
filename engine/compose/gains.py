"""What a line says of gain and pan, for the dials as they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...script.expression import evaluate
from ...script.piece import Bring, Expression, Play, Sting
from ..effects import Number, PlacedBus, PlacedEffects, placed_buses, placed_effects
from .chance import DrawKey
from .score import Score
from .state import State


@dataclass(frozen=True, slots=True)
class Mix:
    """What a line says of a placement's gain, in dB, and pan, -1 to 1."""

    gain_db: float
    pan: float


@dataclass(frozen=True, slots=True)
class Remix:
    """How a placement that sounds is mixed now."""

    mix: Mix
    effects: PlacedEffects


def mix_of(line: Bring | Play | Sting, key: DrawKey, section_bar: int, dials: Mapping[str, float]) -> Mix:
    """Evaluate a line's gain and pan; its `random` draws are the same each time, so a dial may ask again."""

    number = numbers(key, section_bar, dials)
    return Mix(number(line.gain, "gain", -96.0, 24.0), number(line.pan, "pan", -1.0, 1.0))


def numbers(
    key: DrawKey, section_bar: int, dials: Mapping[str, float]
) -> Callable[[Expression, str, float, float], float]:
    """What gives an expression's value for a purpose, held within bounds."""

    def number(expression: Expression, purpose: str, lo: float, hi: float) -> float:
        drawn = iter(range(1_000_000))
        value = evaluate(expression, dials, lambda: key.uniform(f"{purpose} {next(drawn)}", section_bar))
        return min(max(float(value), lo), hi)

    return number


def buses_of(score: Score, dials: Mapping[str, float]) -> tuple[PlacedBus, ...]:
    """The piece's buses of effects, as the dials stand."""

    def number(bus: str) -> Number:
        return numbers(DrawKey(score.seed, "", 0, f"bus {bus}"), 0, dials)

    return placed_buses(score.piece.buses, score.clock, number)


def remix(score: Score, state: State) -> dict[int, Remix]:
    """How every sounding loop is mixed, by placement id, as the dials of `state` have it now."""
    found = {}
    for sounding in state.parts.values():
        line, key, bar = sounding.bring, sounding.key, sounding.section_bar
        effects = placed_effects(line.effects, score.clock, numbers(key, bar, state.dials))
        found[sounding.placement.id] = Remix(mix_of(line, key, bar, state.dials), effects)
    return found
