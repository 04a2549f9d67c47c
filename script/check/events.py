"""Events with their triggers and actions, stings, and the answer to a withdrawal."""

from __future__ import annotations

from typing import cast

from .. import piece
from ..text import tree
from ..words import UNITS
from .effects import Clause, effects_of
from .glides import steady
from .scope import Scope, needs_text
from .units import Slot, amount, bars, condition, length, number

NEXT_BAR = piece.Boundary("bars", 1)
_COUNT = Slot("at next", (), (1, 64), plain=True, whole=True)
_CHANCE = Slot("chance", ("",), (0, 1), "0% to 100%")
_ONE_IN = Slot("one in", (), (1, 10_000), plain=True, whole=True)


def boundary_of(scope: Scope, clause: tree.BoundaryClause, what: str) -> piece.Boundary | None:
    """The boundary that a clause names, or `None` with a mistake noted. `what` waits for it, as `a move`."""
    if clause.unit == "end":
        return piece.Boundary("end")
    if clause.unit not in ("bar", "bars", "beat", "beats"):
        message = f"{what} does not happen at the next {clause.unit}"
        scope.say("E029", clause.span, message, "write `at next bar`, `at next 4 bars` or `at next beat`")
        return None
    count = 1
    if clause.count is not None:
        found = number(scope, clause.count, _COUNT)
        if found is None:
            return None
        count = int(found)
    return piece.Boundary("bars" if clause.unit in ("bar", "bars") else "beats", count)


def sting_of(scope: Scope, statement: tree.StingStatement) -> piece.Sting | None:
    """The sting that a statement defines, or `None` with a mistake noted."""
    at: piece.Boundary | None = piece.Boundary("beats", 1)
    gain: piece.Expression | None = None
    pan: piece.Expression | None = None
    chance: float | None = None
    one_in: int | None = None
    effects: list[Clause] = []
    seen: set[str] = set()
    for modifier in statement.modifiers:
        if isinstance(modifier, tree.SendClause | tree.FilterClause | tree.NameClause):
            effects.append(modifier)
            continue
        word = modifier.word
        if word in seen:
            scope.say("E038", modifier.span, f"`{word}` appears twice in this sting", "keep one of them")
            continue
        seen.add(word)
        match modifier:
            case tree.BoundaryClause():
                at = boundary_of(scope, modifier, "a sting")
            case tree.GlideClause(word="gain"):
                gain = steady(scope, modifier)
            case tree.GlideClause():
                pan = steady(scope, modifier)
            case tree.AmountClause(word="chance"):
                chance = chance_of(scope, modifier)
            case tree.AmountClause():
                one_in = one_in_of(scope, modifier)
    made = effects_of(scope, effects, steady=True)
    if not known_pool(scope, statement.pool, "sting", "hits") or at is None:
        return None
    return piece.Sting(
        statement.name.text,
        statement.pool.text,
        at,
        gain or piece.Number(0.0),
        pan or piece.Number(0.0),
        made,
        chance,
        one_in,
        statement.text,
        statement.span,
    )


def chance_of(scope: Scope, odds: tree.AmountClause) -> float | None:
    found = number(scope, odds.amount, _CHANCE)
    if found == 0:
        scope.say("W010", odds.span, "`chance 0%` lets nothing sound", "leave it out, or give it more")
    return None if found is None else float(found)


def one_in_of(scope: Scope, odds: tree.AmountClause) -> int | None:
    found = number(scope, odds.amount, _ONE_IN)
    return None if found is None else int(found)


def known_pool(scope: Scope, name: tree.Name, word: str, wanted: str) -> bool:
    """Whether a pool of that name holds the shape that `word` takes; a mistake is noted if not."""
    if not scope.known("pool", name):
        return False
    pool = scope.pools[name.text]
    if pool is None or pool.shape == wanted or (pool.shape == "slices" and wanted == "hits"):
        return True
    other = {"play": "use `bring`, or ", "bring": "use `play`, or "}.get(word, "name ")
    message = f"`{word}` takes {wanted}, and pool {name.text} holds {pool.shape}"
    scope.say("E037", name.span, message, f"{other}a pool of {wanted}")
    return False


