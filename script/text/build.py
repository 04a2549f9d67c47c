"""Builds tree nodes for the parser: one method for each grammar rule, of the same name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeAlias

from ..piece import Span
from . import tree
from .tokens import Token

Parts = list[Any]
"""The parts of a rule in order: tokens (keywords too) and the nodes of the rules within."""
Pick: TypeAlias = int | slice | str | None


def _span(parts: Sequence[Any]) -> Span:
    first, last = _edge(parts[0], 0), _edge(parts[-1], -1)
    return Span(first.line, first.column, last.end_line, last.end_column)


def _edge(part: Any, index: int) -> Any:
    """The first or the last token of a part, or its node's span, both of which say lines and columns."""
    while isinstance(part, list):
        part = part[index]
    return part if isinstance(part, Token) else part.span


def _nodes(parts: Parts) -> list[Any]:
    return [part for part in parts if not isinstance(part, Token | str)]


def _every(part: Any) -> tree.Quantity | None:
    return part if isinstance(part, tree.Quantity) else None


def _picked(parts: Parts, pick: Pick) -> Any:
    if isinstance(pick, int):
        part = parts[pick] if pick < len(parts) else None
        return part.text if isinstance(part, Token) else part
    return tuple(_nodes(parts[pick])) if isinstance(pick, slice) else pick


def _made(kind: Callable[..., tree.Node], *picks: Pick) -> Callable[[Build, Parts], tree.Node]:
    """A method that makes a node of the parts with these indices.

    A token is given as its text, a part that was left out as `None`, and a slice as the nodes in it. Other
    picks are given as they are.
    """
    return lambda _, p: kind(*[_picked(p, pick) for pick in picks], span=_span(p))


