"""Numbers that glide: of lines, at their beginning or at a time of their own, and of buses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias, cast

from ..effects import filter, glide, send
from ..effects.effect import Parameter
from ..expression import constant
from ..piece import Expression, Glide, Length, Span
from ..text.tree import (
    AmountClause,
    At,
    DuckClause,
    FilterClause,
    GlideClause,
    Gliding,
    Later,
    LineStatement,
    SendClause,
    Term,
)
from .scope import Scope
from .units import amount, length

GAIN = Parameter("gain", "dB", (-96, 24), "gain")
PAN = Parameter("pan", "", (-1, 1), "pan")
Moves: TypeAlias = GlideClause | SendClause | FilterClause
_LINE_NUMBERS = {"gain": GAIN, "pan": PAN}


@dataclass(frozen=True, slots=True)
class Moving:
    """A checked number: it stays at `value`, or goes on to `to` over a length, by a curve."""

    value: Expression
    to: Expression | None
    over: Length | None
    curve: glide.Curve


def number_of(scope: Scope, term: Term, parameter: Parameter, word: str, span: Span) -> Expression | None:
    """The number of an effect that `term` is. A doubt is noted if it is 0 and does nothing then."""
    found = amount(scope, term, word, parameter.unit, parameter.bounds, plain=not parameter.unit)
    if parameter.idle is not None and found is not None and constant(found) == 0:
        zero = f"0 {parameter.unit}" if parameter.unit else "0%"
        scope.say("W008", span, f"`{word} {zero}` {parameter.idle}")
    return found


def moving(scope: Scope, number: Gliding, parameter: Parameter, word: str, span: Span) -> Moving | None:
    """A number that may glide, or `None` with a mistake noted."""
    if number.to is None:
        value = number_of(scope, number.term, parameter, word, span)
        return None if value is None else Moving(value, None, None, "linear")
    assert number.over is not None
    bare = not parameter.unit
    value, to = (
        amount(scope, term, word, parameter.unit, parameter.bounds, plain=bare)
        for term in (number.term, number.to)
    )
    over = length(scope, number.over, "over")
    curve = number.curve.text if number.curve else "linear" if bare else "exponential"
    if number.curve is not None and curve == "exponential" and bare:
        message = f"`{word}` cannot move by an exponential curve, as it may be 0"
        scope.say("E095", number.curve.span, message, "write linear or smooth")
        return None
    if value is None or to is None or over is None:
        return None
    if constant(value) is not None and constant(value) == constant(to):
        scope.say("W008", span, f"this `{word}` ends where it begins", "leave out what follows `->`")
    return Moving(value, to, over, cast(glide.Curve, curve))


def line_number(scope: Scope, clause: GlideClause | SendClause) -> tuple[str, Moving | None]:
    """What a `gain`, a `pan` or a `to` moves, in the words of `Glide.what`, and how."""
    if isinstance(clause, SendClause):
        what = send.AMOUNT.word.format(clause.bus.text)
        found = moving(scope, clause.number, send.AMOUNT, what, clause.span)
        return what, found if scope.known("bus", clause.bus) else None
    return clause.word, moving(scope, clause.number, _LINE_NUMBERS[clause.word], clause.word, clause.span)


def steady(scope: Scope, clause: GlideClause) -> Expression | None:
    """The number of a `gain` or a `pan` where it cannot glide: of a sting."""
    if clause.number.to is not None:
        message = f"`{clause.word}` does not glide here: a sting takes one number as it is struck"
        scope.say("E097", clause.span, message, "leave out what follows `->`, or `play` it with a glide")
        return None
    found = line_number(scope, clause)[1]
    return None if found is None else found.value


def glide_of(
    scope: Scope, clause: Moves, at: tuple[int | None, Fraction] = (None, Fraction(1))
) -> Glide | None:
    """What a clause moves from a bar and beat on, where its line begins if there is no bar."""
    if isinstance(clause, FilterClause):
        number = Gliding(clause.term, clause.to, clause.over, clause.curve, span=clause.span)
        what, made = clause.kind.text, moving(scope, number, filter.FROM_HZ, clause.kind.text, clause.span)
    else:
        what, made = line_number(scope, clause)
    return None if made is None else Glide(what, made.value, made.to, made.over, made.curve, *at)


def warn_of_mistaken_places(scope: Scope, line: LineStatement) -> None:
    """Note modifiers that stand where they seem to belong to the clause before, and do not."""
    for before, now in pairwise(line.modifiers):
        gliding = isinstance(before, FilterClause) or (
            isinstance(before, GlideClause | SendClause) and before.number.to is not None
        )
        if isinstance(now, At) and gliding and now.bar.value > 1:
            word = before.kind.text if isinstance(before, FilterClause) else before.word
            bar = f"bar {now.bar.value}"
            message = f"the whole line begins at {bar}, not its `{word}` alone"
            hint = f"to move that alone, write it below the line, with a colon: at {bar}: {word} ..."
            scope.say("W051", now.span, message, hint)
        elif isinstance(before, DuckClause) and isinstance(now, AmountClause) and now.word == "over":
            message = "`over` fades the part in; it is no part of `duck`"
            hint = "how fast a sound comes back follows `back`, such as: duck 9 dB under kick back 180 ms"
            scope.say("W052", now.span, message, hint)
        elif (
            isinstance(before, Later) and not isinstance(now, Later) and now.span.line == before.span.end_line
        ):
            message = "this stands behind what happens at a time of its own, and does not belong to it"
            hint = "separate what happens then by commas, or give this a line of its own"
            scope.say("E098", now.span, message, hint)


def bounded(scope: Scope, glides: Sequence[tuple[Glide, Span]], filters: Sequence[str]) -> tuple[Glide, ...]:
    """The glides of a line that are allowed. `filters`: the kinds of those that the line begins with."""
    kept: list[Glide] = []
    kinds = list(filters)
    for each, span in glides:
        alike = [other for other in kept if other.what == each.what]
        same = [other for other in alike if (other.at_bar, other.at_beat) == (each.at_bar, each.at_beat)]
        if same:
            beat = "" if each.at_beat == 1 else f" beat {float(each.at_beat):g}"
            scope.say(
                "E038", span, f"`{each.what}` appears twice at bar {each.at_bar}{beat}", "keep one of them"
            )
        elif len(alike) == glide.MOST_OF_A_KIND:
            scope.say("E098", span, f"`{each.what}` moves at most {glide.MOST_OF_A_KIND} times in one line")
        elif len(kept) == glide.MOST_IN_A_LINE:
            scope.say("E098", span, f"at most {glide.MOST_IN_A_LINE} numbers move in one line")
        elif each.what in filter.KINDS and each.what not in kinds and len(kinds) == filter.MOST:
            scope.say("E038", span, f"at most {filter.MOST} filters stand in one line")
        else:
            kept.append(each)
            kinds += [each.what] if each.what in filter.KINDS and each.what not in kinds else []
    return tuple(kept)
