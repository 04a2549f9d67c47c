"""The records of what happens in a piece on a trigger: events, what they do, and the stings they fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .mixing import Effects
from .terms import Expression, Length, Span


@dataclass(frozen=True, slots=True)
class Boundary:
    """The moment for which something waits: the section's `end`, or the grid of `every` bars or beats.

    Bars are counted from the section's start.
    """

    at: Literal["end", "bars", "beats"]
    every: int = 1


@dataclass(frozen=True, slots=True)
class Sting:
    """A hit of a pool that events fire at the next boundary."""

    name: str
    pool: str
    at: Boundary
    gain: Expression
    pan: Expression
    effects: Effects
    chance: float | None
    one_in: int | None
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Trigger:
    """The cause of an event: `like`, `dislike`, a `cue` by `name`, a condition, or time.

    A condition triggers at the bar line at which it begins to hold; `after` once, `every` again and again.
    """

    kind: Literal["like", "dislike", "cue", "when", "after", "every"]
    name: str | None = None
    when: Expression | None = None
    length: Length | None = None


@dataclass(frozen=True, slots=True)
class SwapPart:
    """Plays another stem of the same line's pool. `part` is `None` for `that role`."""

    part: str | None
    at: Boundary


@dataclass(frozen=True, slots=True)
class HoldPart:
    """Keeps a part's stem. `part` is `None` for `that role`, `for_bars` for the rest of the piece."""

    part: str | None
    for_bars: int | None


@dataclass(frozen=True, slots=True)
class FireSting:
    sting: str


@dataclass(frozen=True, slots=True)
class MoveTo:
    """Moves to a section; `target` is `None` for silence."""

    target: str | None
    at: Boundary


@dataclass(frozen=True, slots=True)
class SetDial:
    dial: str
    value: Expression
    at: Boundary


Action = SwapPart | HoldPart | FireSting | MoveTo | SetDial


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens on a trigger."""

    trigger: Trigger
    action: Action
    text: str
    span: Span
