"""Who may sound: a pool's cleared stems that fit the session's tempo and key, laid out for choosing.

All that choosing looks up is laid out before the first bar and not in it: what belongs to the stems once for
a snapshot, in `StemColumns`; what depends on the pool and the session once for each pool, in `Eligible`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...ground.roles import TONAL_ROLES
from ...script.piece import Key, Pool
from ...vault.catalogue.snapshot import Snapshot
from ...vault.catalogue.stems import Facts, Stems
from ...vault.records import Stem, chroma_bytes
from ..clock import BarClock
from .allowed import LeftOut, allowed, kept_back, unstretched
from .chance import stem_keys
from .harmony import by_bar
from .tempo_and_key import fit_tempos, shift_of, within_stretch

PER_SEMITONE = 0.7
"""The factor of a stem's weight for each semitone of shift."""
_NO_SHIFT = -128


class StemColumns:
    """The facts of a snapshot's stems that choosing asks for, in the snapshot's order."""

    def __init__(self, stems: Stems) -> None:
        facts = stems.facts
        self.place = facts.place
        self.keys = stem_keys(tuple(facts["stem"]))
        beats, bpm = facts.numbers("beats"), facts.numbers("bpm")
        loop, self.is_song = (facts.words("shape").has(shape) for shape in ("loop", "song"))
        self.is_loop = loop | self.is_song
        # What has no beats is never stretched.
        self.bpm = np.where(np.isnan(beats), np.nan, bpm)
        self.beats = np.where(loop & (beats > 0), beats, np.nan)
        # 100 000 stems ask the same hundred questions about keys.
        questions = list(zip(facts["key"], facts["role"], facts["shape"], strict=True))
        self.question, firsts = _codes(questions)
        self.asking = [stems[place] for place in firsts]
        self.meter, firsts = _codes(facts["meter"])
        self.meter_code = {facts["meter"][place]: code for code, place in enumerate(firsts)}
        self.holder, firsts = _codes(facts["holder"])
        self.holder_code = {facts["holder"][place]: code for code, place in enumerate(firsts)}
        self.set, firsts = _codes(facts["set"])
        named = [facts["set"][place] for place in firsts]
        self.set_code = {name: code for code, name in enumerate(named) if name is not None}
        self.sets = len(firsts)
        self.rootless = np.array([key is None for key in facts["key"]], np.bool_)
        self.rows, self.row = np.zeros(len(stems), np.intp), np.zeros(len(stems), np.intp)
        self.chroma: dict[int, NDArray[np.float32]] = {}
        """(stems, rows, 12) by the number of rows; `rows`, `row`: where each tonal stem is in them."""
        by_rows: dict[int, list[int]] = {}
        for place, (role, chroma) in enumerate(zip(facts["role"], facts["chroma"], strict=True)):
            if role in TONAL_ROLES and chroma:
                by_rows.setdefault(len(chroma), []).append(place)
        for rows, places in by_rows.items():
            data = b"".join(chroma_bytes(facts["chroma"][place]) for place in places)
            self.chroma[rows] = np.frombuffer(data, "<f4").astype(np.float32).reshape(-1, rows, 12)
            self.rows[places], self.row[places] = rows, np.arange(len(places))


_columns: WeakKeyDictionary[Facts, StemColumns] = WeakKeyDictionary()


def columns(snapshot: Snapshot) -> StemColumns:
    """The columns of a snapshot, made once for all that differ in consents alone."""
    facts = snapshot.stems.facts
    found = _columns.get(facts)
    if found is None:
        found = _columns[facts] = StemColumns(snapshot.stems)
    return found


