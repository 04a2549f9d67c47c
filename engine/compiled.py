"""What was compiled from an older state of the sources is compiled again.

Numba keeps what it compiled beside the source, and looks whether that one file has changed since. What is
compiled into the chain comes from several files, so that a change of one would be missed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SOURCES = (
    "addresses",
    "callback",
    "chain",
    "clock",
    "effects_kernel",
    "fades",
    "kernel",
    "machine",
    "master",
    "meters",
    "plan",
    "rack",
    "ramps",
)
"""The modules of which the chain and what plays it are compiled."""


def forget_stale(folder: Path = Path(__file__).parent) -> int:
    """Remove from `folder`'s `__pycache__` what is older than any of the sources; how much that was."""
    kept = folder / "__pycache__"
    if not os.access(kept, os.W_OK):
        return 0
    newest = max((folder / f"{name}.py").stat().st_mtime_ns for name in SOURCES)
    removed = 0
    for name in SOURCES:
        for index in kept.glob(f"{name}.*.nbi"):
            # Another process may be at the same.
            with suppress(FileNotFoundError):
                if index.stat().st_mtime_ns < newest:
                    index.unlink()
                    removed += 1
    return removed
