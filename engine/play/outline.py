"""What a script offers to hands: its dials, cues, parts, roles and sections, for a host that draws them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from ...ground.roles import ROLES
from ...script.piece import Bring, Dial, DialEffect, DialValue, Piece, Play, SetDial
from ..compose.score import Score


@dataclass(frozen=True, slots=True)
class DialOutline:
    """A dial, from `least` to `most`, both included. `value`: where it stands.

    `effect`: when a turn of it takes effect. `structural`: whether it decides what plays and where the piece
    goes; one that is not moves the mix alone.
    """

    name: str
    least: float
    most: float
    default: float
    value: float
    effect: DialEffect
    structural: bool


@dataclass(frozen=True, slots=True)
class PartOutline:
    """A part, for `like` and `dislike`. `roles`: those that it may play; `sections`: where it has lines."""

    name: str
    roles: tuple[str, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SectionOutline:
    """A section. `bars`: the lengths that it may have, `parts`: those that have lines in it."""

    name: str
    bars: tuple[int, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """All that a script offers, each in the order of its text.

    `cues`: those that `cue` takes. `roles`: the roles with a fader that the script may sound; of the others
    nothing is heard.
    """

    dials: tuple[DialOutline, ...]
    cues: tuple[str, ...]
    parts: tuple[PartOutline, ...]
    roles: tuple[str, ...]
    sections: tuple[SectionOutline, ...]


def outline(score: Score, values: Mapping[str, float]) -> Outline:
    """What the script of `score` offers. `values`: where its dials stand, by name."""
    piece = score.piece
    structural = _structural(piece)
    heard = {name: _roles(score, name) for name in piece.pools}
    sounds = [
        (section.name, line.part, heard[line.pool])
        for section in piece.sections
        for line in section.lines
        if isinstance(line, Bring | Play)
    ]
    stung = {role for sting in piece.stings.values() for role in heard[sting.pool]}
    roles = stung.union(*(roles for *_, roles in sounds))
    return Outline(
        tuple(
            _dial(dial, values.get(dial.name, dial.default), dial.name in structural)
            for dial in piece.dials.values()
        ),
        score.cues,
        tuple(
            PartOutline(
                part,
                tuple(dict.fromkeys(role for _, own, roles in sounds if own == part for role in roles)),
                tuple(dict.fromkeys(section for section, own, _ in sounds if own == part)),
            )
            for part in score.parts
        ),
        tuple(role for role in ROLES if role in roles),
        tuple(
            SectionOutline(
                section.name,
                section.lengths,
                tuple(dict.fromkeys(part for name, part, _ in sounds if name == section.name)),
            )
            for section in piece.sections
        ),
    )


def _dial(dial: Dial, value: float, structural: bool) -> DialOutline:
    return DialOutline(dial.name, dial.lo, dial.hi, dial.default, value, dial.effect, structural)


def _roles(score: Score, pool: str) -> tuple[str, ...]:
    """The roles that a pool names; where it names none, those of the stems that it has."""
    named = score.piece.pools[pool].roles
    return named or tuple(sorted({stem.role for stem in score.pools[pool].stems}))


def _structural(piece: Piece) -> set[str]:
    """The dials in conditions, and those whose values set another dial that is in one."""
    found = set(_dials_of(piece.pools, False))
    for each in (piece.sections, piece.moves, piece.stings, piece.events):
        found.update(_dials_of(each, False))
    sets = [event.action for event in piece.events if isinstance(event.action, SetDial)]
    while more := {name for act in sets if act.dial in found for name in _dials_of(act.value, True)} - found:
        found |= more
    return found


def _dials_of(node: object, condition: bool) -> Iterator[str]:
    """The dials that stand in conditions anywhere below `node`; in all of it if it is a condition itself."""
    if isinstance(node, DialValue):
        if condition:
            yield node.name
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from _dials_of(each, condition)
    elif isinstance(node, tuple):
        for each in node:
            yield from _dials_of(each, condition)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _dials_of(getattr(node, each.name), condition or each.name == "when")