@dataclass(frozen=True)
class Eligible:
    """A pool's stems that fit the session: parallel to each other, in order of stem id."""

    columns: StemColumns
    vault: Stems
    """All stems of the snapshot."""
    places: NDArray[np.intp]
    """Of the stems in the snapshot."""
    keys: NDArray[np.uint64]
    """The stems' own random keys: see `chance.stem_keys`."""
    shifts: NDArray[np.int8]
    """Semitones that bring each stem to the session's key."""
    bars: NDArray[np.float64]
    """Length of each loop at the session's tempo, in bars; NaN for what has none."""
    reason: str
    """Why it is empty, when it is."""
    masks: NDArray[np.bool_]
    """Which stems hold to each of the pool's weights: (weights, stems)."""
    left_out: LeftOut = ()
    """What stems that fit lack, mostly in their grants, and how many are left out for it."""
    unstretched: frozenset[str] = frozenset()
    """Those that may not be stretched."""

    def __len__(self) -> int:
        return len(self.places)

    def stem(self, place: int) -> Stem:
        return self.vault[int(self.places[place])]

    @property
    def stems(self) -> tuple[Stem, ...]:
        return tuple(self.vault[place] for place in self.places.tolist())

    def find(self, stem: str) -> int | None:
        """Where a stem is, by id; None if it is not here."""
        place = self.columns.place.get(stem)
        here = -1 if place is None else int(self._here[place])
        return None if here < 0 else here

    def at(self, stems: Collection[str]) -> NDArray[np.intp]:
        """Places of those of `stems` that are here."""
        place = self.columns.place
        found = self._here[[place[stem] for stem in stems if stem in place]]
        return found[found >= 0]

    def of_holders(self, holders: Collection[str]) -> NDArray[np.bool_]:
        """Which stems belong to `holders`."""
        codes = self.columns.holder_code
        wanted = np.zeros(len(codes), np.bool_)
        wanted[[codes[holder] for holder in holders if holder in codes]] = True
        return wanted[self._holder]

    def sounding(self, sets: Collection[str]) -> NDArray[np.bool_]:
        """By set code, which of the sets are among `sets`."""
        codes = self.columns.set_code
        wanted = np.zeros(self.columns.sets, np.bool_)
        wanted[[codes[name] for name in sets if name in codes]] = True
        return wanted

    @cached_property
    def base(self) -> NDArray[np.float64]:
        """The factor of each stem's weight for its shift."""
        return np.power(PER_SEMITONE, np.abs(self.shifts.astype(np.float64)))

    @cached_property
    def set(self) -> NDArray[np.intp]:
        """Set codes of the stems."""
        return self.columns.set[self.places]

    @cached_property
    def tonal(self) -> Tonal:
        """The chroma of the tonal stems, as they sound."""
        return _tonal(self.columns, self.places, self.shifts, self.bars)

    @cached_property
    def _holder(self) -> NDArray[np.intp]:
        return self.columns.holder[self.places]

    @cached_property
    def _here(self) -> NDArray[np.intp]:
        here = np.full(len(self.vault), -1, np.intp)
        here[self.places] = np.arange(len(self.places))
        return here

    def warm(self) -> None:
        """Compute now what is otherwise computed at its first use."""
        _ = self.base, self.set, self.tonal.value_start, self._holder, self._here


