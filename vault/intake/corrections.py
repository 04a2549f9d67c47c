"""Corrections of what is declared of a stem: checked against its sound, which is conformed anew for them.

    Correction -> what would hold as a whole -> the original, measured so -> an entry to be signed

The conformed copy and the measurements for another grid are kept before the entry that declares it is
written. If we crash in between, the next writer clears them away: `Catalogue.abandoned` names them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import msgspec
from msgspec import UNSET

from ...ledger.clock import Clock
from ...ledger.entries import entries
from ...ledger.entries.signing import UNSIGNED
from ..catalogue.catalogue import Catalogue, MeasuredRow
from ..catalogue.earlier_rows import Declared as Said, Past
from ..catalogue.past import declarations, grid_of, unmeasured
from ..catalogue.store import Store
from ..errors import AudioLost, BadDeclaration, BadRequest, Refused
from ..records import Stem
from ..sound.declared import COMMON_METER, Declared, Terms, canonical_terms
from ..sound.ends import Cut, cut_of
from .preparation import KeptRecording, Preparation, Prepared
from .worker_pool import WorkerPool

Keep = Callable[[], None]
"""Keeps what was made ready; called while changes are `alone`, before the entries are written."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is declared of a stem from now on; what is left out stays, and an empty text removes.

    The fields are those of `Declared`. A tempo or beats make a hit or a sustained sound a loop.
    """

    title: str | None = None
    role: str | None = None
    shape: str | None = None
    bpm: Fraction | None = None
    bars: int | None = None
    beats: int | None = None
    meter: str | None = None
    key: str | None = None
    mood: tuple[str, ...] | None = None
    isrc: str | None = None
    iswc: str | None = None
    trim: bool = False
    tail: str | None = None
    new_role: bool = False
    accept_tempo: bool = False

    @property
    def timed(self) -> bool:
        """Whether it may change the grid to which the sound is conformed."""
        return self.trim or any(
            each is not None for each in (self.shape, self.bpm, self.bars, self.beats, self.meter, self.tail)
        )


class Correcting:
    """Makes declarations of stems that are in the vault. `entry_at`: gives the ledger's entry of an index."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        clock: Clock,
        entry_at: Callable[[int], entries.Entry],
    ) -> None:
        self._store, self._catalogue, self._clock, self._entry_at = store, catalogue, clock, entry_at

    def said(self, stem: str) -> list[tuple[int, Said]]:
        """The entries that declared a stem (whole id), each with its index; the first brought it in."""
        found = []
        for index in declarations(self._catalogue, stem):
            entry = self._entry_at(index)
            assert isinstance(entry, entries.Stem | entries.Declaration)
            found.append((index, entry))
        return found

    @contextmanager
    def corrected(self, stem: Stem, correction: Correction) -> Iterator[tuple[entries.Declaration, Keep]]:
        """The declaration that a correction leads to, not signed, with its sound made ready.

        Raises `BadDeclaration` where it does not fit the sound, or changes nothing; `AudioLost`, `OSError`.
        """
        index, now = self.said(stem.stem)[-1]
        terms = _terms(stem, now, correction)
        entry = _entry(now, terms, index, self._clock.now())
        if not correction.timed:
            _check_changes(entry, now)
            yield entry, _nothing
            return
        with self._ready() as prepare:
            made, keep = prepare(stem.stem, terms, correction.accept_tempo)
            entry = _fitted(entry, made)
            _check_changes(entry, now)
            yield entry, lambda: keep(grid_of(self._catalogue, entry))

    @contextmanager
    def submitted(self, said: Sequence[entries.Declaration]) -> Iterator[Keep]:
        """Make ready the sounds of declarations that come back signed.

        Raises `BadRequest` for one whose tempo, beats or ends its sound does not have.
        """
        here = [each for each in said if self._catalogue.title_and_holder(each.stem) is not None]
        grids = {each.stem: grid_of(self._catalogue, each) for each in here}
        missing = unmeasured(self._catalogue, {each.stem: (each, grids[each.stem]) for each in here})
        if not missing:
            yield _nothing
            return
        with self._ready() as prepare:
            kept = []
            for entry in here:
                if entry.stem not in missing:
                    continue
                (found,) = self._catalogue.stems(ids=[entry.stem])
                try:
                    made, keep = prepare(entry.stem, _terms_of(found, entry), True)
                except BadDeclaration as error:
                    raise BadRequest(f"{entry.stem} does not sound as it is declared: {error}") from error
                if _fitted(entry, made) != entry:
                    raise BadRequest(f"{entry.stem} does not have the tempo, beats or ends that are declared")
                kept.append(partial(keep, grids[entry.stem]))

            def keep_all() -> None:
                for each in kept:
                    each()

            yield keep_all

    def measure_lost(self, past: Past) -> None:
        """Measure again what a rebuilt catalogue lacks of earlier declarations. Raises `AudioLost`."""
        lost = unmeasured(self._catalogue, past)
        if not lost:
            return
        with closing(WorkerPool(self._store.folder.parent)) as workers:
            for stem in lost:
                entry, grid = past[stem]
                digest, pcm = self._catalogue.digests(stem)
                terms = _grid(entry)
                kept = KeptRecording(
                    self._store.original(digest),
                    self._store.conformed(stem, grid),
                    entry.role,
                    terms.bpm,
                    terms.beats,
                    entry.shape,
                    pcm,
                    terms.meter,
                    _cut(entry),
                )
                try:
                    new = workers.measure_again(kept)
                except (Refused, FileNotFoundError):
                    new = None
                if new is None:
                    raise AudioLost(
                        f"the original of {stem} is gone or changed: put {kept.original} back from a backup"
                    )
                row = MeasuredRow(stem, digest, new.frames, new.channels, new.measured, new.heard, grid)
                self._catalogue.keep_measured([row])

    @contextmanager
    def _ready(self) -> Iterator[Callable[[str, Terms, bool], tuple[Prepared, Callable[[str], None]]]]:
        """Prepares stems in a folder of their own; the second of each pair keeps what was made."""
        with ExitStack() as stack:
            folder = stack.enter_context(self._store.incoming())
            workers = stack.enter_context(closing(WorkerPool(self._store.folder.parent)))

            def prepare(
                stem: str, terms: Terms, accept_tempo: bool
            ) -> tuple[Prepared, Callable[[str], None]]:
                digest, pcm = self._catalogue.digests(stem)
                original, conformed = self._store.original(digest), folder / f"{os.urandom(8).hex()}.npy"
                if not original.exists():
                    raise AudioLost(f"the original of {stem} is missing: put {original} back from a backup")
                offer = Preparation(
                    original, conformed, terms, True, accept_tempo, accept_length=True, tagged=False
                )
                try:
                    made = workers.prepare(offer)
                except Refused as error:
                    raise BadDeclaration(str(error)) from error
                if made.pcm_sha256 != pcm:
                    raise AudioLost(f"the original of {stem} at {original} is another sound than was added")

                def keep(grid: str) -> None:
                    row = MeasuredRow(
                        stem, digest, made.frames, made.channels, made.measured, made.heard, grid
                    )
                    self._catalogue.keep_measured([row])
                    self._store.take_in([(conformed, self._store.conformed(stem, grid))])

                return made, keep

            yield prepare


