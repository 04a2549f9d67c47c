"""The output of a session: mixed when it is read, or taken from a device that has mixed it.

Reading has three steps, and an interrupt may come between any two of them, or within:

    decide    everything up to a frame ahead; on the session's own thread
    mix       to that frame: the compiled chain writes into a block that is on the books already
    give      what was asked for; one assignment at the end counts it as given

What was mixed and not given waits for the next `read`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from ..clock import QUANTUM
from ..errors import EngineError
from ..mix.limiter import LATENCY_FRAMES
from ..mix.master import MOST_RING_FRAMES
from ..mix.mixer import Mixer
from .conductor import MOST_TAIL_SECONDS, Conductor
from .pcm24 import to_pcm24

if TYPE_CHECKING:
    from .placement_log import PlacementLog

MOST_MIXED_FRAMES = 1 << 14
"""How much is mixed at once; the sound does not depend on it."""
Given = tuple[int, Any]
"""Frames given out, and the hash of them."""


class Output:
    """What a session gives out. `limit`: its length where one was asked for; `least`: its least length."""

    def __init__(
        self, mixer: Mixer, conductor: Conductor, log: PlacementLog, limit: int | None, least: int
    ) -> None:
        self._mixer, self._conductor, self._log, self._least = mixer, conductor, log, least
        self.length = limit
        """The output's length in frames, once it is known."""
        self.closed = False
        self._decided = 0
        """The frame of the mix up to which everything is decided and handed over."""
        self._blocks: list[tuple[int, NDArray[np.float32]]] = []
        """What was mixed, each block with the frame of the output at which it begins."""
        self._played_to: int | None = None
        """The frame of the mix up to which a device's output was taken; None while no device plays."""
        self._given: Given = 0, hashlib.sha256()
        """Frames given out, and the hash of them; replaced together."""
        self._rung_out = False
        self._lost = False
        """Whether some of the output was played but not given to `played`."""

    @property
    def pcm_sha256(self) -> str | None:
        """SHA-256 of all output so far as 24-bit PCM; None where some of it was lost."""
        return None if self._lost else self._given[1].hexdigest()

    @property
    def frame(self) -> int:
        """Frames of output given out so far."""
        return self._given[0]

    @property
    def given(self) -> Given:
        """What was given out so far, for `take_back`."""
        return self._given

    def take_back(self, before: Given, given: Given | None) -> None:
        """Count what came after `before` as not given: the next `give` gives it.

        With `given`, only if nothing was given after that.
        """
        if given is None or self._given is given:
            self._given = before

    @property
    def ended(self) -> bool:
        """Whether the last frame has been given out."""
        return self.length is not None and self.frame >= self.length

    @property
    def ready(self) -> int:
        """How many frames are mixed and not given out."""
        return max(self._mixed_to - self.frame, 0)

    @property
    def all_mixed(self) -> bool:
        return self.length is not None and self._mixed_to >= self.length

    @property
    def decided(self) -> bool:
        """Whether `mix` may go on from where it is."""
        return self._decided > self._mixer.frame

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames of output, float32 (2, frames); fewer only where the piece ends.

        Frame 0 of the output is frame 0 of the piece: the master's latency is taken off.
        """
        while self.lacks(frames):
            self.decide()
            self.mix(frames)
            self.settle()
        return self.give(frames)

    def lacks(self, frames: int) -> bool:
        """Whether there is still something to mix before so many frames can be given. Raises EngineError."""
        if self.closed:
            raise EngineError("the session is closed")
        return self.ready < frames and not self.all_mixed

    def decide(self) -> None:
        """Decide everything up to the frame that is mixed next; `mix` may then go on to the next decision."""
        frame = self._mixer.frame
        self.settle()
        self._conductor.advance_to(frame)
        due = self._conductor.next_frame()
        self._decided = frame + MOST_MIXED_FRAMES if due is None else min(due, frame + MOST_MIXED_FRAMES)
        if not self._mixer.flush():
            self._decided = frame + QUANTUM

    @property
    def ringing(self) -> bool:
        """Whether the piece has ended and its last sounds ring: how long is known by `settle` alone."""
        return self._conductor.ended_at is not None and not self._rung_out

    def undecided(self) -> None:
        """A decision begins: nothing is mixed before it is made."""
        self._decided = 0

    def mix(self, frames: int) -> None:
        """Mix on towards so many frames ready, as far as it is decided and what sounds is in the journal.

        Waits for the journal where it must. Raises LedgerStopped where the disk refuses it.
        """
        if self.all_mixed:
            return
        frame = self._mixer.frame
        until = min(self._decided, frame + max(frames - self.ready, 1))
        quanta = -(-(until - frame) // QUANTUM)
        safe = (self._log.undurable - frame) // QUANTUM
        if safe <= 0:
            self._log.wait_durable(frame + QUANTUM - 1)
            return
        block, at = np.empty((2, min(quanta, safe) * QUANTUM), np.float32), frame - LATENCY_FRAMES
        # One that begins here belongs to a mix that was broken off before it began.
        self._blocks = [each for each in self._blocks if each[0] != at]
        self._blocks.append((at, block))
        self._mixer.mix_into(block)

    def mix_to(self, frame: int) -> int:
        """Mix to `frame`, a whole number of quanta; gives how many frames `read` has ready."""
        while self._mixer.frame < frame and not self.all_mixed:
            self.decide()
            self.mix(frame - self._mixer.frame + self.ready)
            self.settle()
        return self.ready

    def give(self, frames: int) -> NDArray[np.float32]:
        """The next frames that are ready, float32 (2, frames); they count as given out."""
        first, hashed = self._given
        end = first + min(frames, self.ready)
        if self.length is not None:
            end = min(end, max(self.length, first))
        out = self._between(first, end)
        hashed = hashed.copy()
        hashed.update(to_pcm24(out))
        self._given = end, hashed
        return out

    def go_live(self, live: bool) -> None:
        """From here on `played` tells what was mixed; or, if not `live`, `mix` does it again."""
        if not live:
            self._played_to = None
        elif self._played_to is None:
            self._played_to = self._mixer.frame

    def played(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take what a device has mixed, float32 (2, frames); gives what of it is sure to be output.

        When the piece has ended, that is known only once it has rung out.
        """
        assert self._played_to is not None
        self._blocks.append((self._played_to - LATENCY_FRAMES, block))
        self._played_to += block.shape[1]
        if self.ringing:
            assert self._conductor.ended_at is not None
            return self.give(max(self._conductor.ended_at - self.frame, 0))
        return self.give(self.ready)

    def lose(self, mixed: int) -> None:
        """Some of what a device played could not be kept: there is no hash of the whole, but a length.

        `mixed`: how many frames the device took in all.
        """
        self._lost = True
        given = mixed - LATENCY_FRAMES
        given = given if self.length is None else min(given, self.length)
        self._given = max(given, self.frame), self._given[1]

    def settle(self) -> None:
        """Log what has ended; where the piece has rung out, the length is known."""
        conductor = self._conductor
        conductor.collect()
        if conductor.ended_at is None or not self.ringing or not self._mixer.idle:
            return
        # Not the mixer's frame, which depends on how many frames were asked for.
        end = max(conductor.ended_at, conductor.last_end)
        most = conductor.ended_at + MOST_TAIL_SECONDS * ENGINE_RATE
        end = min(end + self._mixer.effect_buses.tail_frames, max(end, most))
        # The master's high-pass rings out in the first quantum of silence, if it is soft by then.
        end = (-(-end // QUANTUM) + 1) * QUANTUM
        if self._mixer.frame < end:
            return
        if self._mixer.master.rings_to >= end:
            end += MOST_RING_FRAMES
        # A device may have gone on before it could be told: that is output, too.
        end = max(end, self.frame, self._least)
        self.length = end if self.length is None else min(end, self.length)
        self._rung_out = True

    @property
    def _mixed_to(self) -> int:
        """The frame of the output up to which it was mixed and is kept here."""
        to = self._mixer.frame if self._played_to is None else self._played_to
        return to - LATENCY_FRAMES

    def _between(self, first: int, end: int) -> NDArray[np.float32]:
        """The kept output between two frames, and no block from before it is kept any more."""
        parts = []
        for at, block in self._blocks:
            if at < end and at + block.shape[1] > first:
                parts.append((max(at, first), block[:, max(first - at, 0) : end - at]))
        self._blocks = [each for each in self._blocks if each[0] + each[1].shape[1] > first]
        if len(parts) == 1:
            return parts[0][1]
        out = np.zeros((2, end - first), np.float32)
        for at, part in parts:
            out[:, at - first : at - first + part.shape[1]] = part
        return out
