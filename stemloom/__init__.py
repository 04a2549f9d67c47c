"""Stemloom: a real-time, stem-based generative music engine with rights built in.

    import stemloom

    with stemloom.Player(home, "piece.loom", use="stream") as player:
        block = player.read(512)          # float32, (512, 2), 48 kHz

The names here suffice to write a host, and to give all of it types; docs/embedding.md shows how. Names are
loaded on first use, so that importing the package stays light. Every error of a room derives from
`EngineError`, `VaultError` or `LedgerError`, or is `ScriptRejected` or `ScriptNotFound`; its message says
what to do, and its `exit_code` is that of the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.errors import (
        ConformFailed as ConformFailed,
        DeviceFailed as DeviceFailed,
        EngineError as EngineError,
        LedgerStopped as LedgerStopped,
        NoEnd as NoEnd,
        NoRoom as NoRoom,
        NothingCleared as NothingCleared,
        NothingToUndo as NothingToUndo,
        NotSealed as NotSealed,
        OutputFailed as OutputFailed,
        OutputRefused as OutputRefused,
        SwapRefused as SwapRefused,
        TakeRefused as TakeRefused,
        UnknownCue as UnknownCue,
        UnknownDial as UnknownDial,
        UnknownPart as UnknownPart,
        UnknownRole as UnknownRole,
        UseRefused as UseRefused,
    )
    from .engine.mix.meters import Level as Level
    from .engine.plan import Bar as Bar, Placement as Placement
    from .engine.play.event_stream import EventStream as EventStream
    from .engine.play.events import Event as Event, Happened as Happened
    from .engine.play.live import Health as Health
    from .engine.play.notices import Subscription as Subscription
    from .engine.play.options import Options as Options
    from .engine.play.outline import (
        DialOutline as DialOutline,
        PartOutline as PartOutline,
        SectionOutline as SectionOutline,
    )
    from .engine.play.placement_log import HeardPlacement as HeardPlacement
    from .engine.play.player import (
        Levels as Levels,
        Now as Now,
        Player as Player,
        Position as Position,
        State as State,
    )
    from .engine.play.portaudio import DeviceInfo as DeviceInfo, devices as devices
    from .engine.play.render import Rendered as Rendered, render as render
    from .engine.play.scribe import LedgerState as LedgerState
    from .engine.play.stepped import SteppedDevice as SteppedDevice
    from .engine.play.take import Gesture as Gesture, Take as Take
    from .ground.uses import Tier as Tier, Use as Use
    from .ledger.errors import LedgerError as LedgerError, LockHeld as LockHeld, OtherProcess as OtherProcess
    from .ledger.log.log import Log as Log
    from .script.check.check import check as check
    from .script.piece import Piece as Piece
    from .script.problems import ScriptRejected as ScriptRejected
    from .script.text.load import ScriptNotFound as ScriptNotFound
    from .script.text.parse import parse as parse
    from .vault.errors import NoVault as NoVault, VaultError as VaultError
    from .vault.vault import Vault as Vault

__version__ = "0.1.0"

_PLACES = {
    "Bar": "engine.plan",
    "ConformFailed": "engine.errors",
    "DeviceFailed": "engine.errors",
    "DeviceInfo": "engine.play.portaudio",
    "DialOutline": "engine.play.outline",
    "EngineError": "engine.errors",
    "Event": "engine.play.events",
    "EventStream": "engine.play.event_stream",
    "Gesture": "engine.play.take",
    "Happened": "engine.play.events",
    "Health": "engine.play.live",
    "HeardPlacement": "engine.play.placement_log",
    "LedgerError": "ledger.errors",
    "LedgerState": "engine.play.scribe",
    "LedgerStopped": "engine.errors",
    "Level": "engine.mix.meters",
    "Levels": "engine.play.player",
    "LockHeld": "ledger.errors",
    "Log": "ledger.log.log",
    "NoEnd": "engine.errors",
    "NotSealed": "engine.errors",
    "NoRoom": "engine.errors",
    "NoVault": "vault.errors",
    "NothingCleared": "engine.errors",
    "NothingToUndo": "engine.errors",
    "Now": "engine.play.player",
    "Options": "engine.play.options",
    "OtherProcess": "ledger.errors",
    "OutputFailed": "engine.errors",
    "OutputRefused": "engine.errors",
    "PartOutline": "engine.play.outline",
    "Piece": "script.piece",
    "Placement": "engine.plan",
    "Player": "engine.play.player",
    "Position": "engine.play.player",
    "Rendered": "engine.play.render",
    "ScriptNotFound": "script.text.load",
    "ScriptRejected": "script.problems",
    "SectionOutline": "engine.play.outline",
    "State": "engine.play.player",
    "SteppedDevice": "engine.play.stepped",
    "Subscription": "engine.play.notices",
    "SwapRefused": "engine.errors",
    "Take": "engine.play.take",
    "TakeRefused": "engine.errors",
    "Tier": "ground.uses",
    "UnknownCue": "engine.errors",
    "UnknownDial": "engine.errors",
    "UnknownPart": "engine.errors",
    "UnknownRole": "engine.errors",
    "Use": "ground.uses",
    "UseRefused": "engine.errors",
    "Vault": "vault.vault",
    "VaultError": "vault.errors",
    "check": "script.check.check",
    "devices": "engine.play.portaudio",
    "parse": "script.text.parse",
    "render": "engine.play.render",
}

__all__ = [
    "Bar",
    "ConformFailed",
    "DeviceFailed",
    "DeviceInfo",
    "DialOutline",
    "EngineError",
    "Event",
    "EventStream",
    "Gesture",
    "Happened",
    "Health",
    "HeardPlacement",
    "LedgerError",
    "LedgerState",
    "LedgerStopped",
    "Level",
    "Levels",
    "LockHeld",
    "Log",
    "NoEnd",
    "NoRoom",
    "NoVault",
    "NotSealed",
    "NothingCleared",
    "NothingToUndo",
    "Now",
    "Options",
    "OtherProcess",
    "OutputFailed",
    "OutputRefused",
    "PartOutline",
    "Piece",
    "Placement",
    "Player",
    "Position",
    "Rendered",
    "ScriptNotFound",
    "ScriptRejected",
    "SectionOutline",
    "State",
    "SteppedDevice",
    "Subscription",
    "SwapRefused",
    "Take",
    "TakeRefused",
    "Tier",
    "UnknownCue",
    "UnknownDial",
    "UnknownPart",
    "UnknownRole",
    "Use",
    "UseRefused",
    "Vault",
    "VaultError",
    "__version__",
    "check",
    "devices",
    "parse",
    "render",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{place}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
