"""The nodes of a parsed script, each with its place in the text.

Places do not count when two trees are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from .nodes import (
    BinaryTerm as BinaryTerm,
    KeyName as KeyName,
    Name as Name,
    Node as Node,
    Quantity as Quantity,
    RandomRange as RandomRange,
    Range as Range,
    Statement as Statement,
    Term as Term,
    UnaryTerm as UnaryTerm,
)

# Clauses that stand in several kinds of statement


@dataclass(frozen=True, slots=True)
class AmountClause(Node):
    """An amount after its words, such as `for`, `every`, `out over`, `one in`, `slice` or `max shift`."""

    word: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class TermClause(Node):
    """An expression after its word: `when`."""

    word: str
    term: Term


@dataclass(frozen=True, slots=True)
class Gliding(Node):
    """A number that stays at `term`, or goes on to `to` over a length, by a curve."""

    term: Term
    to: Term | None = None
    over: Quantity | None = None
    curve: Name | None = None


@dataclass(frozen=True, slots=True)
class GlideClause(Node):
    """A number that may glide after its word: `gain` or `pan`."""

    word: str
    number: Gliding


@dataclass(frozen=True, slots=True)
class NameClause(Node):
    """A name after its words: `through`, `on cue`, `choke`, `as` or `via`."""

    word: str
    name: Name


@dataclass(frozen=True, slots=True)
class Flag(Node):
    """Words alone, such as `reverse`, `half time`, `each hit new` or `prefer fresh`."""

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
class LoudnessStatement(NumberStatement):
    """`rides`: whether it ends in `ride`."""

    rides: bool


@dataclass(frozen=True, slots=True)
class LoudnessOff(Statement):
    """`loudness off`."""


@dataclass(frozen=True, slots=True)
class TextStatement(Statement):
    """A head statement of one text: `author`, `version` or `credit`."""

    word: str
    said: str


@dataclass(frozen=True, slots=True)
class ChordName(Node):
    """A chord as it is written, with the note after its slash; `none` is a chord of that name here."""

    name: Name
    bass: Name | None


@dataclass(frozen=True, slots=True)
class ChordsStatement(Statement):
    """The chords of the piece, or of a section. `each`: how long each of them lasts."""

    chords: tuple[ChordName, ...]
    each: Quantity | None


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
    shape: Literal["loops", "hits", "slices"]
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

    terms: tuple[tuple[str, Gliding], ...]

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
    number: Gliding


@dataclass(frozen=True, slots=True)
class DuckClause(Node):
    word = "duck"
    term: Term
    under: tuple[Name, ...]
    back: Term | None


@dataclass(frozen=True, slots=True)
class Later(Node):
    """What moves at a time of its own, and the line with it not."""

    word = "later"
    at: At
    clauses: tuple[GlideClause | SendClause | FilterClause, ...]


@dataclass(frozen=True, slots=True)
class Euclid(Node):
    """`hits` spread over `steps` as evenly as can be, the first moved on by `rotate`."""

    hits: Quantity
    steps: Quantity
    rotate: Quantity | None


@dataclass(frozen=True, slots=True)
class NotesClause(Node):
    """The notes of a pattern's hits: a text of degrees, or `follow`, which is `root` or `chord`."""

    word = "notes"
    degrees: Name | None
    follow: str | None


@dataclass(frozen=True, slots=True)
class NoteValue(Node):
    """A length in notes: `count` of those of which a whole one has `parts`, such as 1/8."""

    count: Fraction
    parts: Fraction


@dataclass(frozen=True, slots=True)
class LengthClause(Node):
    """The length of a hit after its word."""

    word = "length"
    length: Quantity | NoteValue


@dataclass(frozen=True, slots=True)
class Ending(Node):
    """The bar and beat at which a hit is to end."""

    word = "ending"
    bar: Quantity
    beat: Quantity | None


Modifier: TypeAlias = (
    At
    | Later
    | AmountClause
    | TermClause
    | GlideClause
    | NameClause
    | Flag
    | SendClause
    | DuckClause
    | FilterClause
    | LengthClause
    | Ending
    | NotesClause
)


@dataclass(frozen=True, slots=True)
class LineStatement(Statement):
    """A line of a section.

    `pool` belongs to `bring` and `play`, `pattern` to `trigger` and a `play` that has one. `every`: of
    `vary`, `None` for each visit. `more`: further parts after `and`.
    """

    word: Literal["bring", "play", "trigger", "rest", "vary", "hold", "solo", "drop"]
    part: Name
    pool: Name | None
    pattern: Name | Euclid | None
    every: Quantity | None
    modifiers: tuple[Modifier, ...]
    more: tuple[Name, ...] = ()


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
class RampStatement(Statement):
    """A line that moves the tempo of its section: `slow to` or `push to`, with its modifiers."""

    word: Literal["slow", "push"]
    tempo: Quantity
    modifiers: tuple[Modifier, ...]


@dataclass(frozen=True, slots=True)
class OwnTempo(Node):
    word = "tempo"
    range: Range


@dataclass(frozen=True, slots=True)
class OwnMeter(Node):
    word = "meter"
    beats: Quantity
    note: Quantity


@dataclass(frozen=True, slots=True)
class OwnKey(Node):
    word = "key"
    key: KeyName


@dataclass(frozen=True, slots=True)
class KeyMove(Node):
    """`key up` or `key down`, by so much."""

    word = "key"
    way: Literal["up", "down"]
    amount: Quantity


SectionModifier: TypeAlias = OwnTempo | OwnMeter | OwnKey | KeyMove | Flag | NameClause | AmountClause


@dataclass(frozen=True, slots=True)
class SectionStatement(Statement):
    """`name` and `length` are `None` where the head could not be read. `span`: of the head."""

    name: Name | None
    length: Range | None
    lines: tuple[LineStatement | RampStatement | ChordsStatement | Broken, ...] = ()
    modifiers: tuple[SectionModifier, ...] = ()


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
    modifiers: tuple[
        BoundaryClause | GlideClause | NameClause | SendClause | AmountClause | FilterClause, ...
    ]


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
