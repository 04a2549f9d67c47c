"""A device that takes blocks when it is told to: for tests, and for hosts that keep a clock of their own."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceFailed
from ..mix.callback import COMPLETE, Deck, addresses, serve
from ..mix.rack import DELIVERED, Rack

BLOCK = 256


class SteppedDevice:
    """Takes blocks in `step`, by the function that a real device calls, and waits for decisions.

        device = SteppedDevice()
        player.open_device(device)
        sound = device.step(48_000)                         # the first second

    It serves one player. `block`: frames of a callback.
    """

    name = "stepped"

    def __init__(self, block: int = BLOCK) -> None:
        self._block = block
        self._lock = threading.Lock()
        """Held while anything of the rack and the deck is touched."""
        self.active = False

    def connect(self, rack: Rack, deck: Deck) -> None:
        """Take the output of this mixer, once started."""
        self._rack, self._deck = rack, deck
        self._addresses = addresses(rack, deck)

    def start(self) -> None:
        self.active = True

    def step(self, frames: int) -> NDArray[np.float32]:
        """The next `frames` frames, float32 (frames, 2); fewer, and at last none, after the piece's end.

        They are silent in a pause, and between the end and the moment in which the player sees it. Raises
        DeviceFailed before a player has opened the device.
        """
        if not hasattr(self, "_addresses"):
            raise DeviceFailed("nothing plays on the stepped device yet: give it to `open_device` first")
        out = np.zeros((frames, 2), np.float32)
        given = 0
        while given < frames:
            with self._lock:
                if not self.active:
                    break
                block = out[given : given + self._block]
                before = int(self._rack.status[DELIVERED])
                if serve(self._addresses, block, np.int64(0)) == COMPLETE:
                    self.active = False
                    given += int(self._rack.status[DELIVERED]) - before
                    break
                given += len(block)
        return out[:given]

    def stop(self) -> None:
        with self._lock:
            self.active = False

    def abandon(self) -> None:
        self.stop()
