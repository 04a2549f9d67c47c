"""A section's lines, sorted once by what they do, so that a bar costs in proportion to its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ...script.piece import (
    Bring,
    Drop,
    Hold,
    Line,
    Play,
    Pool,
    Pulse,
    Renew,
    Rest,
    Section,
    Solo,
    Vary,
)

L = TypeVar("L", bound=Line)
ByPart = Mapping[str, tuple[tuple[L, int], ...]]
"""Of each part, its lines of one kind, each with its place among them in the order of the text."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The lines of a section by kind and part, in the order of the text.

    `renewed`: the parts that draw anew on each visit. `shared`: of each line with a pool, by its subject and
    place, the place of the first of its like with that pool, with which it shares its choices; not of those
    whose pool asks for `never twice`. `first`: those places, by subject and pool.
    """

    brings: ByPart[Bring]
    plays: ByPart[Play]
    rests: ByPart[Rest]
    drops: ByPart[Drop]
    solos: ByPart[Solo]
    holds: ByPart[Hold]
    varies: ByPart[Vary]
    renewed: frozenset[str]
    shared: Mapping[tuple[str, int], int]
    pulses: ByPart[Pulse]
    first: Mapping[tuple[str, str], int]


def sheet(section: Section, pools: Mapping[str, Pool]) -> Sheet:
    """Sort the lines of `section`."""
    placed = placed_lines(section.lines)
    first = _first(placed, pools)
    return Sheet(
        _of(Bring, placed),
        _of(Play, placed),
        _of(Rest, placed),
        _of(Drop, placed),
        _of(Solo, placed),
        _of(Hold, placed),
        _of(Vary, placed),
        frozenset(_of(Renew, placed)),
        {
            (subject(line), place): first[subject(line), line.pool]
            for line, place in placed
            if isinstance(line, Bring | Play) and (subject(line), line.pool) in first
        },
        _of(Pulse, placed),
        first,
    )


def subject(line: Line) -> str:
    """The kind of a line and its first part, by which its draws are keyed."""
    return f"{type(line).__name__.lower()} {line.part}"


def placed_lines(lines: Iterable[Line]) -> list[tuple[Line, int]]:
    """Each line of a section with its place among those of the same kind and part."""
    seen = Counter[str]()
    placed: list[tuple[Line, int]] = []
    for line in lines:
        placed.append((line, seen[subject(line)]))
        seen[subject(line)] += 1
    return placed


def _of(kind: type[L], placed: list[tuple[Line, int]]) -> ByPart[L]:
    parts: dict[str, list[tuple[L, int]]] = {}
    for line, place in placed:
        if isinstance(line, kind):
            for part in line.parts:
                parts.setdefault(part, []).append((line, place))
    return {part: tuple(lines) for part, lines in parts.items()}


def _first(placed: list[tuple[Line, int]], pools: Mapping[str, Pool]) -> dict[tuple[str, str], int]:
    first: dict[tuple[str, str], int] = {}
    for line, place in placed:
        if isinstance(line, Bring | Play) and pools[line.pool].never_twice_bars is None:
            first.setdefault((subject(line), line.pool), place)
    return first
