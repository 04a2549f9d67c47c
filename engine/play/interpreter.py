"""What players ask of the interpreter: short turns of its threads, and a collector that holds nobody up."""

from __future__ import annotations

import gc
import sys
import threading

USUAL_SECONDS = 0.005
"""The turn of a busy thread as Python has it, while others wait for the interpreter."""
TURN_SECONDS = 0.001
"""The turn while a player is open: several may pass before a block is read, which lasts 5 to 20 ms."""

_lock = threading.Lock()
_players = 0
_frozen = False


def player_opens() -> None:
    """Shorten the turns of threads, if nobody has set them, and settle the collector once.

    What lives as long as the process, such as the compiler, is some hundred thousand objects. The collector
    looks at them no more, which stopped every thread for a tenth of a second. What
    players make it still looks at.
    """
    global _players, _frozen
    with _lock:
        _players += 1
        if not _frozen:
            _frozen = True
            gc.freeze()
        if sys.getswitchinterval() == USUAL_SECONDS:
            sys.setswitchinterval(TURN_SECONDS)


def player_closes() -> None:
    """Set the turns of threads back with the last player, unless somebody has set them meanwhile."""
    global _players
    with _lock:
        _players -= 1
        if not _players and sys.getswitchinterval() == TURN_SECONDS:
            sys.setswitchinterval(USUAL_SECONDS)
