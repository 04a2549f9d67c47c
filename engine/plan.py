"""What will sound: the records that composing makes and mixing, listing and drawing read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .effects import NO_EFFECTS, PlacedEffects

MOST_SOUNDING = 256
"""How many sounds the mixer plays at once."""
MAX_BARS = 64
"""A placement's greatest length; a sound that goes on after it does so as a new placement, without a seam."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Which form of a stem sounds.

    `frames`: of the conformed sound. `loop_start`: where a repeat begins; None for a sound that is not
    repeated. `stretch`: output length over the length of the stem as it is read, half and double
    time aside; 1 where it is not stretched. `semitones`: how far its pitch is shifted.
    """

    stem: str
    frames: int
    loop_start: int | None
    stretch: float
    semitones: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Fade:
    """A fade: `frames` long; `equal_power` follows a sine, otherwise a straight line."""

    frames: int = 0
    equal_power: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """One contiguous sounding of one stem by one script line, as planned.

    Frames are absolute, on the session's counter. `end_frame` is exclusive and includes the fade-out.
    `offset_frames`: where in the variant it begins. `gain_db` is the script's; `level_db` brings the stem
    to its role's loudness. `pan`: -1 left to 1 right. `bar` counts from 0 from the session's start,
    `beat` from 0 within it; `bars` is the planned length.
    """

    id: int
    stem: str
    title: str
    holder: str
    role: str
    part: str
    section: str
    line: int
    column: int
    bar: int
    beat: Fraction
    bars: Fraction
    start_frame: int
    end_frame: int
    variant: Variant
    offset_frames: int
    gain_db: float
    level_db: float
    pan: float
    fade_in: Fade
    fade_out: Fade
    consent: int
    hit: bool
    effects: PlacedEffects = NO_EFFECTS


@dataclass(frozen=True, slots=True)
class Stop:
    """A placement ends earlier than planned: at `end_frame`, its fade-out included."""

    id: int
    end_frame: int
    fade_out: Fade


@dataclass(frozen=True, slots=True)
class Rested:
    """A line that should sound and rests, and why."""

    part: str
    pool: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a line plays what it plays: all that it could have, heaviest first, and those left out last.

    `stem`: the one taken, None if every one was left out.
    """

    part: str
    pool: str
    line: int
    bar: int
    stem: str | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stem of a choice. `excluded`: why it could not be taken, None if it could."""

    stem: str
    title: str
    weight: float
    agreement: float | None
    """How well it goes with the tonal parts that sound; None if it is not tonal, or none of them sounds."""
    excluded: str | None
    factors: tuple[tuple[str, float], ...] = ()
    """The factors of its weight, without those that are 1."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One composed bar. `ended`: the piece ends at this bar's start, and nothing begins in it."""

    bar: int
    section: str
    section_bar: int
    start_frame: int
    end_frame: int
    starts: tuple[Placement, ...]
    stops: tuple[Stop, ...]
    rested: tuple[Rested, ...]
    ended: bool
    choices: tuple[Choice, ...] = ()
    """The choices made in it and their reasons, where they were asked for."""
