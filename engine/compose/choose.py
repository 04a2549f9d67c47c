"""The choosing of a stem: who may sound, and who of them does.

Every eligible stem has the same weight, 1, however popular it is. What multiplies it:

    what the pool's `weight` clauses say        x its factor, while its condition holds
    likes and dislikes in this session          x 2 or x 1/2 each, at most three times
    a length that does not divide its span      x 1/2
    each semitone that it must be shifted       x 0.7
    of the same set as something that sounds    x 4
    a tonal stem beside others                  x e^(3 a), a: how well their chords agree, -0.5 to 0.9
    the same where the script names chords      x e^(12 a), these being one of the others

Left out are, in this order and each while another is left: what the line cannot play (always), what has
sounded within `never twice` (always), stems that clash with what sounds, the stem that is to be swapped or
varied or has just sounded, stems of holders above the share cap, of those that this stem would bring above
it, where each hit is a new one those that have had their turn, and, in a pool that prefers fresh, all but the
least heard. One is then drawn by weighted rendezvous (Efraimidis and Spirakis 2006 over `chance.rendezvous`):
the stem with the least -log(u) / weight, u being a number of its own, so that one that is withdrawn changes
only the choices that it had won.

`weigh` does this plainly, for every stem of the pool. In a large pool `choose` gives the same stem as it
without weighing them all, in compiled code: see `scan`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...script.piece import Pool
from ...script.problems import counted
from ...vault.records import Stem
from ..plan import Candidate
from .chance import DrawKey, rendezvous
from .eligible import Eligible
from .form import holds
from .harmony import AGREEMENT_STEEPNESS, CLASH, CONSONANCE, Chords, TonalPart, agreements

SAME_SET = 4.0
ODD_LENGTH = 0.5
MOST_LIKES = 3

_NO_VALUES = np.empty(0)

LARGE = 400
"""Of more stems than this only those that could win are weighed, by compiled code."""


@dataclass(frozen=True)
class Around:
    """The surroundings of a choice.

    `never_twice`: stems that may not come again yet. `capped`: holders above the share cap, and
    `nearly_capped`: those that would be with this stem. `avoid`: the stems that are to give way. `heard`:
    frames that each eligible stem has been placed for, None if that does not count. `liked`: likes of each
    stem less dislikes. `tonal`: the tonal parts that sound, and `sets`: the sets of all that does.
    `span_bars`: what a loop's length should divide. `section_bar`: for the conditions of `weight`.
    `joins_at`: how many bars into its own round a loop is heard first; 0 when it begins at its bar 1.
    `steepness`: weight is e to this times the agreement. `unplayable`: the stems that the line cannot play,
    None if it can play all, and `why_unplayable`.
    `had`: which eligible stems wait until all others have had their turn.
    """

    never_twice: Collection[str] = ()
    capped: Collection[str] = ()
    nearly_capped: Collection[str] = ()
    avoid: Collection[str] = ()
    heard: NDArray[np.int64] | None = None
    liked: Mapping[str, int] = field(default_factory=dict)
    tonal: Sequence[TonalPart] = ()
    sets: Collection[str] = ()
    span_bars: int | None = None
    dials: Mapping[str, float] = field(default_factory=dict)
    section_bar: int = 0
    joins_at: int = 0
    steepness: float = AGREEMENT_STEEPNESS
    unplayable: NDArray[np.bool_] | None = None
    why_unplayable: str = ""
    had: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Weighed:
    """The weight of every eligible stem, and why some are left out."""

    weights: NDArray[np.float64]
    agreement: NDArray[np.float64]
    """NaN where chords do not count."""
    left: NDArray[np.bool_]
    steps: Sequence[tuple[str, NDArray[np.bool_]]]
    """Each reason, and the stems that were left out for it."""


def choose(pool: Pool, among: Eligible, key: DrawKey, index: int, around: Around) -> Stem | None:
    """One of the eligible stems, or None when every one has sounded within `never twice`."""
    bits = key.bits("choose", index)
    if len(among) > LARGE:
        left, _ = _leave_out(pool, among, around, None)
        if not left.any():
            return None
        best = _scanned(among, bits, left, _Factors(pool, among, key, around), around)
        if best >= 0:
            return among.stem(best)
        # All of these clash. Some that do not may have been left out for another reason.
    weighed = weigh(pool, among, key, around)
    places = np.flatnonzero(weighed.left)
    if not len(places):
        return None
    ranks = -np.log(rendezvous(among.keys[places], bits)) / weighed.weights[places]
    return among.stem(int(places[np.argmin(ranks)]))


def candidates(pool: Pool, among: Eligible, key: DrawKey, around: Around) -> tuple[Candidate, ...]:
    """The candidates of `choose`, heaviest first and those left out last, with the reasons."""
    factors = _Factors(pool, among, key, around)
    weighed = weigh(pool, among, key, around)
    multiplied: dict[str, NDArray[np.float64]] = {}
    for name, which, by in _multipliers(among, factors, around):
        multiplied.setdefault(name, np.ones(len(among)))[which] *= by
    multiplied["chords"] = np.exp(around.steepness * np.nan_to_num(weighed.agreement))
    found = []
    for place, stem in enumerate(among.stems):
        why = next((reason for reason, out in weighed.steps if out[place]), None)
        agreement = float(weighed.agreement[place])
        told = ((name, float(factor[place])) for name, factor in multiplied.items())
        found.append(
            Candidate(
                stem.stem,
                stem.title,
                float(weighed.weights[place]),
                None if np.isnan(agreement) else agreement,
                why,
                tuple((name, factor) for name, factor in told if factor != 1.0),
            )
        )
    return tuple(sorted(found, key=lambda c: (c.excluded is not None, -c.weight, c.title, c.stem)))


def weigh(pool: Pool, among: Eligible, key: DrawKey, around: Around) -> Weighed:
    """Weigh all eligible stems and leave out those that must not or need not be taken."""
    weights, agreement = _weights(among, _Factors(pool, among, key, around), around)
    left, steps = _leave_out(pool, among, around, agreement)
    return Weighed(weights, agreement, left, steps)


def clashes(among: Eligible, place: int, around: Around) -> bool:
    """Whether one of the stems clashes with what sounds."""
    for bars in among.tonal.lengths if around.tonal else ():
        these, chroma = among.tonal.of(np.array([place]), bars)
        if these.size:
            values = Chords(around.tonal).values(bars, around.joins_at)
            return bool(agreements(chroma, values)[0] < CLASH)
    return False


def weights_held(pool: Pool, key: DrawKey, around: Around) -> list[int]:
    """Which of the pool's weights count in a choice."""
    held = []
    for number, weight in enumerate(pool.weights):
        condition = DrawKey(key.seed, key.section, key.occurrence, f"weight {number} of {pool.name}")
        if holds(weight.when, around.dials, condition, around.section_bar):
            held.append(number)
    return held


