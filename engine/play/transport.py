"""The transport of what is pulled: pause, stop and volume, as gains on what is given out.

They come after the mix: what the ledger counts, and the take's hash, know nothing of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE

FADE_FRAMES = 1024
"""How long a pause, a stop without another fade, or a change of the volume takes at most: 21 ms."""


class Transport:
    """Where play stands: going, fading out or standing still. Gains are from 0 to 1."""

    def __init__(self) -> None:
        self._gain = 1.0
        self._aim = 1.0
        self._step = 1 / FADE_FRAMES
        self.volume = 1.0
        """The gain of all that is given out; it is reached within 21 ms."""
        self._volume = 1.0
        self.paused = False
        self.stopping = False

    @property
    def still(self) -> bool:
        """Whether nothing of the music goes on."""
        return self._aim == 0.0 and self._gain == 0.0

    def set_volume(self, gain: float, *, at_once: bool) -> None:
        """Have the volume move to another gain."""
        self.volume = gain
        if at_once:
            self._volume = gain

    def pause(self) -> None:
        """Fade out, then stand still until `resume`."""
        self.paused = True
        self._go(0.0, FADE_FRAMES / ENGINE_RATE)

    def resume(self) -> None:
        """Fade in and go on from where it stands."""
        self.paused = False
        if not self.stopping:
            self._go(1.0, FADE_FRAMES / ENGINE_RATE)

    def stop(self, seconds: float) -> None:
        """Fade out for good. `seconds`: how long that takes, from full gain."""
        self.stopping = True
        self._go(0.0, seconds)

    def _go(self, aim: float, seconds: float) -> None:
        self._aim = aim
        self._step = 1.0 / max(seconds * ENGINE_RATE, FADE_FRAMES)

    def music(self, frames: int) -> int:
        """How many frames of the music go into the next `frames` of output."""
        if self._aim == 0.0:
            return min(frames, int(np.ceil(self._gain / self._step)))
        return frames

    def applied(self, music: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next frames of the music, (2, frames), at the gains that they are given out with."""
        frames = music.shape[1]
        if not frames or self._gain == self._aim == self.volume == self._volume == 1.0:
            return music
        gain, self._gain = _ramp(self._gain, self._aim, self._step, frames)
        volume, self._volume = _ramp(self._volume, self.volume, 1 / FADE_FRAMES, frames)
        return (music * (gain * volume)).astype(np.float32)


def _ramp(at: float, aim: float, step: float, frames: int) -> tuple[NDArray[np.float64], float]:
    """Gains from `at` towards `aim`, (frames,), and the last of them."""
    way = np.arange(1, frames + 1) * step
    gains = np.minimum(at + way, aim) if aim >= at else np.maximum(at - way, aim)
    return gains, float(gains[-1])
