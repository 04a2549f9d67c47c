"""The choices that a session makes once: its piece, tempo and key, and which stems may sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from ...ground.uses import USES
from ...script.piece import Bring, Key, Piece, Play
from ...script.problems import counted
from ...vault.catalogue.snapshot import Snapshot
from ...vault.records import Stem
from ..clock import BarClock
from ..errors import EngineError, NothingCleared, UseRefused
from .eligible import Eligible, columns, eligible, key_counts, sounding_chroma
from .sheet import Sheet, sheet
from .tempo_and_key import candidates, choose_tempo, shift_of


@dataclass(frozen=True)
class Score:
    """The piece of a session, its clock and key, and who may sound."""

    piece: Piece
    use: str
    seed: int
    clock: BarClock
    key: Key | None
    snapshot: Snapshot
    pools: Mapping[str, Eligible]
    stems: Mapping[str, Stem]
    """Every stem of the pools, by id."""
    starts_clean: Callable[[str], bool] = lambda stem: False
    """Whether a stem's first frames are quiet enough to begin without a fade."""

    def with_snapshot(self, snapshot: Snapshot, at: str) -> Score:
        """The same session over changed stems and consents: tempo and key stay."""
        cleared = candidates(self.piece, snapshot, self.use, at)
        pools = _eligible(self.piece, snapshot, self.use, cleared, self.clock, self.key)
        return replace(self, snapshot=snapshot, pools=pools, stems=_stems(pools))

    @cached_property
    def next_expiry(self) -> str | None:
        """The earliest time at which a consent of some stem here runs out; None when none does."""
        stems = self.snapshot.stems
        ends = (stems.first_end(self.use, among.places) for among in self.pools.values())
        return min((end for end in ends if end is not None), default=None)

    @cached_property
    def sheets(self) -> Mapping[str, Sheet]:
        """The sections' lines, ordered for composing, by section name."""
        return {section.name: sheet(section) for section in self.piece.sections}

    def shift(self, pool: str, stem: Stem) -> int:
        """Semitones that bring a stem of a pool to the session's key."""
        asked = pool, stem.stem
        if asked not in self._shifts:
            self._shifts[asked] = shift_of(stem, self.piece.pools[pool], self.key) or 0
        return self._shifts[asked]

    def chroma(self, stem: Stem, semitones: int) -> NDArray[np.float64]:
        """A stem's chroma, (bars, 12), as it sounds when it is shifted."""
        asked = stem.stem, semitones
        if asked not in self._chroma:
            self._chroma[asked] = sounding_chroma(stem, semitones)
        return self._chroma[asked]

    def fresh_pools(self, stem: str) -> Mapping[str, Eligible]:
        """The pools that prefer fresh and hold the stem."""
        if stem not in self._fresh_of:
            fresh = ((name, self.pools[name]) for name, pool in self.piece.pools.items() if pool.prefer_fresh)
            self._fresh_of[stem] = {name: among for name, among in fresh if among.find(stem) is not None}
        return self._fresh_of[stem]

    @cached_property
    def _fresh_of(self) -> dict[str, Mapping[str, Eligible]]:
        return {}

    @cached_property
    def _shifts(self) -> dict[tuple[str, str], int]:
        return {}

    @cached_property
    def _chroma(self) -> dict[tuple[str, int], NDArray[np.float64]]:
        return {}

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Every part that some line brings or plays, in the order of the text."""
        return tuple(dict.fromkeys(p for s in self.sheets.values() for p in (*s.brings, *s.plays)))

    @cached_property
    def ducked_under(self) -> tuple[str, ...]:
        """The parts under which some line ducks, in the order of the text."""
        lines = [line for s in self.piece.sections for line in s.lines if isinstance(line, Bring | Play)]
        effects = [line.effects for line in [*lines, *self.piece.stings.values()]]
        return tuple(dict.fromkeys(each.duck.under for each in effects if each.duck is not None))

    @cached_property
    def cues(self) -> tuple[str, ...]:
        """Every cue that a move or an event waits for, in the order of the text."""
        moves = (move.cue for move in self.piece.moves if move.cue is not None)
        events = (e.trigger.name for e in self.piece.events if e.trigger.kind == "cue" and e.trigger.name)
        return tuple(dict.fromkeys((*moves, *events)))

    @cached_property
    def fills(self) -> Mapping[str, frozenset[str]]:
        """By section, the parts that wait there for a move to go through them."""
        names = [section.name for section in self.piece.sections]
        found: dict[str, set[str]] = {name: set() for name in names}
        for move in self.piece.moves:
            if move.through is not None:
                for name in names if move.origin is None else [move.origin]:
                    found[name].add(move.through)
        return {name: frozenset(parts) for name, parts in found.items()}


def score(
    piece: Piece,
    snapshot: Snapshot,
    *,
    use: str,
    at: str,
    rate: int,
    seed: int | None = None,
    must_sound: bool = True,
    tempo_bpm: Fraction | None = None,
    key: str | None = None,
) -> Score:
    """Choose tempo and key and gather who may sound.

    `at`: RFC 3339 time at which consents are read. `tempo_bpm` and `key` are chosen when they are left out.
    Raises UseRefused when the script is not for `use`, and with `must_sound` NothingCleared if all pools are
    empty.
    """
    if use not in USES:
        raise UseRefused(f'"{use}" is not a use of sound; the uses are {", ".join(USES)}')
    if use not in piece.uses:
        raise UseRefused(
            f'"{piece.name}" is for {", ".join(piece.uses)}, not for {use}: '
            f"choose one of them with --use, or add {use} after `for` in its first line"
        )
    cleared = candidates(piece, snapshot, use, at)
    tempo = tempo_bpm or choose_tempo(piece, _loops(piece, snapshot, cleared))
    clock = BarClock(tempo, piece.meter, rate)
    named = {each.name: each for each in piece.keys}
    chosen = _key(piece, snapshot, cleared) if key is None else named[key]
    pools = _eligible(piece, snapshot, use, cleared, clock, chosen)
    if must_sound and not any(len(among) for among in pools.values()):
        reasons = "; ".join(f"{name}: {among.reason}" for name, among in pools.items())
        raise NothingCleared(
            f"every pool is empty for {use}, so there is nothing to play ({reasons or 'no pools'})"
        )
    seed = piece.seed if seed is None else _seed(seed)
    return Score(piece, use, seed, clock, chosen, snapshot, pools, _stems(pools))


def _seed(seed: object) -> int:
    """A seed that a ledger's entry can hold, as a whole number of Python's own."""
    number = int(seed) if isinstance(seed, Integral) else -1
    if not 0 <= number < 2**53:
        raise EngineError(f"a seed is a whole number from 0 to 2**53 - 1; {seed!r} is none")
    return number


def _eligible(
    piece: Piece,
    snapshot: Snapshot,
    use: str,
    cleared: Mapping[str, NDArray[np.intp]],
    clock: BarClock,
    key: Key | None,
) -> dict[str, Eligible]:
    result = {}
    for name, places in cleared.items():
        pool = piece.pools[name]
        among = eligible(pool, snapshot, places, clock, key)
        if not len(places):
            matching = snapshot.count(pool.clauses)
            none = f"{counted(matching, 'stem')} {'matches' if matching == 1 else 'match'}"
            none = f"{none}, none is cleared for {use}" if matching else "no stem matches it"
            among = replace(among, reason=none)
        result[name] = among
    return result


def _stems(pools: Mapping[str, Eligible]) -> dict[str, Stem]:
    return {stem.stem: stem for among in pools.values() for stem in among.stems}


def _loops(piece: Piece, snapshot: Snapshot, cleared: Mapping[str, NDArray[np.intp]]) -> NDArray[np.float64]:
    """The tempi of the distinct loops that some pool of loops may bring, in bpm."""
    known = columns(snapshot)
    places = [places for name, places in cleared.items() if not piece.pools[name].hits]
    distinct = np.unique(np.concatenate(places)) if places else np.empty(0, np.intp)
    bpms: NDArray[np.float64] = known.bpm[distinct[known.is_loop[distinct]]]
    return bpms[~np.isnan(bpms)]


def _key(piece: Piece, snapshot: Snapshot, cleared: Mapping[str, NDArray[np.intp]]) -> Key | None:
    """The key of the piece that most candidates of its `fits` pools fit as they are; the first of equals.

    Where none fits any key as it is, those that fit after a shift count.
    """
    if not piece.keys:
        return None
    known = columns(snapshot)
    tonal = [(pool, cleared[name]) for name, pool in piece.pools.items() if pool.key == "fits"]

    def fitting(key: Key) -> tuple[int, int]:
        counts = [key_counts(known, pool, places, key) for pool, places in tonal]
        return sum(count for count, _ in counts), sum(count for _, count in counts)

    return max(piece.keys, key=lambda key: (*fitting(key), -piece.keys.index(key)))
