"""Admits recordings: prepared side by side, compared with those in the vault, entered or held."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from msgspec import UNSET

from ...ledger.clock import Clock
from ...ledger.entries import entries
from ..catalogue.catalogue import Catalogue, MeasuredRow
from ..catalogue.find_by_name import find_holder
from ..catalogue.store import Store
from ..errors import BadDeclaration, Refused
from ..records import Holder
from ..rights.changes import Changes, FormerOwners
from ..sound.declared import COMMON_METER, Declared, Terms, canonical_terms, word
from ..sound.decode import copy_file, write_file
from ..sound.wave import wave_bytes
from .familiar import Familiar
from .fingerprint_index import CurrentIndex, FingerprintIndex
from .intake import Added, AlreadyHere, Held, Intake, Progress, Refusal, WouldAdd
from .likeness import likeness
from .preparation import HeldForReview, Preparation, Prepared
from .songs import Made, with_bars
from .worker_pool import WorkerPool

_BATCH = 64
"""Files that enter under one signature of the log; a kill loses at most these."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A prepared recording and its declaration. `holder`: the id.

    `original`, `conformed`: its files in the incoming folder. `file_sha256`: of the original.
    """

    declared: Declared
    holder: str
    terms: Terms
    original: Path
    conformed: Path
    file_sha256: str
    ready: Prepared
    name: str | None
    """Of the file, without folders; None of a synthesised sound."""

    @property
    def energy_milli(self) -> int:
        declared = self.terms.energy_milli
        return round(self.ready.measured.energy * 1000) if declared is None else declared

    @property
    def row(self) -> MeasuredRow:
        """Its row in the catalogue."""
        found = self.ready
        return MeasuredRow(
            found.stem, self.file_sha256, found.frames, found.channels, found.measured, found.heard
        )

    @property
    def would(self) -> WouldAdd:
        """Its report in a trial."""
        found = self.ready
        return WouldAdd(self.declared.path, found.shape, found.bpm, found.beats, found.notes, found.heard)


class Admission:
    """Admits recordings to a vault."""

    def __init__(
        self,
        home: Path,
        store: Store,
        catalogue: Catalogue,
        changes: Changes,
        fingerprints: CurrentIndex,
        clock: Clock,
    ) -> None:
        self._home = home
        self._store = store
        self._catalogue = catalogue
        self._changes = changes
        self._fingerprints = fingerprints
        self._clock = clock

    def take_in(
        self,
        offers: Sequence[tuple[Declared, Made | None]],
        progress: Progress | None,
        learning: Progress | None = None,
        *,
        trial: bool = False,
    ) -> Intake:
        """Admit files or synthesised sounds; in a `trial` only report the result.

        `learning` reports on stems whose fingerprints are missing.
        """
        self._catalogue.check_kept()
        holders = self._catalogue.holders()
        owners = [find_holder(holders, declared.holder).holder for declared, _ in offers]
        told: list[Intake] = []
        with self._store.incoming() as folder, closing(WorkerPool(self._home)) as workers:
            offers = with_bars(offers, owners, self._catalogue, workers, folder)

            def prepared(number: int) -> Newcomer | Held | Refusal:
                (declared, made), owner = offers[number], owners[number]
                return _prepared(declared, owner, made, folder, workers)

            familiar = Familiar(self._catalogue, self._changes.as_entered())
            for first in range(0, len(offers), _BATCH):
                numbers = range(first, min(first + _BATCH, len(offers)))
                files = [(n, offers[n][0], owners[n]) for n in numbers if offers[n][1] is None]
                here = familiar.among(files, workers)
                told.append(Intake(here=tuple(here.values())))
                batch = [number for number in numbers if number not in here]
                if progress is not None and not batch:
                    progress(numbers.stop, len(offers))
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
                told.append(Intake(held=tuple(held), refused=tuple(refused)))
                if ready:
                    told.append(self._enter(ready, workers, learning, trial=trial))
        return Intake.of(told)

    def _enter(
        self, newcomers: Sequence[Newcomer], workers: WorkerPool, learning: Progress | None, *, trial: bool
    ) -> Intake:
        """Make stems of prepared recordings; in a `trial` only report which would be made.

        A sound that is here already is refused, and one that sounds like another holder's is held.
        """
        doubles: list[Refusal] = []
        alike: list[Held] = []
        here: list[AlreadyHere] = []
        fresh: dict[str, Newcomer] = {}
        with self._changes.alone():
            index = self._fingerprints.index(workers, learning)
            before = self._changes.before(new.ready.stem for new in newcomers)
            for new in newcomers:
                was = before.get(new.ready.stem)
                if was is not None and was.holder != new.holder:
                    reason = (
                        f"this sound was in the vault before, as {new.ready.stem} of "
                        f"{self._holder(was.holder).name}: it can come back as theirs alone"
                    )
                    doubles.append(Refusal(new.declared.path, reason))
                    continue
                twin = self._catalogue.title_and_holder(new.ready.stem)
                if twin is None and new.ready.stem in fresh:
                    twin = fresh[new.ready.stem].terms.title, fresh[new.ready.stem].holder
                if twin is None:
                    owners = {stem: each.holder for stem, each in fresh.items()}
                    like = self._like_anothers(index, workers, new, owners)
                    if like is not None:
                        alike.append(like)
                        continue
                    if not trial:
                        index.add(new.ready.stem, new.ready.fingerprint)
                    fresh[new.ready.stem] = new
                elif self._brought_before(new):
                    here.append(AlreadyHere(new.declared.path, new.ready.stem))
                else:
                    title, owner = twin
                    reason = _twin_reason(new, title, self._holder(owner))
                    doubles.append(Refusal(new.declared.path, reason))
            if fresh and not trial:
                # First the rows, which tell the next writer what to clear if we crash, then the files, then
                # the entries, which make them stems.
                self._catalogue.keep_measured([new.row for new in fresh.values()])
                for new in fresh.values():
                    if new.name is not None:
                        self._store.keep_original_name(new.file_sha256, new.name)
                self._store.take_in(
                    [(new.original, self._store.original(new.file_sha256)) for new in fresh.values()]
                    + [(new.conformed, self._store.conformed(stem)) for stem, new in fresh.items()]
                )
                time = self._clock.now()
                self._changes.sequence(
                    [_stem_entry(new, time, before.get(stem)) for stem, new in fresh.items()]
                )
        if trial:
            would = tuple(new.would for new in fresh.values())
            return Intake(held=tuple(alike), refused=tuple(doubles), here=tuple(here), would=would)
        stems = {stem.stem: stem for stem in self._catalogue.stems(ids=list(fresh))}
        added = tuple(
            Added(new.declared.path, stems[stem], new.ready.notes, new.ready.heard)
            for stem, new in fresh.items()
        )
        return Intake(added, tuple(alike), tuple(doubles), tuple(here))

    def _brought_before(self, new: Newcomer) -> bool:
        """Whether the same file of the same holder is in the vault, with the same declaration."""
        known = self._catalogue.stems(ids=[new.ready.stem])
        if not known or self._catalogue.digests(new.ready.stem)[0] != new.file_sha256:
            return False
        stem, terms = known[0], new.terms
        declared = (new.holder, terms.role, terms.title, terms.key, terms.mood, new.ready.bpm)
        return (stem.holder, stem.role, stem.title, stem.key, stem.mood, stem.bpm) == declared

    def _like_anothers(
        self, index: FingerprintIndex, workers: WorkerPool, newcomer: Newcomer, fresh: Mapping[str, str]
    ) -> Held | None:
        """The reason to hold a newcomer that sounds like another holder's. `fresh`: owners in this batch."""
        if newcomer.declared.accept_likeness:
            return None

        def owner_of(stem: str) -> str | None:
            known = self._catalogue.title_and_holder(stem)
            return fresh.get(stem) if known is None else known[1]

        def anothers(stem: str) -> bool:
            return owner_of(stem) not in (None, newcomer.holder)

        hear = partial(workers.landmarks_of_conformed, newcomer.conformed)
        for each in likeness(index, newcomer.ready.fingerprint, hear, anothers):
            if not each.same:
                return None
            owner = owner_of(each.stem)
            if owner is not None and owner != newcomer.holder:
                known = self._catalogue.title_and_holder(each.stem)
                title = each.stem if known is None else f"'{known[0]}' ({each.stem})"
                how = f", played {each.played}" if each.played else ""
                reason = (
                    f"it sounds like {title} of {self._holder(owner).name}{how}, "
                    f"by {100 * each.score:.0f} %; "
                    "if somebody has reviewed it, and it is another recording, add --accept-likeness"
                )
                return Held(newcomer.declared.path, reason, each.stem)
        return None

    def _holder(self, holder: str) -> Holder:
        return find_holder(self._catalogue.holders(), holder)


