"""How a line mixes what it places: gain, pan and effects, for the dials as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...script.expression import evaluate
from ...script.piece import Bring, Expression, Play
from ..effects import Number, PlacedBus, placed_buses, placed_effects
from ..plan import Placement
from .chance import DrawKey
from .score import Score
from .state import State


def numbers(key: DrawKey, section_bar: int, dials: Mapping[str, float]) -> Number:
    """A function that gives an expression's value for a purpose, held within bounds.

    Its `random` draws are the same each time, so a dial may ask again.
    """

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


def mixed(
    placement: Placement, line: Bring | Play, score: Score, number: Number, accent_db: float = 0.0
) -> Placement:
    """The placement with the gain, pan and effects of its line, as `number` evaluates them."""
    return replace(
        placement,
        gain_db=number(line.gain, "gain", -96.0, 24.0) + accent_db,
        pan=number(line.pan, "pan", -1.0, 1.0),
        effects=placed_effects(line.effects, score.clock, number),
    )


def remixed(score: Score, state: State) -> list[Placement]:
    """Every sounding loop, mixed as the dials of `state` stand now."""
    found = []
    for loop in state.parts.values():
        number = numbers(loop.key, loop.section_bar, state.dials)
        found.append(mixed(loop.placement, loop.bring, score, number))
    return found
