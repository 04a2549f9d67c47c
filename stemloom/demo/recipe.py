"""How one stem of the demo is made and declared, and who made them all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..vault.sound.declared import Declared
from .grid import Grid, Sound
from .harmony import Progression

MARIT, OKONJO, TIDEWATER, LIO = "Marit Solheim", "Okonjo & Reyes", "Tidewater Sound", "Lio Varga"
INES, NORTHLINE, JUNO = "Ines Duarte", "Northline", "Juno Park"
HOLDERS = (MARIT, OKONJO, TIDEWATER, LIO, INES, NORTHLINE, JUNO)

Player = Callable[..., Sound]
"""From the grid, a source of noise, and the chords where a recipe names some."""
EVERY_USE, NO_EXPORT = ("stream", "live", "export"), ("stream", "live")
SYNC = (*EVERY_USE, "sync")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one stem is made and declared.

    `mood`: words, parted by spaces. A loop has `bars` at `bpm`; a sustained sound or a hit takes only its own
    length from them. `uses`: what its holder consents to. `master`, `publishing`: percent by holder; empty
    for the holder alone.
    """

    title: str
    holder: str
    role: str
    play: Player
    mood: str
    energy: float
    bpm: int = 114
    bars: int = 4
    swing: float = 0.5
    key: str | None = None
    set: str | None = None
    shape: str = "loop"
    uses: tuple[str, ...] = EVERY_USE
    master: Mapping[str, int] = field(default_factory=dict)
    publishing: Mapping[str, int] = field(default_factory=dict)
    chords: Progression | None = None

    def sound(self) -> Sound:
        """Its samples, `(channels, frames)`: the same at every call."""
        noise = np.random.Generator(np.random.PCG64(zlib.crc32(self.title.encode())))
        given = () if self.chords is None else (self.chords,)
        return self.play(Grid(self.bpm, self.bars, self.swing), noise, *given)

    def declared(self) -> Declared:
        """What its holder says of it."""
        loop = self.shape == "loop"
        return Declared(
            path=Path(f"{self.title}.wav"),
            holder=self.holder,
            role=self.role,
            title=self.title,
            bpm=Fraction(self.bpm) if loop else None,
            bars=self.bars if loop else None,
            key=self.key,
            shape=self.shape,
            mood=tuple(self.mood.split()),
            energy=self.energy,
            set=self.set,
        )
