"""The form: which section follows which, how long it is, and where the piece ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..script.expression import evaluate
from ..script.piece import Expression, Move, Piece, Section
from .chance import DrawKey


@dataclass(frozen=True, slots=True)
class Visit:
    """One occurrence of a section: the how-manieth it is (from 0), its drawn length, where it began."""

    section: Section
    occurrence: int
    bars: int
    first_bar: int


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


def next_section(
    piece: Piece, seed: int, visit: Visit, bar: int, dials: Mapping[str, float]
) -> tuple[bool, Section | None]:
    """(whether the section is left at the line of the absolute `bar`, the section that follows).

    A section that is left for null is the piece's end. Of the moves that match, a named origin beats
    `any`, then a condition beats none; weights draw among equals. Without an eligible move at the end the
    next section in the text follows, and the last one repeats.
    """
    at_end = bar >= visit.first_bar + visit.bars
    key = DrawKey(seed, visit.section.name, visit.occurrence, "move")
    matching = [
        move
        for move in piece.moves
        if move.origin in (None, visit.section.name)
        and move.cue is None
        and (at_end or (move.at.at == "bars" and (bar - visit.first_bar) % move.at.every == 0))
        and holds(
            move.when,
            dials,
            DrawKey(seed, visit.section.name, visit.occurrence, move.text),
            bar - visit.first_bar,
        )
    ]
    if not at_end and bar == visit.first_bar:
        return False, visit.section
    if matching:
        rank = max(_rank(move) for move in matching)
        best = [move for move in matching if _rank(move) == rank]
        move = _weighted(best, key.uniform("draw", bar - visit.first_bar))
        return True, None if move.target is None else _named(piece, move.target)
    if not at_end:
        return False, visit.section
    place = piece.sections.index(visit.section)
    return True, piece.sections[min(place + 1, len(piece.sections) - 1)]


def can_end(piece: Piece) -> bool:
    """Whether some move leads to silence."""
    return any(move.target is None for move in piece.moves)


def _rank(move: Move) -> tuple[bool, bool]:
    return move.origin is not None, move.when is not None


def _weighted(moves: list[Move], draw: float) -> Move:
    point = draw * sum(move.weight for move in moves)
    for move in moves:
        point -= move.weight
        if point < 0:
            return move
    return moves[-1]


def _named(piece: Piece, name: str) -> Section:
    return next(section for section in piece.sections if section.name == name)
