"""The stage: the books of what has been placed, kept by the composing side's own frame.

The mixer gets a placement when its bar is composed, so that it begins to the frame whatever else the machine
does. Here it waits until just before its start: in that moment its consent is looked at once more, and a
stem that has lost it is taken back. All that the books say depends on frames alone, never on how far the
mixer is, so a replayed session decides the same.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..clock import QUANTUM
from ..fades import sooner
from ..mix.mixer import Mixer
from ..plan import Fade, Placement

WINDOW_FRAMES = 16 * QUANTUM
MOST_WAITING = 2048
"""How many placements may wait; the mixer has room for some more."""


def _ended(placement: Placement, end: int, fade: Fade, at: int | None) -> Placement:
    """A placement that is told to end early; `at`: the frame of the order, if it sounds by then."""
    old = placement.fade_out
    if at is not None and placement.end_frame - at < old.frames:
        end, frames = sooner(at, end, placement.end_frame, old.frames, old.equal_power)
        fade = Fade(frames, old.equal_power)
        return replace(placement, end_frame=end, fade_out=fade) if end < placement.end_frame else placement
    # Where another was to go on from it, and is stopped as well, it fades by itself.
    alone = at is not None and old.frames == 0 and fade.frames > 0 and not placement.hit
    return (
        replace(placement, end_frame=end, fade_out=fade) if alone or end <= placement.end_frame else placement
    )


class Stage:
    """Waiting and sounding placements of one session, beside its mixer. Frames are of the composing side."""

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer
        self._waiting: dict[int, Placement] = {}
        self._begun: dict[int, Placement] = {}

    @property
    def room(self) -> int:
        """How many more placements may wait."""
        return MOST_WAITING - len(self._waiting)

    @property
    def size(self) -> int:
        """How many placements are in the books."""
        return len(self._waiting) + len(self._begun)

    def queue(self, placement: Placement, sound: NDArray[np.float32], at: int) -> None:
        """Hand a placement to the mixer, ahead of its time."""
        self._waiting[placement.id] = placement
        self._mixer.place(placement, sound, at)

    def next_window(self) -> int | None:
        """The frame at which the next waiting placement is looked at once more; None when none waits."""
        if not self._waiting:
            return None
        return min(p.start_frame for p in self._waiting.values()) // WINDOW_FRAMES * WINDOW_FRAMES

    def stems(self, frame: int) -> set[str]:
        """The stems of all that waits or sounds at `frame`."""
        self.playing(frame)
        return {p.stem for p in (*self._waiting.values(), *self._begun.values())}

    def begins(self, frame: int) -> bool:
        """Whether something begins within the window at `frame`."""
        return any(p.start_frame < frame + WINDOW_FRAMES for p in self._waiting.values())

    def begin_due(self, frame: int) -> list[Placement]:
        """What begins within the window at `frame`, in order of start, then id; it counts as begun.

        What has ended by `frame` is forgotten, so the books stay as small as what sounds.
        """
        self.playing(frame)
        last = frame + WINDOW_FRAMES
        due = sorted(
            (p for p in self._waiting.values() if p.start_frame < last), key=lambda p: (p.start_frame, p.id)
        )
        for placement in due:
            self._begun[placement.id] = self._waiting.pop(placement.id)
        return due

    def playing(self, frame: int) -> list[Placement]:
        """What sounds at `frame`. What has ended by then is forgotten."""
        self._begun = {id: p for id, p in self._begun.items() if p.end_frame > frame}
        return [p for p in self._begun.values() if p.start_frame <= frame]

    def sounding(self, frame: int) -> list[Placement]:
        """The same for any thread: nothing is forgotten."""
        books = [*self._begun.values(), *self._waiting.values()]
        return [p for p in books if p.start_frame <= frame < p.end_frame]

    def loops(self, first: int, last: int) -> list[Placement]:
        """The loops that sound between two frames, as things stand."""
        books = [*self._begun.values(), *self._waiting.values()]
        return [p for p in books if not p.hit and p.start_frame < last and p.end_frame > first]

    def stop(self, id: int, end_frame: int, fade: Fade, at: int) -> None:
        """End a placement at `end_frame`, its fade included; one that has not begun by then never sounds."""
        books = self._waiting if id in self._waiting else self._begun
        placement = books.get(id)
        if placement is not None:
            sounds = id in self._begun and placement.start_frame < at
            if sounds:
                end_frame = max(end_frame, at + fade.frames)
            if not sounds and end_frame - fade.frames <= placement.start_frame:
                del books[id]
            else:
                books[id] = _ended(placement, end_frame, fade, at if sounds else None)
        self._mixer.stop(id, end_frame, fade, at)

    def stop_all(self, end_frame: int, fade: Fade, at: int, *, longer: bool = False) -> None:
        """End everything at `end_frame` at the latest. `longer`: leave alone what ends by then as it is."""
        self.playing(at)
        for id, placement in [*self._begun.items(), *self._waiting.items()]:
            if not longer or placement.end_frame > end_frame:
                self.stop(id, end_frame, fade, at)

    def stop_stems(self, kept: Container[str], fade: Fade, at: int) -> None:
        """Fade out, from `at` on, whatever plays a stem that is not in `kept`."""
        self.playing(at)
        for id, placement in [*self._begun.items(), *self._waiting.items()]:
            if placement.stem not in kept:
                self.stop(id, at + fade.frames, fade, at)
