"""Stemloom: a real-time, stem-based generative music engine with rights built in.

    import stemloom

    with stemloom.Player(home, "piece.loom", use="stream") as player:
        block = player.read(512)          # float32, (512, 2), 48 kHz

Names are loaded on first use, so that importing the package stays light. Every error of a room derives from
`EngineError`, `VaultError` or `LedgerError`, or is `ScriptRejected`; its message says what to do, and its
`exit_code` is that of the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.errors import EngineError as EngineError
    from .engine.play.player import Player as Player
    from .engine.play.render import render as render
    from .ledger.errors import LedgerError as LedgerError
    from .ledger.log.log import Log as Log
    from .script.check.check import check as check
    from .script.problems import ScriptRejected as ScriptRejected
    from .script.text.parse import parse as parse
    from .vault.errors import VaultError as VaultError
    from .vault.vault import Vault as Vault

__version__ = "0.1.0"

_PLACES = {
    "EngineError": "engine.errors",
    "LedgerError": "ledger.errors",
    "Log": "ledger.log.log",
    "Player": "engine.play.player",
    "ScriptRejected": "script.problems",
    "Vault": "vault.vault",
    "VaultError": "vault.errors",
    "check": "script.check.check",
    "parse": "script.text.parse",
    "render": "engine.play.render",
}

__all__ = [
    "EngineError",
    "LedgerError",
    "Log",
    "Player",
    "ScriptRejected",
    "Vault",
    "VaultError",
    "__version__",
    "check",
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
