"""What a checked script means: the frozen records that the engine composes from.

`check.py` makes a `Piece` of a parsed `Script`; nothing here refers to text but `Span`, `Line.text` and
the piece's own `text`. Bars and beats count from 1. Fractions are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in the text: lines and columns from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key. `tonic`: 0 for C to 11 for B."""

    tonic: int
    mode: Literal["major", "minor"]

    @property
    def name(self) -> str:
        return f"{TONICS[self.tonic]} {self.mode}"


TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on a stem. The conditions of a pool all hold; the values of one are alternatives.

    `column`: `shape`, `role`, `mood`, `energy`, `tempo`, `key`, `holder` or `set`. `values`: words, or
    pairs of numbers (both ends included) for `energy` and `tempo`.
    """

    column: str
    values: tuple[str | tuple[float, float], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """What multiplies the weight of the stems that hold to `clause`, while `when` holds."""

    factor: float
    clause: Clause
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Pool:
    """A query over the vault.

    `key`: `fits` the session's key, `any`, or named keys. `max_stretch`: 0.12 for 12 %, `max_shift_st`: in
    semitones; both on either side. `weights` multiply.
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

    @property
    def hits(self) -> bool:
        """Whether it holds one-shots rather than loops and sustained sounds."""
        return any(c.column == "shape" and "hit" in c.values and not c.negated for c in self.clauses)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles it asks for by name."""
        return tuple(str(v) for c in self.clauses if c.column == "role" and not c.negated for v in c.values)


@dataclass(frozen=True, slots=True)
class Length:
    """A musical or clock length: `amount` of `unit`."""

    amount: Fraction
    unit: Literal["bars", "beats", "s", "ms"]


# Expressions: conditions and numbers, evaluated by `expression.evaluate`.


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the base unit of its kind: dB, seconds, Hz, fraction (for %), or plain."""

    value: float


@dataclass(frozen=True, slots=True)
class DialValue:
    name: str


