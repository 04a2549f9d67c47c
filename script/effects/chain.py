"""The order in which what is sent to a bus goes through its effects."""

from __future__ import annotations

from .compress import COMPRESS
from .delay import DELAY
from .drive import DRIVE
from .effect import BusEffect
from .level import GAIN, MIX
from .reverb import REVERB
from .width import WIDE

BEFORE_FILTERS: tuple[BusEffect, ...] = (DRIVE, COMPRESS, REVERB, DELAY)
BEHIND_FILTERS: tuple[BusEffect, ...] = (WIDE, MIX, GAIN)
BUS_EFFECTS = BEFORE_FILTERS + BEHIND_FILTERS
BY_WORD = {effect.word: effect for effect in BUS_EFFECTS}
PARAMETERS = {each.name: each for effect in BUS_EFFECTS for each in effect.parameters}


def rule(effect: BusEffect) -> str:
    """The grammar of an effect: its word and number, then its other parameters in their order."""
    first, *rest = (f'"{each.word}" gliding' for each in effect.parameters)
    return " ".join((first, *(f"({each})?" for each in rest)))
