"""What became of the recordings that were brought to the vault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..records import Stem
from ..sound.declared import Shape
from ..sound.detection import Detected

Progress = Callable[[int, int], None]
"""Called with the number that are done, and the number of all."""


@dataclass(frozen=True, slots=True)
class Added:
    """A stem that is now in the vault. `notes`: what its holder may want to know, in sentences."""

    path: Path
    stem: Stem
    notes: tuple[str, ...]
    heard: Detected


@dataclass(frozen=True, slots=True)
class Held:
    """A recording that was kept out until somebody has looked at it. `stem`: the one it resembles."""

    path: Path
    reason: str
    stem: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recording that the vault does not take."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class AlreadyHere:
    """A file that its holder has brought before: nothing was left to do. `stem`: its id."""

    path: Path
    stem: str


@dataclass(frozen=True, slots=True)
class WouldAdd:
    """What would be added, if this were not a trial. `notes`, `heard`: as of what is added."""

    path: Path
    shape: Shape
    bpm: Fraction | None
    beats: int | None
    notes: tuple[str, ...]
    heard: Detected


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a batch, each in the order given. `would`: of a trial, in the place of `added`."""

    added: tuple[Added, ...] = ()
    held: tuple[Held, ...] = ()
    refused: tuple[Refusal, ...] = ()
    here: tuple[AlreadyHere, ...] = ()
    would: tuple[WouldAdd, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Intake]) -> Intake:
        """What became of several batches, one after the other."""
        return cls(
            added=tuple(each for part in parts for each in part.added),
            held=tuple(each for part in parts for each in part.held),
            refused=tuple(each for part in parts for each in part.refused),
            here=tuple(each for part in parts for each in part.here),
            would=tuple(each for part in parts for each in part.would),
        )
