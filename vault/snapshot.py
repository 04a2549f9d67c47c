"""All stems at one moment, resident as columns, so that composing never touches the catalogue."""

from __future__ import annotations

import copy
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Sequence
from fractions import Fraction
from functools import cache, cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .records import ROLES, USES, Holder, Stem
from .tonality import canonical_key

_NEVER, _FOR_EVER = 0, 2**63 - 1


class Clause(Protocol):
    """One condition on a stem; the script's `Clause` is one.

    `column`: `shape`, `role`, `mood`, `energy`, `tempo`, `key`, `holder` or `set`. `values`: alternatives;
    words, or pairs of numbers (both ends included) for `energy` and `tempo`.
    """

    @property
    def column(self) -> str: ...
    @property
    def values(self) -> Sequence[str | tuple[float, float]]: ...
    @property
    def negated(self) -> bool: ...


class Snapshot:
    """The vault at one moment; it never changes, and may be used from any thread.

    `stems`: by id. `size`: of the ledger it was made of. `time`: when it was made, RFC 3339 UTC. Words are
    compared without regard to case; a holder by id or name.
    """

    def __init__(self, stems: Sequence[Stem], holders: Sequence[Holder], size: int, time: str) -> None:
        self.stems = tuple(sorted(stems, key=lambda stem: stem.stem))
        self.size = size
        self.time = time
        self._holders = tuple(holders)
        self._names = {holder.holder: holder.name for holder in holders}
        # Columns are made when somebody asks for them: a large vault has more of them than a script looks at.
        self._words: dict[str, _Words] = {}
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._until: dict[str, NDArray[np.int64]] = {}

    @cached_property
    def _place(self) -> dict[str, int]:
        return {stem.stem: place for place, stem in enumerate(self.stems)}

    def _words_of(self, column: str) -> _Words | None:
        """A column of words; null if there is none of that name."""
        if column not in self._words:
            read = _WORDS.get(column)
            if column == "holder":
                names = self._names
                self._words[column] = _Words([(s.holder, names.get(s.holder, s.holder)) for s in self.stems])
            elif read is None:
                return None
            else:
                self._words[column] = _Words([read(stem) for stem in self.stems])
        return self._words[column]

    def _numbers_of(self, column: str) -> NDArray[np.float64] | None:
        """A column of numbers; null if there is none of that name."""
        if column not in self._numbers:
            read = _NUMBERS.get(column)
            if read is None:
                return None
            self._numbers[column] = np.array([read(stem) for stem in self.stems], dtype=np.float64)
        return self._numbers[column]

    def __len__(self) -> int:
        return len(self.stems)

    def __repr__(self) -> str:
        return f"Snapshot({len(self.stems)} stems of {len(self._holders)} holders, ledger size {self.size})"

    def at_size(self, size: int, time: str) -> Snapshot:
        """The same stems at a later size of the ledger, when no entry between has changed any."""
        later = copy.copy(self)
        later.size, later.time = size, time
        return later

    def only(self, stems: Container[str]) -> Snapshot:
        """The same, as if the vault held these stems alone."""
        kept = [stem for stem in self.stems if stem.stem in stems]
        return Snapshot(kept, self._holders, self.size, self.time)

    def match(
        self, clauses: Sequence[Clause], use: str | None = None, at: str | None = None
    ) -> NDArray[np.intp]:
        """Places in `stems` of those that hold to all `clauses`, and are cleared for `use`.

        `at`: the RFC 3339 time that counts for consents that end; the snapshot's own when left out. Raises
        `ValueError` for a column or use that does not exist.
        """
        held = np.ones(len(self.stems), dtype=np.bool_)
        for clause in clauses:
            held &= self._any_of(clause) ^ clause.negated
        if use is not None:
            if use not in USES:
                raise ValueError(f"'{use}' is not a use; there are {', '.join(USES)}")
            held &= self._until_of(use) > _digits(at or self.time)
        return np.flatnonzero(held)

    def count(self, clauses: Sequence[Clause], use: str | None = None) -> int:
        """How many stems hold to all `clauses` (and are cleared for `use` when the snapshot was made)."""
        return int(self.match(clauses, use).size)

    def stem(self, stem: str) -> Stem:
        """The stem of that whole id. Raises `KeyError`."""
        return self.stems[self._place[stem]]

    def name(self, holder: str) -> str:
        """A holder's name by id. Raises `KeyError`."""
        return self._names[holder]

    @cached_property
    def roles(self) -> Collection[str]:
        """Roles that the engine balances, and those that some stem has."""
        return frozenset(ROLES) | {stem.role for stem in self.stems}

    @cached_property
    def holders(self) -> Collection[str]:
        """Ids and names of the rights-holders."""
        return frozenset(self._names) | frozenset(self._names.values())

    def holder_id(self, holder: str) -> str:
        """The id of a holder by id or name. Raises `KeyError`."""
        return self._ids[holder]

    @cached_property
    def _ids(self) -> dict[str, str]:
        return {word: id for id, name in self._names.items() for word in (name, id)}

    @cached_property
    def state_hash(self) -> str:
        """SHA-256 (hex) of all that choosing among the stems depends on.

        Over one line of JSON a stem, by id: id, holder, role, shape, frames, channels, bpm (as a fraction),
        beats, key, moods, energy, set, lufs, true peak, sounding frames, chroma, and per use the grant's
        index, start and end.
        """
        digest = hashlib.sha256()
        for s in self.stems:
            clearances = [
                [use, c.index, c.since, c.until] for use, c in sorted(s.clearances.items())
            ]  # fmt: skip
            row = [s.stem, s.holder, s.role, s.shape, s.frames, s.channels,
                   None if s.bpm is None else str(s.bpm), s.beats, s.key, s.mood, s.energy, s.set, s.lufs,
                   s.true_peak_dbtp, s.sounding_frames, tuple(s.chroma), clearances]  # fmt: skip
            digest.update(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")
        return digest.hexdigest()

    def _until_of(self, use: str) -> NDArray[np.int64]:
        """When each stem's consent for a use ends."""
        if use in self._until:
            return self._until[use]
        ends = np.full(len(self.stems), _NEVER, dtype=np.int64)
        for place, stem in enumerate(self.stems):
            clearance = stem.clearances.get(use)
            if clearance is not None:
                ends[place] = _FOR_EVER if clearance.until is None else _digits(clearance.until)
        self._until[use] = ends
        return ends

    def _any_of(self, clause: Clause) -> NDArray[np.bool_]:
        held = np.zeros(len(self.stems), dtype=np.bool_)
        words = self._words_of(clause.column)
        if words is not None:
            for value in clause.values:
                held |= words.has(_canonical(clause.column, str(value)))
            return held
        numbers = self._numbers_of(clause.column)
        if numbers is None:
            raise ValueError(f"'{clause.column}' is not a column of a stem")
        for value in clause.values:
            if isinstance(value, str):
                raise ValueError(f"{clause.column} is compared with numbers, not with '{value}'")
            held |= (numbers >= value[0]) & (numbers <= value[1])
        return held


class _Words:
    """A column of words: the places of the stems that have a word, by word."""

    def __init__(self, words: Sequence[Sequence[str]]) -> None:
        self._count = len(words)
        lists: defaultdict[str, list[int]] = defaultdict(list)
        for place, of_stem in enumerate(words):
            for word in of_stem:
                lists[word].append(place)
        places: defaultdict[str, list[int]] = defaultdict(list)
        for word, where in lists.items():
            places[word.casefold()] += where
        self._places = {word: np.unique(np.array(where, dtype=np.intp)) for word, where in places.items()}

    def has(self, word: str) -> NDArray[np.bool_]:
        flags = np.zeros(self._count, dtype=np.bool_)
        where = self._places.get(word.casefold())
        if where is not None:
            flags[where] = True
        return flags


@cache
def _tempo(bpm: Fraction | None) -> float:
    return np.nan if bpm is None else float(bpm)


_WORDS: dict[str, Callable[[Stem], Sequence[str]]] = {
    "shape": lambda stem: (stem.shape,),
    "role": lambda stem: (stem.role,),
    "mood": lambda stem: stem.mood,
    "key": lambda stem: (stem.key,) if stem.key else (),
    "set": lambda stem: (stem.set,) if stem.set else (),
}
_NUMBERS: dict[str, Callable[[Stem], float]] = {
    "energy": lambda stem: stem.energy,
    # NaN lies in no range: a stem without a tempo is in no tempo's pool.
    "tempo": lambda stem: _tempo(stem.bpm),
}


@cache
def _digits(time: str) -> int:
    """The digits of a time as one number: in the one form that times have here, it orders as they do."""
    return int(time[0:4] + time[5:7] + time[8:10] + time[11:13] + time[14:16] + time[17:19] + time[20:23])


def _canonical(column: str, value: str) -> str:
    return canonical_key(value) if column == "key" else value
