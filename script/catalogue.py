"""The questions that the checker asks a vault, which this room does not import; a catalogue in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..ground.roles import ROLES
from .piece import Clause


class Catalogue(Protocol):
    """The stems that there are at one moment."""

    @property
    def roles(self) -> Collection[str]:
        """The roles that the engine knows and those of the stems."""
        ...

    @property
    def holders(self) -> Collection[str]:
        """Ids and names of the rights-holders."""
        ...

    def holder_id(self, holder: str) -> str:
        """The id of a holder by id or name."""
        ...

    @property
    def titles(self) -> Collection[str]:
        """Titles of the stems."""
        ...

    @property
    def songs(self) -> Mapping[str, int]:
        """The beats of each song."""
        ...

    def count(self, clauses: Sequence[Clause], use: str | None = None) -> int:
        """How many stems meet all `clauses` (and are cleared for `use` now)."""
        ...


Value = str | float | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class MemoryCatalogue:
    """A catalogue of stems that are in no vault, for tests and pages.

    A stem maps `shape`, `role`, `mood` (several), `energy`, `tempo`, `key`, `holder`, `set`, `title`,
    `song` with its `beats`, and `uses`, for which it is cleared. A property that a stem does not have meets
    no condition.
    """

    stems: Sequence[Mapping[str, Value]]

    @property
    def roles(self) -> Collection[str]:
        return {*ROLES, *(str(stem["role"]) for stem in self.stems)}

    @property
    def holders(self) -> Collection[str]:
        return {str(stem["holder"]) for stem in self.stems if stem.get("holder")}

    def holder_id(self, holder: str) -> str:
        return holder

    @property
    def titles(self) -> Collection[str]:
        return {str(stem["title"]) for stem in self.stems if stem.get("title")}

    @property
    def songs(self) -> Mapping[str, int]:
        return {str(s["song"]): int(float(str(s["beats"]))) for s in self.stems if s.get("song")}

    def count(self, clauses: Sequence[Clause], use: str | None = None) -> int:
        return sum(
            all(_meets(stem.get(c.column), c) for c in clauses)
            and (use is None or use in _several(stem.get("uses")))
            for stem in self.stems
        )


def _meets(value: Value, clause: Clause) -> bool:
    if isinstance(value, int | float):
        met = any(not isinstance(v, str) and v[0] <= value <= v[1] for v in clause.values)
    else:
        met = bool(_several(value) & {str(word).casefold() for word in clause.values})
    return met != clause.negated


def _several(value: Value) -> set[str]:
    if value is None or isinstance(value, int | float):
        return set()
    return {word.casefold() for word in ((value,) if isinstance(value, str) else value)}
