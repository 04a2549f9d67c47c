"""Which engine made a sound: the version, and a digest of the sources that the sound depends on.

Two engines of one version may differ, as development goes on between releases. A take and a session's entry
name the engine in full, so that whoever replays a take knows whether it is the one that made it.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

from .. import __version__
from ..script import piece
from ..vault.sound import decode

ENGINE, SCRIPT, SOUND = Path(__file__).parent, Path(piece.__file__).parent, Path(decode.__file__).parent
UNHEARD = "listen", "__pycache__"
"""Folders of the engine that only look at a sound."""


@cache
def engine() -> str:
    """The version and, after a plus, twelve digits of the digest: `0.1.0+5f0c1d2e3a4b`."""
    return f"{__version__}+{digest((ENGINE, SCRIPT, SOUND))}"


def digest(folders: tuple[Path, ...]) -> str:
    """Twelve hexadecimal digits of a hash over the names and texts of all sources in the folders."""
    found = hashlib.sha256()
    sources = [
        (folder.name, path.relative_to(folder).as_posix(), path)
        for folder in folders
        for path in folder.rglob("*.py")
        if not set(path.relative_to(folder).parts) & set(UNHEARD)
    ]
    for folder_name, name, path in sorted(sources):
        found.update(f"{folder_name}/{name}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    if not sources:
        # In a frozen program: its own file stands for all that is in it.
        program = Path(sys.executable).stat()
        found.update(f"{program.st_mtime_ns} {program.st_size}".encode())
    return found.hexdigest()[:12]


def told_apart(made: str, here: str) -> str | None:
    """What to say of a take of the engine `made` where this is `here`; None if they are the same."""
    if made == here:
        return None
    if "+" not in made:
        return (
            f"the take names its engine {made} without a digest, so it may be another than this one, {here}"
        )
    return f"the take was made by the engine {made}, and this is {here}"
