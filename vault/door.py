"""The vault's door: recordings are prepared side by side, compared with those that are here, and let in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..ledger import entries
from ..ledger.clock import Clock
from .catalogue import Catalogue
from .changes import Changes
from .declared import Declared, Terms, settle
from .decode import write_file
from .errors import BadDeclaration, Refused
from .intake import Added, Held, Here, Intake, Refusal, Would
from .knowing import Knowing, Progress
from .likeness import Index
from .lookup import find_holder
from .records import Holder
from .store import Store
from .wave import wave_bytes
from .workers import Workers
from .workshop import HeldForReview, Offer, Prepared

_BATCH = 64
"""Files that enter under one signature of the log. A kill loses at most these, and only from the vault."""

Made = tuple[NDArray[np.float32], int]
"""A sound that was made here, float32 (channels, frames), and its rate."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A recording that is ready, and what is declared of it. `holder`: its id."""

    declared: Declared
    holder: str
    terms: Terms
    ready: Prepared

    @property
    def energy_milli(self) -> int:
        declared = self.terms.energy_milli
        return round(self.ready.measured.energy * 1000) if declared is None else declared


class Door:
    """Takes recordings in."""

    def __init__(
        self, home: Path, store: Store, catalogue: Catalogue, changes: Changes, knowing: Knowing, clock: Clock
    ) -> None:
        self._home = home
        self._store = store
        self._catalogue = catalogue
        self._changes = changes
        self._knowing = knowing
        self._clock = clock

    def take_in(
        self,
        offers: Sequence[tuple[Declared, Made | None]],
        progress: Progress | None,
        learning: Progress | None = None,
        *,
        trial: bool = False,
    ) -> Intake:
        """Take in files, or sounds that were made; in a `trial` see what would become of them.

        `learning` is told of stems that are here and not known by their sound yet.
        """
        self._catalogue.check_kept()
        holders = self._catalogue.holders()
        owners = [find_holder(holders, declared.holder).holder for declared, _ in offers]
        told: list[Intake] = []
        with self._store.incoming() as folder, Workers(self._home) as workers:
            with self._changes.alone():
                self._knowing.index(workers, learning)

            def prepared(number: int) -> Newcomer | Held | Refusal:
                (declared, made), owner = offers[number], owners[number]
                return _prepared(declared, owner, made, folder, workers)

            for first in range(0, len(offers), _BATCH):
                batch = range(first, min(first + _BATCH, len(offers)))
                ready: list[Newcomer] = []
                held: list[Held] = []
                refused: list[Refusal] = []
                for number, outcome in zip(batch, workers.each(prepared, batch), strict=True):
                    match outcome:
                        case Newcomer():
                            ready.append(outcome)
                        case Held():
                            held.append(outcome)
                        case Refusal():
                            refused.append(outcome)
                    if progress is not None:
                        progress(number + 1, len(offers))
                told.append(Intake((), tuple(held), tuple(refused)))
                if ready:
                    told.append(self._enter(ready, workers, trial=trial))
        return Intake(
            *(
                tuple(each for part in told for each in getattr(part, field))
                for field in ("added", "held", "refused", "here", "would")
            )
        )

    def _enter(self, newcomers: Sequence[Newcomer], workers: Workers, *, trial: bool) -> Intake:
        """Make stems of recordings that are ready, or in a `trial` see which would be made.

        Those whose sound is here already are refused, and those that sound like another holder's are held.
        """
        doubles: list[Refusal] = []
        alike: list[Held] = []
        here: list[Here] = []
        fresh: dict[str, Newcomer] = {}
        with self._changes.alone():
            index = self._knowing.index(workers)
            for new in newcomers:
                twin = self._catalogue.title_and_holder(new.ready.stem)
                if twin is None and new.ready.stem in fresh:
                    twin = fresh[new.ready.stem].terms.title, fresh[new.ready.stem].holder
                if twin is None:
                    owners = {stem: each.holder for stem, each in fresh.items()}
                    like = self._like_anothers(index, new, owners)
                    if like is not None:
                        alike.append(like)
                        continue
                    if not trial:
                        index.add(new.ready.stem, new.ready.marks)
                    fresh[new.ready.stem] = new
                elif self._brought_before(new):
                    here.append(Here(new.declared.path, new.ready.stem))
                else:
                    title, owner = twin
                    reason = _twin_reason(new, title, self._holder(owner))
                    doubles.append(Refusal(new.declared.path, reason))
            if fresh and not trial:
                # First the rows that tell the next writer what to clear if we crash, then the files, then the
                # entries that make stems of them.
                self._catalogue.keep_measured(
                    [
                        (p.stem, p.file_sha256, p.frames, p.channels, p.measured, p.heard)
                        for p in (new.ready for new in fresh.values())
                    ]
                )
                self._store.take_in(
                    [(p.ready.original, self._store.original(p.ready.file_sha256)) for p in fresh.values()]
                    + [(p.ready.conformed, self._store.conformed(p.ready.stem)) for p in fresh.values()]
                )
                time = self._clock.now()
                self._changes.sequence([_stem_entry(p, time) for p in fresh.values()])
        rest = tuple(alike), tuple(doubles), tuple(here)
        if trial:
            would = [
                Would(
                    new.declared.path,
                    new.ready.shape,
                    new.ready.bpm,
                    new.ready.beats,
                    new.ready.notes,
                    new.ready.heard,
                )
                for new in fresh.values()
            ]
            return Intake((), *rest, tuple(would))
        stems = {stem.stem: stem for stem in self._catalogue.stems(ids=list(fresh))}
        added = [
            Added(new.declared.path, stems[new.ready.stem], new.ready.notes, new.ready.heard)
            for new in fresh.values()
        ]
        return Intake(tuple(added), *rest)

    def _brought_before(self, new: Newcomer) -> bool:
        """Whether this very file of this very holder is in the vault, and declared as it is now."""
        known = self._catalogue.stems(ids=[new.ready.stem])
        if not known or self._catalogue.digests(new.ready.stem)[0] != new.ready.file_sha256:
            return False
        stem, terms = known[0], new.terms
        return (stem.holder, stem.role, stem.title, stem.key, stem.mood, stem.bpm) == (
            new.holder,
            terms.role,
            terms.title,
            terms.key,
            terms.mood,
            new.ready.bpm,
        )

    def _like_anothers(self, index: Index, newcomer: Newcomer, fresh: Mapping[str, str]) -> Held | None:
        """Why a newcomer is held back, if it sounds like another holder's. `fresh`: owners besides."""
        if newcomer.declared.accept_likeness:
            return None
        for each in index.identify(newcomer.ready.marks):
            if not each.same:
                return None
            known = self._catalogue.title_and_holder(each.stem)
            owner = fresh.get(each.stem) if known is None else known[1]
            if owner is not None and owner != newcomer.holder:
                title = each.stem if known is None else f"'{known[0]}' ({each.stem})"
                reason = (
                    f"it sounds like {title} of {self._holder(owner).name}, by {100 * each.score:.0f} %; "
                    "if somebody has looked, and it is another recording, add --accept-likeness"
                )
                return Held(newcomer.declared.path, reason, each.stem)
        return None

    def _holder(self, holder: str) -> Holder:
        return find_holder(self._catalogue.holders(), holder)


