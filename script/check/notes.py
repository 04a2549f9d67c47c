"""Notes of a pattern's hits: degrees of the key, or the chords."""

from __future__ import annotations

import re
from typing import Literal, cast

from ..piece import Span
from ..pitch import FARTHEST_ST, Degree, Notes
from ..problems import short
from ..text.tree import Name, NotesClause
from .scope import Scope

_WRITTEN = re.compile(r"([b#]?)(1[0-4]|[1-9])([',]*)")
_SIGNS: dict[str, Literal[-1, 0, 1]] = {"b": -1, "": 0, "#": 1}
_DEGREES = (
    "degrees are 1 to 7, and 8 to 14 an octave higher; b or # before one, ' or , after it for an octave"
)


def notes_of(scope: Scope, clause: NotesClause, *, chords: bool, key: bool) -> Notes | None:
    """The notes that a line says, or `None` with a mistake noted.

    `chords`, `key`: whether there are chords and a key where the line stands.
    """
    if clause.degrees is None:
        if not chords:
            message = f"`notes {clause.follow}` follows chords, and there are none here"
            scope.say(
                "E086", clause.span, message, "add them to the head or the section: chords F#m, D, A, E"
            )
            return None
        return Notes(cast(Literal["root", "chord"], clause.follow))
    degrees = _degrees(scope, clause.degrees)
    if degrees and not key:
        message = "degrees count from the note of the key, and there is none here"
        scope.say("E087", clause.span, message, "add one to the head, such as: key D minor")
    return Notes("degrees", degrees) if degrees else None


def _degrees(scope: Scope, text: Name) -> tuple[Degree | None, ...]:
    """The degrees that are written; nothing with a mistake noted."""
    found: list[Degree | None] = []
    for written in re.finditer(r"[^ ]+", text.text):
        column, line = text.span.column + 1 + written.start(), text.span.line
        place, said = Span(line, column, line, column + len(written[0])), short(written[0])
        match = _WRITTEN.fullmatch(written[0])
        if written[0] == ".":
            found.append(None)
            continue
        if match is None:
            scope.say("E084", place, f"`{said}` is not a degree", _DEGREES)
            return ()
        number = int(match[2]) - 1
        octave = number // 7 + match[3].count("'") - match[3].count(",")
        degree = Degree(number % 7, _SIGNS[match[1]], octave)
        if max(abs(degree.above("major")), abs(degree.above("minor"))) > FARTHEST_ST:
            message = (
                f"`{said}` is out of reach: a degree lies within {FARTHEST_ST} semitones of the key's note"
            )
            scope.say(
                "E085",
                place,
                message,
                "a sound that is shifted farther is another one: take a higher or lower hit",
            )
            return ()
        found.append(degree)
    if not any(found):
        said = "these notes are all rests" if found else "there are no notes here"
        scope.say("E084", text.span, said, 'such as: notes "1 . 5 b7"')
        return ()
    return tuple(found)
