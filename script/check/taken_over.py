"""Sections that are `as` another: the lines that they take over from it, and those that their own replace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..piece import Bring, Hold, Line, Play, Section
from ..pitch import Progression
from ..problems import short
from ..text.tree import NameClause
from ..words import MOST_NESTING, MOST_TAKEN_OVER
from .scope import Scope

_SOUNDING = Bring, Play, Hold
_MOST_SHOWN = 4


def taken_over(
    scope: Scope, sections: Sequence[Section], clauses: Mapping[str, NameClause]
) -> tuple[Section, ...]:
    """The sections with the lines that they take over; mistakes are noted at their `clauses`."""
    taking = _Taking(scope, {section.name: section for section in sections}, clauses)
    for section in sections:
        taking.complete(section.name)
    return tuple(taking.done[section.name] for section in sections)


@dataclass
class _Taking:
    scope: Scope
    sections: Mapping[str, Section]
    clauses: Mapping[str, NameClause]
    done: dict[str, Section] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)
    lines: int = 0
    """How many lines have been taken over in all."""

    def complete(self, name: str) -> None:
        """Complete a section and all those that it takes from, from the last of them on."""
        way: dict[str, None] = {}
        while name not in self.done and name not in way:
            way[name] = None
            other = self.sections[name].as_section
            if other is None or other not in self.sections:
                break
            name = other
        else:
            if name in way:
                self._circle([*way][[*way].index(name) :])
        for each in reversed(way):
            if each not in self.done:
                self._complete(self.sections[each])

    def _circle(self, names: Sequence[str]) -> None:
        """Note a circle of sections, which then take nothing from each other."""
        first = min(names, key=lambda name: self.clauses[name].span.line)
        at = names.index(first)
        way = [*names[at:], *names[:at], first]
        if len(way) > _MOST_SHOWN:
            way = [*way[:_MOST_SHOWN], "...", first]
        shown = " as ".join(map(short, way))
        message = f"section {short(first)} is as itself: {shown}"
        self.scope.say(
            "E063", self.clauses[first].span, message, "let one of them have lines of its own only"
        )
        for name in names:
            self._alone(self.sections[name])

    def _alone(self, section: Section) -> None:
        self.done[section.name], self.depth[section.name] = replace(section, as_section=None), 0

    def _complete(self, section: Section) -> None:
        other = None if section.as_section is None else self.done.get(section.as_section)
        if other is None:
            self._alone(section)
            return
        place, depth = self.clauses[section.name].span, self.depth[other.name] + 1
        if depth > MOST_NESTING:
            message = f"section {short(section.name)} is the end of a chain of more than {MOST_NESTING} `as`"
            self.scope.say("E010", place, message, "let it be as the first of them")
            self._alone(section)
            return
        lines = _left(other.lines, section.lines)
        before, self.lines = self.lines, self.lines + len(lines)
        if self.lines > MOST_TAKEN_OVER:
            if before <= MOST_TAKEN_OVER:
                message = f"the sections that are `as` others take over more than {MOST_TAKEN_OVER:,} lines"
                self.scope.say("E048", place, message, "visit one section again and again instead")
            self._alone(section)
            return
        longest = other.lengths[-1]
        rounds = (longest,) if section.lengths[-1] > longest else ()
        taken = {other.name: rounds} | {name: (*rounds, *inner) for name, inner in other.taken.items()}
        own_key = section.key is not None or section.key_up_st
        self.done[section.name] = replace(
            section,
            lines=(*lines, *section.lines),
            taken=taken,
            fresh=section.fresh or other.fresh,
            tempo_bpm=section.tempo_bpm or other.tempo_bpm,
            meter=section.meter or other.meter,
            key=section.key if own_key else other.key,
            key_up_st=section.key_up_st if own_key else other.key_up_st,
            chords=section.chords or _chords_of(other, section),
            ramps=section.ramps or (other.ramps if section.lengths == other.lengths else ()),
        )
        self.depth[section.name] = depth


def _chords_of(other: Section, section: Section) -> Progression | None:
    """The chords that are taken over, moved as far as `key up` takes them from where they were written."""
    if other.chords is None or not section.key_up_st or other.key is not None:
        return other.chords
    return other.chords.moved(section.key_up_st - other.key_up_st)


def _left(lines: Iterable[Line], own: Iterable[Line]) -> tuple[Line, ...]:
    """What is left of lines that are taken over: all but the parts for which a section's own lines say else.

    One that makes a part sound replaces all about it; another replaces those of its kind.
    """
    sounding = {part for line in own if isinstance(line, _SOUNDING) for part in line.parts}
    kinds = {(type(line), part) for line in own for part in line.parts}
    left = []
    for line in lines:
        parts = [part for part in line.parts if part not in sounding and (type(line), part) not in kinds]
        if len(parts) == len(line.parts):
            left.append(line)
        elif parts:
            left.append(replace(line, part=parts[0], also=tuple(parts[1:])))
    return tuple(left)
