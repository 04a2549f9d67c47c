"""The stage: where placements wait until just before they sound.

A voice is taken no earlier than it must be, so that what counts against the mixer's 256 is what sounds and
not what was composed, and so that a consent is looked at in the last moment before its stem is heard. All
hand-overs happen at absolute frames divisible by `WINDOW_FRAMES`, so that voices are taken in the same order
however many frames are asked for at a time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .clock import QUANTUM
from .mixer import Heard, Mixer
from .plan import Fade, Placement

WINDOW_FRAMES = 16 * QUANTUM


class Stage:
    """Waiting and sounding placements of one session, in front of its mixer."""

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer
        self._waiting: dict[int, tuple[Placement, NDArray[np.float32]]] = {}
        self.playing: dict[int, Placement] = {}
        """Placements that the mixer has, by id."""
        self.crowded = 0
        """How many sounds had to go or never came because 256 sound already."""
        self.last_end = 0
        """The greatest end frame of what has ended."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing sounds."""
        return not self._waiting and not self.playing

    def queue(self, placement: Placement, sound: NDArray[np.float32]) -> None:
        """Let a placement wait for its time."""
        self._waiting[placement.id] = placement, sound

    def next_window(self) -> int | None:
        """The frame at which the next waiting placement must be handed over; null when none waits."""
        if not self._waiting:
            return None
        return min(p.start_frame for p, _ in self._waiting.values()) // WINDOW_FRAMES * WINDOW_FRAMES

    def due(self) -> list[Placement]:
        """What begins within the window at the mixer's frame, in order of start, then id."""
        last = self._mixer.frame + WINDOW_FRAMES
        found = [p for p, _ in self._waiting.values() if p.start_frame < last]
        return sorted(found, key=lambda p: (p.start_frame, p.id))

    def begin(self, placement: Placement) -> bool:
        """Hand a waiting placement to the mixer; False when not even a fading voice could make room."""
        _, sound = self._waiting.pop(placement.id)
        before = self._mixer.crowded
        placed = self._mixer.place(placement, sound)
        self.crowded += self._mixer.crowded - before + (not placed)
        if placed:
            self.playing[placement.id] = placement
        return placed

    def cancel(self, id: int) -> None:
        """Take a waiting placement back: it will not sound."""
        self._waiting.pop(id, None)

    def stop(self, id: int, end_frame: int, fade: Fade) -> bool:
        """End a placement at `end_frame`, its fade included. True when it never began and is taken back."""
        waiting = self._waiting.get(id)
        if waiting is None:
            self._mixer.stop(id, end_frame, fade)
            return False
        placement, sound = waiting
        if end_frame - fade.frames <= placement.start_frame:
            self.cancel(id)
            return True
        if end_frame < placement.end_frame:
            self._waiting[id] = replace(placement, end_frame=end_frame, fade_out=fade), sound
        return False

    def stop_all(self, end_frame: int, fade: Fade) -> list[int]:
        """End everything at `end_frame` at the latest; the ids of what never began."""
        return [id for id in [*self.playing, *self._waiting] if self.stop(id, end_frame, fade)]

    def advance(self, quanta: int) -> tuple[NDArray[np.float32], list[Heard]]:
        """Mix on; the sound, float32 (2, frames), and what ended in it."""
        block = self._mixer.advance(quanta)
        ended = self._mixer.finished()
        for heard in ended:
            del self.playing[heard.id]
            self.last_end = max(self.last_end, heard.end_frame)
        return block, ended
