"""The stems of one moment, laid out in columns, so that a large vault opens at once and changes at once.

The declared and measured facts of a stem do not change while it is in the vault, and consecutive snapshots
share them; only consents differ from one to the next. A `Stem` is made when somebody asks for it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from ...ledger.entries.entries import Extent
from ..records import STRETCH_ALONE, Clearance, Stem, chroma_bytes

FIELDS = tuple(field.name for field in fields(Stem) if field.name != "clearances")
"""The fields of a stem that never change, in their order."""
NEVER, FOR_EVER = 0, 2**63 - 1
"""The ends of consents for a use that is not cleared, and for a consent without an end."""
Listen = Callable[[str, int, int, str], tuple[int, ...]]
"""Gives the frames at which the hits of a stem begin, by its id, channels, frames and grid."""
_UNHASHED = {"pcm_sha256", "title", "chroma", "peak_frame", "meter", "song", "grid"}
_HASHED = tuple(name for name in FIELDS if name not in _UNHASHED)
_NO_CLEARANCE = bytes(32)


class Facts:
    """A column for each of `FIELDS`, all in the order of the stems' ids."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], listen: Listen | None = None) -> None:
        self._listen = listen
        self._onsets: dict[str, tuple[int, ...]] = {}
        self._columns = {name: columns[name] for name in FIELDS}
        self._words: dict[str, Words] = {}
        self._numbers: dict[str, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self._columns["stem"])

    def __getitem__(self, field: str) -> Sequence[Any]:
        return self._columns[field]

    def row(self, place: int) -> dict[str, Any]:
        """The fields of one stem, by name."""
        return {name: column[place] for name, column in self._columns.items()}

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The place of each stem, by id."""
        return {stem: place for place, stem in enumerate(self["stem"])}

    def onsets(self, stem: str) -> tuple[int, ...]:
        """Where the hits of a stem begin, in frames; they are looked for when somebody first asks."""
        if stem not in self._onsets:
            place = self.place[stem]
            shape = self["channels"][place], self["frames"][place], self["grid"][place]
            self._onsets[stem] = () if self._listen is None else self._listen(stem, *shape)
        return self._onsets[stem]

    # Columns are indexed when somebody searches them: few scripts search all.

    def words(self, field: str) -> Words:
        """A column of words, or of tuples of words, to search in."""
        if field not in self._words:
            self._words[field] = Words(self[field])
        return self._words[field]

    def numbers(self, field: str) -> NDArray[np.float64]:
        """A column of numbers; NaN, which lies in no range, for stems without one."""
        if field not in self._numbers:
            self._numbers[field] = np.array([_number(value) for value in self[field]], np.float64)
        return self._numbers[field]

    @cached_property
    def digest(self) -> bytes:
        """See `Stems.state_hash`."""
        digest = hashlib.sha256()
        rows = zip(*(self[name] for name in _HASHED), strict=True)
        for row, chroma, meter, song in zip(rows, self["chroma"], self["meter"], self["song"], strict=True):
            line = [str(value) if isinstance(value, Fraction) else value for value in row]
            # Left out for 4/4 and for what is of no song, so that the hashes of older takes stay.
            line += [] if meter == (4, 4) else [meter]
            line += [] if song is None else [song]
            digest.update(_json(line) + b"\n" + chroma_bytes(chroma))
        return digest.digest()

    def only(self, places: Sequence[int]) -> Facts:
        """The stems at `places`, in order."""
        columns = {name: [column[place] for place in places] for name, column in self._columns.items()}
        return Facts(columns, self._listen)


class Clearances:
    """The grants in force. `rows`: stem, use, ledger index, since, until and extent, by stem and use."""

    def __init__(
        self,
        rows: Sequence[tuple[str, str, int, str, str | None, str]],
        changed: Mapping[str, Mapping[str, Clearance]] | None = None,
    ) -> None:
        self._rows = rows
        self._changed = dict(changed or {})

    @cached_property
    def _first(self) -> Mapping[str, int]:
        first: dict[str, int] = {}
        for number, row in enumerate(self._rows):
            first.setdefault(row[0], number)
        return first

    def of(self, stem: str) -> Mapping[str, Clearance]:
        """The clearances of a stem, by use."""
        if stem in self._changed:
            return self._changed[stem]
        found: dict[str, Clearance] = {}
        number = self._first.get(stem, len(self._rows))
        while number < len(self._rows) and self._rows[number][0] == stem:
            found[self._rows[number][1]] = cleared(*self._rows[number][2:])
            number += 1
        return found

    def ends(self, use: str) -> Iterator[tuple[str, str | None]]:
        """The stems that are cleared for a use, with the end of the consent."""
        for stem, of, _, _, until, _ in self._rows:
            if of == use and stem not in self._changed:
                yield stem, until
        for stem, grants in self._changed.items():
            if use in grants:
                yield stem, grants[use].until

    def extents(self, use: str) -> Iterator[tuple[str, frozenset[str]]]:
        """The stems that are cleared for a use, with what their grants allow."""
        for stem, of, _, _, _, allows in self._rows:
            if of == use and stem not in self._changed:
                yield stem, allowed_by(allows)
        for stem, grants in self._changed.items():
            if use in grants:
                yield stem, grants[use].allows

    def stems(self) -> Iterator[str]:
        """The stems that are cleared for some use."""
        yield from (stem for stem in self._first if stem not in self._changed)
        yield from (stem for stem, grants in self._changed.items() if grants)

    def changed(self, stems: Mapping[str, Mapping[str, Clearance]]) -> Clearances:
        """The clearances with those of some stems replaced."""
        return Clearances(self._rows, {**self._changed, **stems})


class Stems(Sequence[Stem]):
    """The stems of one moment, by id. Never changes; may be used from any thread."""

    def __init__(self, facts: Facts, clearances: Clearances) -> None:
        self.facts = facts
        self._clearances = clearances
        self._made: list[Stem | None] = [None] * len(facts)
        self._ends: dict[str, NDArray[np.int64]] = {}
        self._extents: dict[str, NDArray[np.uint8]] = {}
        self._digests: bytes | None = None

    @classmethod
    def of(cls, stems: Iterable[Stem], listen: Listen | None = None) -> Stems:
        """From finished stems, in any order."""
        ordered = sorted(stems, key=lambda stem: stem.stem)
        rows = [
            (stem.stem, use, grant.index, grant.since, grant.until, ",".join(sorted(grant.allows)))
            for stem in ordered
            for use, grant in sorted(stem.clearances.items())
        ]
        facts = Facts({name: [getattr(stem, name) for stem in ordered] for name in FIELDS}, listen)
        made = cls(facts, Clearances(rows))
        made._made = list(ordered)
        return made

    def __len__(self) -> int:
        return len(self.facts)

    @overload
    def __getitem__(self, place: int) -> Stem: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Stem, ...]: ...
    def __getitem__(self, place: int | slice) -> Stem | tuple[Stem, ...]:
        if isinstance(place, slice):
            return tuple(self[each] for each in range(*place.indices(len(self))))
        made = self._made[place]
        if made is None:
            fields = self.facts.row(place)
            made = Stem(**fields, clearances=self._clearances.of(fields["stem"]))
            self._made[place] = made
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Stems({len(self)})"

    def find(self, stem: str) -> Stem:
        """The stem of that whole id. Raises `KeyError`."""
        return self[self.facts.place[stem]]

    def only(self, places: Sequence[int]) -> Stems:
        """The stems at `places`, in order."""
        kept = Stems(self.facts.only(places), self._clearances)
        kept._made = [self._made[place] for place in places]
        return kept

    def with_clearances(self, changed: Mapping[str, Mapping[str, Clearance]]) -> Stems:
        """The same stems with new clearances, by stem and use, for some of them."""
        later = Stems(self.facts, self._clearances.changed(changed))
        later._made = self._made.copy()
        later._ends = {use: ends.copy() for use, ends in self._ends.items()}
        later._extents = {use: extents.copy() for use, extents in self._extents.items()}
        digests = None if self._digests is None else bytearray(self._digests)
        for stem, grants in changed.items():
            place = self.facts.place[stem]
            later._made[place] = None
            for use, ends in later._ends.items():
                ends[place] = _end(grants[use].until) if use in grants else NEVER
            for use, extents in later._extents.items():
                extents[place] = _extent(grants[use].allows if use in grants else frozenset())
            if digests is not None:
                digests[32 * place : 32 * place + 32] = _digest(grants)
        later._digests = None if digests is None else bytes(digests)
        return later

    def ends(self, use: str) -> NDArray[np.int64]:
        """When each stem's consent to a use ends, as `digits`; `NEVER` and `FOR_EVER` besides."""
        if use not in self._ends:
            ends = np.full(len(self), NEVER, dtype=np.int64)
            for stem, until in self._clearances.ends(use):
                # A stem that `only` left out may still have grants.
                if (place := self.facts.place.get(stem)) is not None:
                    ends[place] = _end(until)
            self._ends[use] = ends
        return self._ends[use]

    def allowing(self, use: str, what: str) -> NDArray[np.bool_]:
        """Which stems are cleared for a use by a grant that allows `stretch`, `chop` or `pitch`."""
        if use not in self._extents:
            extents = np.zeros(len(self), np.uint8)
            for stem, allows in self._clearances.extents(use):
                if (place := self.facts.place.get(stem)) is not None:
                    extents[place] = _extent(allows)
            self._extents[use] = extents
        allowing: NDArray[np.bool_] = (self._extents[use] & _extent(frozenset((what,)))) != 0
        return allowing

    def first_end(self, use: str, places: NDArray[np.intp]) -> str | None:
        """The earliest end of the consents to a use at `places`; `None` if none of them ends."""
        if not len(places):
            return None
        first = int(places[np.argmin(self.ends(use)[places])])
        return self[first].clearances[use].until

    @property
    def state_hash(self) -> str:
        """SHA-256 (hex) of everything on which the choice of stems depends.

        Over two parts. First the SHA-256 over, for each stem by id, a line of JSON (id, holder, role, shape,
        frames, channels, bpm as a fraction, beats, key, moods, energy, set, lufs, true peak, sounding frames,
        and the meter if it is not 4/4) and its chroma, float32, little-endian. Then for each stem by id the
        SHA-256 over the JSON of its grants (use, ledger index, since, until, by use; and what they allow, if
        that is not to stretch alone), or 32 zero bytes if nothing is cleared.
        frames, channels, bpm as a fraction, beats, key, moods, energy, set, lufs, true peak, sounding frames;
        and the song, of one that has one) and its chroma, float32, little-endian. Then for each stem by id
        the SHA-256 over the JSON of its grants (use, ledger index, since, until, by use; and what they allow,
        if that is not to stretch alone), or 32 zero bytes if nothing is cleared.
        """
        if self._digests is None:
            digests = bytearray(_NO_CLEARANCE * len(self))
            for stem in self._clearances.stems():
                if (place := self.facts.place.get(stem)) is not None:
                    digests[32 * place : 32 * place + 32] = _digest(self._clearances.of(stem))
            self._digests = bytes(digests)
        return hashlib.sha256(self.facts.digest + self._digests).hexdigest()


