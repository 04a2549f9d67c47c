"""Where a line stands, and the lines that hold a loop on: what a loop's glides are counted by."""

from __future__ import annotations

from dataclasses import dataclass

from ...script.effects.glide import PlacedGlide
from ...script.piece import Hold
from ..clock import BarClock, Grid
from .chance import DrawKey


@dataclass(frozen=True, slots=True)
class Stay:
    """The occurrence of a section in which a line stands: its first bar, how many it has, and its grid."""

    first_bar: int
    bars: int
    clock: BarClock
    grid: Grid


@dataclass(frozen=True, slots=True)
class Held:
    """A `hold` line that keeps a loop, and whose glides it follows.

    `glides`: as they were, once its script is gone.
    """

    line: Hold
    key: DrawKey
    section_bar: int
    span: Stay
    glides: tuple[PlacedGlide, ...] | None = None