class Build:
    """The callbacks of the parser. They never refuse: the check decides whether a statement makes sense."""

    # Names and numbers

    def name(self, p: Parts) -> tree.Name:
        return tree.Name(p[0].text, span=p[0].span)

    answer = filter_kind = curve = origin = target = name

    def text(self, p: Parts) -> tree.Name:
        return tree.Name(p[0].text[1:-1], span=p[0].span)

    def value(self, p: Parts) -> tree.Name:
        return self.text(p) if p[0].type == "STRING" else self.name(p)

    def amount(self, p: Parts) -> tree.Quantity:
        return tree.Quantity(Fraction(p[0].text), _picked(p, 1), span=_span(p))

    number = amount

    def signed(self, p: Parts) -> tree.Quantity:
        if p[0].text != "-":
            return self.amount(p)
        p[0].type = "SIGN"
        positive = self.amount(p[1:])
        return replace(positive, value=-positive.value, span=_span(p))

    def range(self, p: Parts) -> tree.Range:
        lo, hi = p[0], p[-1]
        if lo.unit is None:
            lo = replace(lo, unit=hi.unit)
        return tree.Range(lo, hi, span=_span(p))

    def key_name(self, p: Parts) -> tree.KeyName:
        return tree.KeyName(self.name(p), p[1].text, span=_span(p))

    # Expressions

    def random(self, p: Parts) -> tree.RandomRange:
        return tree.RandomRange(self.range(p[1:]), span=_span(p))

    def group(self, p: Parts) -> Any:
        return replace(p[1], span=_span(p))

    def unary(self, p: Parts) -> tree.UnaryTerm:
        if p[0].text == "-":
            p[0].type = "SIGN"
        return tree.UnaryTerm(p[0].text, p[1], span=_span(p))

    binary = _made(tree.BinaryTerm, 1, 0, 2)

    # Header

    piece = _made(tree.PieceStatement, 1, slice(3, None))
    tempo = _made(tree.TempoStatement, 1)

    def meter(self, p: Parts) -> tree.MeterStatement:
        p[2].type = "TIGHT"
        return tree.MeterStatement(p[1], p[3], span=_span(p))

    keys = _made(tree.KeysStatement, slice(1, None))
    seed = ceiling = _made(tree.NumberStatement, 0, 1)
    share = _made(tree.NumberStatement, 0, 2)

    def loudness(self, p: Parts) -> tree.LoudnessStatement:
        return tree.LoudnessStatement(p[0].text, p[1], len(p) > 2, span=_span(p))

    loudness_off = _made(tree.LoudnessOff)

    def author(self, p: Parts) -> tree.TextStatement:
        return tree.TextStatement(p[0].text, p[1].text, span=_span(p))

    version = credit = author
    withdrawn = _made(tree.WithdrawnStatement, slice(2, None))

    def chord(self, p: Parts) -> tree.ChordName:
        if len(p) > 1:
            p[1].type = "TIGHT"
        return tree.ChordName(p[0], _picked(p, 2), span=_span(p))

    def chords(self, p: Parts) -> tree.ChordsStatement:
        each = p[-1] if isinstance(p[-1], tree.Quantity) else None
        return tree.ChordsStatement(
            tuple(part for part in p if isinstance(part, tree.ChordName)), each, span=_span(p)
        )

    # Pools

    def attribute(self, p: Parts) -> tree.Attribute:
        values = _nodes(p) or [tree.Name(p[1].text, span=p[1].span)]
        return tree.Attribute(p[0].text, tuple(values), False, span=_span(p))

    def negated(self, p: Parts) -> Any:
        return replace(p[1], negated=True, span=_span(p))

    never = _made(tree.AmountClause, "never twice", 3)
    fresh = _made(tree.Flag, "prefer fresh")
    stretch = _made(tree.AmountClause, "max stretch", 2)
    shift = _made(tree.AmountClause, "max shift", 2)
    weighted = _made(tree.Weighted, 1, 3, 5)
    pool = _made(tree.PoolStatement, 1, 3, slice(4, None))

    # Dials and buses

    def dial(self, p: Parts) -> tree.DialStatement:
        return tree.DialStatement(p[1], self.range(p[2:5]), p[6], p[7], span=_span(p))

    effect = _made(tree.Name, -1)
    bus = _made(tree.BusStatement, 1, slice(3, None))

    def bus_effect(self, p: Parts) -> tree.Node:
        if isinstance(p[0], tree.FilterClause):
            return p[0]
        terms = tuple((p[i].text, p[i + 1]) for i in range(0, len(p), 2))
        return tree.EffectClause(terms, span=_span(p))

    # Sections and their lines

    def section(self, p: Parts) -> tree.SectionStatement:
        return tree.SectionStatement(p[1], p[2], (), tuple(p[3:]), span=_span(p))

    fresh_visits = _made(tree.Flag, "fresh")
    as_section = _made(tree.NameClause, "as", 1)
    own_tempo = _made(tree.OwnTempo, 1)

    def own_meter(self, p: Parts) -> tree.OwnMeter:
        p[2].type = "TIGHT"
        return tree.OwnMeter(p[1], p[3], span=_span(p))

    own_key = _made(tree.OwnKey, 1)
    key_move = _made(tree.KeyMove, 1, 2)
    starting = _made(tree.AmountClause, "starting at", 3)
    ramp = _made(tree.RampStatement, 0, 2, slice(3, None))
    bring = _made(tree.LineStatement, 0, 1, 3, None, None, slice(4, None))

    def play(self, p: Parts) -> tree.LineStatement:
        has_pattern = len(p) > 4 and isinstance(p[4], tree.Name | tree.Euclid)
        pattern, modifiers = (p[4], p[5:]) if has_pattern else (None, p[4:])
        return tree.LineStatement("play", p[1], p[3], pattern, None, tuple(modifiers), span=_span(p))

    trigger_line = _made(tree.LineStatement, 0, 1, None, 2, None, slice(3, None))

    def parts(self, p: Parts) -> Parts:
        return p

    def rest(self, p: Parts) -> tree.LineStatement:
        first, *more = _nodes(p[1])
        modifiers = tuple(p[2:])
        return tree.LineStatement(p[0].text, first, None, None, None, modifiers, tuple(more), span=_span(p))

    hold = solo = drop = rest

    def vary(self, p: Parts) -> tree.LineStatement:
        return replace(self.rest([*p[:2], *p[4:]]), every=_every(p[3]), span=_span(p))

    at_bar = _made(tree.At, 2, 4)
    for_length = every = over = over_move = chance = weight = swing = humanise = _made(
        tree.AmountClause, 0, 1
    )
    steps = loose = late = which_slice = _made(tree.AmountClause, 0, 1)
    out_over = _made(tree.AmountClause, "out over", 2)
    one_in = _made(tree.AmountClause, "one in", 2)
    when = _made(tree.TermClause, 0, 1)
    gain = pan = _made(tree.GlideClause, 0, 1)
    gliding = _made(tree.Gliding, 0, 2, 4, 5)
    later = _made(tree.Later, 0, slice(2, None))
    via = _made(tree.NameClause, 0, 1)
    euclid = _made(tree.Euclid, 1, 3, 5)
    send = _made(tree.SendClause, 1, 2)

    def duck(self, p: Parts) -> tree.DuckClause:
        back = p[-1] if isinstance(p[-2], Token) and p[-2].text == "back" else None
        under = _nodes(p[3:-1] if back is not None else p[3:])
        return tree.DuckClause(p[1], tuple(under), back, span=_span(p))

    reverse = _made(tree.Flag, "reverse")
    half_time = _made(tree.Flag, "half time")
    double_time = _made(tree.Flag, "double time")
    each_hit = _made(tree.Flag, "each hit new")
    cut = _made(tree.Flag, "cut")
    choke = _made(tree.NameClause, 0, 1)
    length = _made(tree.LengthClause, 1)
    ending = _made(tree.Ending, 3, 5)

    def note_value(self, p: Parts) -> tree.NoteValue:
        p[1].type = "TIGHT"
        return tree.NoteValue(Fraction(p[0].text), Fraction(p[2].text), span=_span(p))

    filter = _made(tree.FilterClause, 0, 1, 3, 5, 6)

    def notes(self, p: Parts) -> tree.NotesClause:
        if isinstance(p[1], tree.Name):
            return tree.NotesClause(p[1], None, span=_span(p))
        return tree.NotesClause(None, p[1].text, span=_span(p))

    # Form

    at_end = _made(tree.BoundaryClause, "end")

    def at_next(self, p: Parts) -> tree.BoundaryClause:
        return tree.BoundaryClause(p[-1].text, p[2] if len(p) > 3 else None, span=_span(p))

    through = _made(tree.NameClause, 0, 1)
    on_cue = _made(tree.NameClause, "on cue", 2)
    after_visits = _made(tree.AmountClause, "after", 1)

    def move(self, p: Parts) -> tree.MoveStatement:
        origin = None if p[1].text == "any" else p[1]
        target = None if p[3].text == "silence" else p[3]
        return tree.MoveStatement(origin, target, tuple(p[4:]), span=_span(p))

    # Events and stings

    sting = _made(tree.StingStatement, 1, 3, slice(4, None))

    def event(self, p: Parts) -> tree.EventStatement:
        if p[0].text == "on":
            return tree.EventStatement(p[1], p[3], span=_span(p))
        trigger = tree.TriggerClause(p[0].text, amount=p[1], span=_span(p[:2]))
        return tree.EventStatement(trigger, p[3], span=_span(p))

    def trigger(self, p: Parts) -> tree.TriggerClause:
        if not isinstance(p[0], Token):
            return tree.TriggerClause("when", term=p[0], span=_span(p))
        return tree.TriggerClause(p[0].text, _picked(p, 1), span=_span(p))

    def aim(self, p: Parts) -> Parts:
        return p

    def action(self, p: Parts) -> tree.ActionClause:
        word = p[0].text
        boundary = p[-1] if isinstance(p[-1], tree.BoundaryClause) else None
        name = amount = term = None
        match word:
            case "swap" | "hold":
                aim = p[1][0]
                name = aim if isinstance(aim, tree.Name) else None
                amount = p[3] if word == "hold" and len(p) > 3 else None
            case "move":
                name = None if p[2].text == "silence" else p[2]
            case "set":
                name, term = p[1], p[3]
            case _:
                name = p[1]
        return tree.ActionClause(word, name, amount, term, boundary, span=_span(p))

    # A whole script

    def block(self, p: Parts) -> Any:
        return replace(p[0], lines=tuple(_nodes(p[1:])))

    def script(self, p: Parts) -> tree.Script:
        return tree.Script(tuple(_nodes(p)))
