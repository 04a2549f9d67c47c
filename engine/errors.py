"""What can go wrong in the engine, as a caller can act on it.

EngineError (exit 1)
    UseRefused (3)      the script is not `for` the use
    NothingCleared (4)  every pool is empty for the use
    NoEnd (2)           a length is needed: the piece has no way to silence
    UnknownDial (2)     a gesture names no dial of the script, or lies outside its range
    UnknownPart (2)     a gesture names no part of the script
    UnknownRole (2)     a fader of an unknown role, or a gain outside its range
    UnknownCue (2)      a cue that nothing in the script waits for
    ConformFailed (1)   a stem could not be stretched
        NoRoom (1)      the disk has no room for it: what is read goes on once it has
    OutputRefused (2)   the output file's name or place will not do
    OutputFailed (1)    the disk would not take the output file
    SwapRefused (2)     another script cannot take over from the one that plays
    NothingToUndo (1)   no gesture is left that can be taken back
    TakeRefused (2)     a file that is not a take, or one that can no longer be played
    DeviceFailed (1)    an audio device is not there or will not play
    NotSealed (1)       the output is whole and logged, and the log is yet to be sealed
    LedgerStopped (1)   the disk takes no more of the ledger, and nothing is read before it does
"""

from __future__ import annotations

from typing import ClassVar


class EngineError(Exception):
    """Base of all errors of this room; the text is a whole sentence for a person."""

    exit_code: ClassVar[int] = 1


class UseRefused(EngineError):
    exit_code = 3


class NothingCleared(EngineError):
    exit_code = 4


class NoEnd(EngineError):
    exit_code = 2


class UnknownDial(EngineError):
    exit_code = 2


class UnknownPart(EngineError):
    exit_code = 2


class UnknownRole(EngineError):
    exit_code = 2


class UnknownCue(EngineError):
    exit_code = 2


class ConformFailed(EngineError):
    pass


class NoRoom(ConformFailed, OSError):
    """An OSError too, for hosts that handle a full disk as one."""


class OutputRefused(EngineError):
    exit_code = 2


class OutputFailed(EngineError):
    pass


class NotSealed(EngineError):
    pass


class LedgerStopped(EngineError, OSError):
    """An OSError too, for hosts that handle a full disk as one."""


class SwapRefused(EngineError):
    exit_code = 2


class NothingToUndo(EngineError):
    pass


class TakeRefused(EngineError):
    exit_code = 2


class DeviceFailed(EngineError):
    pass
