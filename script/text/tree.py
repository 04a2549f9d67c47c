"""The nodes of a parsed script, each with its place in the text.

Places do not count when two trees are compared.
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
    """A number with its unit, as written."""

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


# Header


@dataclass(frozen=True, slots=True)
class PieceStatement:
    name: Name
    uses: tuple[Name, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class TempoStatement:
    range: Range
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class MeterStatement:
    beats: Quantity
    note: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class KeysStatement:
    keys: tuple[KeyName, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class NumberStatement:
    """A head statement of one number: `seed`, `loudness` or `ceiling`."""

    word: str
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class TextStatement:
    """A head statement of one text: `author`, `version` or `credit`."""

    word: str
    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ShareCapStatement:
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class WithdrawnStatement:
    """The answers to a withdrawal; the first that is possible is taken."""

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
class PoolLimit:
    """A clause that is a number: `never twice`, `max stretch` or `max shift`."""

    word: str
    amount: Quantity
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class PreferFresh:
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Weighted:
    factor: Quantity
    attribute: Attribute
    when: Term | None
    span: Span = field(compare=False)


PoolClause: TypeAlias = Attribute | PoolLimit | PreferFresh | Weighted


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
class TermClause:
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


Modifier: TypeAlias = At | Lasting | TermClause | Odds | Feel | Flag | SendClause | DuckClause | FilterClause


@dataclass(frozen=True, slots=True)
class LineStatement:
    """A line of a section. `pool` and `pattern` belong to `bring` and `play`, `every` to `vary`.

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

    `word`: its first word, as far as it can be guessed, else `None`. `name`: the name that it seems to
    introduce. `names`: all names that it may introduce.
    """

    word: str | None
    name: Name | None
    names: tuple[Name, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SectionStatement:
    """`name` and `length` are `None` where the head could not be read."""

    name: Name | None
    length: Range | None
    lines: tuple[LineStatement | Broken, ...]
    span: Span = field(compare=False)
    """Of the head."""


# Form


@dataclass(frozen=True, slots=True)
class BoundaryClause:
    """`at end`, or `at next` with a unit, and a `count` before it if there is one."""

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


MoveModifier: TypeAlias = Odds | BoundaryClause | TermClause | Lasting | Through | OnCue


@dataclass(frozen=True, slots=True)
class MoveStatement:
    """`origin`: `None` for any. `target`: `None` for silence. `text`: canonical, in one line."""

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
    modifiers: tuple[BoundaryClause | TermClause | SendClause | Odds | FilterClause, ...]
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

    `name`: the part, sting, section or dial; `None` for `that role` and for silence.
    """

    word: str
    name: Name | None
    amount: Quantity | None
    term: Term | None
    boundary: BoundaryClause | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class EventStatement:
    """`text`: canonical, in one line."""

    trigger: TriggerClause
    action: ActionClause
    span: Span = field(compare=False)
    text: str = field(default="", compare=False)


Statement: TypeAlias = (
    PieceStatement
    | TempoStatement
    | MeterStatement
    | KeysStatement
    | NumberStatement
    | TextStatement
    | PoolStatement
    | DialStatement
    | SectionStatement
    | MoveStatement
    | ShareCapStatement
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
