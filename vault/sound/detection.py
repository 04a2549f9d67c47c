"""Detects shape, tempo and key from a recording itself, and compares them with its declaration."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...ground.roles import UNPITCHED_ROLES
from ..errors import Refused
from ..records import ENGINE_RATE
from .declared import LEAST_BPM, MOST_BPM, Shape, Terms
from .decode import Sound
from .ends import Cut, cut_to
from .engine_format import Grid, loop_frames
from .keyfinding import KeyEstimate, key_of
from .kind import kind_of
from .loop_grid import detected_grid, loop_grid
from .rhythm import Rhythm, Tempo
from .song import song_grid
from .tatum import Onsets

SURE_TEMPO = 0.3
"""The least confidence of a detected tempo that is used without a declaration."""
SHORTEST_KEY_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Detected:
    """What was detected in a sound; `None` for what was not looked for or not found."""

    kind: Shape | None = None
    tempo: Tempo | None = None
    key: KeyEstimate | None = None


@dataclass(frozen=True, slots=True)
class Interpretation:
    """The shape and grid that a sound is given.

    `grid`: of a loop. `notes`: doubts, for its holder. `cut`: what is cut off a loop.
    """

    shape: Shape
    grid: Grid | None
    notes: tuple[str, ...] = ()
    cut: Cut | None = None


class OtherTempo(Refused):
    """The rhythm of the sound contradicts the declared tempo."""


class Detector:
    """Detects the properties of one sound, each only once."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound

    @cached_property
    def kind(self) -> Shape:
        return kind_of(self.sound.samples, self.sound.rate)

    @cached_property
    def rhythm(self) -> Rhythm:
        return Rhythm(self.sound.samples, self.sound.rate)

    @cached_property
    def onsets(self) -> Onsets:
        return Onsets(self.sound)

    @cached_property
    def tempo(self) -> Tempo | None:
        return self.rhythm.tempo()

    def after(self, cut: Cut | None, grid: Grid | None) -> Detector:
        """A detector of what is left of the sound."""
        if cut is None or grid is None:
            return self
        samples = cut_to(self.sound, cut, loop_frames(*grid))
        return Detector(Sound(samples, ENGINE_RATE, self.sound.pcm_sha256, float(np.abs(samples).max())))

    def hear(self, shape: Shape, role: str, samples: NDArray[np.float32]) -> Detected:
        """Everything that is detected, whatever tempo and key are declared.

        `shape`: as it was interpreted. `samples`: at 48 kHz.
        """
        tempo = self.tempo if "loop" in (shape, self.kind) else None
        pitched = role not in UNPITCHED_ROLES and shape != "hit"
        key = key_of(samples) if pitched and samples.shape[1] >= SHORTEST_KEY_SECONDS * ENGINE_RATE else None
        return Detected(self.kind, tempo, key)


def interpret(terms: Terms, ear: Detector, *, accept_tempo: bool = False) -> Interpretation:
    """The shape and grid of a sound: declared, or else detected.

    `accept_tempo`: the declared tempo holds, whatever the rhythm. Raises `OffTheGrid` if length and beats
    disagree, `OtherTempo` if declaration and rhythm disagree, `Refused`.
    """
    if terms.song is not None:
        return Interpretation("song", song_grid(terms, ear.sound))
    if terms.bpm is not None or terms.beats is not None:
        placed = loop_grid(terms, ear.sound, ear.onsets)
        grid = placed.grid
        ear = ear.after(placed.cut, grid)
        tempo = ear.tempo
        if tempo is not None and not accept_tempo and not ear.rhythm.agrees(float(grid[0])):
            raise OtherTempo(
                f"it is declared as {float(grid[0]):g} bpm, and its rhythm is that of {_tempo(tempo)}; "
                "declare that, or add it anyway with --accept-tempo"
            )
        return Interpretation("loop", grid, placed.notes, placed.cut)
    if terms.shape in ("hit", "sustained"):
        return Interpretation(terms.shape, None)
    tempo = ear.tempo if "loop" in (terms.shape, ear.kind) else None
    if tempo is not None and tempo.confidence >= SURE_TEMPO:
        told = f"its tempo was detected, not declared: {_tempo(tempo)}; give --bpm if it has another"
        grid = detected_grid(_grid_of(tempo, ear.sound), ear.sound, ear.onsets, terms)
        return Interpretation("loop", grid, (told,))
    if terms.shape == "loop":
        raise Refused(
            "it is declared a loop, but the length of its beats is not, and no tempo can be detected: "
            "add --bpm, --bars or --beats, or leave the shape out"
        )
    if ear.kind == "loop":
        doubt = "it sounds like a loop, but no tempo can be detected: give --bars to have it in time"
        return Interpretation("sustained", None, (doubt,))
    return Interpretation(ear.kind, None)


def _grid_of(tempo: Tempo, sound: Sound) -> Grid:
    bpm = Fraction(round(60_000 * tempo.beats / Fraction(sound.frames, sound.rate)), 1000)
    assert LEAST_BPM <= bpm <= MOST_BPM
    return bpm, tempo.beats


def _tempo(tempo: Tempo) -> str:
    bars = tempo.beats // 4
    return f"{tempo.bpm:.4g} bpm in {bars} bar{'s' * (bars != 1)} of four"
