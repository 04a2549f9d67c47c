"""Conforming: brings each stem to the session's tempo and key, in worker processes, and keeps what was made.

A variant is a function of (stem, form, algorithm), so its file is made once and may be deleted at any time.
A loop that has the session's length and key already is the vault's own file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from ...ground.processes import Crew, WorkerDied, cores
from ...ground.roles import UNPITCHED_ROLES
from ...vault.errors import VaultError
from ...vault.records import ENGINE_RATE, Stem
from ...vault.vault import Vault
from ..errors import ConformFailed, EngineError
from ..plan import Variant
from .stretch import ALGORITHM, SLICES, Request

MOST_BYTES = 1 << 30
"""How much sound is kept in memory."""


class Conformer:
    """Gives the sound of a variant, making it first when it is not there. A context manager.

    Worker processes start with the first variant that must be made, at most one a core, and end with
    `close`.
    """

    def __init__(self, vault: Vault, workers: int | None = None) -> None:
        self._vault = vault
        self._workers = workers or cores()
        # -P: nothing is imported from the folder that the user happens to be in.
        self._crew = Crew([sys.executable, "-P", str(Path(__file__).with_name("stretch.py"))])
        self._sounds: dict[Variant, NDArray[np.float32]] = {}

    def sound(self, stem: Stem, variant: Variant) -> NDArray[np.float32]:
        """The variant's samples, float32 (channels, frames), C-contiguous and in memory."""
        if variant not in self._sounds:
            self.prepare([(stem, variant)])
        return self._sounds[variant]

    def ready(self, variant: Variant) -> bool:
        """Whether the variant is in memory."""
        return variant in self._sounds

    def prepare(
        self, wanted: Iterable[tuple[Stem, Variant]], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Make what is missing of these variants, side by side, and load them all.

        `progress` is told (done, all). One that cannot be made keeps none of the others back; then
        the error of the first is raised: ConformFailed, AudioLost where its recording is gone, OSError.
        """
        todo = {variant: stem for stem, variant in wanted if variant not in self._sounds}
        failed: dict[Variant, Exception] = {}

        def attempt(variant: Variant, step: Callable[[Stem, Variant], None]) -> None:
            try:
                step(todo[variant], variant)
            except (EngineError, VaultError, OSError) as error:
                failed.setdefault(variant, error)

        missing = [variant for variant, stem in todo.items() if not self._is_made(stem, variant)]
        if missing:
            with ThreadPoolExecutor(min(self._workers, len(missing))) as pool:
                for done, _ in enumerate(pool.map(lambda variant: attempt(variant, self._make), missing)):
                    if progress is not None:
                        progress(done + 1, len(missing))
        for variant in todo:
            if variant not in failed:
                attempt(variant, self._take)
        self._forget(keep=todo)
        for variant in todo:
            if variant in failed:
                raise failed[variant]

    def close(self) -> None:
        """End the worker processes."""
        self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _forget(self, keep: Container[Variant]) -> None:
        """Let go of what was loaded longest ago, above the memory allowed; the mixer keeps what it plays."""
        held = sum(sound.nbytes for sound in self._sounds.values())
        for variant in list(self._sounds):
            if held <= MOST_BYTES:
                return
            if variant not in keep:
                held -= self._sounds.pop(variant).nbytes

    def _path(self, stem: Stem, variant: Variant) -> Path:
        """Where the variant is or will be; the vault's own conformed file where nothing has to be made."""
        plain = variant.loop_start is None or (stem.shape == "loop" and variant.frames == stem.frames)
        if plain and not variant.semitones:
            return self._vault.conformed_path(stem.stem)
        # Only a texture is another sound backwards, as its end is made for its repeat.
        turned = "-reverse" if variant.reverse and variant.loop_start else ""
        form = f"{variant.frames}-{variant.loop_start or 0}{turned}-{variant.semitones:+d}st"
        algorithm = f"{SLICES}-{ALGORITHM}" if _kind(stem, variant) == "slices" else ALGORITHM
        return self._vault.variant_path(stem.stem, f"{form}-{algorithm}")

    def _is_made(self, stem: Stem, variant: Variant) -> bool:
        """Whether the variant's file is there. One that must be made from a recording that is gone is not."""
        try:
            return self._whole(stem, variant) is not None
        except VaultError:
            return False

    def _whole(self, stem: Stem, variant: Variant) -> Path | None:
        """The variant's file, if it is there and has the shape that it should have."""
        path = self._path(stem, variant)
        try:
            shape = np.load(path, mmap_mode="r").shape
        except (FileNotFoundError, ValueError, EOFError):
            return None
        return path if shape == (stem.channels, variant.frames) else None

    def _take(self, stem: Stem, variant: Variant) -> None:
        """Load a variant that has been made."""
        path = self._whole(stem, variant)
        if path is None:
            raise ConformFailed(f'the variant of "{stem.title}" vanished while it was made; run it again')
        # Into memory whole, so that the mixer never waits for the disk.
        sound = np.ascontiguousarray(np.load(path), np.float32)
        if not np.isfinite(sound).all():
            raise ConformFailed(
                f'the prepared audio of "{stem.title}" is damaged: remove {path}, and it is made again'
            )
        turned = variant.reverse and not variant.loop_start
        self._sounds[variant] = np.ascontiguousarray(sound[:, ::-1]) if turned else sound

    def _make(self, stem: Stem, variant: Variant) -> None:
        path = self._path(stem, variant)
        source = self._vault.conformed_path(stem.stem)
        if path == source:
            self._vault.samples(stem.stem)
            return
        kind = _kind(stem, variant)
        overlap = variant.loop_start or 0
        reverse = variant.reverse and kind == "texture"
        request = Request(
            str(source), str(path), kind, variant.frames, overlap, ENGINE_RATE, variant.semitones, reverse
        )
        try:
            answer = json.loads(self._crew.ask(request.line().encode()))
        except WorkerDied as died:
            raise ConformFailed(f"the stretching process ended with code {died.code}; run it again") from died
        if error := answer["error"]:
            raise ConformFailed(f'"{stem.title}" could not be brought to tempo and key: {error}')


def _kind(stem: Stem, variant: Variant) -> Literal["loop", "slices", "texture", "hit"]:
    """How a variant is made; "slices" for what is struck and has no pitch, so that no hit is smeared."""
    if variant.loop_start is None:
        return "hit"
    if stem.shape != "loop":
        return "texture"
    return "slices" if stem.role in UNPITCHED_ROLES else "loop"
