"""Files that their holder has brought before: known by their bytes, before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalogue.catalogue import Catalogue
from ..catalogue.earlier_rows import Past
from ..errors import BadDeclaration, Refused
from ..records import Stem
from ..sound.declared import Declared, Terms, canonical_terms
from ..sound.decode import digest_of
from .intake import AlreadyHere
from .worker_pool import WorkerPool


class Familiar:
    """The originals of a vault as they are when a batch begins."""

    def __init__(self, catalogue: Catalogue, entered: Past) -> None:
        """`entered`: the stems that were declared anew, as they came."""
        self._catalogue, self._entered = catalogue, entered
        self._stems = {digest: stem for stem, digest, _ in catalogue.all_stems()}

    def among(
        self, offers: Sequence[tuple[int, Declared, str]], workers: WorkerPool
    ) -> dict[int, AlreadyHere]:
        """Those of the files (number, declaration, holder's id) that are here, by their numbers.

        A file is if it belongs to the holder, and nothing that is declared of it now is otherwise in the
        vault, or was when it came: a list may be given again after corrections. Each other one has to be
        prepared, to tell.
        """
        if not self._stems:
            return {}
        stems = dict(zip((number for number, _, _ in offers), workers.each(self._stem, offers), strict=True))
        ids = sorted(filter(None, stems.values()))
        known = {each.stem: [each] for each in self._catalogue.stems(ids=ids)}
        corrected = {stem: self._entered[stem] for stem in ids if stem in self._entered}
        for each in self._catalogue.stems(ids=sorted(corrected), past=corrected) if corrected else ():
            known[each.stem].append(each)
        return {
            number: AlreadyHere(declared.path, found[0].stem)
            for number, declared, holder in offers
            if (found := known.get(stems[number] or "")) is not None
            and found[0].holder == holder
            and any(_agree(declared, canonical_terms(declared), each) for each in found)
        }

    def _stem(self, offer: tuple[int, Declared, str]) -> str | None:
        try:
            canonical_terms(offer[1])
            return self._stems.get(digest_of(offer[1].path))
        except (Refused, BadDeclaration):
            return None  # Its preparation says why.


def _agree(declared: Declared, terms: Terms, stem: Stem) -> bool:
    said = (
        (declared.title, terms.title, stem.title),
        (declared.bpm, terms.bpm, stem.bpm),
        (terms.beats, terms.beats, stem.beats),
        (terms.shape, terms.shape, stem.shape),
        (terms.key, terms.key, stem.key),
        (terms.mood or None, terms.mood, stem.mood),
        (terms.set, terms.set, stem.set),
        (terms.song, terms.song, stem.song),
        (declared.meter, terms.meter, stem.meter),
    )
    return terms.role == stem.role and all(now == here for given, now, here in said if given is not None)