class _Factors:
    """The factors of the weights in one choice.

    `held`: which of the pool's weights count now, with their factors. `sets`: which set codes sound. `liked`:
    places with a like or dislike, in order, and `likes`, their factors. `chords`: of what sounds, None if
    they do not count; its `values` are needed by the length of a stem in bars.
    """

    def __init__(self, pool: Pool, among: Eligible, key: DrawKey, around: Around) -> None:
        self.held = weights_held(pool, key, around)
        self.factors = np.array([pool.weights[number].factor for number in self.held], np.float64)
        self.sets = among.sounding(around.sets)
        liked = {place: n for stem, n in around.liked.items() if (place := among.find(stem)) is not None}
        self.liked = np.array(sorted(liked), np.intp)
        likes = [2.0 ** max(-MOST_LIKES, min(liked[place], MOST_LIKES)) for place in sorted(liked)]
        self.likes = np.array(likes, np.float64)
        tonal = around.tonal and among.tonal.lengths
        self.chords = Chords(around.tonal) if tonal else None
        self.steepness = around.steepness

    def greatest(self, values: Sequence[NDArray[np.float64]]) -> float:
        """An upper bound of the weights. `values`: of the chords, (bars * 12,) for each length of a stem."""
        most = math.prod(max(factor, 1.0) for factor in self.factors.tolist())
        most *= float(max([1.0, *self.likes.tolist()]))
        if self.sets.any():
            most *= SAME_SET
        if values:
            agreement = max(float(each.reshape(-1, 12).max(axis=1).sum()) for each in values)
            # The chroma's rows sum to 1 only as nearly as float32 has it.
            most *= float(np.exp(self.steepness * (max(0.0, agreement) + 1e-4)))
        return most


