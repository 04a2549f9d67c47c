"""Conforming: brings each stem to the session's tempo and key, in worker processes, and keeps what was made.

A variant is a function of (stem, form, algorithm), so its file is made once and may be deleted at any time.
A loop that has the session's length and key already is the vault's own file. What is loaded is shared by all
sessions of a process; see `workshop`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Container, Iterable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from ...ground.processes import Crew, WorkerDied
from ...ground.roles import UNPITCHED_ROLES
from ...vault.catalogue.store import Store
from ...vault.records import ENGINE_RATE, Stem
from ...vault.vault import Vault
from ..errors import ConformFailed, EngineError, NoRoom
from ..plan import Variant
from .sounds import Sound, is_finite, is_whole, load
from .stretch import ALGORITHM, RAMP, SLICES, Kind, Request
from .struck import LoopOnsets, struck
from .workshop import AT_ONCE, Order, Workshop

MOST_BYTES = 1 << 30
"""How much sound the sessions of a process keep for one home, besides what plays or is wanted next."""
LOOK_SECONDS = 1.0
"""How often somebody who waits for a sound looks whether the session is closed."""

Wanted = Iterable[tuple[Stem, Variant]]


class Conformer:
    """Gives the sound of a variant, making it first when it is not there. A context manager.

    Worker processes start with the first variant that must be made, at most one a core, and end when the last
    conformer of this process and home is closed. It may be used from any thread, and belongs to the process
    that made it.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        home = os.path.realpath(vault.home)
        self._store = Store(Path(home))
        self._sounds: dict[Variant, Sound] = {}
        """Written by the workshop's thread."""
        self._near: Container[Variant] = frozenset()
        """What was wanted last: it is kept, however much is held."""
        self._struck: dict[Variant, LoopOnsets] = {}
        self.listens = False
        """Whether the onsets of loops are worked out as they are loaded, as something ducks under them."""
        self._troubles: deque[Exception] = deque()
        self._told: set[str] = set()
        self._closed = False
        # -P: nothing is imported from the folder that the user happens to be in.
        command = [sys.executable, "-P", str(Path(__file__).with_name("stretch.py"))]
        self._workshop = Workshop.of(home, self, command)

    def sound(self, stem: Stem, variant: Variant) -> Sound:
        """The variant's samples, float32 (channels, frames), C-contiguous, read-only and in memory.

        Waits for one that is being made. Raises as `prepare`.
        """
        if (found := self._sounds.get(variant)) is not None:
            return found
        outcome = self._wait_for({variant: stem}, None)[variant]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def struck(self, stem: Stem, variant: Variant) -> LoopOnsets | None:
        """The onsets of a loop's sound; None for a sound that is no loop. Raises as `sound`."""
        if variant.loop_start != 0 and not variant.ramp and stem.song is None:
            return None
        if variant not in self._struck:
            self._struck[variant] = struck(self.sound(stem, variant))
        return self._struck[variant]

    def ready(self, variant: Variant) -> bool:
        """Whether the variant is in memory."""
        return variant in self._sounds

    def lacking(self, wanted: Wanted) -> list[tuple[Stem, Variant]]:
        """Those that are not in memory."""
        return [(stem, variant) for stem, variant in wanted if variant not in self._sounds]

    def prepare(self, wanted: Wanted, progress: Callable[[int, int], None] | None = None) -> None:
        """Make what is missing of these variants, side by side, and load them all.

        `progress` is told (done, all). One that cannot be made keeps none of the others back; then
        the error of the first is raised: ConformFailed, AudioLost where its recording is gone, OSError.
        After an interrupt the variants are made ready all the same.
        """
        all_wanted = list(wanted)
        self._near = frozenset(variant for _, variant in all_wanted)
        todo = {variant: stem for stem, variant in self.lacking(all_wanted)}
        found = self._wait_for(todo, progress)
        for variant in todo:
            if isinstance(error := found[variant], Exception):
                raise error

    def soon(self, wanted: Wanted) -> None:
        """Have these variants made and loaded, the first first, and return at once.

        Those of an earlier call that are not begun and not wanted any more lapse. See `trouble` for errors.
        """
        all_wanted = list(wanted)
        self._near = frozenset(variant for _, variant in all_wanted)
        self._workshop.order(
            [
                self._order(stem, variant, rank, partial(self._came, variant))
                for rank, (stem, variant) in enumerate(self.lacking(all_wanted))
            ],
            instead_of=self,
        )

    def trouble(self) -> list[Exception]:
        """The errors of `soon` since the last call, each sentence once in a session."""
        found = []
        while self._troubles:
            found.append(self._troubles.popleft())
        return found

    def close(self) -> None:
        """Let go of all sounds. What other sessions wait for goes on; returns within two seconds."""
        self._closed = True
        self._workshop.leave(self, _over())
        self._sounds.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _wait_for(
        self, todo: dict[Variant, Stem], progress: Callable[[int, int], None] | None
    ) -> dict[Variant, Sound | Exception]:
        """The sounds, or why there are none. `progress` is told of those whose files are not there yet."""
        missing = {v for v, stem in todo.items() if progress and not self._is_made(stem, v)}
        answers: SimpleQueue[tuple[Variant, Sound | Exception]] = SimpleQueue()

        def answer(variant: Variant, outcome: Sound | Exception) -> None:
            self._keep(variant, outcome)
            answers.put((variant, outcome))

        self._workshop.order(
            [self._order(stem, variant, AT_ONCE, partial(answer, variant)) for variant, stem in todo.items()]
        )
        found: dict[Variant, Sound | Exception] = {}
        done = 0
        while len(found) < len(todo):
            try:
                variant, outcome = answers.get(timeout=LOOK_SECONDS)
            except Empty:
                if self._closed:
                    raise _over() from None
                continue
            found[variant] = outcome
            if progress is not None and variant in missing:
                done += 1
                progress(done, len(missing))
        return found

    def _order(
        self, stem: Stem, variant: Variant, rank: int, answer: Callable[[Sound | Exception], None]
    ) -> Order:
        path, backwards = self._path(stem, variant), _is_turned(variant)
        return Order(
            self,
            (path, backwards),
            rank,
            partial(self._load, stem, variant),
            partial(self._make, stem, variant),
            answer,
        )

    def _came(self, variant: Variant, outcome: Sound | Exception) -> None:
        """What came of an order that nobody waits for."""
        self._keep(variant, outcome)
        if isinstance(outcome, Exception) and not self._closed and str(outcome) not in self._told:
            self._told.add(str(outcome))
            self._troubles.append(outcome)

    def _keep(self, variant: Variant, outcome: Sound | Exception) -> None:
        """Keep a sound, and above the memory allowed let go of what this session loaded longest ago."""
        if self._closed or isinstance(outcome, Exception):
            return
        loop = variant.loop_start == 0 or variant.ramp
        if self.listens and loop and variant not in self._struck:
            self._struck[variant] = struck(outcome)
        self._sounds[variant] = outcome
        excess = self._workshop.held() - MOST_BYTES
        for old in list(self._sounds):
            if excess <= 0:
                return
            if old not in self._near and old != variant:
                excess -= self._sounds[old].nbytes
                del self._sounds[old]

    def _path(self, stem: Stem, variant: Variant) -> Path:
        """Where the variant is or will be; the vault's own conformed file where nothing has to be made."""
        plain = variant.loop_start is None or (
            stem.shape in ("loop", "song") and variant.frames == stem.frames
        )
        if plain and not variant.semitones and not variant.ramp:
            return self._store.conformed(stem.stem, stem.grid)
        kind = _kind(stem, variant)
        turned = "-reverse" if variant.reverse and not _is_turned(variant) else ""
        form = f"{variant.frames}-{variant.loop_start or 0}{turned}-{variant.semitones:+d}st"
        algorithm = f"{SLICES}-{ALGORITHM}" if kind == "slices" else ALGORITHM
        if kind in ("ramp", "song"):
            struck = "struck" if stem.role in UNPITCHED_ROLES else "held"
            way = _name_of(variant.ramp) if variant.ramp else kind
            algorithm = f"{RAMP}-{struck}-{way}-{algorithm}"
        return self._store.variant(stem.stem, f"{form}-{algorithm}", stem.grid)

    def _is_made(self, stem: Stem, variant: Variant) -> bool:
        """Whether the variant's file is there, with the shape that it should have."""
        return is_whole(self._path(stem, variant), (stem.channels, variant.frames))

    def _load(self, stem: Stem, variant: Variant) -> Sound | None:
        """The samples of a variant that has been made, else None."""
        path = self._path(stem, variant)
        sound = load(path, (stem.channels, variant.frames), backwards=_is_turned(variant))
        if sound is not None and not is_finite(sound):
            raise ConformFailed(
                f'the prepared audio of "{stem.title}" is damaged: remove {path}, and it is made again'
            )
        return sound

    def _make(self, stem: Stem, variant: Variant, crew: Crew) -> None:
        """Make the variant's file, if nobody has made it meanwhile."""
        path = self._path(stem, variant)
        if self._is_made(stem, variant):
            return
        source = self._vault.recordings.path(stem)
        if path != source:
            self._stretch(stem, variant, source, path, crew)
        if not self._is_made(stem, variant):
            raise ConformFailed(f'the variant of "{stem.title}" vanished while it was made; run it again')

    def _stretch(self, stem: Stem, variant: Variant, source: Path, path: Path, crew: Crew) -> None:
        kind = _kind(stem, variant)
        overlap = variant.loop_start or 0
        request = Request(
            str(source),
            str(path),
            kind,
            variant.frames,
            overlap,
            ENGINE_RATE,
            variant.semitones,
            reverse=variant.reverse and not _is_turned(variant),
            anchors=variant.ramp,
            struck=stem.role in UNPITCHED_ROLES,
            silent=variant.frames - overlap if stem.song is not None and overlap else 0,
        )
        try:
            answer = json.loads(crew.ask(request.line().encode()))
        except WorkerDied as died:
            raise ConformFailed(f"the stretching process ended with code {died.code}; run it again") from died
        if error := answer["error"]:
            full = answer["errno"] in (errno.ENOSPC, errno.EDQUOT)
            failed = NoRoom if full else ConformFailed
            raise failed(f'"{stem.title}" could not be brought to tempo and key: {error}')


def _over() -> EngineError:
    return EngineError("the session is closed: no more of its stems are made ready")


def _is_turned(variant: Variant) -> bool:
    """Whether it is its file read backwards.

    A texture is not, whose end is made for its repeat, nor a ramp, which is not even.
    """
    return variant.reverse and not variant.loop_start and not variant.ramp


def _name_of(ramp: tuple[tuple[int, int], ...]) -> str:
    """A short name of a ramp's anchors."""
    return hashlib.sha256(json.dumps(ramp).encode()).hexdigest()[:16]


def _kind(stem: Stem, variant: Variant) -> Kind:
    """How a variant is made; "slices" for what is struck and has no pitch, so that no hit is smeared."""
    if variant.ramp:
        return "ramp"
    if variant.loop_start is None:
        return "hit"
    if stem.song is not None:
        return "song"
    if stem.shape != "loop":
        return "texture"
    return "slices" if stem.role in UNPITCHED_ROLES else "loop"
