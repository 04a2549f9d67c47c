"""A device that takes blocks when it is told to: for tests, and for hosts that keep a clock of their own."""

from __future__ import annotations

import operator
import threading

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceFailed
from ..mix.callback import COMPLETE, GIVEN, HAND, PLAYS, REVOKED, Deck, addresses, serve
from ..mix.rack import Rack

BLOCK = 256
MOST_BLOCK = 1 << 16
MOST_STEP = 1 << 24
"""Nearly six minutes at 48 kHz."""


class SteppedDevice:
    """Takes blocks in `step`, by the function that a real device calls, and waits for decisions.

        device = SteppedDevice()
        player.open_device(device)
        sound = device.step(48_000)                         # the first second

    It serves one player at a time. `block`: frames of a callback, at most 65 536. Raises ValueError for
    another, and TypeError for what is no whole number.
    """

    name = "stepped"
    clockless = False
    ahead = 0.0

    def __init__(self, block: int = BLOCK) -> None:
        self._block = operator.index(block)
        if not 1 <= self._block <= MOST_BLOCK:
            raise ValueError(f"a block has 1 to {MOST_BLOCK} frames")
        self._lock = threading.Lock()
        """Held while anything of the rack and the deck is touched."""
        self._stepping = threading.Lock()
        """Held for a whole step, so that the steps of two threads do not mix."""
        self._kept = np.empty((0, 2), np.float32)
        """What was mixed in a step that was interrupted."""
        self._connected = False
        self.active = False

    def connect(self, rack: Rack, deck: Deck, hand: int = PLAYS) -> None:
        """Take the output of this mixer, once started. Raises DeviceFailed if it serves a player already."""
        with self._lock:
            if self._connected:
                raise DeviceFailed("the stepped device serves a player already: make another for this one")
            self._connected = True
            self._rack, self._deck = rack, deck
            self._addresses = addresses(rack, deck, hand=hand)
            self._kept = self._kept[:0]

    def start(self) -> None:
        self.active = True

    def play(self) -> None:
        self._addresses[HAND] = PLAYS

    def step(self, frames: int) -> NDArray[np.float32]:
        """The next `frames` frames, float32 (frames, 2); fewer, and at last none, after the piece's end.

        They are silent in a pause, and between the end and the moment in which the player sees it. What an
        interrupted step had taken is given by the next. Raises DeviceFailed before a player has opened the
        device, ValueError for a negative number or one over 16 777 216.
        """
        frames = operator.index(frames)
        if not 0 <= frames <= MOST_STEP:
            raise ValueError(f"a step is of 0 to {MOST_STEP} frames")
        if not hasattr(self, "_addresses"):
            raise DeviceFailed("nothing plays on the stepped device yet: give it to `open_device` first")
        with self._stepping:
            out = np.zeros((frames, 2), np.float32)
            given = min(len(self._kept), frames)
            out[:given] = self._kept[:given]
            rest, self._kept = self._kept[given:], self._kept[:0]
            at = self._addresses
            begun = int(at[GIVEN]) - given
            try:
                while int(at[GIVEN]) - begun < frames and self._serve(at, out, begun):
                    pass
            except BaseException:
                self._kept = np.concatenate([out[: int(at[GIVEN]) - begun], rest])
                raise
            self._kept = rest
            return out[: int(at[GIVEN]) - begun]

    def _serve(self, at: NDArray[np.int64], out: NDArray[np.float32], begun: int) -> bool:
        """Take one more block; whether there may be more."""
        with self._lock:
            if not self.active or at is not self._addresses:
                return False
            given = int(at[GIVEN]) - begun
            self.active = serve(at, out[given : given + self._block], 0) != COMPLETE
            return self.active

    def stop(self) -> None:
        if hasattr(self, "_addresses"):
            self._addresses[HAND] = REVOKED
        with self._lock:
            self.active = self._connected = False

    def abandon(self) -> None:
        self.stop()
