"""The order in which what is sent to a bus goes through its effects."""

from __future__ import annotations

from .delay import DELAY
from .effect import BusEffect
from .level import GAIN, MIX
from .reverb import REVERB

BEFORE_FILTERS: tuple[BusEffect, ...] = (REVERB, DELAY)
BEHIND_FILTERS: tuple[BusEffect, ...] = (MIX, GAIN)
BUS_EFFECTS = BEFORE_FILTERS + BEHIND_FILTERS
BY_WORD = {effect.word: effect for effect in BUS_EFFECTS}
PARAMETERS = {each.name: each for effect in BUS_EFFECTS for each in effect.parameters}


def rule(effect: BusEffect) -> str:
    """The grammar of an effect: its word and number, then its other parameters in their order."""
    first, *rest = (f'"{each.word}" expression' for each in effect.parameters)
    return " ".join((first, *(f"({each})?" for each in rest)))