def _nothing() -> None:
    """Nothing has to be kept."""


def _check_changes(entry: entries.Declaration, now: Said) -> None:
    if all(getattr(entry, name) == getattr(now, name) for name in _SAID):
        raise BadDeclaration("all of that is declared already")


_SAID = (
    "title", "role", "shape", "bpm_milli", "beats", "key", "mood", "isrc", "iswc", "meter", "lead_frames",
    "tail",
)  # fmt: skip


def _cut(said: Said) -> Cut | None:
    return cut_of(said.lead_frames or 0, said.tail or None)


@dataclass(frozen=True, slots=True)
class _Grid:
    bpm: Fraction | None
    beats: int | None
    meter: tuple[int, int]


def _grid(said: Said) -> _Grid:
    beats, note = (said.meter or "{}/{}".format(*COMMON_METER)).split("/")
    bpm = None if said.bpm_milli is None else Fraction(said.bpm_milli, 1000)
    return _Grid(bpm, said.beats, (int(beats), int(note)))


def _terms(stem: Stem, now: Said, correction: Correction) -> Terms:
    """What would hold of a stem, as a whole. Raises `BadDeclaration`."""
    known = _declared(stem, now)
    if correction.bpm is not None or correction.bars is not None or correction.beats is not None:
        # The other one follows from the length; only a song cannot be without its tempo.
        known = replace(known, beats=None, bpm=known.bpm if stem.song is not None else None)
        known = replace(known, shape=None if known.shape in ("hit", "sustained") else known.shape)
    if correction.shape is not None:
        known = replace(known, beats=None, bpm=None, meter=None, trim=False, tail=None)
    given = {
        name: value
        for name in ("title", "role", "shape", "bpm", "bars", "beats", "meter", "key", "mood", "isrc",
                     "iswc", "tail")
        if (value := getattr(correction, name)) is not None
    }  # fmt: skip
    given |= {name: None for name in ("key", "isrc", "iswc") if given.get(name) == ""}
    if correction.trim:
        given["trim"] = True
    # A role that the stem has already was intended.
    new_role = correction.new_role or correction.role is None
    return canonical_terms(replace(known, new_role=new_role, **given))


def _terms_of(stem: Stem, said: Said) -> Terms:
    return canonical_terms(replace(_declared(stem, said), new_role=True))


def _declared(stem: Stem, said: Said) -> Declared:
    """What is declared of a stem, in the form in which it is declared of files."""
    grid = _grid(said)
    return Declared(
        Path(said.title),
        stem.holder,
        said.role,
        title=said.title,
        bpm=grid.bpm,
        beats=grid.beats,
        key=said.key,
        shape=None if stem.song is not None else said.shape,
        mood=said.mood,
        isrc=said.isrc,
        iswc=said.iswc or None,
        meter=said.meter or None,
        trim=bool(said.lead_frames),
        tail=said.tail or None,
        song=stem.song,
    )


def _entry(now: Said, terms: Terms, previous: int, time: str) -> entries.Declaration:
    """A declaration that is not signed, with the grid of now."""
    return entries.Declaration(
        time=time,
        stem=now.stem,
        holder=now.holder,
        title=terms.title,
        role=terms.role,
        shape=now.shape,
        bpm_milli=now.bpm_milli,
        beats=now.beats,
        key=terms.key,
        mood=terms.mood,
        isrc=terms.isrc,
        previous=previous,
        signature=UNSIGNED,
        iswc=terms.iswc or UNSET,
        meter=now.meter,
        lead_frames=now.lead_frames,
        tail=now.tail,
    )


def _fitted(entry: entries.Declaration, made: Prepared) -> entries.Declaration:
    """The declaration with the grid that was found in the sound."""
    return msgspec.structs.replace(
        entry,
        shape=made.shape,
        bpm_milli=None if made.bpm is None else int(made.bpm * 1000),
        beats=made.beats,
        meter=UNSET if made.meter == COMMON_METER else "{}/{}".format(*made.meter),
        lead_frames=(made.cut.lead_frames if made.cut else 0) or UNSET,
        tail=UNSET if made.cut is None else made.cut.tail,
    )
