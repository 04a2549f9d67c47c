"""Builds tree nodes for the parser: one method for each grammar rule, of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ..piece import Span
from .tokens import Token
from .tree import (
    ActionClause,
    At,
    Attribute,
    BinaryTerm,
    BoundaryClause,
    BusStatement,
    DialStatement,
    DuckClause,
    EffectClause,
    Euclid,
    EventStatement,
    Feel,
    FilterClause,
    Flag,
    KeyName,
    KeysStatement,
    Lasting,
    LineStatement,
    MeterStatement,
    MoveStatement,
    Name,
    NumberStatement,
    Odds,
    OnCue,
    PieceStatement,
    PoolLimit,
    PoolStatement,
    PreferFresh,
    Quantity,
    RandomRange,
    Range,
    Script,
    SectionStatement,
    SendClause,
    ShareCapStatement,
    StingStatement,
    TempoStatement,
    TermClause,
    TextStatement,
    Through,
    TriggerClause,
    UnaryTerm,
    Weighted,
    WithdrawnStatement,
)

Parts = list[Any]
"""The parts of a rule in order: tokens (keywords too) and the nodes of the rules within."""


def _span(parts: Sequence[Any]) -> Span:
    first, last = _edge(parts[0], 0), _edge(parts[-1], -1)
    return Span(first.line, first.column, last.end_line, last.end_column)


def _edge(part: Any, index: int) -> Span:
    while isinstance(part, list):
        part = part[index]
    span = part.span
    assert isinstance(span, Span)
    return span


def _nodes(parts: Parts) -> list[Any]:
    return [part for part in parts if not isinstance(part, Token | str)]


class Build:
    """The callbacks of the parser. They never refuse: the check decides whether a statement makes sense."""

    # Names and numbers

    def name(self, p: Parts) -> Name:
        return Name(p[0].text, p[0].span)

    def text(self, p: Parts) -> Name:
        return Name(p[0].text[1:-1], p[0].span)

    def value(self, p: Parts) -> Name:
        return self.text(p) if p[0].type == "STRING" else self.name(p)

    def number(self, p: Parts) -> Quantity:
        return Quantity(Fraction(p[0].text), None, p[0].span)

    def amount(self, p: Parts) -> Quantity:
        return Quantity(Fraction(p[0].text), p[1].text if len(p) > 1 else None, _span(p))

    def signed(self, p: Parts) -> Quantity:
        if p[0].text != "-":
            return self.amount(p)
        p[0].type = "SIGN"
        positive = self.amount(p[1:])
        return Quantity(-positive.value, positive.unit, _span(p))

    def range(self, p: Parts) -> Range:
        lo, hi = p[0], p[-1]
        if lo.unit is None:
            lo = replace(lo, unit=hi.unit)
        return Range(lo, hi, _span(p))

    def key_name(self, p: Parts) -> KeyName:
        return KeyName(self.name(p), p[1].text, _span(p))

    # Expressions

    def random(self, p: Parts) -> RandomRange:
        return RandomRange(self.range(p[1:]), _span(p))

    def group(self, p: Parts) -> Any:
        return replace(p[1], span=_span(p))

    def unary(self, p: Parts) -> UnaryTerm:
        if p[0].text == "-":
            p[0].type = "SIGN"
        return UnaryTerm(p[0].text, p[1], _span(p))

    def binary(self, p: Parts) -> BinaryTerm:
        return BinaryTerm(p[1].text, p[0], p[2], _span(p))

    # Header

    def use_list(self, p: Parts) -> Parts:
        return _nodes(p)

    def piece(self, p: Parts) -> PieceStatement:
        return PieceStatement(p[1], tuple(p[3]) if len(p) > 3 else (), _span(p))

    def tempo(self, p: Parts) -> TempoStatement:
        return TempoStatement(p[1], _span(p))

    def meter(self, p: Parts) -> MeterStatement:
        p[2].type = "TIGHT"
        return MeterStatement(p[1], p[3], _span(p))

    def keys(self, p: Parts) -> KeysStatement:
        return KeysStatement(tuple(_nodes(p)), _span(p))

    def seed(self, p: Parts) -> NumberStatement:
        return NumberStatement(p[0].text, p[1], _span(p))

    loudness = ceiling = seed

    def author(self, p: Parts) -> TextStatement:
        return TextStatement(p[0].text, p[1].text, _span(p))

    version = credit = author

    def share(self, p: Parts) -> ShareCapStatement:
        return ShareCapStatement(p[2], _span(p))

    def withdrawn(self, p: Parts) -> WithdrawnStatement:
        return WithdrawnStatement(tuple(_nodes(p)), _span(p))

    def answer(self, p: Parts) -> Name:
        return Name(p[0].text, p[0].span)

    # Pools

    def shape(self, p: Parts) -> Token:
        token = p[0]
        assert isinstance(token, Token)
        return token

    def attribute(self, p: Parts) -> Attribute:
        values = _nodes(p) or [Name(p[1].text, p[1].span)]
        return Attribute(p[0].text, tuple(values), False, _span(p))

    def negated(self, p: Parts) -> Attribute:
        attribute: Attribute = p[1]
        return replace(attribute, negated=True, span=_span(p))

    def never(self, p: Parts) -> PoolLimit:
        return PoolLimit("never twice", p[3], _span(p))

    def fresh(self, p: Parts) -> PreferFresh:
        return PreferFresh(_span(p))

    def stretch(self, p: Parts) -> PoolLimit:
        return PoolLimit(f"max {p[1].text}", p[2], _span(p))

    shift = stretch

    def weighted(self, p: Parts) -> Weighted:
        return Weighted(p[1], p[3], p[5] if len(p) > 5 else None, _span(p))

    def pool(self, p: Parts) -> PoolStatement:
        return PoolStatement(p[1], p[3].text, tuple(_nodes(p[4:])), _span(p))

    # Dials and buses

    def dial(self, p: Parts) -> DialStatement:
        return DialStatement(p[1], self.range(p[2:5]), p[6], p[7], _span(p))

    def effect(self, p: Parts) -> Name:
        return Name(p[-1].text, _span(p))

    def bus(self, p: Parts) -> BusStatement:
        return BusStatement(p[1], tuple(_nodes(p[3:])), _span(p))

    def bus_effect(self, p: Parts) -> EffectClause | FilterClause:
        if isinstance(p[0], FilterClause):
            return p[0]
        return EffectClause(tuple((p[i].text, p[i + 1]) for i in range(0, len(p), 2)), _span(p))

    # Sections and their lines

    def section(self, p: Parts) -> SectionStatement:
        return SectionStatement(p[1], p[2], (), _span(p))

    def bring(self, p: Parts) -> LineStatement:
        return LineStatement("bring", p[1], p[3], None, None, tuple(p[4:]), _span(p))

    def play(self, p: Parts) -> LineStatement:
        return LineStatement("play", p[1], p[3], p[4], None, tuple(p[5:]), _span(p))

    def rest(self, p: Parts) -> LineStatement:
        return LineStatement(p[0].text, p[1], None, None, None, tuple(p[2:]), _span(p))

    hold = solo = drop = rest

    def vary(self, p: Parts) -> LineStatement:
        return LineStatement("vary", p[1], None, None, p[3], tuple(p[4:]), _span(p))

    def at_bar(self, p: Parts) -> At:
        return At(p[2], p[4] if len(p) > 4 else None, _span(p))

    def for_length(self, p: Parts) -> Lasting:
        return Lasting(p[0].text, p[1], _span(p))

    over = for_length

    def out_over(self, p: Parts) -> Lasting:
        return Lasting("out over", p[2], _span(p))

    def gain(self, p: Parts) -> TermClause:
        return TermClause(p[0].text, p[1], _span(p))

    pan = when = gain

    def chance(self, p: Parts) -> Odds:
        return Odds(p[0].text, p[1], _span(p))

    weight = chance

    def one_in(self, p: Parts) -> Odds:
        return Odds("one in", p[2], _span(p))

    def euclid(self, p: Parts) -> Euclid:
        return Euclid(p[1], p[3], p[5] if len(p) > 5 else None, _span(p))

    def send(self, p: Parts) -> SendClause:
        return SendClause(p[1], p[2], _span(p))

    def duck(self, p: Parts) -> DuckClause:
        return DuckClause(p[1], p[3], _span(p))

    def reverse(self, p: Parts) -> Flag:
        return Flag(" ".join(token.text for token in p), _span(p))

    half_time = double_time = reverse

    def swing(self, p: Parts) -> Feel:
        return Feel(p[0].text, p[1], _span(p))

    humanise = swing

    def filter_kind(self, p: Parts) -> Name:
        return Name(p[0].text, p[0].span)

    curve = filter_kind

    def filter(self, p: Parts) -> FilterClause:
        if len(p) == 2:
            return FilterClause(p[0], p[1], None, None, None, _span(p))
        return FilterClause(p[0], p[1], p[3], p[5], p[6] if len(p) > 6 else None, _span(p))

    # Form

    def origin(self, p: Parts) -> Name:
        return Name(p[0].text, p[0].span)

    target = origin

    def at_end(self, p: Parts) -> BoundaryClause:
        return BoundaryClause("end", None, _span(p))

    def at_next(self, p: Parts) -> BoundaryClause:
        return BoundaryClause(p[-1].text, p[2] if len(p) > 3 else None, _span(p))

    def over_move(self, p: Parts) -> Lasting:
        return Lasting(p[0].text, p[1], _span(p))

    def through(self, p: Parts) -> Through:
        return Through(p[1], _span(p))

    def on_cue(self, p: Parts) -> OnCue:
        return OnCue(p[2], _span(p))

    def move(self, p: Parts) -> MoveStatement:
        origin = None if p[1].text == "any" else p[1]
        target = None if p[3].text == "silence" else p[3]
        return MoveStatement(origin, target, tuple(p[4:]), _span(p))

    # Events and stings

    def sting(self, p: Parts) -> StingStatement:
        return StingStatement(p[1], p[3], tuple(p[4:]), _span(p))

    def event(self, p: Parts) -> EventStatement:
        if p[0].text == "on":
            return EventStatement(p[1], p[3], _span(p))
        trigger = TriggerClause(p[0].text, None, None, p[1], _span(p[:2]))
        return EventStatement(trigger, p[3], _span(p))

    def trigger(self, p: Parts) -> TriggerClause:
        if not isinstance(p[0], Token):
            return TriggerClause("when", None, p[0], None, _span(p))
        return TriggerClause(p[0].text, p[1] if len(p) > 1 else None, None, None, _span(p))

    def aim(self, p: Parts) -> Parts:
        return p

    def action(self, p: Parts) -> ActionClause:
        word = p[0].text
        boundary = p[-1] if isinstance(p[-1], BoundaryClause) else None
        name = amount = term = None
        match word:
            case "swap" | "hold":
                aim = p[1][0]
                name = aim if isinstance(aim, Name) else None
                amount = p[3] if word == "hold" and len(p) > 3 else None
            case "move":
                name = None if p[2].text == "silence" else p[2]
            case "set":
                name, term = p[1], p[3]
            case _:
                name = p[1]
        return ActionClause(word, name, amount, term, boundary, _span(p))

    # A whole script

    def block(self, p: Parts) -> SectionStatement:
        head: SectionStatement = p[0]
        return replace(head, lines=tuple(_nodes(p[1:])))

    def script(self, p: Parts) -> Script:
        return Script(tuple(_nodes(p)))
