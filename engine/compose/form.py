"""The form at work: entering sections, and the moves that lead from one to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import log1p

from ...script.expression import evaluate
from ...script.piece import Boundary, Expression, Move, MoveTo, Piece, Section
from .chance import DrawKey


@dataclass(frozen=True, slots=True)
class Visit:
    """One occurrence of a section: its number from 0, its drawn length in bars, the bar at which it began."""

    section: Section
    occurrence: int
    bars: int
    first_bar: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """How a section is left: for `target`, None at the piece's end, by `move`, if it was one."""

    target: Section | None
    move: Move | None = None


def enter(piece: Piece, seed: int, section: Section, occurrence: int, bar: int) -> Visit:
    """Begin `section` at the absolute `bar`, drawing its length uniformly from those it may have."""
    draw = DrawKey(seed, section.name, occurrence, "section").uniform("length")
    bars = section.lengths[int(draw * len(section.lengths))]
    return Visit(section, occurrence, bars, bar)


def holds(when: Expression | None, dials: Mapping[str, float], key: DrawKey, index: int) -> bool:
    """Whether a condition holds; each `random` in it draws by `key` and `index`."""
    if when is None:
        return True
    drawn = iter(range(1_000_000))
    return bool(evaluate(when, dials, lambda: key.uniform(f"when {next(drawn)}", index)))


def leaving(
    piece: Piece,
    seed: int,
    visit: Visit,
    bar: int,
    dials: Mapping[str, float],
    cues: Collection[str] = (),
    move_to: MoveTo | None = None,
) -> Leaving | None:
    """How the section is left at the line of the absolute `bar`; None if it goes on.

    An event's `move_to` comes first. Of the moves that match, a named origin beats `any`, then a cue beats a
    bare condition or number of visits, which beats neither; weights draw among equals. Without an eligible
    move at the end the next section in the text follows, and the last one repeats.
    """
    if move_to is not None:
        return Leaving(None if move_to.target is None else _named(piece, move_to.target))
    if bar == visit.first_bar:
        return None
    passed = bar - visit.first_bar
    at_end = passed >= visit.bars
    matching = [
        (move, key)
        for move, key in _keyed(piece, seed, visit)
        if (move.cue is None or move.cue in cues)
        and (at_end or _on_grid(move.at, passed))
        and (move.cue is None or _on_grid(move.at, passed))
        and (move.after_visits is None or visit.occurrence + 1 >= move.after_visits)
        and holds(move.when, dials, key, passed)
    ]
    if matching:
        rank = max(_rank(move) for move, _ in matching)
        # Each has a number of its own, so that one more or less changes no draw between the others.
        among = [
            (-log1p(-key.uniform("draw", passed)) / m.weight, m) for m, key in matching if _rank(m) == rank
        ]
        _, move = min(among, key=lambda each: each[0])
        return Leaving(None if move.target is None else _named(piece, move.target), move)
    if not at_end:
        return None
    place = piece.sections.index(visit.section)
    return Leaving(piece.sections[min(place + 1, len(piece.sections) - 1)])


def waiting_cues(piece: Piece, visit: Visit, cues: Collection[str]) -> set[str]:
    """Those of `cues` that some move from here still waits for."""
    return {
        move.cue
        for move in piece.moves
        if move.cue is not None and move.cue in cues and move.origin in (None, visit.section.name)
    }


def can_end(piece: Piece) -> bool:
    """Whether some move or event leads to silence."""
    return any(move.target is None for move in piece.moves) or any(
        isinstance(event.action, MoveTo) and event.action.target is None for event in piece.events
    )


def _keyed(piece: Piece, seed: int, visit: Visit) -> Iterator[tuple[Move, DrawKey]]:
    """The moves that lead from a section, each with the key of its draws in this occurrence."""
    places = Counter[str]()
    for move in piece.moves:
        if move.origin in (None, visit.section.name):
            way = f"move {move.origin or 'any'} -> {move.target or 'silence'}"
            yield move, DrawKey(seed, visit.section.name, visit.occurrence, way, places[way])
            places[way] += 1


def _on_grid(at: Boundary, passed: int) -> bool:
    """Whether a move at that boundary may happen when `passed` bars of the section have passed."""
    return at.at == "beats" or (at.at == "bars" and passed % at.every == 0)


def _rank(move: Move) -> tuple[bool, bool, bool]:
    conditional = move.when is not None or move.after_visits is not None
    return move.origin is not None, move.cue is not None, conditional


def _named(piece: Piece, name: str) -> Section:
    return next(section for section in piece.sections if section.name == name)
