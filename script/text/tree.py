"""What a text says, as it stands there: the nodes of a parsed script, each with its place.

Two trees are equal when they say the same, wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from ..piece import Span


@dataclass(frozen=True, slots=True)
class Name:
    """A name or a quoted text (without its quotes)."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as written, with its unit as written."""

    value: Fraction
    unit: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Range:
    """From `lo` to `hi`; one value alone is both. A unit of the upper end alone is given to both."""

    lo: Quantity
    hi: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class KeyName:
    tonic: Name
    mode: Literal["major", "minor"]
    span: Span = field(compare=False)


# Expressions


@dataclass(frozen=True, slots=True)
class RandomRange:
    range: Range
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class UnaryTerm:
    operator: Literal["-", "not"]
    operand: Term
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class BinaryTerm:
    operator: Literal["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    left: Term
    right: Term
    span: Span = field(compare=False)


Term: TypeAlias = Quantity | Name | RandomRange | UnaryTerm | BinaryTerm
"""An expression as written; a `Name` in it is a dial's."""


# Head


@dataclass(frozen=True, slots=True)
class PieceHead:
    name: Name
    uses: tuple[Name, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Tempo:
    range: Range
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Meter:
    beats: Quantity
    note: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Keys:
    keys: tuple[KeyName, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """A head statement of one number: `seed`, `loudness` or `ceiling`."""

    word: str
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Remark:
    """A head statement of one text: `author`, `version` or `credit`."""

    word: str
    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ShareCap:
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class WithdrawnStatement:
    """What is done about a withdrawal: the first answer that can be."""

    answers: tuple[Name, ...]
    span: Span = field(compare=False)


# Pools and dials


@dataclass(frozen=True, slots=True)
class Attribute:
    """A condition on stems. `values`: names, ranges (`energy`, `tempo`) or keys; `fits`, `any` are names."""

    column: str
    values: tuple[Name | Range | KeyName, ...]
    negated: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class NeverTwice:
    within: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class PreferFresh:
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class MaxStretch:
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class MaxShift:
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Weighted:
    factor: Quantity
    attribute: Attribute
    when: Term | None
    span: Span = field(compare=False)


PoolClause: TypeAlias = Attribute | NeverTwice | PreferFresh | MaxStretch | MaxShift | Weighted


@dataclass(frozen=True, slots=True)
class PoolStatement:
    name: Name
    shape: Literal["loops", "hits"]
    clauses: tuple[PoolClause, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class DialStatement:
    """`effect`: `now`, or the word after `at next`."""

    name: Name
    range: Range
    default: Quantity
    effect: Name
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class FilterClause:
    """`kind` at `term`, or on to `to` over a length, by a curve."""

    kind: Name
    term: Term
    to: Term | None
    over: Quantity | None
    curve: Name | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class EffectClause:
    """An effect of a bus. `terms`: what follows its word, then each further word with what follows that."""

    terms: tuple[tuple[str, Term], ...]
    span: Span = field(compare=False)

    @property
    def word(self) -> str:
        return self.terms[0][0]


@dataclass(frozen=True, slots=True)
class BusStatement:
    name: Name
    effects: tuple[EffectClause | FilterClause, ...]
    span: Span = field(compare=False)


# Lines of a section


@dataclass(frozen=True, slots=True)
class At:
    bar: Quantity
    beat: Quantity | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Lasting:
    """A modifier that is a length: `for`, `over` or `out over`."""

    word: str
    length: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Mix:
    """A modifier that is an expression: `gain`, `pan` or `when`."""

    word: str
    term: Term
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Odds:
    """`chance` or `one in`."""

    word: str
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Feel:
    """`swing` or `humanise`."""

    word: str
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Flag:
    """A modifier that is a word alone: `reverse`, `half time` or `double time`."""

    word: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SendClause:
    bus: Name
    term: Term
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class DuckClause:
    term: Term
    under: Name
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Euclid:
    """`hits` spread over `steps` as evenly as can be, the first moved on by `rotate`."""

    hits: Quantity
    steps: Quantity
    rotate: Quantity | None
    span: Span = field(compare=False)


Modifier: TypeAlias = At | Lasting | Mix | Odds | Feel | Flag | SendClause | DuckClause | FilterClause


@dataclass(frozen=True, slots=True)
class LineStatement:
    """A line of a section. `pool` and `pattern` where the word has them; `every` with `vary`.

    `text`: the statement in canonical form, in one line.
    """

    word: Literal["bring", "play", "rest", "vary", "hold", "solo", "drop"]
    part: Name
    pool: Name | None
    pattern: Name | Euclid | None
    every: Quantity | None
    modifiers: tuple[Modifier, ...]
    span: Span = field(compare=False)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Broken:
    """A statement that could not be read.

    `word`: what it seems to be, null if that is not to be seen. `name`: what it seems to introduce. `names`:
    what it may introduce.
    """

    word: str | None
    name: Name | None
    names: tuple[Name, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SectionStatement:
    """`name` and `length` are null where the head could not be read."""

    name: Name | None
    length: Range | None
    lines: tuple[LineStatement | Broken, ...]
    span: Span = field(compare=False)
    """Of the head."""


# Form


@dataclass(frozen=True, slots=True)
class Boundary:
    """`at end`, or `at next` and what; `count` where a number stands before the unit."""

    word: str
    count: Quantity | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Through:
    part: Name
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class OnCue:
    name: Name
    span: Span = field(compare=False)


MoveModifier: TypeAlias = Odds | Boundary | Mix | Lasting | Through | OnCue


@dataclass(frozen=True, slots=True)
class MoveStatement:
    """`origin` null: any. `target` null: silence. `text`: canonical, in one line."""

    origin: Name | None
    target: Name | None
    modifiers: tuple[MoveModifier, ...]
    span: Span = field(compare=False)
    text: str = field(default="", compare=False)


# Stings and events


@dataclass(frozen=True, slots=True)
class StingStatement:
    """`text`: canonical, in one line."""

    name: Name
    pool: Name
    modifiers: tuple[Boundary | Mix | SendClause | Odds | FilterClause, ...]
    span: Span = field(compare=False)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TriggerClause:
    """`word`: `like`, `dislike`, `cue` (with its name), `when` (with its term), `after` or `every`."""

    word: str
    name: Name | None
    term: Term | None
    amount: Quantity | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ActionClause:
    """`word`: `swap`, `hold`, `sting`, `move` or `set`.

    `name`: the part, sting, section or dial; null for that role, or for silence.
    """

    word: str
    name: Name | None
    amount: Quantity | None
    term: Term | None
    boundary: Boundary | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class EventStatement:
    """`text`: canonical, in one line."""

    trigger: TriggerClause
    action: ActionClause
    span: Span = field(compare=False)
    text: str = field(default="", compare=False)


Statement: TypeAlias = (
    PieceHead
    | Tempo
    | Meter
    | Keys
    | Setting
    | Remark
    | PoolStatement
    | DialStatement
    | SectionStatement
    | MoveStatement
    | ShareCap
    | WithdrawnStatement
    | BusStatement
    | StingStatement
    | EventStatement
    | Broken
)


@dataclass(frozen=True, slots=True)
class Script:
    """All statements of a text in their order."""

    statements: tuple[Statement, ...]
