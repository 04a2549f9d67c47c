"""The effects on a sound: filters, sends, ducking, and the buses that sounds share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..effects import duck, filter, send
from ..effects.chain import BY_WORD
from ..effects.effect import Parameter
from ..expression import constant
from ..piece import Bus, Duck, Effects, Expression, Filter, Send, Span
from ..text.tree import BusStatement, DuckClause, EffectClause, FilterClause, SendClause, Term
from .scope import Scope
from .units import amount, length


def effects_of(scope: Scope, clauses: Sequence[SendClause | DuckClause | FilterClause]) -> Effects:
    """The effects that the clauses of one line say; those with a mistake, once noted, are left out."""
    sends: dict[str, Send] = {}
    ducked: Duck | None = None
    filters: list[Filter] = []
    for clause in clauses:
        match clause:
            case SendClause(bus=bus):
                word = send.AMOUNT.word.format(bus.text)
                share = _number(scope, clause.term, send.AMOUNT, word, clause.span)
                if bus.text in sends:
                    scope.say("E038", clause.span, f"`{word}` appears twice here", "keep one of them")
                elif scope.known("bus", bus) and share is not None:
                    sends[bus.text] = Send(bus.text, share)
            case DuckClause():
                depth = _number(scope, clause.term, duck.DEPTH, duck.DEPTH.word, clause.span)
                if ducked is not None:
                    scope.say("E038", clause.span, "`duck` appears twice here", "keep one of them")
                elif scope.known("part", clause.under) and depth is not None:
                    ducked = Duck(depth, clause.under.text)
            case FilterClause():
                _add_filter(scope, clause, filters, "one line")
    return Effects(tuple(sends.values()), ducked, tuple(filters))


def _number(scope: Scope, term: Term, parameter: Parameter, word: str, span: Span) -> Expression | None:
    """The number of an effect that `term` is. A doubt is noted if it is 0 and does nothing then."""
    found = amount(scope, term, word, parameter.unit, parameter.bounds, plain=not parameter.unit)
    if parameter.idle is not None and found is not None and constant(found) == 0:
        zero = f"0 {parameter.unit}" if parameter.unit else "0%"
        scope.say("W008", span, f"`{word} {zero}` {parameter.idle}")
    return found


def _add_filter(scope: Scope, clause: FilterClause, filters: list[Filter], where: str) -> None:
    found = _filter(scope, clause)
    if found is not None:
        filters.append(found)
    if len(filters) > filter.MOST:
        scope.say("E038", clause.span, f"at most {filter.MOST} filters stand in {where}")
        filters.pop()


def _filter(scope: Scope, clause: FilterClause) -> Filter | None:
    """The filter that a clause says, or None with a mistake noted."""
    kind = cast(filter.Kind, clause.kind.text)
    hz = _number(scope, clause.term, filter.FROM_HZ, kind, clause.span)
    if clause.to is None:
        return None if hz is None else Filter(kind, hz)
    to_hz = _number(scope, clause.to, filter.INTO_HZ, kind, clause.span)
    assert clause.over is not None
    over = length(scope, clause.over, "over")
    if hz is None or to_hz is None or over is None:
        return None
    if constant(hz) is not None and constant(hz) == constant(to_hz):
        scope.say("W008", clause.span, f"this `{kind}` ends where it begins", "leave out what follows `->`")
    curve = cast(filter.Curve, clause.curve.text if clause.curve else "exponential")
    return Filter(kind, hz, to_hz, over, curve)


def bus_of(scope: Scope, statement: BusStatement) -> Bus:
    """The bus that a statement defines; an effect with a mistake, once noted, is left out."""
    said: set[str] = set()
    numbers: dict[str, Expression] = {}
    filters: list[Filter] = []
    for clause in statement.effects:
        if isinstance(clause, FilterClause):
            _add_filter(scope, clause, filters, "one bus")
        elif clause.word in said:
            scope.say("E038", clause.span, f"`{clause.word}` appears twice in this bus", "keep one of them")
        else:
            said.add(clause.word)
            numbers |= _numbers(scope, clause)
    return Bus(statement.name.text, statement.span, numbers, tuple(filters))


def _numbers(scope: Scope, clause: EffectClause) -> dict[str, Expression]:
    """The numbers that a clause gives an effect, by the names of the effect's parameters."""
    by_word = {each.word: each for each in BY_WORD[clause.word].parameters}
    found = {
        by_word[word].name: _number(scope, term, by_word[word], word, clause.span)
        for word, term in clause.terms
    }
    return {name: number for name, number in found.items() if number is not None}
