"""A section's lines, sorted once by what they do, so that a bar costs in proportion to its lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from ...script.piece import Bring, Drop, Hold, Line, Play, Rest, Section, Solo, Vary

L = TypeVar("L", bound=Line)
ByPart = Mapping[str, tuple[tuple[L, int], ...]]
"""Of each part, its lines of one kind, each with its place among the section's lines of the same text."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The lines of a section by kind and part, in the order of the text."""

    brings: ByPart[Bring]
    plays: ByPart[Play]
    rests: ByPart[Rest]
    drops: ByPart[Drop]
    solos: ByPart[Solo]
    holds: ByPart[Hold]
    varies: ByPart[Vary]


def sheet(section: Section) -> Sheet:
    """Sort the lines of `section`."""
    seen: dict[str, int] = {}
    placed: list[tuple[Line, int]] = []
    for line in section.lines:
        place = seen.get(line.text, 0)
        seen[line.text] = place + 1
        placed.append((line, place))
    return Sheet(
        _of(Bring, placed),
        _of(Play, placed),
        _of(Rest, placed),
        _of(Drop, placed),
        _of(Solo, placed),
        _of(Hold, placed),
        _of(Vary, placed),
    )


def _of(kind: type[L], placed: list[tuple[Line, int]]) -> ByPart[L]:
    parts: dict[str, list[tuple[L, int]]] = {}
    for line, place in placed:
        if isinstance(line, kind):
            parts.setdefault(line.part, []).append((line, place))
    return {part: tuple(lines) for part, lines in parts.items()}
