"""What was compiled from an older state of the sources is compiled again.

Numba keeps what it compiled beside the source, and looks whether that one file has changed since. What is
compiled into the chain comes from several files, so that a change of one would be missed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...script import effects

MIXED = "callback", "chain", "effects", "kernel", "limiter", "machine", "master", "meters", "rack", "ramps"
SOURCES = ("clock", "fades", "plan", *(f"mix/{name}" for name in MIXED))
"""The modules of which the chain and what plays it are compiled, below the room's folder; and all effects."""


def forget_stale(
    folder: Path = Path(__file__).parents[1], effects: Path = Path(effects.__file__).parent
) -> int:
    """Remove from below `folder`, the room's, what is older than any of the sources; how much that was.

    `effects`: the folder of the effects, which are sources too.
    """
    sources = [folder / f"{name}.py" for name in SOURCES]
    writable = [source for source in sources if os.access(source.parent / "__pycache__", os.W_OK)]
    if not writable:
        return 0
    newest = max(source.stat().st_mtime_ns for source in [*sources, *effects.glob("*.py")])
    removed = 0
    for source in writable:
        for index in (source.parent / "__pycache__").glob(f"{source.stem}.*.nbi"):
            # Another process may be at the same.
            with suppress(FileNotFoundError):
                if index.stat().st_mtime_ns < newest:
                    index.unlink()
                    removed += 1
    return removed
