"""The nodes of a parsed script, each with its place in the text.

Places do not count when two trees are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from ..piece import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a script, with its place."""

    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Node):
    """`text`: the statement in canonical form, in one line; empty if it is `Broken`."""

    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name or a quoted text (without its quotes)."""

    text: str


@dataclass(frozen=True, slots=True)
class Quantity(Node):
    """A number with its unit, as written."""

    value: Fraction
    unit: str | None


@dataclass(frozen=True, slots=True)
class Range(Node):
    """From `lo` to `hi`; one value alone is both. A unit of the upper end alone is given to both."""

    lo: Quantity
    hi: Quantity


@dataclass(frozen=True, slots=True)
class KeyName(Node):
    tonic: Name
    mode: Literal["major", "minor"]


# Expressions


@dataclass(frozen=True, slots=True)
class RandomRange(Node):
    range: Range


@dataclass(frozen=True, slots=True)
class UnaryTerm(Node):
    operator: Literal["-", "not"]
    operand: Term


@dataclass(frozen=True, slots=True)
class BinaryTerm(Node):
    operator: Literal["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    left: Term
    right: Term


Term: TypeAlias = Quantity | Name | RandomRange | UnaryTerm | BinaryTerm
"""An expression as written; a `Name` in it is a dial's."""


# Clauses that stand in several kinds of statement


@dataclass(frozen=True, slots=True)
class AmountClause(Node):
    """An amount after its words, such as `for`, `out over`, `chance`, `one in`, `swing` or `max shift`."""

    word: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class TermClause(Node):
    """An expression after its word: `gain`, `pan` or `when`."""

    word: str
    term: Term


@dataclass(frozen=True, slots=True)
class NameClause(Node):
    """A name after its words: `through` or `on cue`."""

    word: str
    name: Name


@dataclass(frozen=True, slots=True)
class Flag(Node):
    """Words alone: `reverse`, `half time`, `double time` or `prefer fresh`."""

    word: str


# Header


@dataclass(frozen=True, slots=True)
class PieceStatement(Statement):
    name: Name
    uses: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class TempoStatement(Statement):
    range: Range


@dataclass(frozen=True, slots=True)
class MeterStatement(Statement):
    beats: Quantity
    note: Quantity


@dataclass(frozen=True, slots=True)
class KeysStatement(Statement):
    keys: tuple[KeyName, ...]


@dataclass(frozen=True, slots=True)
class NumberStatement(Statement):
    """A head statement of one number: `seed`, `loudness`, `ceiling` or `share`."""

    word: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class TextStatement(Statement):
    """A head statement of one text: `author`, `version` or `credit`."""

    word: str
    said: str


@dataclass(frozen=True, slots=True)
class WithdrawnStatement(Statement):
    """The answers to a withdrawal; the first that is possible is taken."""

    answers: tuple[Name, ...]


# Pools and dials


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """A condition on stems. `values`: names, ranges (`energy`, `tempo`) or keys; `fits`, `any` are names."""

    column: str
    values: tuple[Name | Range | KeyName, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Weighted(Node):
    factor: Quantity
    attribute: Attribute
    when: Term | None


PoolClause: TypeAlias = Attribute | AmountClause | Flag | Weighted


@dataclass(frozen=True, slots=True)
class PoolStatement(Statement):
    name: Name
    shape: Literal["loops", "hits"]
    clauses: tuple[PoolClause, ...]


@dataclass(frozen=True, slots=True)
class DialStatement(Statement):
    """`effect`: `now`, or the word after `at next`."""

    name: Name
    range: Range
    default: Quantity
    effect: Name


@dataclass(frozen=True, slots=True)
class FilterClause(Node):
    """`kind` at `term`, or on to `to` over a length, by a curve."""

    word = "filter"
    kind: Name
    term: Term
    to: Term | None
    over: Quantity | None
    curve: Name | None


@dataclass(frozen=True, slots=True)
class EffectClause(Node):
    """An effect of a bus. `terms`: what follows its word, then each further word with what follows that."""

    terms: tuple[tuple[str, Term], ...]

    @property
    def word(self) -> str:
        return self.terms[0][0]


@dataclass(frozen=True, slots=True)
class BusStatement(Statement):
    name: Name
    effects: tuple[EffectClause | FilterClause, ...]


# Lines of a section


@dataclass(frozen=True, slots=True)
class At(Node):
    word = "at"
    bar: Quantity
    beat: Quantity | None


@dataclass(frozen=True, slots=True)
class SendClause(Node):
    word = "to"
    bus: Name
    term: Term


@dataclass(frozen=True, slots=True)
class DuckClause(Node):
    word = "duck"
    term: Term
    under: Name


@dataclass(frozen=True, slots=True)
class Euclid(Node):
    """`hits` spread over `steps` as evenly as can be, the first moved on by `rotate`."""

    hits: Quantity
    steps: Quantity
    rotate: Quantity | None


Modifier: TypeAlias = At | AmountClause | TermClause | Flag | SendClause | DuckClause | FilterClause


@dataclass(frozen=True, slots=True)
class LineStatement(Statement):
    """A line of a section. `pool` and `pattern` belong to `bring` and `play`, `every` to `vary`."""

    word: Literal["bring", "play", "rest", "vary", "hold", "solo", "drop"]
    part: Name
    pool: Name | None
    pattern: Name | Euclid | None
    every: Quantity | None
    modifiers: tuple[Modifier, ...]


@dataclass(frozen=True, slots=True)
class Broken(Statement):
    """A statement that could not be read.

    `word`: its first word, as far as it can be guessed, else `None`. `name`: the name that it seems to
    introduce. `names`: all names that it may introduce.
    """

    word: str | None
    name: Name | None
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class SectionStatement(Statement):
    """`name` and `length` are `None` where the head could not be read. `span`: of the head."""

    name: Name | None
    length: Range | None
    lines: tuple[LineStatement | Broken, ...] = ()


# Form


@dataclass(frozen=True, slots=True)
class BoundaryClause(Node):
    """`at end` (`unit` is `end`), or `at next` with a unit, and a `count` before it if there is one."""

    word = "at"
    unit: str
    count: Quantity | None = None


MoveModifier: TypeAlias = AmountClause | BoundaryClause | TermClause | NameClause


@dataclass(frozen=True, slots=True)
class MoveStatement(Statement):
    """`origin`: `None` for any. `target`: `None` for silence."""

    origin: Name | None
    target: Name | None
    modifiers: tuple[MoveModifier, ...]


# Stings and events


@dataclass(frozen=True, slots=True)
class StingStatement(Statement):
    name: Name
    pool: Name
    modifiers: tuple[BoundaryClause | TermClause | SendClause | AmountClause | FilterClause, ...]


@dataclass(frozen=True, slots=True)
class TriggerClause(Node):
    """`word`: `like`, `dislike`, `cue` (with its name), `when` (with its term), `after` or `every`."""

    word: str
    name: Name | None = None
    term: Term | None = None
    amount: Quantity | None = None


@dataclass(frozen=True, slots=True)
class ActionClause(Node):
    """`word`: `swap`, `hold`, `sting`, `move` or `set`.

    `name`: the part, sting, section or dial; `None` for `that role` and for silence.
    """

    word: str
    name: Name | None
    amount: Quantity | None
    term: Term | None
    boundary: BoundaryClause | None


@dataclass(frozen=True, slots=True)
class EventStatement(Statement):
    trigger: TriggerClause
    action: ActionClause


@dataclass(frozen=True, slots=True)
class Script:
    """All statements of a text in their order."""

    statements: tuple[Statement, ...]
