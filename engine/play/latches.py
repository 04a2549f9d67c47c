"""Dials at work: a value waits for the boundary that its dial names, and the mix follows it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ...script.piece import Dial
from ..clock import QUANTUM, Grid
from ..compose.state import State

Boundary = tuple[Literal["beat", "bar", "section"], int]
"""Where a turn takes effect: the frame of a beat, the number of a bar, of a visit to a section."""


@dataclass
class Latches:
    """Values that wait, and the frames at which the mix of what sounds must be set anew.

    A bar is composed a little before its line. Values that are due at the line are in the state that it is
    composed from; the gain and pan of what sounds already follow at the line itself.
    """

    _bar: dict[str, float] = field(default_factory=dict)
    _beats: list[tuple[int, str, float]] = field(default_factory=list)
    _follow: set[int] = field(default_factory=set)

    def turn(self, dial: Dial, value: float, frame: int, grid: Grid, state: State) -> None:
        """A dial is turned at `frame`, a whole number of quanta."""
        match dial.effect:
            case "now":
                state.dials[dial.name] = value
                self._follow.add(frame)
            case "next beat":
                due = _quantum(grid.next_beat(frame))
                self._beats = [each for each in self._beats if each[:2] != (due, dial.name)]
                self._beats.append((due, dial.name, value))
            case "next bar":
                self._bar[dial.name] = value
            case "next section":
                state.section_dials[dial.name] = value

    def boundary(self, dial: Dial, frame: int, grid: Grid, state: State) -> Boundary | None:
        """The boundary at which a turn at `frame` takes effect; None for one that does at once."""
        match dial.effect:
            case "next beat":
                return "beat", _quantum(grid.next_beat(frame))
            case "next bar":
                return "bar", state.bar
            case "next section":
                return "section", sum(state.occurrences.values())
        return None

    def waits(self, dial: str, boundary: Boundary, state: State) -> bool:
        """Whether a value of the dial that was to take effect at a boundary has still to do so."""
        kind, at = boundary
        if kind == "beat":
            return any(each[:2] == (at, dial) for each in self._beats)
        if kind == "bar":
            return dial in self._bar and at == state.bar
        return dial in state.section_dials and at == sum(state.occurrences.values())

    def at_line(self, state: State, frame: int) -> None:
        """Take what is due by the bar line at `frame` into the state that its bar is composed from."""
        state.dials.update(self._bar)
        self._bar.clear()
        state.dials.update({name: value for due, name, value in self._beats if due <= _quantum(frame)})

    def keep(self, holds: Callable[[str, float], bool]) -> None:
        """Forget the values that wait for a dial that does not hold them any more."""
        self._bar = {name: value for name, value in self._bar.items() if holds(name, value)}
        self._beats = [each for each in self._beats if holds(each[1], each[2])]

    def follow(self, frame: int) -> None:
        """Have the mix follow the dials at `frame`."""
        self._follow.add(_quantum(frame))

    @property
    def next_frame(self) -> int | None:
        """The earliest frame at which something is due, on the grid of quanta."""
        return min((*(due for due, *_ in self._beats), *self._follow), default=None)

    def due(self, state: State, frame: int) -> bool:
        """Latch what is due at `frame`; gives whether the mix of what sounds must be set anew."""
        beats = [each for each in self._beats if each[0] <= frame]
        passed = {each for each in self._follow if each <= frame}
        state.dials.update({name: value for _, name, value in beats})
        self._beats = self._beats[len(beats) :]
        self._follow -= passed
        return bool(beats or passed)


def _quantum(frame: int) -> int:
    """The first quantum that begins at `frame` or after it."""
    return -(-frame // QUANTUM) * QUANTUM
