"""The choosing of a stem: who may sound, and who of them does.

Every eligible stem has the same weight, 1, however popular it is. What multiplies it:

    what the pool's `weight` clauses say        x its factor, while its condition holds
    likes and dislikes in this session          x 2 or x 1/2 each, at most three times
    a length that does not divide its span      x 1/2
    each semitone that it must be shifted       x 0.7
    of the same set as something that sounds    x 4
    a tonal stem beside others                  x e^(3 a), a: how well their chords agree, -0.5 to 0.9

Left out are, in this order and each while another is left: what has sounded within `never twice` (always),
stems that clash with what sounds, the stem that is to be swapped or varied, stems of holders above the share
cap, of those that this stem would bring above it, and, in a pool that prefers fresh, all but the least heard.
One is then drawn by weighted rendezvous (Efraimidis and Spirakis 2006 over `chance.rendezvous`): the stem
with the least -log(u) / weight, u being a number of its own, so that one that is withdrawn changes only the
choices that it had won.

`weigh` says this plainly, for every stem of the pool. `choose` gives the same stem as it without weighing
them all, so that a pool of 100 000 is chosen from within a millisecond: see there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..script.piece import Clause, Key, Pool
from ..vault.records import Stem
from ..vault.tonality import canonical_key
from .chance import DrawKey, rendezvous
from .clock import BarClock
from .fit import fit_tempos, shift_of, within_stretch
from .form import holds
from .harmony import AGREEMENT_STEEPNESS, CLASH, TONAL_ROLES, TonalPart, agreements, by_bar, chord_values
from .plan import Candidate

SAME_SET = 4.0
ODD_LENGTH = 0.5
PER_SEMITONE = 0.7
MOST_LIKES = 3

NEAR = 512
"""How many stems are weighed at first. With fewer, more choices need a second look."""
BLOCK = 12_500
"""Stems whose numbers are drawn at a time: all 100 000 at once take three times as long (page faults)."""


@dataclass(frozen=True)
class Eligible:
    """A pool's stems that fit the session: parallel to each other, in order of stem id."""

    stems: tuple[Stem, ...]
    keys: NDArray[np.uint64]
    """The stems' own random keys: see `chance.stem_keys`."""
    shifts: NDArray[np.int8]
    """Semitones that bring each stem to the session's key."""
    bars: NDArray[np.float64]
    """Length of each loop at the session's tempo, in bars; NaN for what has none."""
    reason: str
    """Why it is empty, when it is."""
    masks: tuple[NDArray[np.bool_], ...] = ()
    """Which stems hold to each of the pool's weights."""

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where each stem is, by id."""
        return {stem.stem: place for place, stem in enumerate(self.stems)}

    @cached_property
    def holders(self) -> Mapping[str, NDArray[np.intp]]:
        """Places of each holder's stems."""
        return _places([stem.holder for stem in self.stems])

    @cached_property
    def sets(self) -> Mapping[str, NDArray[np.intp]]:
        """Places of the stems of each set."""
        return _places([stem.set for stem in self.stems])

    @cached_property
    def tonal(self) -> Tonal:
        """The chroma of the tonal stems."""
        return _tonal(self.stems, self.shifts, self.bars)

    def flags(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> NDArray[np.bool_]:
        """True at `places`."""
        flags = np.zeros(len(self.stems), np.bool_)
        flags[places] = True
        return flags

    def at(self, stems: Collection[str]) -> NDArray[np.intp]:
        """Places of those of `stems` that are here."""
        return np.array([self.place[stem] for stem in stems if stem in self.place], np.intp)


@dataclass(frozen=True)
class Tonal:
    """The chroma of a pool's tonal stems, those of one length together.

    `groups`: (stems, bars, 12) each, as the stems sound. `group`, `row`: where each stem of the pool is in
    them; -1 for one that is not tonal.
    """

    groups: tuple[NDArray[np.float32], ...]
    group: NDArray[np.intp]
    row: NDArray[np.intp]


@dataclass(frozen=True)
class Around:
    """What a choice is made beside.

    `never_twice`: stems that may not come again yet. `capped`: holders above the share cap, and
    `nearly_capped`: those that would be with this stem. `avoid`: the stem that is to give way. `heard`:
    frames that each stem has been placed for. `liked`: likes of each stem less dislikes. `tonal`: the tonal
    parts that sound, and `sets`: the sets of all that does. `span_bars`: what a loop's length should divide.
    `section_bar`: for the conditions of `weight`. `joins_at`: how many bars into its own round a loop is
    heard first; 0 when it begins at its bar 1.
    """

    never_twice: Collection[str] = ()
    capped: Collection[str] = ()
    nearly_capped: Collection[str] = ()
    avoid: str | None = None
    heard: Mapping[str, int] = field(default_factory=dict)
    liked: Mapping[str, int] = field(default_factory=dict)
    tonal: Sequence[TonalPart] = ()
    sets: Collection[str] = ()
    span_bars: int | None = None
    dials: Mapping[str, float] = field(default_factory=dict)
    section_bar: int = 0
    joins_at: int = 0


@dataclass(frozen=True)
class Weighed:
    """The weight of every eligible stem, and why some are left out."""

    weights: NDArray[np.float64]
    agreement: NDArray[np.float64]
    """NaN where it does not count."""
    left: NDArray[np.bool_]
    steps: Sequence[tuple[str, NDArray[np.bool_]]]
    """Why, and which stems were left out for it."""


def eligible(
    pool: Pool,
    cleared: Sequence[Stem],
    keys: NDArray[np.uint64],
    clock: BarClock,
    key: Key | None,
    name: Callable[[str], str] | None = None,
) -> Eligible:
    """Those of the pool's cleared stems whose tempo and key fit.

    `name`: of a holder by id, for weights that name one. All that choosing looks up is laid out here, before
    the first bar and not in it.
    """
    bpms = np.array([_bpm(stem) for stem in cleared], np.float64)
    readings, stretches = fit_tempos(bpms, clock.tempo_bpm)
    stiff = np.array([pool.hits or stem.shape != "loop" for stem in cleared], np.bool_)
    stretched = np.flatnonzero(stiff | within_stretch(stretches, pool.max_stretch)).tolist()
    # As few as there are keys, roles and shapes: 100 000 stems ask the same hundred questions.
    asked: dict[tuple[str | None, str, str], int | None] = {}
    shifts: dict[int, int] = {}
    for i in stretched:
        question = (cleared[i].key, cleared[i].role, cleared[i].shape)
        if question not in asked:
            asked[question] = shift_of(cleared[i], pool, key)
        shift = asked[question]
        if shift is not None:
            shifts[i] = shift
    if not cleared:
        reason = "no stem is cleared"
    elif not stretched:
        tempo = f"{float(clock.tempo_bpm):g} bpm"
        which = (
            f"none of {len(cleared)} stems stretches" if len(cleared) > 1 else "its one stem does not stretch"
        )
        reason = f"{which} to {tempo} within {pool.max_stretch:.0%}"
    elif not shifts:
        unknown = sum(cleared[i].key is None for i in stretched)
        many = len(stretched) > 1
        which = f"none of {len(stretched)} stems fits" if many else "its one stem does not fit"
        reason = f"{which} {key.name if key else 'by key'}"
        reason += f" ({unknown} of unknown key)" if unknown else ""
    else:
        reason = ""
    fitting = list(shifts)
    stems = tuple(cleared[i] for i in fitting)
    beats = np.array([stem.beats if stem.shape == "loop" and stem.beats else np.nan for stem in stems])
    among = Eligible(
        stems,
        keys[fitting],
        np.array(list(shifts.values()), np.int8),
        beats.astype(np.float64) * readings[fitting] / clock.beats_per_bar,
        reason,
        tuple(_mask(stems, weight.clause, name) for weight in pool.weights),
    )
    _ = among.place, among.holders, among.sets, among.tonal
    return among


def choose(pool: Pool, among: Eligible, key: DrawKey, index: int, around: Around) -> Stem | None:
    """One of the eligible stems, or null when every one has sounded within `never twice`.

    The stem with the least -log(u) / weight is nearly always one of those with the greatest u, so only they
    are weighed. That it is one is then certain if no other could be less even at the greatest weight that
    there is here; else more are looked at.
    """
    left, _ = _leave_out(pool, among, around, None)
    count = int(np.count_nonzero(left))
    if not count:
        return None
    bits = key.bits("choose", index)
    factors = _Factors(pool, among, key, around)
    near = NEAR
    while True:
        least = 1 - near / count
        places, draws = _near(among.keys, left, count, bits, least)
        weights, agreement = factors.of(places)
        fit = ~(agreement < CLASH)
        if fit.any():
            ranks = -np.log(draws[fit]) / weights[fit]
            best = int(np.argmin(ranks))
            if least <= 0 or ranks[best] < -np.log(least) / factors.greatest:
                return among.stems[int(places[fit][best])]
        elif least <= 0:
            break
        near *= 16
    # All of these clash. Some that do not may have been left out for another reason.
    places = np.flatnonzero(weigh(pool, among, key, around).left)
    weights, _ = factors.of(places)
    ranks = -np.log(rendezvous(among.keys[places], bits)) / weights
    return among.stems[int(places[np.argmin(ranks)])]


def candidates(pool: Pool, among: Eligible, key: DrawKey, around: Around) -> tuple[Candidate, ...]:
    """What `choose` chooses among, heaviest first and those left out last, with the reasons."""
    weighed = weigh(pool, among, key, around)
    found = []
    for place, stem in enumerate(among.stems):
        why = next((reason for reason, out in weighed.steps if out[place]), None)
        agreement = float(weighed.agreement[place])
        found.append(
            Candidate(
                stem.stem,
                stem.title,
                float(weighed.weights[place]),
                None if np.isnan(agreement) else agreement,
                why,
            )
        )
    return tuple(sorted(found, key=lambda c: (c.excluded is not None, -c.weight, c.title, c.stem)))


def weigh(pool: Pool, among: Eligible, key: DrawKey, around: Around) -> Weighed:
    """Weigh all eligible stems and leave out those that must not or need not be taken."""
    weights, agreement = _Factors(pool, among, key, around).of(np.arange(len(among.stems)))
    left, steps = _leave_out(pool, among, around, agreement)
    return Weighed(weights, agreement, left, steps)


class _Factors:
    """What multiplies the weights in one choice. `greatest`: a weight that no stem is above."""

    def __init__(self, pool: Pool, among: Eligible, key: DrawKey, around: Around) -> None:
        self._among, self._around = among, around
        self.greatest = 1.0
        self._masks: list[tuple[float, NDArray[np.bool_]]] = []
        for number, (weight, mask) in enumerate(zip(pool.weights, among.masks, strict=True)):
            condition = DrawKey(key.seed, key.section, key.occurrence, f"weight {number} of {pool.name}")
            if holds(weight.when, around.dials, condition, around.section_bar):
                self._masks.append((weight.factor, mask))
                self.greatest *= max(1.0, weight.factor)
        together = [among.sets[name] for name in around.sets if name in among.sets]
        if together:
            self._masks.append((SAME_SET, among.flags(np.concatenate(together))))
            self.greatest *= SAME_SET
        liked = {place: n for stem, n in around.liked.items() if (place := among.place.get(stem)) is not None}
        for likes in sorted(set(liked.values())):
            places = np.array([place for place, number in liked.items() if number == likes], np.intp)
            self._masks.append((2.0 ** max(-MOST_LIKES, min(MOST_LIKES, likes)), among.flags(places)))
        if liked:
            self.greatest *= 2.0**MOST_LIKES
        self._chords: list[NDArray[np.float64]] = []
        if around.tonal:
            lengths = (group.shape[1] for group in among.tonal.groups)
            self._chords = [chord_values(around.tonal, bars, around.joins_at) for bars in lengths]
        if self._chords:
            most = max(float(values.max(axis=1).sum()) for values in self._chords)
            # The chroma's rows sum to 1 only as nearly as float32 has it.
            self.greatest *= float(np.exp(AGREEMENT_STEEPNESS * (max(0.0, most) + 1e-4)))

    def of(self, places: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights and agreements of the stems at `places`, which are in order."""
        among, around = self._among, self._around
        weights = np.power(PER_SEMITONE, np.abs(among.shifts[places].astype(np.float64)))
        for factor, mask in self._masks:
            weights[mask[places]] *= factor
        if around.span_bars is not None:
            times = around.span_bars / among.bars[places]
            weights[np.abs(times - np.round(times)) > 1e-9] *= ODD_LENGTH
        agreement = np.full(len(places), np.nan)
        for number, values in enumerate(self._chords):
            these = among.tonal.group[places] == number
            rows = among.tonal.row[places[these]]
            agreement[these] = agreements(among.tonal.groups[number][rows], values)
        weights *= np.exp(AGREEMENT_STEEPNESS * np.nan_to_num(agreement))
        return weights, agreement


def _near(
    keys: NDArray[np.uint64], left: NDArray[np.bool_], count: int, bits: int, least: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Those of the `count` stems left whose numbers are above `least`: their places, and the numbers."""
    among = np.flatnonzero(left) if count < len(keys) // 2 else None
    keys = keys if among is None else keys[among]
    places, draws = [], []
    for first in range(0, len(keys), BLOCK):
        drawn = rendezvous(keys[first : first + BLOCK], bits)
        above = np.flatnonzero(drawn > least)
        places.append(above + first)
        draws.append(drawn[above])
    found, numbers = np.concatenate(places), np.concatenate(draws)
    if among is not None:
        return among[found], numbers
    kept = left[found]
    return found[kept], numbers[kept]


def _leave_out(
    pool: Pool, among: Eligible, around: Around, agreement: NDArray[np.float64] | None
) -> tuple[NDArray[np.bool_], list[tuple[str, NDArray[np.bool_]]]]:
    """Who is left, and who was left out for which reason. Without `agreement` none is for a clash."""
    count = len(among.stems)
    left = np.ones(count, np.bool_)
    steps: list[tuple[str, NDArray[np.bool_]]] = []

    def leave_out(places: NDArray[np.intp] | NDArray[np.bool_], reason: str, *, always: bool = False) -> None:
        nonlocal left
        out = among.flags(places)
        kept = left & ~out
        if always or kept.any():
            steps.append((reason, left & out))
            left = kept

    if around.never_twice:
        leave_out(among.at(around.never_twice), f"sounded within {pool.never_twice_bars} bars", always=True)
    if agreement is not None and around.tonal:
        leave_out(agreement < CLASH, "it clashes with " + _titles(around.tonal))
    if around.avoid is not None:
        leave_out(among.at([around.avoid]), "it is the one to change")
    for holders, reason in ((around.capped, "is"), (around.nearly_capped, "would be")):
        # All at once: one holder after another would leave the last of them, when all are above the cap.
        capped = [among.holders[holder] for holder in holders if holder in among.holders]
        if capped:
            leave_out(np.concatenate(capped), f"its holder {reason} above the share cap")
    if pool.prefer_fresh and around.heard and left.any():
        frames = np.zeros(count, np.int64)
        known = [(among.place[stem], heard) for stem, heard in around.heard.items() if stem in among.place]
        if known:
            places, heard = zip(*known, strict=True)
            frames[list(places)] = heard
        leave_out(frames > frames[left].min(), "others have been heard less")
    return left, steps


def holds_to(stem: Stem, clause: Clause, name: Callable[[str], str] | None = None) -> bool:
    """Whether a stem holds to a clause, as `vault.snapshot.Snapshot.match` has it.

    `name`: of a holder by id; without it a holder is known by id only.
    """
    words = {str(value).casefold() for value in clause.values}
    match clause.column:
        case "energy" | "tempo":
            number = stem.energy if clause.column == "energy" else stem.bpm
            held = number is not None and any(
                not isinstance(value, str) and value[0] <= number <= value[1] for value in clause.values
            )
        case "mood":
            held = any(mood.casefold() in words for mood in stem.mood)
        case "holder":
            names = (stem.holder,) if name is None else (stem.holder, name(stem.holder))
            held = any(each.casefold() in words for each in names)
        case "key":
            held = stem.key is not None and stem.key in {canonical_key(str(value)) for value in clause.values}
        case column:
            value = getattr(stem, column)
            held = value is not None and value.casefold() in words
    return held != clause.negated


def sounding_chroma(stem: Stem, semitones: int, bars: float | None = None) -> NDArray[np.float64]:
    """A stem's chroma, (bars, 12), as it sounds when it is shifted and `bars` of the session long.

    Without `bars` it has as many as the vault found in it.
    """
    chroma = np.asarray(stem.chroma, np.float64).reshape(-1, 12)
    return np.roll(chroma if bars is None else by_bar(chroma, bars), semitones, axis=1)


def _mask(stems: Sequence[Stem], clause: Clause, name: Callable[[str], str] | None) -> NDArray[np.bool_]:
    return np.fromiter((holds_to(stem, clause, name) for stem in stems), np.bool_, len(stems))


def _titles(parts: Sequence[TonalPart]) -> str:
    return " and ".join(f'{part.name} "{part.title}"' for part in parts)


def _places(words: Sequence[str | None]) -> Mapping[str, NDArray[np.intp]]:
    found: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        if word is not None:
            found.setdefault(word, []).append(place)
    return {word: np.array(places, np.intp) for word, places in found.items()}


def _bpm(stem: Stem) -> float:
    """NaN for what is never stretched. By hand: `float` of a Fraction takes three times as long."""
    bpm = stem.bpm
    return np.nan if bpm is None or stem.beats is None else bpm.numerator / bpm.denominator


def _tonal(stems: Sequence[Stem], shifts: NDArray[np.int8], bars: NDArray[np.float64]) -> Tonal:
    """Lay out the chroma of the tonal stems by how many rows it has and how many bars these last."""
    alike: dict[tuple[int, float], list[int]] = {}
    for place, (stem, length) in enumerate(zip(stems, bars.tolist(), strict=True)):
        if stem.role in TONAL_ROLES and stem.chroma:
            rows = len(stem.chroma)
            # What has no bars of its own is taken to have a bar a row. NaN is not equal to itself.
            alike.setdefault((rows, float(rows) if length != length else length), []).append(place)
    group, row = np.full(len(stems), -1, np.intp), np.full(len(stems), -1, np.intp)
    groups = []
    for number, ((rows, length), found) in enumerate(sorted(alike.items())):
        flat = (weight for place in found for bar in stems[place].chroma for weight in bar)
        chroma = np.fromiter(flat, np.float32, len(found) * rows * 12).reshape(-1, rows, 12)
        moved = shifts[found]
        for semitones in np.unique(moved[moved != 0]).tolist():
            chroma[moved == semitones] = np.roll(chroma[moved == semitones], semitones, axis=2)
        groups.append(by_bar(chroma, length))
        group[found], row[found] = number, np.arange(len(found))
    return Tonal(tuple(groups), group, row)
