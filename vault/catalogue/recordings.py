"""The sound of each stem: the holder's original, and the conformed samples made from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioLost, Refused
from ..records import Stem
from ..sound.decode import decode
from ..sound.engine_format import fit, loop_frames
from .catalogue import Catalogue
from .store import Store


class Recordings:
    """The sounds in the store of a vault. Conformed ones are a cache, which is filled again if need be."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    def original(self, stem: str) -> Path:
        """The original file of a stem (whole id). Raises `AudioLost`."""
        path = self._store.original(self._catalogue.digests(stem)[0])
        if not path.exists():
            raise AudioLost(f"the original of {stem} is missing: put {path} back from a backup")
        return path

    def samples(self, stem: Stem) -> NDArray[np.float32]:
        """The conformed samples, mapped read-only. Raises `AudioLost`."""
        samples = self._store.map_conformed(stem.stem, stem.channels, stem.frames)
        if samples is None:
            self._conform_again(stem)
            samples = self._store.map_conformed(stem.stem, stem.channels, stem.frames)
        if samples is None:
            raise AudioLost(
                f"the conformed sound of {stem.stem} '{stem.title}' cannot be kept in {self._store.folder}"
            )
        return samples

    def conformed_path(self, stem: str) -> Path:
        """The file that `samples` maps, for a stem by its whole id. Raises `AudioLost`."""
        (found,) = self._catalogue.stems(ids=[stem])
        self.samples(found)
        return self._store.conformed(stem)

    def _conform_again(self, stem: Stem) -> None:
        original = self.original(stem.stem)
        try:
            sound = decode(original)
        except Refused as error:
            raise AudioLost(f"the original of {stem.stem} at {original} is damaged: {error}") from error
        if sound.pcm_sha256 != stem.pcm_sha256:
            raise AudioLost(f"the original of {stem.stem} at {original} is another sound than the one added")
        frames = None if stem.bpm is None or stem.beats is None else loop_frames(stem.bpm, stem.beats)
        self._store.write_conformed(fit(sound, frames), self._store.conformed(stem.stem))