@dataclass(frozen=True, slots=True)
class RandomValue:
    """A fresh draw, uniform over lo to hi, each time its line is evaluated."""

    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class Unary:
    operator: Literal["-", "not"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    operator: Literal["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    left: Expression
    right: Expression


Expression = Number | DialValue | RandomValue | Unary | Binary


@dataclass(frozen=True, slots=True)
class Window:
    """When in its section a line is at work, and on what condition.

    `at_bar`, `at_beat`: from 1. `for_bars`: null to the section's end. `when` is evaluated at each bar
    line; `chance` (0 to 1) and `one_in` once per section occurrence (for `play`: once per hit).
    """

    at_bar: int = 1
    at_beat: Fraction = Fraction(1)
    for_bars: int | None = None
    when: Expression | None = None
    chance: float | None = None
    one_in: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """How much of a sound goes to a bus, 0 to 1."""

    bus: str
    amount: Expression


@dataclass(frozen=True, slots=True)
class Duck:
    """Makes room: `depth_db` softer while the part `under` sounds."""

    depth_db: Expression
    under: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter at `hz`, or gliding from there to `to_hz` over a length, by a curve."""

    kind: Literal["lowpass", "highpass", "bandpass"]
    hz: Expression
    to_hz: Expression | None = None
    over: Length | None = None
    curve: Literal["linear", "smooth", "exponential"] = "exponential"


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes of a line's sound on its way to the mix."""

    sends: tuple[Send, ...] = ()
    duck: Duck | None = None
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Bring:
    """Brings a loop of a pool in as a part. `over` fades in, `out_over` out; `gain` in dB, `pan` -1 to 1.

    `time`: 1, or 1/2 and 2 for half and double time. `reverse`: it plays backwards.
    """

    part: str
    pool: str
    window: Window
    over: Length | None
    out_over: Length | None
    gain: Expression
    pan: Expression
    text: str
    """The statement's canonical text: with its place among its like, the key of its random choices."""
    span: Span
    effects: Effects = Effects()
    time: Fraction = Fraction(1)
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One sixteenth of a pattern. `chance`: 0 for a rest, 1 for a sure hit."""

    chance: float
    accent: bool


@dataclass(frozen=True, slots=True)
class Play:
    """Plays hits of a pool in a pattern of sixteenths that repeats from the section's start."""

    part: str
    pool: str
    steps: tuple[Step, ...]
    window: Window
    gain: Expression
    pan: Expression
    text: str
    span: Span
    effects: Effects = Effects()
    swing: float = 0.5
    """Where in each eighth its second sixteenth falls: 0.5 is straight, 2/3 a triplet."""
    humanise_seconds: float = 0.0
    """How far a hit may fall after its step, drawn for each."""
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """Silences a part within its window. Its loop goes on unheard, and joins in again where it would be."""

    part: str
    window: Window
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Vary:
    """Redraws a part's stem every so many bars of the section."""

    part: str
    every_bars: int
    window: Window
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Drop:
    """Takes a part out within its window. After it the part's loop begins anew, at its bar 1."""

    part: str
    window: Window
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Solo:
    """Silences all other parts within its window, as `Rest` does."""

    part: str
    window: Window
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Hold:
    """Lets the loop that a part brings from the section before go on within its window."""

    part: str
    window: Window
    text: str
    span: Span


Line = Bring | Play | Rest | Drop | Solo | Hold | Vary


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the form. Its length in bars is drawn on entry from `lengths`."""

    name: str
    lengths: tuple[int, ...]
    lines: tuple[Line, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Boundary:
    """When something happens next: at the section's `end`, or on the grid of `every` bars or beats.

    Bars are counted from the section's start.
    """

    at: Literal["end", "bars", "beats", "section"]
    every: int = 1


@dataclass(frozen=True, slots=True)
class Move:
    """A way from a section to another. `origin` null: from any. `target` null: silence, the piece's end.

    `over`: how long the parts of the old section ring into the new one. `through`: the part whose `bring` or
    `play` line, which waits otherwise, fills the last bar before it. `cue`: the name that triggers it.
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


@dataclass(frozen=True, slots=True)
class Bus:
    """A place where sounds are sent to share effects: a reverb, a delay, filters, in this order.

    `numbers`: what the script says of its effects, by the names of their parameters in `effects/`.
    """

    name: str
    span: Span
    numbers: Mapping[str, Expression] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Sting:
    """A hit of a pool that events fire, at the next boundary."""

    name: str
    pool: str
    at: Boundary
    gain: Expression
    pan: Expression
    effects: Effects
    chance: float | None
    one_in: int | None
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Trigger:
    """What makes an event happen: `like`, `dislike`, a `cue` by `name`, a condition, or time.

    A condition triggers at the bar line at which it begins to hold; `after` once, `every` again and again.
    """

    kind: Literal["like", "dislike", "cue", "when", "after", "every"]
    name: str | None = None
    when: Expression | None = None
    length: Length | None = None


@dataclass(frozen=True, slots=True)
class SwapPart:
    """Another stem of the same line's pool. `part` null: that role."""

    part: str | None
    at: Boundary


@dataclass(frozen=True, slots=True)
class HoldPart:
    """Keeps a part's stem. `part` null: that role. `for_bars` null: to the piece's end."""

    part: str | None
    for_bars: int | None


@dataclass(frozen=True, slots=True)
class FireSting:
    sting: str


@dataclass(frozen=True, slots=True)
class MoveTo:
    """`target` null: silence."""

    target: str | None
    at: Boundary


@dataclass(frozen=True, slots=True)
class SetDial:
    dial: str
    value: Expression
    at: Boundary


Action = SwapPart | HoldPart | FireSting | MoveTo | SetDial


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens on a trigger."""

    trigger: Trigger
    action: Action
    text: str
    span: Span


Answer = Literal["swap", "rest", "stop"]
"""What becomes of a part whose stem is withdrawn while it sounds."""


@dataclass(frozen=True, slots=True)
class Dial:
    """A value from outside. `effect`: the boundary at which a gesture on it takes effect."""

    name: str
    lo: float
    hi: float
    default: float
    effect: Literal["now", "next beat", "next bar", "next section"]
    span: Span


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole checked script.

    `tempo_bpm`: least and greatest. `meter`: beats in a bar and the beat's note value. `seed`: 0 to 2^53 - 1.
    `sha256`: of `text` as UTF-8, lower-case hex.
    """

    name: str
    uses: tuple[str, ...]
    tempo_bpm: tuple[Fraction, Fraction]
    meter: tuple[int, int]
    keys: tuple[Key, ...]
    seed: int
    loudness_lufs: float
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
    share_cap: float | None = None
    """The greatest share, 0 to 1, of planned time that one holder may have within ten minutes."""
    credit: str | None = None
