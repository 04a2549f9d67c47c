"""The effects on a sound: filters, sends, ducking, and the buses that sounds share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..effects import duck, filter, glide
from ..effects.chain import BY_WORD
from ..expression import constant
from ..piece import Bus, BusGlide, Duck, Effects, Expression, Filter, Glide, Number, Send, Span
from ..problems import short
from ..text.tree import BusStatement, DuckClause, EffectClause, FilterClause, NameClause, SendClause
from .glides import Moving, bounded, line_number, moving, number_of
from .scope import Scope
from .units import length

Clause = SendClause | DuckClause | FilterClause | NameClause


def effects_of(
    scope: Scope,
    clauses: Sequence[Clause],
    glides: Sequence[tuple[Glide, Span]] = (),
    *,
    steady: bool = False,
) -> Effects:
    """The effects that the clauses of one line say; those with a mistake, once noted, are left out.

    `glides`: of the line's own numbers, and at times of their own. `steady`: no send glides.
    """
    sends: dict[str, Send] = {}
    ducked: Duck | None = None
    via: str | None = None
    filters: list[Filter] = []
    own: list[tuple[Glide, Span]] = []
    for clause in clauses:
        match clause:
            case SendClause(bus=bus):
                word, found = line_number(scope, clause)
                if bus.text in sends:
                    scope.say("E038", clause.span, f"`{word}` appears twice here", "keep one of them")
                elif found is not None and found.to is not None and steady:
                    message = f"`{word}` does not glide here: a sting takes one number as it is struck"
                    scope.say("E097", clause.span, message, "leave out what follows `->`")
                elif found is not None:
                    sends[bus.text] = Send(bus.text, found.value)
                    if found.to is not None:
                        own.append((Glide(word, found.value, found.to, found.over, found.curve), clause.span))
            case DuckClause():
                found_duck = _duck(scope, clause)
                if ducked is not None:
                    scope.say("E038", clause.span, "`duck` appears twice here", "keep one of them")
                else:
                    ducked = found_duck
            case FilterClause():
                _add_filter(scope, clause, filters, "one line")
            case NameClause(name=bus):
                if via is not None:
                    message = f"it goes wholly through {short(via)} already: one way is all there is"
                    scope.say("E096", clause.span, message, "keep one `via`, and send to the other with `to`")
                elif scope.known("bus", bus):
                    via = bus.text
    given = bounded(scope, [*own, *glides], [each.kind for each in filters])
    to_via = f"to {via}"
    if via in sends or any(each.what == to_via for each in given):
        place = next(c.span for c in clauses if isinstance(c, NameClause))
        message = f"all of it goes through {short(via or '')} already, so nothing is left to send there"
        scope.say("E096", place, message, "keep `via` or `to`")
    return Effects(tuple(sends.values()), ducked, tuple(filters), given, via)


def _duck(scope: Scope, clause: DuckClause) -> Duck | None:
    depth = number_of(scope, clause.term, duck.DEPTH, duck.DEPTH.word, clause.span)
    back: Expression | None = Number(float(duck.BACK.default))
    if clause.back is not None:
        back = number_of(scope, clause.back, duck.BACK, duck.BACK.word, clause.span)
    names = [name.text for name in clause.under]
    for place, name in enumerate(clause.under):
        if name.text in names[:place]:
            message = f"`{short(name.text)}` is named twice, and a sound ducks under it once"
            scope.say("W008", name.span, message, "leave one out")
    under = dict.fromkeys(name.text for name in clause.under if scope.known("part", name))
    if len(clause.under) > duck.UNDER:
        message = f"a sound makes room for at most {duck.UNDER} parts"
        scope.say("E038", clause.under[duck.UNDER].span, message, "leave some out")
        return None
    if depth is None or back is None or not under:
        return None
    return Duck(depth, tuple(under), back)


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
    hz = number_of(scope, clause.term, filter.FROM_HZ, kind, clause.span)
    if clause.to is None:
        return None if hz is None else Filter(kind, hz)
    to_hz = number_of(scope, clause.to, filter.INTO_HZ, kind, clause.span)
    assert clause.over is not None
    over = length(scope, clause.over, "over")
    if hz is None or to_hz is None or over is None:
        return None
    if constant(hz) is not None and constant(hz) == constant(to_hz):
        scope.say("W008", clause.span, f"this `{kind}` ends where it begins", "leave out what follows `->`")
    curve = cast(glide.Curve, clause.curve.text if clause.curve else "exponential")
    return Filter(kind, hz, to_hz, over, curve)


def bus_of(scope: Scope, statement: BusStatement) -> Bus:
    """The bus that a statement defines; an effect with a mistake, once noted, is left out."""
    said: set[str] = set()
    numbers: dict[str, Expression] = {}
    glides: dict[str, BusGlide] = {}
    filters: list[Filter] = []
    for clause in statement.effects:
        if isinstance(clause, FilterClause):
            _add_filter(scope, clause, filters, "one bus")
        elif clause.word in said:
            scope.say("E038", clause.span, f"`{clause.word}` appears twice in this bus", "keep one of them")
        else:
            said.add(clause.word)
            for name, found in _numbers(scope, clause).items():
                numbers[name] = found.value
                if found.to is not None and found.over is not None:
                    glides[name] = BusGlide(found.to, found.over, found.curve)
    return Bus(statement.name.text, statement.span, numbers, tuple(filters), glides)


def _numbers(scope: Scope, clause: EffectClause) -> dict[str, Moving]:
    """The numbers that a clause gives an effect, by the names of the effect's parameters."""
    by_word = {each.word: each for each in BY_WORD[clause.word].parameters}
    found: dict[str, Moving] = {}
    for word, number in clause.terms:
        made = moving(scope, number, by_word[word], word, clause.span)
        if made is not None and made.to is not None and not by_word[word].moves:
            message = f"`{word}` cannot glide: it keeps the time that it has as the piece begins"
            scope.say("E097", number.span, message, "leave out what follows `->`")
        elif made is not None:
            found[by_word[word].name] = made
    return found
