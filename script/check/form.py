"""The form: moves between sections, and the sections that they lead to."""

from __future__ import annotations

from itertools import pairwise

from ..expression import ALWAYS, extent
from ..piece import Boundary, Expression, Length, Move, MoveTo, Piece
from ..text.tree import AmountClause, BoundaryClause, MoveModifier, MoveStatement, NameClause, TermClause
from .events import NEXT_BAR, boundary_of
from .scope import Scope, needs_text
from .units import Slot, condition, length, number

_END = Boundary("end")
_VISITS = Slot("after", (), (1, 1_000), "1 to 1,000 visits", plain=True, whole=True)


def move_of(scope: Scope, statement: MoveStatement) -> Move | None:
    """The move that a statement describes, or `None` with a mistake noted."""
    named = (statement.origin, statement.target)
    known = [scope.known("section", name) for name in named if name is not None]
    weight = 1.0
    at: Boundary | None = None
    when: Expression | None = None
    over: Length | None = None
    through: str | None = None
    cue: str | None = None
    after_visits: int | None = None
    whole = True
    seen: dict[str, MoveModifier] = {}
    for modifier in statement.modifiers:
        word = modifier.word
        if word in seen:
            scope.say("E038", modifier.span, f"`{word}` appears twice in this move", "keep one of them")
            continue
        seen[word] = modifier
        match modifier:
            case AmountClause(word="weight"):
                weight = _weight(scope, modifier)
            case BoundaryClause():
                at = boundary_of(scope, modifier, "a move")
                whole = whole and at is not None
            case TermClause():
                when = condition(scope, modifier.term, "when")
                whole = whole and when is not None
            case AmountClause(word="after"):
                visits = number(scope, modifier.amount, _VISITS)
                after_visits = None if visits is None else int(visits)
            case AmountClause():
                over = length(scope, modifier.amount, "over")
            case NameClause(word="through"):
                whole = scope.known("part", modifier.name) and whole
                through = modifier.name.text
            case NameClause():
                needs_text(scope, modifier.name, "on cue")
                cue = modifier.name.text
    if cue is not None and at == _END:
        message = "a move on a cue does not wait for the end"
        scope.say("E039", seen["at"].span, message, "write `at next bar`, or `at next 4 bars`")
        return None
    if not whole or not all(known):
        return None
    return Move(
        origin=statement.origin.text if statement.origin else None,
        target=statement.target.text if statement.target else None,
        weight=weight,
        at=at or (_END if cue is None else NEXT_BAR),
        when=when,
        text=statement.text,
        span=statement.span,
        over=over,
        through=through,
        cue=cue,
        after_visits=after_visits,
    )


def _weight(scope: Scope, odds: AmountClause) -> float:
    shown = "more than 0, at most 1,000,000"
    found = number(scope, odds.amount, Slot("weight", (), (0, 1_000_000), shown, plain=True))
    if found == 0:
        scope.say("E028", odds.span, f"`weight 0` is out of bounds: {shown}")
    return float(found or 1)


def warn_of_unreachable_sections(scope: Scope, piece: Piece) -> None:
    """Note the sections that nothing leads to.

    A section is left by its own moves, by those of `any` and by events; unless one of these always happens at
    its end, the next section in the text follows.
    """
    names = list(scope.sections)
    followers = dict(pairwise(names))
    from_any = [m for m in piece.moves if m.origin is None]
    any_leads_to = [m.target for m in from_any if m.target is not None]
    any_leads_to += [
        e.action.target for e in piece.events if isinstance(e.action, MoveTo) and e.action.target
    ]
    any_always = any(_always_at_end(scope, m) for m in from_any)
    by_origin: dict[str, list[Move]] = {}
    for move in piece.moves:
        if move.origin is not None:
            by_origin.setdefault(move.origin, []).append(move)
    models = {section.as_section for section in piece.sections}
    reached: set[str] = set()
    waiting = names[:1]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        leading = by_origin.get(name, ())
        waiting += [m.target for m in leading if m.target is not None]
        waiting += any_leads_to
        any_leads_to = []
        leaves = any_always or any(_always_at_end(scope, m) for m in leading)
        if name in followers and not leaves:
            waiting.append(followers[name])
    for name, section in scope.sections.items():
        if name not in reached and section.name is not None and name not in models:
            hint = f"add a move, such as: move {names[0]} -> {name} at end"
            scope.say("W002", section.name.span, f"nothing leads to section {name}", hint)


def _always_at_end(scope: Scope, move: Move) -> bool:
    return move.at == _END and sure(scope, move)


def sure(scope: Scope, move: Move) -> bool:
    """Whether a move is possible on each visit, whatever the dials are."""
    return always(scope, move.when) and move.after_visits in (None, 1)


def always(scope: Scope, when: Expression | None) -> bool:
    """Whether a condition holds whatever the dials are."""
    return when is None or extent(when, scope.dial_ranges) == ALWAYS
