"""The player to embed: pull blocks of sound into a host's own audio loop.

    from stemloom import Player

    with Player("~/music-home", "harbour.loom", use="stream", tier="developer") as player:
        while (block := player.read(512)).shape[0]:      # float32 (frames, 2) at 48 kHz
            host.play(block)
            player.set("energy", host.energy)            # a dial of the script

The sound is the one that `stemloom render` writes, bit for bit, whatever the block sizes; every placement
that has ended is in the ledger's journal, and leaving the `with` block seals the session in the log.
`player.take` then holds all that happened. Errors: a script with mistakes raises ScriptRejected, a use that
it is not for UseRefused, a vault with nothing cleared NothingCleared.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..script.check import accepted
from ..script.load import load
from ..vault.records import ENGINE_RATE
from ..vault.vault import Vault
from .errors import EngineError
from .session import Session
from .take import Take

PREPARED_BARS = 8
"""How many bars are conformed before the first block."""


@dataclass(frozen=True, slots=True)
class Now:
    """One thing that sounds: who made it, and which line of the script placed it."""

    stem: str
    title: str
    holder: str
    role: str
    part: str
    section: str
    line: int


class Player:
    """Plays a script from a vault, block by block. A context manager; safe to call from any thread.

    `home`: the folder of vault and ledger. `path`: the script. `use`: by default the first that the script
    is `for`. `tier`: who is using it. `user`: a pseudonym; only a salted commitment to it is logged.
    """

    rate = ENGINE_RATE

    def __init__(
        self,
        home: str | os.PathLike[str],
        path: str | os.PathLike[str],
        *,
        use: str | None = None,
        tier: str = "developer",
        user: str = "",
        seed: int | None = None,
        dials: Mapping[str, float] | None = None,
    ) -> None:
        self._begin(home, load(Path(path)), str(path), use, tier, user, seed, dials)

    @classmethod
    def from_text(
        cls,
        home: str | os.PathLike[str],
        text: str,
        *,
        use: str | None = None,
        tier: str = "developer",
        user: str = "",
        seed: int | None = None,
        dials: Mapping[str, float] | None = None,
    ) -> Self:
        """A player of a script that is given as text."""
        player = cls.__new__(cls)
        player._begin(home, text, "<text>", use, tier, user, seed, dials)
        return player

    def _begin(
        self,
        home: str | os.PathLike[str],
        text: str,
        name: str,
        use: str | None,
        tier: str,
        user: str,
        seed: int | None,
        dials: Mapping[str, float] | None,
    ) -> None:
        self._lock = threading.Lock()
        self._vault = Vault.open(Path(home).expanduser())
        try:
            piece = accepted(text, self._vault.snapshot(), file=name)
            self._session = Session(self._vault, piece, use=use, tier=tier, user=user, seed=seed, dials=dials)
            self._session.prepare(PREPARED_BARS)
        except BaseException:
            self._vault.close()
            raise
        self._take: Take | None = None

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next `frames` frames, float32 (frames, 2); fewer, and at last none, where the piece ends.

        Waits for a stem that has still to be brought to tempo. Raises ValueError for a negative count.
        """
        if frames < 0:
            raise ValueError(f"frames must not be negative: {frames}")
        with self._lock:
            return np.ascontiguousarray(self._session.read(frames).T)

    def set(self, dial: str, value: float) -> None:
        """Turn a dial of the script; UnknownDial if it has none of that name or the value is out of range."""
        with self._lock:
            self._check_open()
            self._session.set(dial, value)

    def like(self, part: str | None = None) -> None:
        """The listener likes what `part` plays, or else the loop that started last: it comes more often.

        What else happens is for the script's `on like` to say. Raises UnknownPart.
        """
        with self._lock:
            self._check_open()
            self._session.like(part)

    def dislike(self, part: str | None = None) -> None:
        """The contrary of `like`: it comes less often, and `on dislike` happens. Raises UnknownPart."""
        with self._lock:
            self._check_open()
            self._session.dislike(part)

    def cue(self, name: str) -> None:
        """Give a cue that a move or an event of the script waits for. Raises UnknownCue."""
        with self._lock:
            self._check_open()
            self._session.cue(name)

    def _check_open(self) -> None:
        if self._take is not None:
            raise EngineError("the player is closed")

    def now(self) -> tuple[Now, ...]:
        """What sounds now."""
        with self._lock:
            self._check_open()
            return tuple(
                Now(p.stem, p.title, p.holder, p.role, p.part, p.section, p.line)
                for p in self._session.playing
            )

    @property
    def ended(self) -> bool:
        """Whether the piece has ended and all of it was read."""
        return self._session.ended

    @property
    def seconds(self) -> float:
        """How much was read so far."""
        return self._session.frame / ENGINE_RATE

    @property
    def session(self) -> str:
        """The session's id in the ledger."""
        return self._session.session

    @property
    def take(self) -> Take | None:
        """What happened, once the player is closed."""
        return self._take

    def close(self) -> None:
        """End the session: what sounds is accounted for as heard so far, and the log is sealed.

        If the disk fails it raises, and may be called again; what had been acknowledged is safe either way.
        """
        with self._lock:
            if self._take is None:
                self._take = self._session.close()
                self._vault.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
