"""What the checker asks of a vault: a small protocol, so that this room imports none of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from .piece import Clause


class Catalogue(Protocol):
    """The stems there are, at one moment."""

    @property
    def roles(self) -> Collection[str]:
        """Roles that the engine knows, and those that some stem has."""

    @property
    def holders(self) -> Collection[str]:
        """Ids and names of the rights-holders."""

    def holder_id(self, holder: str) -> str:
        """The id of a holder by id or name."""

    def count(self, clauses: Sequence[Clause], use: str | None = None) -> int:
        """How many stems hold to all `clauses` (and are cleared for `use` now)."""
