"""The output of a session: mixed when it is read, or taken from a device that has mixed it."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from ..clock import QUANTUM
from ..errors import EngineError
from ..mix.limiter import LATENCY_FRAMES
from ..mix.mixer import Mixer
from .conductor import MOST_TAIL_SECONDS, Conductor
from .pcm24 import to_pcm24

MOST_MIXED_FRAMES = 1 << 18
"""How much is mixed at once; the sound does not depend on it."""


class Output:
    """What a session gives out. `limit`: its length where one was asked for; `least`: its least length."""

    def __init__(self, mixer: Mixer, conductor: Conductor, limit: int | None, least: int) -> None:
        self._mixer, self._conductor, self._least = mixer, conductor, least
        self.length = limit
        """The output's length in frames, once it is known."""
        self.closed = False
        self._kept = [np.empty((2, 0), np.float32)]
        self._ready = 0
        self._delivered = -LATENCY_FRAMES
        """Frames of output given out; below 0, frames of the master's latency still to drop."""
        self._rung_out = False
        self._hash = hashlib.sha256()
        self._lost = False
        """Whether some of the output was played but not given to `played`."""

    @property
    def pcm_sha256(self) -> str | None:
        """SHA-256 of all output so far as 24-bit PCM; None where some of it was lost."""
        return None if self._lost else self._hash.hexdigest()

    @property
    def frame(self) -> int:
        """Frames of output given out so far."""
        return max(self._delivered, 0)

    @property
    def ended(self) -> bool:
        """Whether the last frame has been given out."""
        return self.length is not None and self._delivered >= self.length

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames of output, float32 (2, frames); fewer only where the piece ends.

        Frame 0 of the output is frame 0 of the piece: the master's latency is taken off.
        """
        if self.closed:
            raise EngineError("the session is closed")
        while self._ready < frames and not self._all_mixed:
            self._produce(self._mixer.frame + frames - self._ready)
        count = min(frames, self._ready)
        if self.length is not None:
            count = min(count, max(self.length - self._delivered, 0))
        kept = np.concatenate(self._kept, axis=1)
        out, self._kept = kept[:, :count], [kept[:, count:]]
        self._ready -= count
        self._delivered += count
        self._hash.update(to_pcm24(out))
        return out

    def mix_to(self, frame: int) -> int:
        """Mix to `frame`, a whole number of quanta; gives how many frames `read` has ready."""
        while self._mixer.frame < frame and not self._all_mixed:
            self._produce(frame)
        return self._ready

    def played(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take what a device has mixed, float32 (2, frames); gives what of it is sure to be output.

        When the piece has ended, that is known only once it has rung out.
        """
        self._keep(block)
        if self._conductor.ended_at is not None and not self._rung_out:
            sure = max(self._conductor.ended_at - self._delivered, 0)
            return self.read(min(sure, self._ready))
        return self.read(self._ready)

    def lose(self, mixed: int) -> None:
        """Some of what a device played could not be kept: there is no hash of the whole, but a length.

        `mixed`: how many frames the device took in all.
        """
        self._lost = True
        given = mixed - LATENCY_FRAMES
        self._delivered = max(given if self.length is None else min(given, self.length), self._delivered)

    def settle(self) -> None:
        """Log what has ended; where the piece has rung out, the length is known."""
        conductor = self._conductor
        conductor.collect()
        if conductor.ended_at is not None and not self._rung_out and self._mixer.idle:
            self._rung_out = True
            # Not the mixer's frame, which depends on how many frames were asked for.
            end = max(conductor.ended_at, conductor.last_end)
            most = conductor.ended_at + MOST_TAIL_SECONDS * ENGINE_RATE
            end = min(end + self._mixer.effect_buses.tail_frames, max(end, most))
            # A device may have gone on before it could be told: that is output, too.
            end = max(end, self._delivered, self._least)
            self.length = end if self.length is None else min(end, self.length)

    @property
    def _all_mixed(self) -> bool:
        return self.length is not None and self._delivered + self._ready >= self.length

    def _produce(self, until: int) -> None:
        """Mix on to the quantum that holds `until`, or to where something is to be decided."""
        frame = self._mixer.frame
        self._conductor.advance_to(frame)
        due = self._conductor.next_frame()
        if due is not None:
            until = min(until, due)
        until = min(until, frame + MOST_MIXED_FRAMES)
        block = self._mixer.advance(max(-(-(until - frame) // QUANTUM), 1))
        self.settle()
        self._keep(block)

    def _keep(self, block: NDArray[np.float32]) -> None:
        """Output for `read`, the master's latency taken off."""
        drop = min(max(-self._delivered, 0), block.shape[1])
        self._delivered += drop
        self._kept.append(block[:, drop:])
        self._ready += block.shape[1] - drop
