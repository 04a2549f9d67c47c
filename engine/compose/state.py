"""The state of composing: everything that one bar hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from ...script.piece import Bring, Event, MoveTo, Piece, Pool
from ..arguments import number, quoted, word
from ..clock import BarClock, Grid
from ..errors import UnknownDial
from ..plan import Placement
from .bags import Bag
from .chance import DrawKey
from .form import Leaving, Visit
from .held import Held, Stay
from .placed import Placed
from .tuning import PLAIN, Tuning


@dataclass(slots=True)
class SoundingLoop:
    """The loop that a part sounds: its placement, and the line, draw key and section bar that brought it.

    `place`: of the line among those that bring the part. `key` stays as it was when another script moves it.
    """

    placement: Placement
    bring: Bring
    place: int
    key: DrawKey
    section_bar: int
    held: bool = False
    """Whether a hold line lets it go on from the section before."""
    outdated: bool = False
    """Whether its line was edited so that only a new placement of the same stem can follow it."""
    settled: bool = False
    """Whether its line is gone from the script, so that its mix stays as it is."""
    span: Stay | None = None
    """Where its line stands."""
    holds: tuple[Held, ...] = ()
    """The `hold` lines that have moved its mix, the last last."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The stem that a line drew. `since`: the first bar of the visit in which it last took it.

    `swaps`: how often another was asked for. `weights`: which of the pool's weights counted then.
    """

    stem: str
    since: int
    swaps: int
    weights: tuple[int, ...]


@dataclass(slots=True)
class State:
    """Everything that one bar hands to the next. `dials`: the latched values."""

    dials: dict[str, float]
    bar: int = 0
    visit: Visit | None = None
    occurrences: dict[str, int] = field(default_factory=dict)
    parts: dict[str, SoundingLoop] = field(default_factory=dict)
    redraws: dict[str, int] = field(default_factory=dict)
    """Choice index of the lines of each subject, in this section occurrence."""
    drawn: dict[str, dict[tuple[str, int, int], Drawn]] = field(default_factory=dict)
    """Of each section, what each (subject, place, choice index) drew, for when the section returns."""
    before: dict[str, set[str]] = field(default_factory=dict)
    """In a section's first bar: the stems that each part sounded up to its line."""
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
    voices: dict[str, tuple[Placement, ...]] = field(default_factory=dict)
    """The hits that still ring of each voice in which hits end each other."""
    bags: dict[tuple[str, int], Bag] = field(default_factory=dict)
    """Which recordings each line that plays another for each hit has played, by subject and place."""
    next_id: int = 0
    ended: bool = False
    known_grid: Grid | None = None
    """The grid, from the first bar on."""
    tuning: Tuning = PLAIN
    """The tempo, metre and key of this section."""
    song_begins: Fraction = Fraction(0)
    """The beat at which the songs of the piece would have begun, to be where they are."""

    def grid(self, clock: BarClock) -> Grid:
        """Where bars and beats lie. `clock`: the head's, by which a session begins."""
        return self.known_grid or Grid.of(clock)

    def copy(self) -> State:
        """A state that shares nothing that changes with this one."""
        own: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, each in own.items():
            if isinstance(each, (dict, list, set, Placed)):
                own[name] = each.copy()
        return State(**own)

    def note_drawn(self, section: str, at: tuple[str, int, int], drawn: Drawn) -> None:
        """Keep what a line of a section drew."""
        # A mapping of its own, for copies of the state share the old one.
        self.drawn[section] = {**self.drawn.get(section, {}), at: drawn}

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
    dial = piece.dials.get(word(name, "the name of a dial"))
    if dial is None:
        known = ", ".join(piece.dials) or "none"
        raise UnknownDial(f'"{piece.name}" has no dial {quoted(name)}; its dials: {known}')
    turned = number(value, f"the value of dial {name}")
    if not dial.lo <= turned <= dial.hi:
        raise UnknownDial(f"dial {name} goes from {dial.lo:g} to {dial.hi:g}; {turned:g} is outside")
    return turned