def _prepared(
    declared: Declared, holder: str, made: Made | None, folder: Path, workers: WorkerPool
) -> Newcomer | Held | Refusal:
    try:
        # Before it is sent to a worker: a name that is not valid text cannot be sent.
        terms = canonical_terms(declared)
        place = folder / os.urandom(8).hex()
        original, conformed = place.with_suffix(".original"), place.with_suffix(".npy")
        if made is None:
            digest = copy_file(declared.path, original)
        else:
            digest = write_file(wave_bytes(*made), original)
        # We choose the paths of its files: a hostile file may have taken over its decoder.
        accepted = declared.accept_silence, declared.accept_tempo, declared.accept_length
        # A name that is no valid text cannot be sent.
        name = declared.path.name.encode(errors="replace").decode()
        offer = Preparation(original, conformed, terms, *accepted, name if made is None else "")
        found = workers.prepare(offer)
        if declared.title is None and found.title is not None:
            terms = replace(terms, title=word("title", found.title))
        terms = replace(terms, key=found.key)
        kept = declared.path.name if made is None else None
        return Newcomer(declared, holder, terms, original, conformed, digest, found, kept)
    except HeldForReview as error:
        return Held(declared.path, str(error), None)
    except (Refused, BadDeclaration) as error:
        return Refusal(declared.path, str(error))