def _multipliers(
    among: Eligible, factors: _Factors, around: Around
) -> Iterator[tuple[str, Any, NDArray[np.float64] | float]]:
    """The factors of the weights without the agreement: a name, an index of the stems, a factor."""
    yield "shift", slice(None), among.base
    for number, factor in zip(factors.held, factors.factors.tolist(), strict=True):
        yield "weight", among.masks[number], factor
    yield "same set", factors.sets[among.set], SAME_SET
    yield "likes", factors.liked, factors.likes
    if around.span_bars is not None:
        times = around.span_bars / among.bars
        yield "length", np.abs(times - np.round(times)) > 1e-9, ODD_LENGTH


def _weights(
    among: Eligible, factors: _Factors, around: Around
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and agreements of all stems; NaN where chords do not count."""
    weights = np.ones(len(among))
    for _, which, by in _multipliers(among, factors, around):
        weights[which] *= by
    agreement = np.full(len(among), np.nan)
    if factors.chords is not None:
        for bars in among.tonal.lengths:
            these, chroma = among.tonal.of(np.arange(len(among)), bars)
            agreement[these] = agreements(chroma, factors.chords.values(bars, around.joins_at))
    weights *= np.exp(around.steepness * np.nan_to_num(agreement))
    return weights, agreement


def _scanned(among: Eligible, bits: int, left: NDArray[np.bool_], factors: _Factors, around: Around) -> int:
    """The place of the stem that `weigh` would take of those left, -1 if all of them clash."""
    # Only here: a check of small pools need not wait for the compiler to load.
    from .scan import folded, heaviest

    lengths, chords, values = among.tonal.lengths, factors.chords, list[NDArray[np.float64]]()
    start = among.tonal.no_values
    if chords is not None:
        together, parts = chords.together, len(around.tonal)
        for bars in lengths:
            if together is not None and not around.joins_at:
                values.append(folded(together, parts, bars, CONSONANCE))
            else:
                values.append(chords.values(bars, around.joins_at).ravel())
        start = among.tonal.value_start
    tonal = among.tonal.flat, among.tonal.offset, among.tonal.length
    return int(
        heaviest(
            np.uint64(bits),
            left,
            factors.greatest(values),
            around.span_bars or 0,
            (among.keys, among.base, among.bars, among.set),
            (among.masks[factors.held], factors.factors),
            factors.sets,
            (factors.liked, factors.likes),
            (*tonal, np.concatenate(values) if values else _NO_VALUES, start),
            (ODD_LENGTH, SAME_SET, around.steepness, CLASH),
        )
    )


def _leave_out(
    pool: Pool, among: Eligible, around: Around, agreement: NDArray[np.float64] | None
) -> tuple[NDArray[np.bool_], list[tuple[str, NDArray[np.bool_]]]]:
    """Who is left, and who was left out for which reason. Without `agreement` none is for a clash."""
    left = np.ones(len(among), np.bool_)
    steps: list[tuple[str, NDArray[np.bool_]]] = []

    def leave_out(out: NDArray[np.bool_], reason: str, *, always: bool = False) -> None:
        nonlocal left
        kept = left & ~out
        if always or kept.any():
            steps.append((reason, left & out))
            left = kept

    if around.unplayable is not None:
        leave_out(around.unplayable, around.why_unplayable, always=True)
    if around.never_twice:
        leave_out(_flags(among, around.never_twice), too_soon(pool), always=True)
    if agreement is not None and around.tonal:
        clashing = " and ".join(f'{part.name} "{part.title}"' for part in around.tonal)
        leave_out(agreement < CLASH, f"it clashes with {clashing}")
    if around.avoid:
        leave_out(_flags(among, around.avoid), "it is the one to change")
    for holders, reason in ((around.capped, "is"), (around.nearly_capped, "would be")):
        if holders:
            # All at once: one holder after another would leave the last of them, when all are above the cap.
            leave_out(among.of_holders(holders), f"its holder {reason} above the share cap")
    if around.had is not None:
        leave_out(around.had, "others have not had their turn")
    if around.heard is not None and left.any():
        least = np.where(left, around.heard, np.iinfo(np.int64).max).min()
        leave_out(around.heard > least, "others have been heard less")
    return left, steps


def too_soon(pool: Pool) -> str:
    """The reason why a stem may not sound again yet."""
    return f"sounded within {counted(pool.never_twice_bars or 0, 'bar')}"


def _flags(among: Eligible, stems: Collection[str]) -> NDArray[np.bool_]:
    flags = np.zeros(len(among), np.bool_)
    flags[among.at(stems)] = True
    return flags
