"""Bars and beats of a section, as its lines name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..problems import counted
from ..text.tree import Quantity
from .scope import Scope
from .units import Slot, number, written

_BEAT = Slot("beat", plain=True)


@dataclass(frozen=True, slots=True)
class Home:
    """The section of a line: its name in words, its lengths, and the beats of a bar, `None` if not known.

    `chords`, `key`: whether it has some, its own or the piece's.
    """

    name: str
    lengths: Sequence[int] | None
    beats: int | None
    chords: bool
    key: bool


def beat_of(scope: Scope, said: Quantity | None, home: Home) -> Fraction | None:
    """The beat of a bar, from 1; `None` where none is said, or with a mistake noted."""
    beat = None if said is None else number(scope, said, _BEAT)
    if said is None or beat is None:
        return None
    if beat < 1 or (home.beats is not None and beat >= home.beats + 1):
        message = f"beat {written(said)} is outside the bar ({home.beats or 4} beats)"
        scope.say("E034", said.span, message)
        return None
    return beat


def reached(
    scope: Scope, said: Quantity, home: Home, latest: Fraction | int, hint: str | None = None
) -> bool:
    """Whether a section is ever so long that a bar is in it; a doubt is noted if it is not always.

    `said`: the bar as it is written. `latest`: the last bar that must be there.
    """
    if home.lengths is None:
        return True
    if latest > home.lengths[-1]:
        several = len(home.lengths) > 1
        shown = f"{home.lengths[0]}..{home.lengths[-1]} bars" if several else counted(home.lengths[0], "bar")
        scope.say("E034", said.span, f"bar {written(said)} is outside {home.name} ({shown})", hint)
        return False
    if latest > home.lengths[0]:
        message = f"bar {written(said)} is reached only when {home.name} is drawn long enough"
        scope.say("W004", said.span, f"{message} (it may have {counted(home.lengths[0], 'bar')})")
    return True
