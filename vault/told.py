"""Who in this process is told at once when it changes a vault, before the method that changes it returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

listeners: list[Callable[[Path], None]] = []
"""Each is called with the home, on the thread that made the change, and raises nothing of the disk."""


def tell(home: Path) -> None:
    """Tell all of them that the vault in `home` may be another one now."""
    for listener in listeners:
        listener(home)
