"""Declared beats tag beats name beats heard: what of a file's tags holds, and what is said of the rest.

A tag is a proposal. A tempo or a length of it holds if the sound has it, to 5 ms; what contradicts the
declaration or the sound is said. Nothing of a tag becomes a right: an ISRC is shown, for its holder to enter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ....ground.roles import UNPITCHED_ROLES
from ...errors import BadDeclaration, Refused
from ..declared import COMMON_METER, Meter, Terms, beats_in_bar
from ..detection import Detector, Interpretation, interpret
from .tag import Tags

_SEVERAL = ("tags", "chunks")
_SAME_TEMPO = Fraction(1, 200)


@dataclass(frozen=True, slots=True)
class Understood:
    """A sound as its declaration and its tags have it. `terms`: with what was taken from tags.

    `title`: of its tags, for one that was declared without. `notes`: for its holder.
    """

    found: Interpretation
    terms: Terms
    title: str | None
    notes: tuple[str, ...]


def understood(terms: Terms, tags: Sequence[Tags], ear: Detector, *, accept_tempo: bool) -> Understood:
    """Interpret a sound, with the help of its tags where the declaration leaves something open.

    Raises as `interpret`, for the declaration alone; what contradicts it is said there too.
    """
    declared = terms
    taken: list[str] = []
    notes: list[str] = []
    terms = _with_key(terms, tags, taken, notes)
    found = None
    passed: set[str] = set()
    for grid, source in _open(terms, tags, ear):
        proposed = grid.added_to(terms)
        try:
            found = interpret(proposed, ear, accept_tempo=accept_tempo)
        except (Refused, BadDeclaration):
            timed = declared.bpm is not None or declared.beats is not None
            why = "does not fit what is declared" if timed else "its sound has not"
            notes.append(f"{_says(source)} {grid}, which {why}: passed over")
            passed.add(source)
            continue
        terms = proposed
        taken.append(f"{grid} ({source})")
        break
    if found is None and declared.shape is None and declared.bpm is None and declared.beats is None:
        shot = next((each.source for each in tags if each.one_shot), None)
        if shot is not None and declared.song is None:
            terms = replace(terms, shape="hit")
            taken.append(f"that it is a hit ({shot})")
    notes += _contradictions(declared, terms, [each for each in tags if each.source not in passed])
    if found is None:
        try:
            found = interpret(terms, ear, accept_tempo=accept_tempo)
        except Refused as error:
            raise type(error)("; ".join((str(error), *notes))) from error
    notes += _shown(declared, found, tags, ear)
    title = _first(tags, "title")
    if title is not None and not declared.titled:
        taken.append(f"the title '{title[0]}' ({title[1]})")
    if taken:
        notes.insert(0, f"taken from what the file says of itself: {', '.join(taken)}")
    return Understood(found, terms, None if title is None else title[0], tuple(notes))


def _open(terms: Terms, tags: Sequence[Tags], ear: Detector) -> Iterator[tuple[_Grid, str]]:
    """What tags say of the tempo, the length and the meter of a loop and its declaration does not."""
    if terms.song is not None or terms.shape not in (None, "loop"):
        return
    seen: set[_Grid] = set()
    loop = terms.shape == "loop" or terms.bpm is not None or terms.beats is not None
    for grid, source in _grids(tags, ear, loop=loop):
        rest = grid.beyond(terms)
        if rest is not None and rest not in seen:
            seen.add(rest)
            yield rest, source


def _shown(declared: Terms, found: Interpretation, tags: Sequence[Tags], ear: Detector) -> Iterator[str]:
    """What is said of tags and not taken."""
    isrc, tempo, loop = (_first(tags, what) for what in ("isrc", "bpm", "loop"))
    if isrc is not None and declared.isrc is None:
        yield f"{_says(isrc[1])} the ISRC {isrc[0]}: if it is this recording's, enter it with --isrc"
    elif isrc is not None and declared.isrc != isrc[0]:
        yield f"{_says(isrc[1])} the ISRC {isrc[0]}, and {declared.isrc} is declared"
    flagged = any(each.one_shot for each in tags)
    if tempo is not None and found.shape == "hit" and declared.shape is None and not flagged:
        bpm = f"{float(tempo[0]):g}"
        yield f"{_says(tempo[1])} {bpm} bpm, and it sounds like a hit: if it is a loop, say --bpm {bpm}"
    if loop is not None and not (loop[0][0] == 0 and loop[0][1] >= ear.sound.frames - 1):
        yield f"{_says(loop[1])} a loop from frame {loop[0][0]} to {loop[0][1]}; the whole file is taken"
    for each in tags:
        if each.odd:
            yield f"{_says(each.source)} {', '.join(each.odd)}: passed over"


def _with_key(terms: Terms, tags: Sequence[Tags], taken: list[str], notes: list[str]) -> Terms:
    """The terms with the key of the tags, if they have one and none is declared."""
    key, root = _first(tags, "key"), _first(tags, "root")
    if terms.key is not None:
        return terms
    if key is None:
        if root is not None:
            notes.append(f"{_says(root[1])} the root {root[0]}, and no mode: declare it with --key")
    elif terms.role in UNPITCHED_ROLES:
        notes.append(f"{_says(key[1])} the key {key[0]}; one of role {terms.role} has it only by --key")
    else:
        taken.append(f"the key {key[0]} ({key[1]})")
        return replace(terms, key=key[0])
    return terms


@dataclass(frozen=True, slots=True)
class _Grid:
    bpm: Fraction | None
    beats: int | None
    meter: Meter | None

    def __str__(self) -> str:
        parts = [] if self.bpm is None else [f"{float(self.bpm):g} bpm"]
        parts += [] if self.beats is None else [f"{self.beats} beats"]
        parts += [] if self.meter is None else ["{}/{}".format(*self.meter)]
        return ", ".join(parts)

    def beyond(self, terms: Terms) -> _Grid | None:
        """What it has and the terms have not; `None` if that is nothing, or theirs is another grid."""
        if (self.bpm and terms.bpm and not _same_tempo(self.bpm, terms.bpm)) or (
            self.beats and terms.beats and self.beats != terms.beats
        ):
            return None
        beats = terms.beats or self.beats
        meter = None if terms.meter is not None else self.meter
        if meter is not None and beats is not None and beats % beats_in_bar(meter):
            meter = None
        rest = _Grid(None if terms.bpm else self.bpm, None if terms.beats else self.beats, meter)
        return rest if rest.bpm or rest.beats or (meter or COMMON_METER) != COMMON_METER else None

    def added_to(self, terms: Terms) -> Terms:
        return replace(
            terms,
            bpm=terms.bpm or self.bpm,
            beats=terms.beats or self.beats,
            meter=terms.meter or self.meter,
        )


def _grids(tags: Sequence[Tags], ear: Detector, *, loop: bool) -> Iterator[tuple[_Grid, str]]:
    """What tags say of tempo and length, the surest first. `loop`: it is declared one."""
    for each in tags:
        if each.one_shot and not loop:
            return
        if each.beats is not None:
            yield _Grid(each.bpm, each.beats, each.meter), each.source
            if each.bpm is not None:
                # Its tempo may be that of the song in which it was cut.
                yield _Grid(None, each.beats, each.meter), each.source
        # Many a hit has the tempo of the song that it was made for.
        elif loop or (each.bpm is not None and ear.kind != "hit"):
            yield _Grid(each.bpm, None, each.meter), each.source


def _contradictions(declared: Terms, terms: Terms, tags: Sequence[Tags]) -> Iterator[str]:
    """What tags say against what is declared, and against what is taken from others."""
    said: set[object] = set()

    def against(each: Tags, what: str, own: str, others: str) -> Iterator[str]:
        if (what, own) not in said:
            said.add((what, own))
            how = "declared" if getattr(declared, what) is not None else "taken"
            yield f"{_says(each.source)} {own}, and {others} {how}"

    for each in tags:
        if each.bpm is not None and terms.bpm is not None and not _same_tempo(each.bpm, terms.bpm):
            yield from against(each, "bpm", f"{float(each.bpm):g} bpm", f"{float(terms.bpm):g} are")
        if each.beats is not None and terms.beats is not None and each.beats != terms.beats:
            yield from against(each, "beats", f"{each.beats} beats", f"{terms.beats} are")
        if each.meter is not None and terms.meter is not None and each.meter != terms.meter:
            own, others = ("{}/{}".format(*meter) for meter in (each.meter, terms.meter))
            yield from against(each, "meter", own, f"{others} is")
        if each.key is not None and terms.key is not None and each.key != terms.key:
            yield from against(each, "key", f"the key {each.key}", f"{terms.key} is")


def _same_tempo(one: Fraction, other: Fraction) -> bool:
    """Whether they are equal up to rounding and octaves."""
    return any(abs(one / other * octave - 1) <= _SAME_TEMPO for octave in (1, 2, Fraction(1, 2)))


def _first(tags: Sequence[Tags], what: str) -> tuple[Any, str] | None:
    """The first value of that name, and where it is from."""
    return next(((value, each.source) for each in tags if (value := getattr(each, what)) is not None), None)


def _says(source: str) -> str:
    return f"its {source} {'give' if source in _SEVERAL else 'gives'}"
