"""The events that a player tells its host: their names, and what comes with each."""

from __future__ import annotations

from typing import Final, Generic, Literal, NamedTuple, TypeVar, get_args

from ..arguments import shown, word

Event = Literal[
    "bar",
    "section",
    "started",
    "ended",
    "withdrawn",
    "script",
    "refused",
    "xrun",
    "stopped",
    "ledger",
    "device",
    "unready",
    "failed",
    "finished",
]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

MOST_WAITING = 1000
"""How many events wait for a host that is behind; beyond them the oldest of the kind are dropped."""

What = TypeVar("What")


class Happened(NamedTuple, Generic[What]):
    """One event: its name, and what comes with it."""

    event: Event
    what: What


def known_event(event: object) -> Event:
    """The event of that name. Raises ValueError if there is none, TypeError for what is not a name."""
    name = word(event, "the name of an event")
    if name not in EVENTS:
        raise ValueError(f"there is no event {shown(name)}: they are {', '.join(EVENTS)}")
    return name
