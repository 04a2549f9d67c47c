"""Tells a home from folders of other things, and keeps it out of version control."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from .errors import NotAHome

_PARTS = {
    "vault": ("catalogue.db*", "landmarks.db*", "lock", "audio", "conformed", "incoming", "names"),
    "ledger": ("lock", "journals", "log", "pending", "signed", "*.new"),
    "keys": ("*.key",),
}
"""The folders of a home, and the files that each may hold at any time."""

_IGNORE_ALL = "*\n"


def check_home(home: Path) -> None:
    """Check that `home` is a home, or may become one. Raises `NotAHome` for a folder of other things.

    A home that a kill left half-made passes: it holds only parts of a home. Hidden files do not count. A
    complete home may hold other things as well.
    """
    # Another process may be making this home now; its parts stay, so look for them last.
    if home.is_dir() and _other_things(home) and not _is_home(home):
        raise NotAHome(
            f"'{home}' holds other things and is not a Stemloom home; name a new or empty folder with --home"
        )


def keep_out_of_git(home: Path) -> None:
    """Write `.gitignore`, so that the private keys of a new home never enter somebody's repository.

    A `.gitignore` with other rules stays as it is; the folder of the keys then gets its own.
    """
    for folder in (home, home / "keys"):
        ignore = folder / ".gitignore"
        # A kill between opening and writing the file leaves it empty.
        if not ignore.exists() or ignore.read_bytes().strip() in (b"", b"*"):
            folder.mkdir(mode=0o700, exist_ok=True)
            ignore.write_text(_IGNORE_ALL, encoding="ascii")
            return


def _is_home(home: Path) -> bool:
    if (home / "vault" / "catalogue.db").exists():
        return True
    return (home / "ledger" / "log").is_dir() and (home / "keys" / "log.key").exists()


def _other_things(home: Path) -> bool:
    for entry in home.iterdir():
        if entry.name.startswith("."):
            continue
        patterns = _PARTS.get(entry.name)
        if patterns is None or not entry.is_dir():
            return True
        for inner in entry.iterdir():
            if not inner.name.startswith(".") and not any(fnmatch(inner.name, each) for each in patterns):
                return True
    return False
