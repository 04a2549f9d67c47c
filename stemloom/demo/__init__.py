"""The demo vault: stems that this package synthesises itself, the same on every machine of one kind."""

from pathlib import Path

from .build import build

_FOLDER = Path(__file__).parent
PIECE = _FOLDER / "harbour_night.loom"
"""The example piece, written for these stems."""
PIECES = (PIECE, *(_FOLDER / f"{name}.loom" for name in ("back_stairs", "last_train", "slow_weather")))
"""It, and three more in other styles."""

__all__ = ["PIECE", "PIECES", "build"]
