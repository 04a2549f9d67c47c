"""What a recording itself says, beside what is declared of it: whether it loops, its tempo, its key."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import Refused
from ..records import ENGINE_RATE
from .declared import LEAST_BPM, MOST_BPM, Shape, Terms
from .decode import Sound
from .engine_format import Grid, grid_of
from .keyfinding import KeyEstimate, key_of
from .kind import kind_of
from .rhythm import Rhythm, Tempo

SURE_TEMPO = 0.3
"""The confidence from which a tempo that nobody declared is taken."""
UNPITCHED_ROLES = frozenset({"beats", "tops"})
SHORTEST_KEY_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Detected:
    """What was heard of a sound. `kind`, `tempo`, `key`: null where they were not asked for or not found."""

    kind: Shape | None = None
    tempo: Tempo | None = None
    key: KeyEstimate | None = None


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What a sound is taken for. `grid`: of a loop. `notes`: what its holder may want to put right."""

    shape: Shape
    grid: Grid | None
    notes: tuple[str, ...] = ()


class OtherTempo(Refused):
    """The rhythm that is heard is not that of the tempo declared."""


class Detector:
    """What is heard of one sound, each thing once."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound

    @cached_property
    def kind(self) -> Shape:
        return kind_of(self.sound.samples, self.sound.rate)

    @cached_property
    def rhythm(self) -> Rhythm:
        return Rhythm(self.sound.samples, self.sound.rate)

    @cached_property
    def tempo(self) -> Tempo | None:
        return self.rhythm.tempo()

    def hear(self, shape: Shape, role: str, samples: NDArray[np.float32]) -> Detected:
        """All that is heard, whatever is declared of the sound's time and key.

        `shape`: what it is taken for. `samples`: as they are at 48 kHz.
        """
        tempo = self.tempo if "loop" in (shape, self.kind) else None
        pitched = role not in UNPITCHED_ROLES and shape != "hit"
        key = key_of(samples) if pitched and samples.shape[1] >= SHORTEST_KEY_SECONDS * ENGINE_RATE else None
        return Detected(self.kind, tempo, key)


def interpret(terms: Terms, ear: Detector, *, accept_tempo: bool = False) -> Interpretation:
    """What a sound is taken for, by what is declared and, where nothing is, by what is heard.

    `accept_tempo`: the declared tempo is meant, whatever the rhythm sounds like. Raises `Refused` when
    declaration and length disagree, `OtherTempo` when declaration and rhythm do.
    """
    if terms.bpm is not None or terms.beats is not None:
        grid = grid_of(terms, ear.sound)
        tempo = ear.tempo
        if tempo is not None and not accept_tempo and not ear.rhythm.agrees(float(grid[0])):
            raise OtherTempo(
                f"it is declared as {float(grid[0]):g} bpm, and its rhythm is that of {_tempo(tempo)}; "
                "declare that, or take it in all the same with --accept-tempo"
            )
        return Interpretation("loop", grid)
    if terms.shape in ("hit", "sustained"):
        return Interpretation(terms.shape, None)
    tempo = ear.tempo if "loop" in (terms.shape, ear.kind) else None
    if tempo is not None and tempo.confidence >= SURE_TEMPO:
        told = f"its tempo was heard, not declared: {_tempo(tempo)}; say --bpm if it is played otherwise"
        return Interpretation("loop", _grid_of(tempo, ear.sound), (told,))
    if terms.shape == "loop":
        raise Refused(
            "it is declared a loop, but nothing says how long its beats are, and no tempo can be heard: "
            "add --bpm, --bars or --beats, or leave the shape out"
        )
    if ear.kind == "loop":
        doubt = "it sounds like a loop, but no tempo can be heard in it: say --bars to have it in time"
        return Interpretation("sustained", None, (doubt,))
    return Interpretation(ear.kind, None)


def _grid_of(tempo: Tempo, sound: Sound) -> Grid:
    bpm = Fraction(round(60_000 * tempo.beats / Fraction(sound.frames, sound.rate)), 1000)
    assert LEAST_BPM <= bpm <= MOST_BPM
    return bpm, tempo.beats


def _tempo(tempo: Tempo) -> str:
    bars = tempo.beats // 4
    return f"{tempo.bpm:.4g} bpm in {bars} bar{'s' * (bars != 1)} of four"
