"""Replay: a take once more, from what it records. The same samples, and the same placements in the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from ...ledger.clock import Clock
from ...script.check.check import accepted
from ...vault.vault import Vault
from ..errors import TakeRefused
from .session import Session
from .take import Take, check_key

CHUNK_FRAMES = 1 << 15


@dataclass(frozen=True, slots=True)
class Replayed:
    """The outcome of a replay, compared with its take. `differences`: numbers of unlike placements."""

    take: Take
    same_sound: bool | None
    """None where the take holds no hash of its sound."""
    differences: tuple[int, ...]

    @property
    def same(self) -> bool:
        return self.same_sound is not False and not self.differences


def replay(
    vault: Vault,
    take: Take,
    write: Callable[[NDArray[np.float32]], None],
    *,
    logged: bool = True,
    progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> tuple[Session, Replayed]:
    """Play a take again into `write`, which gets blocks of float32 (2, frames).

    It is a session of its own, with entries of its own: what is replayed is heard once more. `logged`: false
    for a comparison that nobody hears. The session is finished, for the caller to seal. Raises TakeRefused
    when a stem that it needs has no consent any more, or is gone.
    """
    _check_consents(vault, take)
    piece = accepted(take.script)
    check_key(take.key, piece)
    session = Session(
        vault,
        piece,
        use=take.use,
        tier=take.tier,
        seed=take.seed,
        dials=take.dials,
        keep_back=True,
        replayed=take,
        clock=clock,
        logged=logged,
    )
    with ExitStack() as stack:
        stack.callback(session.abandon)
        gestures = deque(take.gestures)
        session.prepare(8)
        while session.frame < take.frames:
            mixed = session.mixer.frame
            while gestures and gestures[0].frame <= mixed:
                session.gestures.perform(gestures.popleft())
            until = min(gestures[0].frame if gestures else take.mixed, take.mixed, mixed + CHUNK_FRAMES)
            ready = session.output.mix_to(until)
            block = session.read(min(ready, take.frames - session.frame))
            write(block)
            if progress is not None:
                progress(session.frame, take.frames)
            if not block.shape[1] and session.mixer.frame == mixed:
                break
        for gesture in gestures:
            session.gestures.perform(gesture)
        # What was mixed and not given out is in the ledger, too.
        session.output.mix_to(take.mixed)
        again = session.finish()
    return session, Replayed(
        again,
        None if take.pcm_sha256 is None else again.pcm_sha256 == take.pcm_sha256,
        _differences(take, again),
    )


def _check_consents(vault: Vault, take: Take) -> None:
    snapshot = vault.snapshot()
    there = {stem.stem: stem for stem in snapshot.stems}
    at = snapshot.time
    needed = sorted({placement.stem for placement in take.placements})
    gone = [f"{stem} is gone" for stem in needed if stem not in there]
    gone += [
        f'"{there[stem].title}" has no consent for {take.use} any more'
        for stem in needed
        if stem in there and there[stem].cleared(take.use, at) is None
    ]
    if gone:
        raise TakeRefused(f"the take cannot be played again: {'; '.join(gone)}")


def _differences(take: Take, again: Take) -> tuple[int, ...]:
    """Numbers of the placements that are not the same in both, or are in one alone."""
    pairs = enumerate(zip_longest(take.placements, again.placements))
    return tuple(number for number, (one, other) in pairs if one != other)
