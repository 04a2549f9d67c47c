"""Moves that are never taken because another always comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from ..expression import NEVER, extent
from ..piece import Bring, Hold, Move, Piece, Section
from ..problems import counted, short
from .form import sure
from .scope import Scope

Rank = tuple[bool, bool, bool]
_LAST: Rank = (False, False, False)


@dataclass(frozen=True, slots=True)
class _Exits:
    """The unconditional moves out of a section.

    `bars`: the bar after which the first on a grid is taken; infinite without one. `then`: the highest rank
    among those of that bar; `at_end`: the highest among those at the section's end.
    """

    section: Section
    bars: float
    then: Rank
    at_end: Rank

    def may_take(self, move: Move) -> bool:
        """Whether the move can be taken from here for some values of the dials, cues and draws."""
        shortest, longest = self.section.lengths[0], self.section.lengths[-1]
        if move.cue is None and shortest <= self.bars and rank(move) >= self.at_end:
            return True
        if move.at.at == "end":
            return False
        first = _grid(move)
        if first > min(longest, self.bars):
            return False
        if first == longest:
            return rank(move) >= self.at_end
        return first < self.bars or rank(move) >= self.then


def rank(move: Move) -> Rank:
    """The precedence of a move: a named origin counts most, then a cue, then a condition."""
    conditional = move.when is not None or move.after_visits is not None
    return move.origin is not None, move.cue is not None, conditional


def _grid(move: Move) -> int:
    """The bars of its section before a move that does not wait for the end can happen."""
    return move.at.every if move.at.at == "bars" else 1


def warn_of_unreachable_moves(scope: Scope, piece: Piece) -> None:
    """Note the moves that are never taken, and those whose `over` has no loop to ring on."""
    always = [move for move in piece.moves if move.cue is None and sure(scope, move)]
    from_any = [move for move in always if move.origin is None]
    own: dict[str, list[Move]] = {}
    for move in always:
        if move.origin is not None:
            own.setdefault(move.origin, []).append(move)
    ways = {s.name: _exits(s, [*from_any, *own.get(s.name, ())]) for s in piece.sections}
    rings = {s.name for s in piece.sections if any(isinstance(line, Bring | Hold) for line in s.lines)}
    for move in piece.moves:
        origins = list(ways) if move.origin is None else [move.origin]
        never = move.when is not None and extent(move.when, scope.dial_ranges) == NEVER
        # A condition that never holds has been noted at its own place.
        if not never and not any(ways[origin].may_take(move) for origin in origins):
            scope.say("W010", move.span, *_why(move, ways[origins[0]]))
        elif move.over is not None and not rings.intersection(origins):
            which = (
                "no section brings any"
                if move.origin is None
                else f"section {short(move.origin)} brings none"
            )
            scope.say("W008", move.span, f"`over` lets loops ring on, but {which}")


def _exits(section: Section, sure: Iterable[Move]) -> _Exits:
    moves = list(sure)
    grids = {id(move): _grid(move) for move in moves if move.at.at != "end"}
    bars = min(grids.values(), default=inf)
    if bars > section.lengths[-1]:
        bars = inf
    then = [rank(move) for move in moves if bars != inf and bars % grids.get(id(move), inf) == 0]
    return _Exits(section, bars, max(then, default=_LAST), max(map(rank, moves), default=_LAST))


def _why(move: Move, ways: _Exits) -> tuple[str, str | None]:
    name, longest = short(ways.section.name), ways.section.lengths[-1]
    if move.origin is not None and move.at.at == "bars" and move.at.every > longest:
        return f"this move is never taken: section {name} has at most {counted(longest, 'bar')}", None
    if move.origin is not None and ways.bars < longest:
        return (
            f"this move is never taken: another always leaves section {name} after {ways.bars:g} bars",
            None,
        )
    return (
        "this move is never taken: another always comes before it",
        "a move from a named section comes first, then one on a cue, then one with a condition",
    )