@dataclass(frozen=True)
class Tonal:
    """The chroma of a pool's tonal stems, as they sound, one after the other in `flat`.

    `offset`: where each stem's begins, -1 for one that is not tonal. `length`: its bars. `lengths`: those
    that occur.
    """

    flat: NDArray[np.float32]
    offset: NDArray[np.intp]
    length: NDArray[np.intp]
    lengths: tuple[int, ...]

    @cached_property
    def no_values(self) -> NDArray[np.intp]:
        """By length in bars, -1."""
        return np.full(max(self.lengths, default=0) + 1, -1, np.intp)

    @cached_property
    def value_start(self) -> NDArray[np.intp]:
        """By length in bars, where its values begin when those of all lengths stand in a row; else -1."""
        start = self.no_values.copy()
        start[list(self.lengths)] = np.cumsum([0, *(12 * bars for bars in self.lengths)])[:-1]
        return start

    def of(self, places: NDArray[np.intp], bars: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Which of `places` are tonal and so many bars long, and their chroma, (stems, bars, 12)."""
        these = np.flatnonzero((self.offset[places] >= 0) & (self.length[places] == bars))
        cells = self.offset[places[these]][:, None] + np.arange(bars * 12)
        return these, self.flat[cells].reshape(-1, bars, 12)


def eligible(
    pool: Pool,
    snapshot: Snapshot,
    cleared: NDArray[np.intp],
    clock: BarClock,
    key: Key | None,
    reaches: Sequence[Fraction] = (),
    *,
    use: str,
) -> Eligible:
    """Those of the pool's cleared stems whose tempo and key fit. `cleared`: places in the snapshot.

    `reaches`: further tempi to which they must be able to follow.
    """
    known = columns(snapshot)
    readings, stretches = fit_tempos(known.bpm[cleared], clock.tempo_bpm)
    fits = within_stretch(stretches, pool.max_stretch)
    # A song is played as it is: never in half or double time.
    fits &= ~known.is_song[cleared] | (readings == 1)
    unreached, furthest = clock.tempo_bpm, np.abs(np.log(stretches))
    for tempo_bpm in reaches:
        # The reading stays, or a loop would leap to another speed.
        before, further = fits, stretches * float(clock.tempo_bpm / tempo_bpm)
        fits = fits & within_stretch(further, pool.max_stretch)
        furthest = np.maximum(furthest, np.abs(np.log(further)))
        if before.any() and not fits.any():
            unreached = tempo_bpm
    fits |= ~known.is_loop[cleared] | pool.hits
    shifts = shift_table(known, pool, key)[known.question[cleared]]
    fitting = fits & (shifts != _NO_SHIFT)
    changed = (known.is_loop[cleared] & (furthest != 0) & (not pool.hits)) | (shifts != 0)
    may, left_out = allowed(pool, snapshot.stems, use, cleared, fitting, changed)
    here = np.flatnonzero(may if pool.hits else _of_meter(known, may, cleared, clock.meter))
    places = cleared[here]
    reason = ""
    if not len(cleared):
        reason = "no stem is cleared"
    elif not fits.any():
        many = len(cleared) > 1
        which = f"none of {len(cleared)} stems stretches" if many else "its one stem does not stretch"
        reason = f"{which} to {float(unreached):g} bpm within {pool.max_stretch:.0%}"
        nearest = math.ceil(1000 * (math.exp(furthest[known.is_loop[cleared]].min()) - 1)) / 10
        reason += f": {'the nearest' if many else 'it'} needs {nearest:g}%"
    elif fitting.any() and not len(here):
        reason = kept_back(left_out)
    elif not len(here):
        keys = snapshot.stems.facts["key"]
        stretched = [keys[place] for place in cleared[fits].tolist()]
        unknown = stretched.count(None)
        many = len(stretched) > 1
        which = f"none of {len(stretched)} stems fits" if many else "its one stem does not fit"
        reason = f"{which} {key.name if key else 'by key'}"
        reason += f" ({unknown} of unknown key)" if unknown else ""
    masks = np.zeros((len(pool.weights), len(places)), np.bool_)
    for number, weight in enumerate(pool.weights):
        masks[number] = np.isin(places, snapshot.match([weight.clause]))
    among = Eligible(
        known,
        snapshot.stems,
        places,
        known.keys[places],
        shifts[here].astype(np.int8),
        known.beats[places] * readings[here] / float(clock.beats_per_bar),
        reason,
        masks,
        left_out,
        unstretched(snapshot.stems, use, places),
    )
    among.warm()
    return among


def _of_meter(
    known: StemColumns, may: NDArray[np.bool_], cleared: NDArray[np.intp], meter: tuple[int, int]
) -> NDArray[np.bool_]:
    """Those that may sound, without loops of another meter if there are loops of this one."""
    loops = known.is_loop[cleared]
    of_meter = known.meter[cleared] == known.meter_code.get(meter, -1)
    return may & (of_meter | ~loops) if (may & loops & of_meter).any() else may


def shift_table(known: StemColumns, pool: Pool, key: Key | None) -> NDArray[np.int16]:
    """By question code, the semitones that bring such a stem to the key; -128 where it may not sound."""
    shifts = (shift_of(stem, pool, key) for stem in known.asking)
    return np.array([_NO_SHIFT if shift is None else shift for shift in shifts], np.int16)


def key_counts(known: StemColumns, pool: Pool, cleared: NDArray[np.intp], key: Key) -> tuple[int, int]:
    """How many of a pool's stems fit a key as they are, and how many at all."""
    shifts = shift_table(known, pool, key)[known.question[cleared]]
    return int((shifts == 0).sum()), int((shifts != _NO_SHIFT).sum())


def sounding_chroma(stem: Stem, semitones: int, bars: float | None = None) -> NDArray[np.float64]:
    """A stem's chroma, (bars, 12), as it sounds when it is shifted and `bars` of the session long.

    Without `bars` it has as many as the vault found in it.
    """
    chroma = np.asarray(stem.chroma, np.float64).reshape(-1, 12)
    return np.roll(chroma if bars is None else by_bar(chroma, bars), semitones, axis=1)


def _codes(words: Sequence[object]) -> tuple[NDArray[np.intp], list[int]]:
    """A number for each distinct word, and by number, the first place that has it."""
    codes: dict[object, int] = {}
    first: list[int] = []
    made = np.empty(len(words), np.intp)
    for place, word in enumerate(words):
        code = codes.get(word)
        if code is None:
            code = codes[word] = len(first)
            first.append(place)
        made[place] = code
    return made, first


def _tonal(
    known: StemColumns, places: NDArray[np.intp], shifts: NDArray[np.int8], bars: NDArray[np.float64]
) -> Tonal:
    offset, length = np.full(len(places), -1, np.intp), np.zeros(len(places), np.intp)
    rows = known.rows[places]
    # What has no bars of its own is taken to have a bar a row.
    lasting = np.where(np.isnan(bars), rows, bars)
    parts: list[NDArray[np.float32]] = []
    filled = 0
    for count, lasts in sorted(set(zip(rows.tolist(), lasting.tolist(), strict=True))):
        if not count:
            continue
        these = np.flatnonzero((rows == count) & (lasting == lasts))
        chroma = known.chroma[count][known.row[places[these]]]
        for semitones in np.unique(shifts[these]).tolist():
            moved = shifts[these] == semitones
            chroma[moved] = np.roll(chroma[moved], semitones, axis=2)
        chroma = by_bar(chroma, lasts)
        size = chroma.shape[1] * 12
        offset[these], length[these] = filled + size * np.arange(len(these)), chroma.shape[1]
        parts.append(chroma.ravel())
        filled += size * len(these)
    flat = np.concatenate(parts) if parts else np.empty(0, np.float32)
    return Tonal(flat, offset, length, tuple(sorted(set(length[offset >= 0].tolist()))))