class Words:
    """A column of words: the places of the stems that have each word, in any case."""

    def __init__(self, words: Sequence[str | tuple[str, ...] | None]) -> None:
        self._count = len(words)
        lists: defaultdict[str, list[int]] = defaultdict(list)
        for place, of_stem in enumerate(words):
            if isinstance(of_stem, str):
                lists[of_stem].append(place)
            else:
                for word in of_stem or ():
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
def digits(time: str) -> int:
    """The digits of a time as one number: in the one form that times have here, it orders as they do."""
    return int(time[0:4] + time[5:7] + time[8:10] + time[11:13] + time[14:16] + time[17:19] + time[20:23])


def _end(until: str | None) -> int:
    return FOR_EVER if until is None else digits(until)


def _number(value: float | Fraction | None) -> float:
    # By hand: `float` of a Fraction takes three times as long.
    if isinstance(value, Fraction):
        return value.numerator / value.denominator
    return np.nan if value is None else value


def cleared(index: int, since: str, until: str | None, allows: str) -> Clearance:
    """A clearance as the catalogue has it, with what it allows as one text."""
    return Clearance(index, since, until, allowed_by(allows))


@cache
def allowed_by(allows: str) -> frozenset[str]:
    """What a grant allows, from a text joined by commas."""
    return frozenset(allows.split(",")) if allows else frozenset()


@cache
def _extent(allows: frozenset[str]) -> int:
    return sum(1 << place for place, what in enumerate(get_args(Extent)) if what in allows)


def _digest(grants: Mapping[str, Clearance]) -> bytes:
    if not grants:
        return _NO_CLEARANCE
    rows: list[list[object]] = []
    for use, grant in sorted(grants.items()):
        row: list[object] = [use, grant.index, grant.since, grant.until]
        # So that the hashes of vaults from before grants said it stay what they were.
        rows.append(row if grant.allows == STRETCH_ALONE else [*row, sorted(grant.allows)])
    return hashlib.sha256(_json(rows)).digest()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
