"""The meaning of a checked script: the frozen records that the engine composes from.

`check.py` makes a `Piece` of a parsed `Script`; only `Span`, `Line.text` and the piece's own `text` refer to
the text. Bars and beats count from 1. Fractions are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .happenings import (
    Action as Action,
    Boundary as Boundary,
    Event as Event,
    FireSting as FireSting,
    HoldPart as HoldPart,
    MoveTo as MoveTo,
    SetDial as SetDial,
    Sting as Sting,
    SwapPart as SwapPart,
    Trigger as Trigger,
)
from .mixing import (
    NO_EFFECTS,
    Bus as Bus,
    BusGlide as BusGlide,
    Duck as Duck,
    Effects as Effects,
    Filter as Filter,
    Glide as Glide,
    Send as Send,
)
from .pitch import Notes, Progression
from .terms import (
    Binary as Binary,
    DialValue as DialValue,
    Expression as Expression,
    Key as Key,
    Length as Length,
    LineWindow as LineWindow,
    Number as Number,
    RandomValue as RandomValue,
    Span as Span,
    Unary as Unary,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on a stem. The conditions of a pool all hold; the values of one are alternatives.

    `column`: `shape`, `role`, `mood`, `energy`, `tempo`, `key`, `holder`, `set`, `title` or `song`.
    `values`: words, or pairs of numbers (both ends included) for `energy` and `tempo`.
    """

    column: str
    values: tuple[str | tuple[float, float], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """A factor on the weight of the stems that meet `clause`, while `when` holds."""

    factor: float
    clause: Clause
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Pool:
    """A query over the vault.

    `key`: `fits` the session's key, `any`, or named keys. `max_stretch` (0.12 for 12 %) and `max_shift_st`
    (semitones) hold in both directions. The factors of all `weights` that apply are multiplied.
    """

    name: str
    clauses: tuple[Clause, ...]
    key: Literal["fits", "any"] | tuple[Key, ...]
    max_stretch: float
    never_twice_bars: int | None
    prefer_fresh: bool
    span: Span
    max_shift_st: int = 3
    weights: tuple[Weight, ...] = ()
    slices: bool = False
    """Whether its loops and sustained sounds are cut at their onsets."""

    @property
    def hits(self) -> bool:
        """Whether the pool holds what is struck, one-shots or slices, rather than what goes on."""
        return self.slices or any(
            c.column == "shape" and "hit" in c.values and not c.negated for c in self.clauses
        )

    @property
    def song(self) -> str | None:
        """The song of which it holds the stems, if it does."""
        return next((str(c.values[0]) for c in self.clauses if c.column == "song"), None)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the pool names."""
        return tuple(str(v) for c in self.clauses if c.column == "role" and not c.negated for v in c.values)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a pattern. `chance`: 0 for a rest, 1 for a sure hit."""

    chance: float
    accent: bool
    ghost: bool = False


@dataclass(frozen=True, slots=True)
class NoteValue:
    """A length in whole notes: 1/8 is an eighth."""

    whole: Fraction


@dataclass(frozen=True, slots=True)
class BarBeat:
    """A place in a section: bar and beat, from 1. The bar after its last is its end."""

    bar: int
    beat: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class _OfPart:
    """`text`: canonical, as it tells whether an edit has changed the line."""

    part: str
    window: LineWindow
    text: str
    span: Span
    section: str = field(default="", kw_only=True)
    """The section in which it stands in the text; others may take it over."""
    also: tuple[str, ...] = field(default=(), kw_only=True)
    """Further parts that a line without a pool names after `and`. Its draws are those of the first."""

    @property
    def parts(self) -> tuple[str, ...]:
        """All parts that it names."""
        return self.part, *self.also


@dataclass(frozen=True, slots=True)
class _Sounding(_OfPart):
    """`gain` in dB, `pan` -1 to 1. `reverse`: the sound plays backwards."""

    pool: str
    gain: Expression
    pan: Expression
    effects: Effects
    reverse: bool


@dataclass(frozen=True, slots=True)
class Bring(_Sounding):
    """Brings a loop of a pool in as a part. `over` fades in, `out_over` out.

    `time`: 1, or 1/2 and 2 for half and double time.
    """

    over: Length | None
    out_over: Length | None
    time: Fraction


@dataclass(frozen=True, slots=True)
class Play(_Sounding):
    """Plays hits of a pool in a pattern of steps that repeats from the section's start, or one that ends
    somewhere."""

    steps: tuple[Step, ...] = ()
    swing: float = 0.5
    """The place in each eighth of its second sixteenth: 0.5 is straight, 2/3 a triplet."""
    humanise_seconds: float = 0.0
    """The greatest distance of a hit from its step, before or after; each hit draws its own."""
    late_seconds: float = 0.0
    """The greatest delay of a hit after its step; each hit draws its own."""
    loose_db: float = 0.0
    """How much louder or softer a hit is at most; each draws its own."""
    steps_in_bar: int | None = None
    """Without it, a step is a sixteenth."""
    each_hit_new: bool = False
    """Whether each hit is another recording of the pool."""
    cut: bool = False
    """Whether a hit ends where the line's next begins, whatever its role."""
    choke: str | None = None
    """The part, or a name that others say too, with which the part shares one voice."""
    length: Length | NoteValue | None = None
    """The greatest length of a hit."""
    ending: BarBeat | None = None
    """Where the only hit of a line without a pattern ends, or peaks."""
    slice: int | None = None
    """Which slice of its stem a pool of slices plays, from 1; drawn by the line if it does not say."""
    notes: Notes | None = None
    """What is played of its hits; as they are, or in the key, if it says none."""


@dataclass(frozen=True, slots=True)
class Rest(_OfPart):
    """Silences a part within its window. Its loop runs on unheard and is heard again after it, in time."""


@dataclass(frozen=True, slots=True)
class Vary(_OfPart):
    """Draws another stem for a part every `every_bars` bars of the section."""

    every_bars: int


@dataclass(frozen=True, slots=True)
class Renew(_OfPart):
    """Draws another stem for a part on each visit of the section."""


@dataclass(frozen=True, slots=True)
class Drop(_OfPart):
    """Takes a part out within its window. After it the part's loop begins anew, at its bar 1."""


@dataclass(frozen=True, slots=True)
class Solo(_OfPart):
    """Silences all other parts within its window, as `Rest` does."""


@dataclass(frozen=True, slots=True)
class Hold(_OfPart):
    """Lets a part's loop from the section before continue within its window.

    `effects`: glides alone, of its gain, its pan and its filters.
    """

    effects: Effects = NO_EFFECTS


@dataclass(frozen=True, slots=True)
class Pulse(_OfPart):
    """A pattern that nobody hears, under which others duck."""

    steps: tuple[Step, ...] = ()
    swing: float = 0.5
    humanise_seconds: float = 0.0
    late_seconds: float = 0.0
    steps_in_bar: int | None = None


Line = Bring | Play | Rest | Drop | Solo | Hold | Vary | Renew | Pulse


@dataclass(frozen=True, slots=True)
class TempoRamp:
    """The tempo moves in a straight line to `tempo_bpm`, from a bar and beat of the section on."""

    at_bar: int
    at_beat: Fraction
    over: Length
    tempo_bpm: Fraction
    text: str
    span: Span

    def beats(self, in_a_bar: int) -> tuple[Fraction, Fraction]:
        """From which beat of the section to which it goes, from 0, in beats of the section's metre."""
        first = (self.at_bar - 1) * in_a_bar + self.at_beat - 1
        return first, first + self.over.amount * (in_a_bar if self.over.unit == "bars" else 1)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the form. Its length in bars is drawn on entry from `lengths`.

    `fresh`: each visit draws anew. `as_section`: that whose lines it has as well, but for those that its own
    replace. `tempo_bpm`, `meter` and `key` are None where they are the head's; `key_up_st`: semitones from
    the head's key. A tempo counts the beats of the head's metre. `ramps`: in the order of their places.
    """

    name: str
    lengths: tuple[int, ...]
    lines: tuple[Line, ...]
    span: Span
    tempo_bpm: Fraction | None = None
    meter: tuple[int, int] | None = None
    key: Key | None = None
    key_up_st: int = 0
    ramps: tuple[TempoRamp, ...] = ()
    fresh: bool = False
    as_section: str | None = None
    taken: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of each section whose lines it has taken over: after how many bars they begin again, and in each such
    round after how many once more, and so on; empty where it is no longer than that section."""
    chords: Progression | None = None
    """Its own chords; those of the piece if it says none."""
    song_bar: int | None = None
    """The bar of the song, from 1, at which it starts; None where the song goes on."""

    @property
    def brings(self) -> tuple[Bring, ...]:
        """Its lines that bring a part."""
        return tuple(line for line in self.lines if isinstance(line, Bring))


@dataclass(frozen=True, slots=True)
class Move:
    """A way from one section to another. `origin` is `None` for any section, `target` for the piece's end.

    `over`: the time for which the old section's parts ring into the new one. `through`: the part whose
    `bring` or `play` line fills the last bar before the move and does not sound otherwise. `cue`: the name
    that triggers the move. `after_visits`: which visit of the section that it leaves is the first with it.
    """

    origin: str | None
    target: str | None
    weight: float
    at: Boundary
    when: Expression | None
    text: str
    span: Span
    over: Length | None = None
    through: str | None = None
    cue: str | None = None
    after_visits: int | None = None


Answer = Literal["swap", "rest", "stop"]
"""The answer to the withdrawal of a stem that sounds."""


DialEffect = Literal["now", "next beat", "next bar", "next section"]


@dataclass(frozen=True, slots=True)
class Dial:
    """A number that gestures set. `effect`: the boundary at which a gesture takes effect."""

    name: str
    lo: float
    hi: float
    default: float
    effect: DialEffect
    span: Span


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole checked script.

    `tempo_bpm`: the least and the greatest. `meter`: beats of a bar and note value of a beat. `seed`: 0 to
    2^53 - 1, and whether the text names it. `sha256`: of `text` as UTF-8, lower-case hex.
    """

    name: str
    uses: tuple[str, ...]
    tempo_bpm: tuple[Fraction, Fraction]
    meter: tuple[int, int]
    keys: tuple[Key, ...]
    seed: int
    loudness_lufs: float | None
    ceiling_dbtp: float
    author: str | None
    version: str | None
    pools: dict[str, Pool]
    dials: dict[str, Dial]
    sections: tuple[Section, ...]
    moves: tuple[Move, ...]
    text: str
    sha256: str
    buses: dict[str, Bus] = field(default_factory=dict)
    stings: dict[str, Sting] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    if_withdrawn: tuple[Answer, ...] = ("rest",)
    names_seed: bool = True
    share_cap: float | None = None
    """The greatest share, 0 to 1, of planned time that one holder may have within ten minutes."""
    credit: str | None = None
    chords: Progression | None = None
    loudness_span: Span | None = None
    """Where the loudness is said."""
    rides: bool = False
    """Whether the master's gain may move a little to come to the loudness."""

    @property
    def ride_lufs(self) -> float | None:
        """The loudness to which the master's gain is ridden, if it is."""
        return self.loudness_lufs if self.rides else None
