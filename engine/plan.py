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
    time aside; 1 where it is not stretched, and where it begins if it follows a ramp. `semitones`: how far
    its pitch is shifted. `ramp`: where the tempo moves, which frames of the loop, counted on through its
    rounds, come to lie at which of `frames`: one for each sixteenth and for both ends. Of a loop that is read
    backwards, frames of that.
    """

    stem: str
    frames: int
    loop_start: int | None
    stretch: float
    semitones: int = 0
    reverse: bool = False
    ramp: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Fade:
    """A fade: `frames` long; `equal_power` follows a sine, otherwise a straight line."""

    frames: int = 0
    equal_power: bool = False
    rings_over: bool = False
    """Whether it begins where the sound has its musical end, and not before it."""
    done: int = 0
    """Of a fade-in: how many of its frames are over where the placement begins."""


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
    continues: int | None = None
    """The placement that it goes on from, as one sound: the same samples, from where that one ends."""
    drift_frames: int = 0
    """How far ahead of the grid it is where it begins, as its loop is a whole number of frames."""
    tail_frames: int = 0
    """What rings after its musical end without a fade: the tail of a stem of a song that is over."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A placement ends earlier than planned: at `end_frame`, its fade-out included."""

    id: int
    end_frame: int
    fade_out: Fade


@dataclass(frozen=True, slots=True)
class Onset:
    """A part that others duck under is struck at `frame`, or sounds on `until` a later one.

    `weight`: how much of their depth it makes, 0 to 1. `id`: of its placement, -1 for what nobody hears,
    which has no `role` either.
    """

    part: str
    frame: int
    until: int
    weight: float
    id: int = -1
    role: str | None = None


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
    again: bool = False
    """Whether it is what the line took when its section came before, so that nothing was drawn."""


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
    tempo_bpm: Fraction = Fraction(0)
    """The tempo at its first frame, in beats of the head's metre."""
    meter: tuple[int, int] = (4, 4)
    key: str | None = None
    onsets: tuple[Onset, ...] = ()
    """Of its triggers, which nobody hears."""
