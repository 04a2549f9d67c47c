"""Compiled code is kept under a name that says what it was made of, so that it is compiled once.

Numba's own cache looks whether the one file has changed that a function stands in; what is compiled into the
chain comes from several. It keeps an index of numbered files besides, in which two processes that compile at
once, for two processors that share a home folder, can each be given the other's code.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core import sigutils
from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from .. import __version__
from ..script import effects
from . import kernel_places
from .kernel_places import Kernel

MIXED = "callback", "chain", "effects", "kernel", "limiter", "machine", "master", "meters", "rack", "ramps"
SOURCES = ("clock", "fades", "plan", *(f"mix/{name}" for name in MIXED))
"""The modules of which the chain and what plays it are compiled, below the room's folder; and all effects."""
ROOM, EFFECTS = Path(__file__).parent, Path(effects.__file__).parent

_log = logging.getLogger("stemloom")


PYTHON = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"


@dataclass(slots=True)
class Tally:
    """What became, in this process, of the functions that are kept. `lost`: why some were not, or empty."""

    loaded: int = 0
    compiled: int = 0
    lost: str = ""


tally = Tally()


@cache
def stamp(source: Path, room: Path = ROOM, effects: Path = EFFECTS) -> str:
    """A hash of the text of all sources that what stands in `source` is compiled from.

    `room`, `effects`: the folders of the engine and of the effects.
    """
    if not source.exists():
        # In a frozen program.
        program = Path(sys.executable).stat()
        made_of = f"{__version__} {program.st_mtime_ns} {program.st_size}".encode()
    else:
        chain = [(room / f"{name}.py").resolve() for name in SOURCES]
        texts = [*chain, *sorted(effects.glob("*.py"))] if source.resolve() in chain else [source]
        made_of = b"".join(hashlib.sha256(each.read_bytes()).digest() for each in texts)
    return hashlib.sha256(made_of).hexdigest()[:16]


def chain_folder() -> Path | None:
    """Where the chain is kept, for whatever processor; None if it has to be compiled."""
    source = ROOM / "mix" / "chain.py"
    return kernel_places.holder(Kernel(source, f"chain.chain.{PYTHON}", stamp(source), ""))


def kept(**options: Any) -> Callable[[Any], Any]:
    """Numba's `njit` with these options; the code is kept."""

    def decorated(function: Any) -> Any:
        dispatcher: Any = njit(**options)(function)
        dispatcher._cache = _Keeper(function)
        return dispatcher

    return decorated


def kept_callback(signature: Any) -> Callable[[Any], Any]:
    """Numba's `cfunc`; the code is kept."""

    def decorated(function: Any) -> Any:
        callback: Any = CFunc(function, sigutils.normalize_signature(signature), locals={}, options={})
        callback._cache = _Keeper(function)
        callback.compile()
        return callback

    return decorated


class _Keeper:
    """What numba asks for a function's code, in place of `numba.core.caching.FunctionCache`."""

    cache_path = None

    def __init__(self, function: Any) -> None:
        # The values that a closure holds are no part of the key.
        assert function.__closure__ is None, function
        self._source = Path(inspect.getfile(function))
        self._name = f"{self._source.stem}.{function.__qualname__}.{PYTHON}"

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The kept code for a signature, or None."""
        target.refresh()
        content = kernel_places.read(self._kernel(signature, target.codegen()))
        if content is None:
            return None
        tally.loaded += 1
        return CompileResult._rebuild(target, *pickle.loads(content))

    def save_overload(self, signature: Any, made: Any) -> None:
        """Keep what was compiled for a signature; if that fails, say so once."""
        assert not made.lifted, self._name
        assert not made.library.has_dynamic_globals, self._name
        tally.compiled += 1
        why = kernel_places.write(self._kernel(signature, made.library.codegen), dumps(made._reduce()))
        if why is not None and not tally.lost:
            tally.lost = why
            _log.warning(
                "what was compiled for this machine cannot be kept, so that each start takes some 15 s longer"
                " (%s); name a folder that can be written with %s",
                *(why, kernel_places.NAMED),
            )

    def _kernel(self, signature: Any, codegen: Any) -> Kernel:
        made_for = repr((str(signature), codegen.magic_tuple(), numba.__version__))
        key = hashlib.sha256(made_for.encode()).hexdigest()[:16]
        return Kernel(self._source, self._name, stamp(self._source), key)

    def flush(self) -> None:
        """What was kept stays: its name says of what it was made."""

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """It cannot be."""
