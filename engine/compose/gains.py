"""How a line mixes what it places: gain, pan and effects, for the dials as they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...script.effects.filter import KINDS
from ...script.effects.glide import PlacedGlide
from ...script.effects.send import PlacedSend
from ...script.expression import evaluate
from ...script.piece import Bring, Expression, Hold, Play
from ..effects import (
    Number,
    PlacedBus,
    glided,
    in_force,
    placed_buses,
    placed_effects,
    placed_glides,
)
from ..plan import Placement
from .chance import DrawKey
from .held import Held, Stay
from .score import Score
from .state import SoundingLoop, State


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
        return numbers(DrawKey(score.seed, "", None, f"bus {bus}"), 0, dials)

    return placed_buses(score.piece.buses, score.clock, number)


def mixed(
    placement: Placement,
    line: Bring | Play,
    number: Number,
    accent_db: float = 0.0,
    *,
    span: Stay,
    held: Sequence[PlacedGlide] = (),
) -> Placement:
    """The placement with the gain, pan and effects of its line, as `number` evaluates them.

    `held`: glides besides those of its line. A hit has the gain, pan and sends of its first moment.
    """
    start, effects = placement.start_frame, line.effects
    glides = glides_of(line, span, number)
    # What has ended before another began says nothing any more: of each number one that has begun is kept.
    glides = in_force(sorted([*glides, *held], key=lambda g: g.start), start)
    gain = glided(glides, "gain", start, number(line.gain, "gain", -96.0, 24.0))
    pan = glided(glides, "pan", start, number(line.pan, "pan", -1.0, 1.0))
    going = [each for each in glides if not placement.hit or each.what in KINDS]
    placed = placed_effects(effects, span.clock, number, going)
    if placement.hit and len(going) < len(glides):
        sent = {each.bus: each.amount for each in placed.sends}
        for what in dict.fromkeys(each.what for each in glides if each.what.startswith("to ")):
            bus = what.removeprefix("to ")
            sent[bus] = glided(glides, what, start, sent.get(bus, 0.0))
        sends = tuple(PlacedSend(bus, amount) for bus, amount in sent.items())
        if sends != placed.sends:
            placed = replace(placed, sends=sends)
    return replace(placement, gain_db=gain + accent_db, pan=pan, effects=placed)


def mixed_loop(placement: Placement, loop: SoundingLoop, dials: Mapping[str, float]) -> Placement:
    """A placement of a loop as its line, and those that hold it, say for the dials as they stand."""
    number = numbers(loop.key, loop.section_bar, dials)
    held = [glide for each in loop.holds for glide in held_glides(each, dials)]
    assert loop.span is not None
    return mixed(placement, loop.bring, number, span=loop.span, held=held)


def glides_of(line: Bring | Play | Hold, span: Stay, number: Number) -> list[PlacedGlide]:
    """The glides of a line as numbers; what would begin after its section never does."""
    at = line.window.at_bar, line.window.at_beat
    return placed_glides(line.effects.glides, span.clock, span.grid, number, at, (span.first_bar, span.bars))


def held_glides(held: Held, dials: Mapping[str, float]) -> tuple[PlacedGlide, ...]:
    """The glides of a `hold` line."""
    if held.glides is not None:
        return held.glides
    return tuple(glides_of(held.line, held.span, numbers(held.key, held.section_bar, dials)))


def settled_holds(loop: SoundingLoop, dials: Mapping[str, float]) -> SoundingLoop:
    """The loop with what holds it as numbers, for when its script goes."""
    holds = tuple(replace(each, glides=held_glides(each, dials)) for each in loop.holds)
    return replace(loop, holds=holds)


def remixed(state: State) -> list[Placement]:
    """Every sounding loop, mixed as its line says and the dials of `state` stand now."""
    return [
        mixed_loop(loop.placement, loop, state.dials) for loop in state.parts.values() if not loop.settled
    ]
