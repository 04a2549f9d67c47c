"""The meaning of a checked script: the frozen records that the engine composes from.

`check.py` makes a `Piece` of a parsed `Script`; only `Span`, `Line.text` and the piece's own `text` refer to
the text. Bars and beats count from 1. Fractions are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from ..ground.pitch import TONICS


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the text: lines and columns from 1, the end exclusive."""

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

    @property
    def hits(self) -> bool:
        """Whether the pool holds one-shots rather than loops and sustained sounds."""
        return any(c.column == "shape" and "hit" in c.values and not c.negated for c in self.clauses)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the pool names."""
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
class LineWindow:
    """The time in its section at which a line is active, and the conditions on it.

    `at_bar`, `at_beat`: from 1. `for_bars`: `None` to the section's end. `when` is evaluated at each bar
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
    """The effects on a line's sound on its way to the mix."""

    sends: tuple[Send, ...] = ()
    duck: Duck | None = None
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One sixteenth of a pattern. `chance`: 0 for a rest, 1 for a sure hit."""

    chance: float
    accent: bool


@dataclass(frozen=True, slots=True)
class _OfPart:
    """`text`: canonical; with its number among equal lines it keys the line's random choices."""

    part: str
    window: LineWindow
    text: str
    span: Span


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
    """Plays hits of a pool in a pattern of sixteenths that repeats from the section's start."""

    steps: tuple[Step, ...] = ()
    swing: float = 0.5
    """The place in each eighth of its second sixteenth: 0.5 is straight, 2/3 a triplet."""
    humanise_seconds: float = 0.0
    """The greatest delay of a hit after its step; each hit draws its own."""


@dataclass(frozen=True, slots=True)
class Rest(_OfPart):
    """Silences a part within its window. Its loop runs on unheard and is heard again after it, in time."""


@dataclass(frozen=True, slots=True)
class Vary(_OfPart):
    """Draws another stem for a part every `every_bars` bars of the section."""

    every_bars: int


@dataclass(frozen=True, slots=True)
class Drop(_OfPart):
    """Takes a part out within its window. After it the part's loop begins anew, at its bar 1."""


@dataclass(frozen=True, slots=True)
class Solo(_OfPart):
    """Silences all other parts within its window, as `Rest` does."""


@dataclass(frozen=True, slots=True)
class Hold(_OfPart):
    """Lets a part's loop from the section before continue within its window."""


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
    """The moment for which something waits: the section's `end`, or the grid of `every` bars or beats.

    Bars are counted from the section's start.
    """

    at: Literal["end", "bars", "beats"]
    every: int = 1


@dataclass(frozen=True, slots=True)
class Move:
    """A way from one section to another. `origin` is `None` for any section, `target` for the piece's end.

    `over`: the time for which the old section's parts ring into the new one. `through`: the part whose
    `bring` or `play` line fills the last bar before the move and does not sound otherwise. `cue`: the name
    that triggers the move.
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

    `numbers`: those that the script gives its effects, by the names of their parameters in `effects/`.
    """

    name: str
    span: Span
    numbers: Mapping[str, Expression] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Sting:
    """A hit of a pool that events fire at the next boundary."""

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
    """The cause of an event: `like`, `dislike`, a `cue` by `name`, a condition, or time.

    A condition triggers at the bar line at which it begins to hold; `after` once, `every` again and again.
    """

    kind: Literal["like", "dislike", "cue", "when", "after", "every"]
    name: str | None = None
    when: Expression | None = None
    length: Length | None = None


@dataclass(frozen=True, slots=True)
class SwapPart:
    """Plays another stem of the same line's pool. `part` is `None` for `that role`."""

    part: str | None
    at: Boundary


@dataclass(frozen=True, slots=True)
class HoldPart:
    """Keeps a part's stem. `part` is `None` for `that role`, `for_bars` for the rest of the piece."""

    part: str | None
    for_bars: int | None


@dataclass(frozen=True, slots=True)
class FireSting:
    sting: str


@dataclass(frozen=True, slots=True)
class MoveTo:
    """Moves to a section; `target` is `None` for silence."""

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
    2^53 - 1. `sha256`: of `text` as UTF-8, lower-case hex.
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
