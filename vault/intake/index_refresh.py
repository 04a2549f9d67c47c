"""What the vault's recordings are known by, kept up to date with the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..catalogue.catalogue import Catalogue
from ..errors import AudioLost
from .fingerprint_index import Index, Marks
from .worker_pool import Workers

Progress = Callable[[int, int], None]
"""Called with how many of how many are done."""


class Knowing:
    """Gives the index of the vault's landmarks. `conformed`: a stem's ready sound, made again if need be."""

    def __init__(self, path: Path, catalogue: Catalogue, conformed: Callable[[str], Path]) -> None:
        self._path = path
        self._catalogue = catalogue
        self._conformed = conformed
        self._index: Index | None = None

    def index(self, workers: Workers, progress: Progress | None = None) -> Index:
        """The index, after it took in the stems that it did not know and forgot those that are gone."""
        index = self._opened()
        strange = index.forget_others({stem for stem, _ in self._catalogue.all_stems()})

        def marks(stem: str) -> Marks | None:
            try:
                return workers.marks_of_conformed(self._conformed(stem))
            except AudioLost:
                # Whoever wants its sound is told so; that is no reason to take in nothing else.
                return None

        learnt = zip(strange, workers.each(marks, strange), strict=True)
        for done, (stem, found) in enumerate(learnt, start=1):
            if found is not None:
                index.add(stem, found)
            if progress is not None:
                progress(done, len(strange))
        return index

    def forget(self, stem: str) -> None:
        """Forget a stem that was removed."""
        if self._path.exists():
            self._opened().forget(stem)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()

    def _opened(self) -> Index:
        if self._index is None:
            self._index = Index(self._path)
        return self._index
