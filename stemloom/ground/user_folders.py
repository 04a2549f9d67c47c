"""The user's own folders on this platform, if the user has a home folder: in a container often nobody has."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def data_folder() -> Path | None:
    """Where programs keep a user's data; None without a home folder."""
    return _absolute("user_data_path")


def cache_folder() -> Path | None:
    """Where programs keep what they can make anew; None without a home folder."""
    return _absolute("user_cache_path")


def expanded(name: str) -> Path | None:
    """The folder that a variable names, where no shell has replaced a `~`; None without a home folder."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return None


def _absolute(which: str) -> Path | None:
    try:
        folder: Path = getattr(platformdirs, which)("stemloom", appauthor=False)
    except RuntimeError:
        return None
    # Older versions give a folder that is named `~`, wherever the program was started.
    return folder if folder.is_absolute() else None
