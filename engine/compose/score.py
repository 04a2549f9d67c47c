"""The choices that a session makes once: its piece, tempo and key, and which stems may sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...ground.uses import USES
from ...script.piece import Bring, Key, Piece, Play
from ...script.problems import counted
from ...vault.catalogue.snapshot import Snapshot
from ...vault.records import Stem
from ..arguments import seed_number
from ..clock import BarClock
from ..errors import NothingCleared, UseRefused
from .chance import DrawKey
from .eligible import Eligible, columns, eligible, key_counts, sounding_chroma
from .sheet import Sheet, sheet
from .slices import Slice, slices_of
from .tempo_and_key import candidates, choose_tempo, shift_of
from .tuning import PLAIN, Tuning, tuning_of
from .voices import choked

MOST_TUNED = 16
"""How many tunings of a piece are kept; others are worked out again when a section needs them."""


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
    """Every stem that some section may sound, by id."""
    starts_clean: Callable[[str], bool] = lambda stem: False
    """Whether a stem's first frames are quiet enough to begin without a fade."""
    cleared: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)
    """Of each pool, the places in the snapshot of its cleared stems, whether they fit the tempo or not."""
    head: Score | None = None
    """The score of which this is how a section is tuned."""
    gain_db: float = 0.0
    """The master's, decided before the piece plays."""

    def tuned(self, tuning: Tuning) -> Score:
        """The score by which a section is played that has its own tempo, metre or key."""
        head = self.head or self
        if tuning == PLAIN:
            return head
        found = head._tuned.get(tuning)
        if found is None:
            clock, key = tuning.clock(head.clock), tuning.key or head.key
            pools = _eligible(head.piece, head.snapshot, head.use, head.cleared, clock, key, tuning.reaches)
            found = replace(head, clock=clock, key=key, pools=pools, head=head)
            vars(found).update({name: vars(head)[name] for name in _OF_THE_PIECE if name in vars(head)})
            if len(head._tuned) >= MOST_TUNED:
                head._tuned.pop(next(iter(head._tuned)), None)
            head._tuned[tuning] = found
        return found

    @property
    def head_clock(self) -> BarClock:
        """The clock of the piece's head."""
        return (self.head or self).clock

    def with_snapshot(self, snapshot: Snapshot, at: str) -> Score:
        """The same session over changed stems and consents: tempo and key stay."""
        cleared = candidates(self.piece, snapshot, self.use, at)
        pools = _eligible(self.piece, snapshot, self.use, cleared, self.clock, self.key)
        return self._over(snapshot, pools, _stems(self.piece, snapshot, pools, cleared), cleared)

    def over_that_of(self, other: Score) -> Score:
        """The same session over the stems of another whose piece, use, clock and key are the same."""
        return self._over(other.snapshot, other.pools, other.stems, other.cleared)

    def _over(
        self,
        snapshot: Snapshot,
        pools: Mapping[str, Eligible],
        stems: Mapping[str, Stem],
        cleared: Mapping[str, NDArray[np.intp]],
    ) -> Score:
        later = replace(self, snapshot=snapshot, pools=pools, stems=stems, cleared=cleared)
        # What follows from the piece alone is not worked out again, perhaps while somebody waits.
        vars(later).update({name: vars(self)[name] for name in _OF_THE_PIECE if name in vars(self)})
        return later

    @cached_property
    def next_expiry(self) -> str | None:
        """The earliest time at which a consent of some stem here runs out; None when none does."""
        stems = self.snapshot.stems
        ends = (stems.first_end(self.use, among.places) for among in self.pools.values())
        return min((end for end in ends if end is not None), default=None)

    @cached_property
    def sheets(self) -> Mapping[str, Sheet]:
        """The sections' lines, ordered for composing, by section name."""
        return {section.name: sheet(section, self.piece.pools) for section in self.piece.sections}

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

    def slices(self, stem: str) -> tuple[Slice, ...]:
        """The slices of a stem, in order."""
        facts = self.snapshot.stems.facts
        if stem not in self._slices:
            self._slices[stem] = slices_of(facts.onsets(stem), facts["frames"][facts.place[stem]])
        return self._slices[stem]

    def fresh_pools(self, stem: str) -> tuple[str, ...]:
        """The pools that prefer fresh and hold the stem, whatever the tempo and the key."""
        if stem not in self._fresh_of:
            place = self.snapshot.stems.facts.place.get(stem, -1)
            fresh = (name for name, pool in self.piece.pools.items() if pool.prefer_fresh)
            self._fresh_of[stem] = tuple(name for name in fresh if place in self._cleared_places[name])
        return self._fresh_of[stem]

    @cached_property
    def _cleared_places(self) -> Mapping[str, frozenset[int]]:
        return {name: frozenset(places.tolist()) for name, places in self.cleared.items()}

    @cached_property
    def _fresh_of(self) -> dict[str, tuple[str, ...]]:
        return {}

    @cached_property
    def _tuned(self) -> dict[Tuning, Score]:
        return {}

    @cached_property
    def _shifts(self) -> dict[tuple[str, str], int]:
        return {}

    @cached_property
    def _slices(self) -> dict[str, tuple[Slice, ...]]:
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
        ducks = (each.duck for each in effects if each.duck is not None)
        return tuple(dict.fromkeys(part for duck in ducks for part in duck.under))

    @cached_property
    def choked(self) -> Mapping[str, str]:
        """By part, the voice that it shares with others."""
        return choked(self.piece)

    @cached_property
    def cues(self) -> tuple[str, ...]:
        """Every cue that a move or an event waits for, in the order of the text."""
        moves = (move.cue for move in self.piece.moves if move.cue is not None)
        events = (e.trigger.name for e in self.piece.events if e.trigger.kind == "cue" and e.trigger.name)
        return tuple(dict.fromkeys((*moves, *events)))

    @cached_property
    def event_keys(self) -> Mapping[str, DrawKey]:
        """The key of each event's draws, by its text."""
        keys, places = dict[str, DrawKey](), Counter[str]()
        for event in self.piece.events:
            cause = f"on {event.trigger.kind} {event.trigger.name or ''}"
            keys[event.text] = DrawKey(self.seed, "", None, cause, places[cause])
            places[cause] += 1
        return keys

    @cached_property
    def fills(self) -> Mapping[str, frozenset[str]]:
        """By section, the parts that wait there for a move to go through them."""
        names = [section.name for section in self.piece.sections]
        found: dict[str, set[str]] = {name: set() for name in names}
        for move in self.piece.moves:
            if move.through is not None:
                for name in names if move.origin is None else [move.origin]:
                    found[name].add(move.through)
        taken = {section.name: (section.name, *section.taken) for section in self.piece.sections}
        return {name: frozenset(part for each in taken[name] for part in found[each]) for name in names}