def _prepared(
    declared: Declared, holder: str, made: Made | None, folder: Path, workers: Workers
) -> Newcomer | Held | Refusal:
    try:
        # Before it is sent to a worker: a name that is no text cannot be.
        terms = settle(declared)
        path, digest = declared.path, None
        if made is not None:
            path = folder / f"{os.urandom(8).hex()}.original"
            digest = write_file(wave_bytes(*made), path)
        offer = Offer(path, digest, terms, declared.accept_silence, declared.accept_tempo, folder)
        return Newcomer(declared, holder, terms, workers.prepare(offer))
    except HeldForReview as error:
        return Held(declared.path, str(error), None)
    except (Refused, BadDeclaration) as error:
        return Refusal(declared.path, str(error))


def _twin_reason(newcomer: Newcomer, title: str, owner: Holder) -> str:
    way_on = (
        "what is declared of a stem cannot be changed yet"
        if newcomer.holder == owner.holder
        else f"a sound is one stem, of which {owner.name} can give a share with 'stemloom vault split'"
    )
    return (
        f"the same sound is in the vault already as {newcomer.ready.stem} '{title}' of {owner.name}; {way_on}"
    )


def _stem_entry(new: Newcomer, time: str) -> entries.Stem:
    terms = new.terms
    whole = (entries.Share(holder=new.holder, ppm=entries.WHOLE_PPM),)
    return entries.Stem(
        time=time,
        stem=new.ready.stem,
        holder=new.holder,
        pcm_sha256=new.ready.pcm_sha256,
        file_sha256=new.ready.file_sha256,
        title=terms.title,
        role=terms.role,
        shape=new.ready.shape,
        bpm_milli=None if new.ready.bpm is None else int(new.ready.bpm * 1000),
        beats=new.ready.beats,
        key=terms.key,
        mood=terms.mood,
        energy_milli=new.energy_milli,
        set=terms.set,
        isrc=terms.isrc,
        master=whole,
        publishing=whole,
    )
