"""The form: moves between sections, and which sections they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from .expression import constant
from .measure import condition, number
from .piece import Expression, Move
from .scope import Scope
from .tree import Boundary, Mix, MoveStatement, Name, Odds, Unsounded


def move_of(scope: Scope, statement: MoveStatement) -> Move | None:
    """The move that a statement describes, or null if it names no section or is not sounded yet."""
    known = [_known_section(scope, name) for name in (statement.origin, statement.target) if name is not None]
    weight = 1.0
    at: Literal["end", "next bar"] = "end"
    when: Expression | None = None
    sounded = True
    seen: set[str] = set()
    for modifier in statement.modifiers:
        if isinstance(modifier, Unsounded):
            scope.unsounded(modifier)
            sounded = False
            continue
        word = "at" if isinstance(modifier, Boundary) else modifier.word
        if word in seen:
            scope.say("E038", modifier.span, f"`{word}` stands twice in this move", "keep one of them")
            continue
        seen.add(word)
        match modifier:
            case Odds():
                found = number(
                    scope,
                    modifier.amount,
                    "weight",
                    plain=True,
                    bounds=(0, 1_000_000),
                    shown="more than 0, at most 1,000,000",
                )
                if found == 0:
                    scope.say(
                        "E028", modifier.span, "`weight 0` is out of bounds: more than 0, at most 1,000,000"
                    )
                elif found is not None:
                    weight = float(found)
            case Boundary():
                taken = _boundary(scope, modifier)
                sounded = sounded and taken is not None
                at = taken or at
            case Mix():
                when = condition(scope, modifier.term, "when")
                sounded = sounded and when is not None
    if not sounded or not all(known):
        return None
    return Move(
        origin=statement.origin.text if statement.origin else None,
        target=statement.target.text if statement.target else None,
        weight=weight,
        at=at,
        when=when,
        text=statement.text,
        span=statement.span,
    )


def _known_section(scope: Scope, name: Name) -> bool:
    if name.text in scope.sections:
        return True
    scope.unknown("E032", "section", name, scope.sections)
    return False


def _boundary(scope: Scope, boundary: Boundary) -> Literal["end", "next bar"] | None:
    if boundary.word == "end":
        return "end"
    if boundary.count is None and boundary.word == "bar":
        return "next bar"
    if boundary.word in ("bar", "bars", "beat", "beats"):
        count = f"{boundary.count.value} " if boundary.count else ""
        scope.unsounded(Unsounded(f"at next {count}{boundary.word}", (), boundary.span))
    else:
        scope.say(
            "E029",
            boundary.span,
            f"a move does not happen at the next {boundary.word}",
            "write `at next bar` or `at end`",
        )
    return None


def warn_of_unreachable(scope: Scope, moves: Sequence[Move]) -> None:
    """Note the sections that nothing leads to.

    From a section lead its moves and those of `any`; unless one of these always happens at its end, the next
    section in the text follows.
    """
    names = list(scope.sections)
    followers = dict(pairwise(names))
    from_any = [m for m in moves if m.origin is None]
    any_leads_to = [m.target for m in from_any if m.target is not None]
    any_always = any(m.at == "end" and _always(m) for m in from_any)
    by_origin: dict[str, list[Move]] = {}
    for move in moves:
        if move.origin is not None:
            by_origin.setdefault(move.origin, []).append(move)
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
        if name in followers and not any_always and not any(m.at == "end" and _always(m) for m in leading):
            waiting.append(followers[name])
    for name, section in scope.sections.items():
        if name not in reached and section.name is not None:
            scope.say(
                "W002",
                section.name.span,
                f"nothing leads to section {name}",
                f"add a move, such as: move {names[0]} -> {name} at end",
            )


def _always(move: Move) -> bool:
    return move.when is None or constant(move.when) is True