def event_of(scope: Scope, statement: tree.EventStatement) -> piece.Event | None:
    """The event that a statement defines, or `None` with a mistake noted."""
    trigger = _trigger(scope, statement.trigger)
    action = _action(scope, statement.action)
    if trigger is None or action is None:
        return None
    return piece.Event(trigger, action, statement.text, statement.span)


def _trigger(scope: Scope, clause: tree.TriggerClause) -> piece.Trigger | None:
    match clause.word:
        case "like":
            return piece.Trigger("like")
        case "dislike":
            return piece.Trigger("dislike")
        case "cue":
            assert clause.name is not None
            needs_text(scope, clause.name, "on cue")
            return piece.Trigger("cue", clause.name.text)
        case "when":
            assert clause.term is not None
            when = condition(scope, clause.term, "on")
            return None if when is None else piece.Trigger("when", when=when)
    assert clause.amount is not None
    after = length(scope, clause.amount, clause.word)
    if after is None:
        return None
    if clause.word == "after":
        return piece.Trigger("after", length=after)
    if after.unit != "bars" or after.amount.denominator != 1:
        scope.say("E029", clause.amount.span, "`every` takes whole bars here", "such as: every 16 bars")
        return None
    return piece.Trigger("every", length=piece.Length(after.amount, "bars"))


def _action(scope: Scope, clause: tree.ActionClause) -> piece.Action | None:
    boundary: piece.Boundary | None = NEXT_BAR
    if clause.boundary is not None:
        boundary = boundary_of(scope, clause.boundary, f"`{clause.word}`")
    name = clause.name
    # A dial that is only set drives nothing, so it is not used.
    if name is not None and not scope.known(_NAMES[clause.word], name, uses=clause.word != "set"):
        return None
    if boundary is None:
        return None
    match clause.word:
        case "swap":
            return piece.SwapPart(name.text if name else None, boundary)
        case "hold":
            if clause.amount is None:
                return piece.HoldPart(name.text if name else None, None)
            held = bars(scope, clause.amount, "for")
            return None if held is None else piece.HoldPart(name.text if name else None, held)
        case "sting":
            assert name is not None
            return piece.FireSting(name.text)
        case "move":
            return piece.MoveTo(name.text if name else None, boundary)
    assert name is not None
    return _set_dial(scope, name, clause, boundary)


_NAMES = {"swap": "part", "hold": "part", "sting": "sting", "move": "section", "set": "dial"}
"""The kind of name after each action's word."""


def _set_dial(
    scope: Scope, name: tree.Name, clause: tree.ActionClause, at: piece.Boundary
) -> piece.SetDial | None:
    assert clause.term is not None
    dial = scope.dials[name.text]
    kind, bounds = "", (-1e9, 1e9)
    if dial is not None:
        kind, scale = UNITS[dial.range.hi.unit] if dial.range.hi.unit else ("", 1)
        bounds = (float(scale * dial.range.lo.value), float(scale * dial.range.hi.value))
    value = amount(scope, clause.term, f"set {name.text}", kind, bounds, plain=True)
    return None if value is None else piece.SetDial(name.text, value, at)


def answers_of(scope: Scope, statement: tree.WithdrawnStatement) -> tuple[piece.Answer, ...]:
    """The answers to a withdrawal, in the order in which they are tried."""
    answers: list[piece.Answer] = []
    for name in statement.answers:
        if name.text in answers:
            scope.say("E038", name.span, f"`{name.text}` appears twice here", "keep one of them")
        elif answers and answers[-1] in ("rest", "stop"):
            message = f"`{name.text}` is never reached: `{answers[-1]}` always succeeds"
            scope.say("E039", name.span, message, "put `swap` first, or leave this out")
        else:
            answers.append(cast(piece.Answer, name.text))
    return tuple(answers)
