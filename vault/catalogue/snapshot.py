"""All stems at one moment, resident in columns, so that composing never touches the catalogue."""

from __future__ import annotations

import copy
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...ground.roles import ROLES
from ...ground.uses import USES
from ...ledger.entries.entries import Consent
from ..records import Clearance, Holder, Stem
from ..sound.tonality import canonical_key
from .stems import Listen, Stems, digits


class Clause(Protocol):
    """One condition on a stem; the script's `Clause` is one.

    `column`: `shape`, `role`, `mood`, `energy`, `tempo`, `key`, `holder`, `set`, `title` or `song`.
    `values`: alternatives; words, or pairs of numbers (both ends included) for `energy` and `tempo`.
    """

    @property
    def column(self) -> str: ...
    @property
    def values(self) -> Sequence[str | tuple[float, float]]: ...
    @property
    def negated(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """A `Clause` of a search outside a script."""

    column: str
    values: Sequence[str | tuple[float, float]]
    negated: bool = False


class Snapshot:
    """The vault at one moment; it never changes, and may be used from any thread.

    `stems`: ordered by id. `size`: of the ledger at that moment. `time`: of the snapshot, RFC 3339 UTC. Words
    are compared in any case; a holder by id or name. `listen`: gives the onsets of a stem.
    """

    def __init__(
        self,
        stems: Sequence[Stem],
        holders: Sequence[Holder],
        size: int,
        time: str,
        listen: Listen | None = None,
        declared: int = 0,
    ) -> None:
        self.declared = declared
        """The ledger's size up to which declarations of stems hold, see `past.py`."""
        self.stems = stems if isinstance(stems, Stems) else Stems.of(stems, listen)
        self.size = size
        self.time = time
        self._holders = tuple(holders)
        self._names = {holder.holder: holder.name for holder in holders}

    def __len__(self) -> int:
        return len(self.stems)

    def __repr__(self) -> str:
        return f"Snapshot({len(self.stems)} stems of {len(self._holders)} holders, ledger size {self.size})"

    def at_size(self, size: int, time: str) -> Snapshot:
        """The same stems at a later size of the ledger, if no entry in between has changed any."""
        later = copy.copy(self)
        later.size, later.time = size, time
        return later

    def with_clearances(
        self, changed: Mapping[str, Mapping[str, Clearance]], holders: Sequence[Holder], size: int, time: str
    ) -> Snapshot:
        """The same stems at a later size. `changed`: the clearances, by stem and use, that are new."""
        return Snapshot(self.stems.with_clearances(changed), holders, size, time, declared=self.declared)

    def after(self, stated: Iterable[tuple[int, Consent]], size: int) -> Snapshot:
        """The same stems after later statements, each with its index, up to a `size` of the ledger.

        As `projection.py` has it, and without the catalogue, for which another process may make us wait.
        Statements from before the snapshot, and on stems that it does not have, change nothing.
        """
        changed: dict[str, dict[str, Clearance]] = {}
        for index, said in stated:
            if index < self.size or said.stem not in self.stems.facts.place:
                continue
            cleared = changed.setdefault(said.stem, dict(self.stem(said.stem).clearances))
            for use in said.uses:
                cleared.pop(use, None)
                if said.action == "grant":
                    cleared[use] = Clearance(index, said.since, said.until, frozenset(said.extent))
        return self.with_clearances(changed, self._holders, max(size, self.size), self.time)

    def only(self, stems: Container[str]) -> Snapshot:
        """The snapshot of a vault that holds only these stems."""
        kept = [place for place, stem in enumerate(self.stems.facts["stem"]) if stem in stems]
        return Snapshot(self.stems.only(kept), self._holders, self.size, self.time, declared=self.declared)

    def match(
        self, clauses: Sequence[Clause], use: str | None = None, at: str | None = None
    ) -> NDArray[np.intp]:
        """Places in `stems` of those that match all `clauses` and are cleared for `use`.

        `at`: the RFC 3339 time at which consents must be in force; by default the snapshot's own. Raises
        `ValueError` for a column or use that does not exist.
        """
        held = np.ones(len(self.stems), dtype=np.bool_)
        for clause in clauses:
            held &= self._any_of(clause) ^ clause.negated
        if use is not None:
            if use not in USES:
                raise ValueError(f"'{use}' is not a use; there are {', '.join(USES)}")
            held &= self.stems.ends(use) > digits(at or self.time)
        return np.flatnonzero(held)

    def count(self, clauses: Sequence[Clause], use: str | None = None) -> int:
        """The number of stems that match all `clauses` (and are cleared for `use` at the snapshot's time)."""
        return int(self.match(clauses, use).size)

    def stem(self, stem: str) -> Stem:
        """The stem of that whole id. Raises `KeyError`."""
        return self.stems.find(stem)

    def name(self, holder: str) -> str:
        """A holder's name by id. Raises `KeyError`."""
        return self._names[holder]

    @property
    def roles(self) -> Collection[str]:
        """Roles that the engine balances, and those that some stem has."""
        return self._roles

    @property
    def holders(self) -> Collection[str]:
        """Ids and names of the rights-holders."""
        return self._ids.keys()

    def holder_id(self, holder: str) -> str:
        """The id of a holder by id or name. Raises `KeyError`."""
        return self._ids[holder]

    @property
    def titles(self) -> Collection[str]:
        """The titles of the stems."""
        return self.stems.facts["title"]

    @property
    def songs(self) -> Mapping[str, int]:
        """The beats of each song of which there are stems."""
        return self._songs

    @cached_property
    def _songs(self) -> dict[str, int]:
        facts, found = self.stems.facts, dict[str, int]()
        for song, beats in zip(facts["song"], facts["beats"], strict=True):
            if song is not None:
                found[song] = max(found.get(song, 0), beats)
        return found

    @cached_property
    def _roles(self) -> frozenset[str]:
        return frozenset(ROLES).union(self.stems.facts["role"])

    @cached_property
    def _ids(self) -> dict[str, str]:
        return {word: id for id, name in self._names.items() for word in (name, id)}

    @property
    def state_hash(self) -> str:
        """SHA-256 (hex) of all that choosing among the stems depends on; see `Stems.state_hash`."""
        return self.stems.state_hash

    def _any_of(self, clause: Clause) -> NDArray[np.bool_]:
        held = np.zeros(len(self.stems), dtype=np.bool_)
        facts = self.stems.facts
        if clause.column in _WORDS:
            words = facts.words(clause.column)
            for value in clause.values:
                for word in self._searched(clause.column, str(value)):
                    held |= words.has(word)
            return held
        if clause.column not in _NUMBERS:
            raise ValueError(f"'{clause.column}' is not a column of a stem")
        numbers = facts.numbers(_NUMBERS[clause.column])
        for value in clause.values:
            if isinstance(value, str):
                raise ValueError(f"{clause.column} is compared with numbers, not with '{value}'")
            held |= (numbers >= value[0]) & (numbers <= value[1])
        return held

    def _searched(self, column: str, value: str) -> Collection[str]:
        """The words of a column that match the word of a clause."""
        if column == "holder":
            said = value.casefold()
            return [id for id, name in self._names.items() if said in (id.casefold(), name.casefold())]
        return [canonical_key(value) if column == "key" else value]


_WORDS = ("shape", "role", "mood", "key", "holder", "set", "title", "song")
_NUMBERS = {"energy": "energy", "tempo": "bpm"}
"""Fields of a stem, by the name of the column."""
