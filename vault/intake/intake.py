"""The report on recordings that were offered to the vault."""

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
    """A stem that is now in the vault. `notes`: sentences for its holder."""

    path: Path
    stem: Stem
    notes: tuple[str, ...]
    heard: Detected


@dataclass(frozen=True, slots=True)
class Held:
    """A recording that is kept out until somebody has reviewed it. `stem`: the one it resembles."""

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
    """A file that its holder has added before. `stem`: its id."""

    path: Path
    stem: str


@dataclass(frozen=True, slots=True)
class WouldAdd:
    """A recording that would be added if this were no trial. `notes`, `heard`: as in `Added`."""

    path: Path
    shape: Shape
    bpm: Fraction | None
    beats: int | None
    notes: tuple[str, ...]
    heard: Detected


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file, or a folder that was not entered, that lay beside those that were offered."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Intake:
    """The report on a batch, in the order given. `would`: in a trial, instead of `added`."""

    added: tuple[Added, ...] = ()
    held: tuple[Held, ...] = ()
    refused: tuple[Refusal, ...] = ()
    here: tuple[AlreadyHere, ...] = ()
    would: tuple[WouldAdd, ...] = ()
    passed: tuple[PassedOver, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Intake]) -> Intake:
        """The report on several batches, one after the other."""
        return cls(
            added=tuple(each for part in parts for each in part.added),
            held=tuple(each for part in parts for each in part.held),
            refused=tuple(each for part in parts for each in part.refused),
            here=tuple(each for part in parts for each in part.here),
            would=tuple(each for part in parts for each in part.would),
            passed=tuple(each for part in parts for each in part.passed),
        )
