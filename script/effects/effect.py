"""What an effect declares: the numbers that it takes, and what the mixer needs to make its sound.

A file with an effect loads neither numba nor NumPy. Its kernel is a function that is given the mixer's tools
(`engine/mix/effects.py`) and returns compiled code, so that a script is checked without a compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Numbers = Mapping[str, float]
"""The numbers of a bus's effects, by their parameters' names. A number in beats is given in frames."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of an effect, in a base unit (empty: a fraction, or %), within bounds.

    `word`: stands before it in the text. `name`: tells it from all others of a line or a bus, and its random
    draws from theirs. `moves`: whether it follows a dial. `idle`: what is said of one that is always 0.
    """

    word: str
    unit: str
    bounds: tuple[float, float]
    name: str
    default: float = 0.0
    moves: bool = True
    idle: str | None = None


@dataclass(frozen=True, slots=True)
class BusEffect:
    """An effect of a bus. The first of its parameters follows the effect's own word.

    `kernel`: given the tools, compiled code `(state, levels, memory, sent, block)` that brings a quantum,
    `block` float32 (2, 64), through the effect in place; `sent` is what came into the bus. `state.at` is its
    own, `state.frames` what `frames` gives. `levels`, float32 (n, 2): the numbers that `levels` gives as they
    are, and what they move to; `memory`: as many float32 as `memory` gives for those frames, at first 0.
    """

    parameters: tuple[Parameter, ...]
    kernel: Callable[[Any], Any]
    levels: Callable[[Numbers, int], Sequence[float]]
    """Given the numbers and the frames a second."""
    frames: Callable[[Numbers], int] = lambda numbers: 0
    memory: Callable[[int], int] = lambda frames: 0
    tail_frames: Callable[[Numbers, int], int] = lambda numbers, rate: 0
    """How long it rings to -60 dB after the last sound, given the numbers and the frames a second."""
    leaps: Sequence[bool] | None = None
    """Which levels are at once what they would move to when the bus has rung out; by default all."""
    power: Callable[[Numbers, int, float], float] = lambda numbers, rate, power: power
    """About the power of a steady sound behind it, of what is sent to the bus, given the numbers, the frames
    a second and the power before it."""
    always: bool = False
    """Whether every bus has it, with the defaults of its parameters."""

    @property
    def word(self) -> str:
        return self.parameters[0].word

    def on(self, numbers: Numbers) -> bool:
        """Whether a bus with these numbers has this effect."""
        return self.parameters[0].name in numbers
