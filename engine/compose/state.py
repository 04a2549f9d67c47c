"""The state of composing: everything that one bar hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from ...script.piece import Bring, Event, MoveTo, Piece, Pool
from ..errors import UnknownDial
from ..plan import Placement
from .chance import DrawKey
from .form import Leaving, Visit
from .placed import Placed


@dataclass(slots=True)
class SoundingLoop:
    """The loop that a part sounds: its placement, and the line, draw key and section bar that brought it."""

    placement: Placement
    bring: Bring
    key: DrawKey
    section_bar: int
    held: bool = False
    """Whether a hold line lets it go on from the section before."""

    @property
    def line(self) -> tuple[str, int]:
        """Text of the line, and its place among the lines of the same text."""
        return self.bring.text, self.key.place


@dataclass(slots=True)
class State:
    """Everything that one bar hands to the next. `dials`: the latched values."""

    dials: dict[str, float]
    bar: int = 0
    visit: Visit | None = None
    occurrences: dict[str, int] = field(default_factory=dict)
    parts: dict[str, SoundingLoop] = field(default_factory=dict)
    redraws: dict[tuple[str, int], int] = field(default_factory=dict)
    """Choice index of each line in this section occurrence."""
    drawn: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """Stem of each (line, choice index) in this section occurrence."""
    last_start: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of each pool with a `never twice`, the last bar in which its stems started, lately."""
    placed: Placed = field(default_factory=Placed)
    section_dials: dict[str, float] = field(default_factory=dict)
    """Values that latch when the next section begins."""
    last_part: str | None = None
    """The part whose loop started last."""
    liked: dict[str, int] = field(default_factory=dict)
    """Likes of each stem less dislikes."""
    cues: set[str] = field(default_factory=set)
    """Cues that a move still waits for."""
    due: list[tuple[Event, str | None]] = field(default_factory=list)
    """Events that wait for their boundary, with the part that is `that role`."""
    fired: set[int] = field(default_factory=set)
    """Events that happen once and have."""
    holding: set[int] = field(default_factory=set)
    """Events whose condition held at the last bar line."""
    swaps: set[str] = field(default_factory=set)
    """Parts that get another stem at this bar line."""
    kept: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each part that is held: its stem, and the bar at which that ends."""
    held: dict[str, SoundingLoop] = field(default_factory=dict)
    """What a section's hold lines let go on from the section before."""
    withdrawn: set[str] = field(default_factory=set)
    """Parts whose stem was withdrawn since the last bar line."""
    silenced: set[str] = field(default_factory=set)
    """Parts that rest to the section's end since their stem was withdrawn."""
    move_to: MoveTo | None = None
    leaving: Leaving | None = None
    """How the section is left when the bar with its fill is over."""
    next_id: int = 0
    ended: bool = False

    def copy(self) -> State:
        """A state that shares nothing that changes with this one."""
        own: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, each in own.items():
            if isinstance(each, (dict, list, set, Placed)):
                own[name] = each.copy()
        return State(**own)

    def note_start(self, pool: Pool, stem: str) -> None:
        """A stem of the pool starts in this bar."""
        if pool.never_twice_bars is not None:
            since = self.bar - pool.never_twice_bars
            # A mapping of its own, for copies of the state share the old one.
            lately = {s: bar for s, bar in self.last_start.get(pool.name, {}).items() if bar > since}
            self.last_start[pool.name] = {**lately, stem: self.bar}

    def started_lately(self, pool: Pool) -> set[str]:
        """Stems that may not start yet, by the pool's `never twice`."""
        if pool.never_twice_bars is None:
            return set()
        since = self.bar - pool.never_twice_bars
        return {stem for stem, bar in self.last_start.get(pool.name, {}).items() if bar > since}


def first_state(piece: Piece, dials: Mapping[str, float]) -> State:
    """The state before the first bar, every dial at its default or at the value given.

    Raises UnknownDial for a value that no dial of the piece takes.
    """
    given = {name: in_range(piece, name, value) for name, value in dials.items()}
    return State(dials={name: given.get(name, dial.default) for name, dial in piece.dials.items()})


def in_range(piece: Piece, name: str, value: float) -> float:
    """A dial's value as a gesture gives it. Raises UnknownDial if the piece has no such dial or range."""
    dial = piece.dials.get(name)
    if dial is None:
        known = ", ".join(piece.dials) or "none"
        raise UnknownDial(f'"{piece.name}" has no dial "{name}"; its dials: {known}')
    turned = as_number(value)
    if turned is None or not dial.lo <= turned <= dial.hi:
        given = repr(value) if turned is None else f"{turned:g}"
        raise UnknownDial(f"dial {name} goes from {dial.lo:g} to {dial.hi:g}; {given} is outside")
    return turned


def as_number(value: object) -> float | None:
    """A number as a gesture gives it, also one of NumPy's; None for anything else."""
    return float(value) if isinstance(value, Real) else None
