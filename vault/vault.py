"""The front of the vault: recordings, their holders, consents and splits, and samples ready to play."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..ledger.clock import Clock, SystemClock
from ..ledger.entries import entries
from ..ledger.log.log import Log
from .catalogue.catalogue import Catalogue, ConsentStatement, parts_of
from .catalogue.find_by_name import find_stem
from .catalogue.latest import Latest
from .catalogue.opening import open_catalogue
from .catalogue.recordings import Recordings
from .catalogue.snapshot import Clause, Condition, Snapshot
from .catalogue.store import Store
from .errors import AudioLost, NoVault
from .holders import Holders
from .intake.admission import Admission
from .intake.corrections import Correcting, Correction
from .intake.fingerprint_index import CurrentIndex, FingerprintMatch
from .intake.intake import Intake, Progress
from .intake.likeness import likeness
from .intake.rebuild import rebuild
from .intake.worker_pool import WorkerPool
from .records import ENGINE_RATE, Clearance, Stem
from .rights.asking import Action, Asking
from .rights.changes import Changes
from .rights.requests import SigningRequest
from .rights.statements import Allow, Statements
from .rights.withdrawal_receipts import receipt_of
from .sound.declared import Declared
from .sound.decode import copy_file
from .sound.detection import Detected


class Vault(Holders):
    """An open vault and the ledger beside it. A context manager; several processes may have one open.

    A change is durable and sequenced in the ledger when its method returns. If the process is killed at any
    instant, each stem, holder, split and consent is there as a whole or not at all.
    """

    def __init__(self, home: Path, log: Log, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self.home = home
        self.log = log
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._asking = Asking(log.origin, catalogue, clock)
        self._changes = Changes(home, log, store, catalogue)
        self._statements = Statements(home, self._asking, self._changes, store, catalogue, clock)
        self.recordings = Recordings(store, catalogue)
        catalogue.listen = self.recordings.onsets
        self._fingerprints = CurrentIndex(store.landmarks, catalogue, self.recordings.conformed_path)
        self._admission = Admission(home, store, catalogue, self._changes, self._fingerprints, clock)
        self._size = log.size
        self._latest = Latest(catalogue, clock, log.entry)
        self._correcting = Correcting(store, catalogue, clock, log.entry)

    @classmethod
    def open(cls, home: Path | str, *, create: bool = False, clock: Clock | None = None) -> Vault:
        """The vault in `home`, brought up to date with its ledger. `create`: make an empty one if need be.

        A home that cannot be written can still be read; methods that would change it raise `OSError`.
        Raises `NoVault`; `NotAHome` for a new vault in a folder of other things; `CatalogueTrouble` for a
        catalogue that is damaged, that is from another time than the ledger, or that is missing though the
        ledger names holders; `LedgerError`; `OSError`.
        """
        home = Path(home)
        clock = clock or SystemClock()
        store = Store(home)
        if not create and not store.catalogue.exists() and not (home / "ledger" / "log").exists():
            raise NoVault.at(home)
        if create:
            store.create()
        log = Log.open(home, create=create, clock=clock)
        with ExitStack() as opened:
            opened.callback(log.close)
            catalogue = open_catalogue(store, log, create)
            opened.callback(catalogue.close)
            vault = cls(home, log, store, catalogue, clock)
            vault.refresh()
            opened.pop_all()
        return vault

    @classmethod
    def rebuild(cls, home: Path | str, progress: Progress | None = None) -> tuple[int, tuple[Path, ...]]:
        """Make the catalogue again from the ledger, the original recordings and the names kept beside them.

        The old catalogue is kept as `catalogue.db.old`. Gives the number of stems, and the originals that are
        missing or changed: put those back, and rebuild once more. Raises `NoVault`,
        `OSError`.
        """
        return rebuild(Path(home), progress)

    def close(self) -> None:
        self._fingerprints.close()
        self._catalogue.close()
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Project the entries that this or another process has added to the ledger since."""
        self._changes.refresh()

    def changed(self, since: int | None = None) -> bool:
        """Whether the ledger has grown since a snapshot of the size `since`; costs a look at one file.

        `since` left out: since the last `snapshot()` of this object, or its opening.
        """
        return self.log.changed_since(self._size if since is None else since)

    # Stems.

    def add(
        self,
        files: Sequence[Declared],
        progress: Progress | None = None,
        learning: Progress | None = None,
        *,
        trial: bool = False,
    ) -> Intake:
        """Add files; one that is refused does not stop the others.

        Raises `UnknownHolder` before anything is read. Batches of 64 become durable together; give a batch
        that was interrupted again to continue it. `trial`: report the result and add nothing. `learning`
        reports on stems whose fingerprints are missing, as after an update.
        """
        return self._admission.take_in(
            [(declared, None) for declared in files], progress, learning, trial=trial
        )

    def add_sounds(
        self,
        sounds: Sequence[tuple[Declared, NDArray[np.float32]]],
        rate: int = ENGINE_RATE,
        progress: Progress | None = None,
    ) -> Intake:
        """Add synthesised sounds, float32 `(channels, frames)` at `rate` Hz, in the same way as files.

        Each is kept as a float WAV file of these samples; `Declared.path` only names it in reports.
        """
        return self._admission.take_in(
            [(declared, (samples, rate)) for declared, samples in sounds], progress
        )

    def isrcs(self, stems: Iterable[str]) -> tuple[str, ...]:
        """The ISRCs of those of the stems that have one, in order."""
        return self._catalogue.isrcs(stems)

    def stems(
        self, clauses: Sequence[Clause] = (), use: str | None = None, title: str | None = None
    ) -> Sequence[Stem]:
        """The stems that hold to all `clauses`, by id; without any, all stems.

        Holders may be given by the start of an id, too. `use`: cleared for it now. `title`: a part of the
        title, in any case. Raises `UnknownHolder`, and what `Snapshot.match` raises.
        """
        stems = self._catalogue.stems()
        resolved = [self._resolved(clause) for clause in clauses]
        snapshot = Snapshot(stems, self.holders(), self._size, self._clock.now())
        places = snapshot.match(resolved, use).tolist()
        if title is not None:
            titles, wanted = stems.facts["title"], title.casefold()
            places = [place for place in places if wanted in titles[place].casefold()]
        return stems if len(places) == len(stems) else stems.only(places)

    def stem(self, text: str) -> Stem:
        """The stem of that id, start of an id or title. Raises `UnknownStem`."""
        return self._catalogue.stems(ids=[find_stem(self._catalogue, text)])[0]

    def heard(self, text: str) -> Detected:
        """What was detected in a stem's sound when it was added. Raises `UnknownStem`."""
        return self._catalogue.heard(find_stem(self._catalogue, text))

    def samples(self, stem_id: str) -> NDArray[np.float32]:
        """The stem's sound at 48 kHz: float32 `(channels, frames)`, C-contiguous, mapped read-only.

        Made again from the original if the cache has lost it. Raises `UnknownStem`, `AudioLost`.
        """
        return self.recordings.samples(self.stem(stem_id))

    def conformed_path(self, stem_id: str) -> Path:
        """The `.npy` file that `samples` maps, made again if need be. Raises `UnknownStem`, `AudioLost`."""
        return self.recordings.conformed_path(find_stem(self._catalogue, stem_id))

    def variant_path(self, stem_id: str, name: str) -> Path:
        """The path of a cached variant of a stem, such as a stretched one; the caller writes the file.

        It may be deleted at any time. Raises `UnknownStem`.
        """
        return self._store.variant(find_stem(self._catalogue, stem_id), name)

    def original(self, stem_id: str) -> Path:
        """The holder's original file, named by its SHA-256. Raises `UnknownStem`, `AudioLost`."""
        return self.recordings.original(find_stem(self._catalogue, stem_id))

    def original_name(self, stem_id: str) -> str | None:
        """The name that the original had; None of a synthesised sound. Raises `UnknownStem`."""
        return self._store.original_name(self._catalogue.digests(find_stem(self._catalogue, stem_id))[0])

    def remove(self, text: str) -> tuple[str, tuple[Path, ...]]:
        """Remove a recording: withdraw every use, and delete its original and every file made from it.

        Its placements and its earnings stay in the ledger. Gives the stem's id and the deleted files. Raises
        `UnknownStem`; `KeyNotHere` while a use is cleared that its holder must withdraw themselves.
        """
        stem = self.stem(text)
        if stem.clearances:
            self.withdraw([stem.stem], sorted(stem.clearances))
        with self._changes.alone():
            digest, _ = self._catalogue.digests(stem.stem)
            before = self._store.traces(stem.stem, digest)
            removal = entries.Removal(time=self._clock.now(), stem=stem.stem, file_sha256=digest)
            self._changes.sequence([removal])
            # The row that only the vault has is now one without a stem, and goes with its files.
            self._changes.clear_abandoned()
            self._fingerprints.forget(stem.stem)
            left = self._store.traces(stem.stem, digest)
        if left:
            raise AudioLost(f"of {stem.stem} there is still {left[0]}, which could not be deleted")
        return stem.stem, tuple(before)

    def identify(self, path: Path, learning: Progress | None = None) -> tuple[FingerprintMatch, ...]:
        """The stems that a recording contains, best first. Raises `Refused` for a file without sound.

        `learning` reports on stems whose fingerprints are missing, as after an update.
        """
        with self._store.incoming() as folder, closing(WorkerPool(self.home)) as workers:
            copy = folder / "asked"
            copy_file(path, copy)
            fingerprint = workers.fingerprint_of_file(copy)
            with self._changes.alone():
                index = self._fingerprints.index(workers, learning)
                return tuple(likeness(index, fingerprint, partial(workers.landmarks_of_file, copy)))

    def removed(self) -> dict[str, tuple[str, str]]:
        """Title and time of removal of each removed stem, by id."""
        return self._catalogue.removed()

    def snapshot(self, declared: int | None = None) -> Snapshot:
        """All stems as they are now, after a `refresh`.

        `declared`: as they were declared when the ledger had that many entries, with the consents of now.
        Raises `AudioLost` where measurements of then are lost and the original as well.
        """
        self.refresh()
        if declared is None:
            found = self._latest.now()
        else:
            self._correcting.measure_lost(self._latest.past(declared))
            found = self._latest.declared_at(declared)
        self._size = found.size
        return found

    def declare(self, stem: str, correction: Correction) -> Stem:
        """Correct what is declared of a stem, signed with its holder's key; sequenced on return.

        Its sound is conformed anew where that needs it. Sessions that are open keep what was declared when
        they opened. Raises `UnknownStem`, `KeyNotHere`; `BadDeclaration` where it does not fit the sound.
        """
        found = self.stem(stem)
        self._statements.key(self.holder(found.holder))
        with self._correcting.corrected(found, correction) as (entry, keep), self._changes.alone():
            keep()
            self._statements.sign_and_enter(self._asking.declaration(found, entry))
        return self.stem(found.stem)

    def request_declaration(self, stem: str, correction: Correction) -> SigningRequest:
        """A request for a declaration, to be signed by the stem's holder elsewhere."""
        found = self.stem(stem)
        with self._correcting.corrected(found, correction) as (entry, _), self._changes.alone():
            return self._asking.declaration(found, entry)

    def declarations(self, stem: str) -> list[tuple[int, entries.Stem | entries.Declaration]]:
        """The entries that declared a stem, each with its index; the first brought it into the vault."""
        return self._correcting.said(find_stem(self._catalogue, stem))

    # Consent and splits.

    def grant(
        self, stems: Sequence[str], uses: Sequence[str], until: str | None = None, allow: Allow = None
    ) -> tuple[ConsentStatement, ...]:
        """Consent of each stem's holder to `uses`, signed with their key; sequenced on return.

        `until`: RFC 3339 UTC with milliseconds; the consent ends just before it. `allow`: any of `stretch`,
        `chop` and `pitch`; `stretch` if it is left out. Raises `UnknownStem`, `BadDeclaration`,
        `KeyNotHere`: then nothing is granted to any of them.
        """
        return self._state(stems, uses, "grant", until, None, allow)

    def withdraw(
        self, stems: Sequence[str], uses: Sequence[str], by: str | None = None
    ) -> tuple[ConsentStatement, ...]:
        """Withdraw the holders' consent to `uses`; sequenced on return. Needs no reason.

        `by`: a party with a master share who withdraws instead of the holder.
        """
        return self._state(stems, uses, "withdraw", None, by)

    def request_consent(
        self,
        stems: Sequence[str],
        uses: Sequence[str],
        action: Action,
        until: str | None = None,
        by: str | None = None,
        allow: Allow = None,
    ) -> SigningRequest:
        """A request for a grant or withdrawal to be signed elsewhere; nothing changes before `submit`."""
        named, allows = self._statements.checked_terms(uses, until, action, allow)
        found = [self.stem(stem) for stem in dict.fromkeys(stems)]
        with self._changes.alone():
            signer = None if by is None else self.holder(by)
            return self._asking.consent(found, signer, named, action, until, allows)

    def stand(
        self,
        holder: str,
        uses: Sequence[str],
        action: Action = "grant",
        until: str | None = None,
        allow: Allow = None,
    ) -> dict[str, Clearance]:
        """Grant or withdraw a holder's standing consent, for stems to come; sequenced on return.

        Gives the standing consents by use. The consents of stems that are here already do not change.
        """
        found = self.holder(holder)
        named, allows = self._statements.checked_terms(uses, until, action, allow)
        with self._changes.alone():
            self._statements.sign_and_enter(self._asking.standing(found, named, action, until, allows))
        return self.stands(found.holder)

    def request_standing(
        self,
        holder: str,
        uses: Sequence[str],
        action: Action = "grant",
        until: str | None = None,
        allow: Allow = None,
    ) -> SigningRequest:
        """A request for a standing consent to be signed elsewhere."""
        named, allows = self._statements.checked_terms(uses, until, action, allow)
        with self._changes.alone():
            return self._asking.standing(self.holder(holder), named, action, until, allows)

    def stands(self, holder: str) -> dict[str, Clearance]:
        """The standing consents of a holder, by use."""
        return self._catalogue.stands(self.holder(holder).holder)

    def submit(self, request: SigningRequest) -> tuple[int, ...]:
        """Enter a signed request as a whole; sequenced on return. Gives the indices of its entries.

        Everything in it is checked again. Raises `BadRequest`, `BadDeclaration`, `LedgerError`.
        """
        declared = [each.entry for each in request.asked if isinstance(each.entry, entries.Declaration)]
        with self._correcting.submitted(declared) as keep, self._changes.alone():
            keep()
            return self._statements.enter(request, received=True)

    def receipt(self, withdrawal: int) -> tuple[int, entries.Receipt]:
        """Write a receipt of a withdrawal: the last time at which each session used the stem.

        `withdrawal`: the index of that statement. Gives the receipt's index, and the receipt. It names the
        sessions that are not closed yet: ask for another receipt once they are. Raises `BadDeclaration`.
        """
        with self._changes.alone():
            made = receipt_of(self.log.entries(), self.log.waiting(), withdrawal, self._clock.now())
            (index,) = self._changes.sequence([made])
        return index, made

    def consents(self, stem: str | None = None) -> tuple[ConsentStatement, ...]:
        """The statements on a stem, or on all, in the ledger's order."""
        return self._catalogue.statements(None if stem is None else find_stem(self._catalogue, stem))

    def split(
        self,
        stem: str,
        master: Mapping[str, int] | None = None,
        publishing: Mapping[str, int] | None = None,
        approved_by: Sequence[str] = (),
    ) -> dict[str, dict[str, int]]:
        """Set the owners of a stem from now on, in parts per million; a side left out stays as it is.

        Signed with the keys that are kept here, by the stem's holder and by every party whose share falls:
        `approved_by` names those parties. Gives `shares(stem)`. Raises `BadDeclaration` for a side that does
        not sum to a whole, or for a party whose share falls and who is not named.
        """
        found = self.stem(stem)
        approving = {self.holder(name).holder for name in approved_by}
        with self._changes.alone():
            request = self._statements.splits(found, master, publishing)
            self._statements.check_approved(request, approving | {found.holder})
            self._statements.sign_and_enter(request)
        return self.shares(found.stem)

    def request_splits(
        self, stem: str, master: Mapping[str, int] | None = None, publishing: Mapping[str, int] | None = None
    ) -> SigningRequest:
        """A request for new splits, to be signed by the holder and by every party whose share falls."""
        found = self.stem(stem)
        with self._changes.alone():
            return self._statements.splits(found, master, publishing)

    def shares(self, stem: str) -> dict[str, dict[str, int]]:
        """Parts per million by side (`master`, `publishing`) and holder id."""
        return self._catalogue.shares(find_stem(self._catalogue, stem))

    def _state(
        self,
        stems: Sequence[str],
        uses: Sequence[str],
        action: Action,
        until: str | None,
        by: str | None,
        allow: Allow = None,
    ) -> tuple[ConsentStatement, ...]:
        named, allows = self._statements.checked_terms(uses, until, action, allow)
        ids = list(dict.fromkeys(find_stem(self._catalogue, text) for text in stems))
        found = [stem for part in parts_of(ids) for stem in self._catalogue.stems(ids=part)]
        with self._changes.alone():
            signer = None if by is None else self.holder(by)
            request = self._asking.consent(found, signer, named, action, until, allows)
            indices = set(self._statements.sign_and_enter(request))
        return tuple(each for each in self._catalogue.statements() if each.index in indices)

    def _resolved(self, clause: Clause) -> Clause:
        """The clause with whole ids of holders. Raises `UnknownHolder`."""
        if clause.column != "holder":
            return clause
        ids = tuple(self.holder(str(text)).holder for text in clause.values)
        return Condition("holder", ids, clause.negated)
