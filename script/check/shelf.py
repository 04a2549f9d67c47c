"""A catalogue in memory: for tests, and for checking against stems that are in no vault."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...ground.roles import ROLES
from ..piece import Clause

Value = str | float | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """Stems as mappings of `shape`, `role`, `mood` (several), `energy`, `tempo`, `key`, `holder`, `set` and
    `uses`, those that it is cleared for. What a stem does not say fits no condition.
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

    def count(self, clauses: Sequence[Clause], use: str | None = None) -> int:
        return sum(
            all(_holds(stem.get(c.column), c) for c in clauses)
            and (use is None or use in _several(stem.get("uses")))
            for stem in self.stems
        )


def _holds(value: Value, clause: Clause) -> bool:
    if isinstance(value, int | float):
        held = any(not isinstance(v, str) and v[0] <= value <= v[1] for v in clause.values)
    else:
        held = bool(_several(value) & set(clause.values))
    return held != clause.negated


def _several(value: Value) -> set[object]:
    if value is None or isinstance(value, int | float):
        return set()
    return {value} if isinstance(value, str) else set(value)