_OF_THE_PIECE = ("sheets", "parts", "ducked_under", "choked", "cues", "fills")


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
    tempo = tempo_bpm or choose_tempo(
        piece, _loops(piece, snapshot, cleared), _songs(piece, snapshot, cleared)
    )
    clock = BarClock(tempo, piece.meter, rate)
    named = {each.name: each for each in piece.keys}
    chosen = _key(piece, snapshot, cleared) if key is None else named[key]
    pools = _eligible(piece, snapshot, use, cleared, clock, chosen)
    stems = _stems(piece, snapshot, pools, cleared)
    if must_sound and not stems:
        reasons = "; ".join(f"{name}: {among.reason}" for name, among in pools.items())
        raise NothingCleared(
            f"every pool is empty for {use}, so there is nothing to play ({reasons or 'no pools'})"
        )
    seed = piece.seed if seed is None else seed_number(seed)
    return Score(piece, use, seed, clock, chosen, snapshot, pools, stems, cleared=cleared)


def _eligible(
    piece: Piece,
    snapshot: Snapshot,
    use: str,
    cleared: Mapping[str, NDArray[np.intp]],
    clock: BarClock,
    key: Key | None,
    reaches: Sequence[Fraction] = (),
) -> dict[str, Eligible]:
    result = {}
    for name, places in cleared.items():
        pool = piece.pools[name]
        among = eligible(pool, snapshot, places, clock, key, reaches, use=use)
        if not len(places):
            matching = snapshot.count(pool.clauses)
            none = f"{counted(matching, 'stem')} {'matches' if matching == 1 else 'match'}"
            none = f"{none}, none is cleared for {use}" if matching else "no stem matches it"
            among = replace(among, reason=none)
        result[name] = among
    return result


def _stems(
    piece: Piece,
    snapshot: Snapshot,
    pools: Mapping[str, Eligible],
    cleared: Mapping[str, NDArray[np.intp]],
) -> dict[str, Stem]:
    """Every stem that may sound, by id: where sections have their own tempo or key, all that are cleared."""
    if all(tuning_of(section, None) == PLAIN and not section.key_up_st for section in piece.sections):
        return {stem.stem: stem for among in pools.values() for stem in among.stems}
    found = (snapshot.stems[place] for places in cleared.values() for place in places.tolist())
    return {stem.stem: stem for stem in found}


def _loops(piece: Piece, snapshot: Snapshot, cleared: Mapping[str, NDArray[np.intp]]) -> NDArray[np.float64]:
    """The tempi of the distinct loops that some pool of loops may bring, in bpm."""
    known = columns(snapshot)
    places = [places for name, places in cleared.items() if not piece.pools[name].hits]
    distinct = np.unique(np.concatenate(places)) if places else np.empty(0, np.intp)
    bpms: NDArray[np.float64] = known.bpm[distinct[known.is_loop[distinct]]]
    return bpms[~np.isnan(bpms)]


def _songs(piece: Piece, snapshot: Snapshot, cleared: Mapping[str, NDArray[np.intp]]) -> set[Fraction]:
    """The exact tempi of the songs that some pool brings."""
    bpm = snapshot.stems.facts["bpm"]
    return {bpm[at] for name, places in cleared.items() if piece.pools[name].song for at in places.tolist()}


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
