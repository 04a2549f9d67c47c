"""The demo vault: stems that this package synthesises itself, the same on every machine of one kind."""

from pathlib import Path

from .build import build

PIECE = Path(__file__).parent / "harbour_night.loom"
"""The example piece, written for these stems."""

__all__ = ["PIECE", "build"]
