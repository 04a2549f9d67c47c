"""The sound of each stem: the holder's original, and the conformed samples made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from sqlite3 import ProgrammingError

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioLost, CatalogueTrouble, Refused
from ..records import Stem
from ..sound.declared import canonical_shape
from ..sound.decode import decode
from ..sound.energies import Energies, energies
from ..sound.engine_format import loop_frames
from ..sound.offset import without_offset
from ..sound.onsets import ONSETS, onsets
from ..sound.song import fitted
from .catalogue import Catalogue
from .kept_energies import Fitted, keep_energies, kept_energies
from .past import cut_of_stem
from .store import Store

Progress = Callable[[int, int], None]
"""Told how many are done, of how many."""


class Recordings:
    """The sounds in the store of a vault. Conformed ones are a cache, which is filled again if need be."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._energies: dict[Fitted, Energies] = {}

    def original(self, stem: str) -> Path:
        """The original file of a stem (whole id). Raises `AudioLost`."""
        path = self._store.original(self._catalogue.digests(stem)[0])
        if not path.exists():
            raise AudioLost(f"the original of {stem} is missing: put {path} back from a backup")
        return path

    def samples(self, stem: Stem) -> NDArray[np.float32]:
        """The conformed samples, mapped read-only. Raises `AudioLost`."""
        samples = self._store.map_conformed(stem.stem, stem.channels, stem.frames, stem.grid)
        if samples is None:
            self._conform_again(stem)
            samples = self._store.map_conformed(stem.stem, stem.channels, stem.frames, stem.grid)
        if samples is None:
            raise AudioLost(
                f"the conformed sound of {stem.stem} '{stem.title}' cannot be kept in {self._store.folder}"
            )
        return samples

    def path(self, stem: Stem) -> Path:
        """The file that `samples` maps. Raises `AudioLost`."""
        self.samples(stem)
        return self._store.conformed(stem.stem, stem.grid)

    def conformed_path(self, stem: str) -> Path:
        """The same, for a stem by its whole id. Raises `AudioLost`."""
        (found,) = self._catalogue.stems(ids=[stem])
        return self.path(found)

    def onsets(self, stem: str, channels: int, frames: int, grid: str) -> tuple[int, ...]:
        """Where the hits of a stem (whole id) begin, in frames; none where its sound is lost.

        They are looked for once, and kept beside its conformed samples. It may be asked after the vault was
        closed: a snapshot outlives it.
        """
        path = self._store.variant(stem, ONSETS, grid)
        try:
            return tuple(np.load(path, allow_pickle=False).tolist())
        except (FileNotFoundError, ValueError, EOFError):
            # Not looked for yet, or cut short.
            pass
        sound = self._store.map_conformed(stem, channels, frames, grid)
        if sound is None:
            try:
                (found,) = self._catalogue.stems(ids=[stem])
                if found.grid != grid:
                    return ()
                sound = self.samples(found)
            except (AudioLost, ValueError, ProgrammingError):
                return ()
        marks = onsets(sound)
        # A home that may not be written is looked through again in each session.
        with suppress(OSError):
            self._store.write_marks(marks, path)
        return tuple(marks)

    def _conform_again(self, stem: Stem) -> None:
        original = self.original(stem.stem)
        try:
            sound = decode(original)
        except Refused as error:
            raise AudioLost(f"the original of {stem.stem} at {original} is damaged: {error}") from error
        if sound.pcm_sha256 != stem.pcm_sha256:
            raise AudioLost(f"the original of {stem.stem} at {original} is another sound than the one added")
        frames = None if stem.bpm is None or stem.beats is None else loop_frames(stem.bpm, stem.beats)
        cut = cut_of_stem(self._catalogue, stem.stem, stem.grid)
        samples = without_offset(fitted(sound, stem.shape, frames, cut), canonical_shape(stem.shape))
        self._store.write_conformed(samples, self._store.conformed(stem.stem, stem.grid))

    def energies(self, stems: Sequence[Stem], progress: Progress | None = None) -> dict[str, Energies]:
        """How loud each of these is in each 100 ms, by id, without those of which the sound is lost.

        Of stems that came before this was measured it is measured now, and kept if the catalogue may be
        written; `progress` tells of them.
        """
        wanted = {(stem.stem, stem.grid): stem for stem in stems}
        with self._catalogue.reading() as db:
            self._energies |= kept_energies(db, [each for each in wanted if each not in self._energies])
        missing = [stem for fitted, stem in wanted.items() if fitted not in self._energies]
        measured = {}
        for done, stem in enumerate(missing, start=1):
            with suppress(AudioLost, OSError):
                measured[stem.stem, stem.grid] = Energies.of(energies(self._at_zero(stem)))
            if progress is not None:
                progress(done, len(missing))
        self._energies |= measured
        if measured:
            with suppress(OSError, CatalogueTrouble):
                self._catalogue.check_kept()
                with self._catalogue.transaction() as db:
                    keep_energies(db, measured)
        return {each[0]: self._energies[each] for each in wanted if each in self._energies}

    def _at_zero(self, stem: Stem) -> NDArray[np.float32]:
        """The conformed samples; a copy that was kept before offsets were taken off is kept anew without."""
        kept = self.samples(stem)
        samples = without_offset(kept, canonical_shape(stem.shape))
        if samples is not kept:
            self._store.forget_conformed(stem.stem, stem.grid)
            self._store.write_conformed(samples, self._store.conformed(stem.stem, stem.grid))
        return samples