def _twin_reason(newcomer: Newcomer, title: str, owner: Holder) -> str:
    way_on = (
        f"to correct what is declared of it: {_declaring(newcomer)}"
        if newcomer.holder == owner.holder
        else f"a sound is one stem, of which {owner.name} can give a share with 'stemloom vault split'"
    )
    return (
        f"the same sound is in the vault already as {newcomer.ready.stem} '{title}' of {owner.name}; {way_on}"
    )


def _declaring(newcomer: Newcomer) -> str:
    """The command that declares of the stem what is declared of the newcomer."""
    declared, terms = newcomer.declared, newcomer.terms
    said = {
        "role": terms.role,
        "title": declared.title,
        "bpm": None if declared.bpm is None else f"{float(declared.bpm):g}",
        "bars": declared.bars,
        "beats": declared.beats,
        "meter": declared.meter,
        "key": declared.key,
        "kind": declared.shape,
        "mood": ",".join(terms.mood) or None,
        "isrc": terms.isrc,
        "iswc": terms.iswc,
    }
    words = ["stemloom", "vault", "declare", newcomer.ready.stem]
    words += [word for name, value in said.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(words)


def _stem_entry(new: Newcomer, time: str, before: FormerOwners | None) -> entries.Stem:
    """`before`: the shares before its removal, which only its parties can change."""
    terms = new.terms
    whole = (entries.Share(holder=new.holder, ppm=entries.WHOLE_PPM),)
    master, publishing = (before.master, before.publishing) if before else (whole, whole)
    return entries.Stem(
        time=time,
        stem=new.ready.stem,
        holder=new.holder,
        pcm_sha256=new.ready.pcm_sha256,
        file_sha256=new.file_sha256,
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
        master=master,
        publishing=publishing,
        iswc=UNSET if terms.iswc is None else terms.iswc,
        meter=UNSET if new.ready.meter == COMMON_METER else "{}/{}".format(*new.ready.meter),
        lead_frames=(new.ready.cut.lead_frames if new.ready.cut else 0) or UNSET,
        tail=UNSET if new.ready.cut is None else new.ready.cut.tail,
        song=UNSET if terms.song is None else terms.song,
    )
