"""Patterns: steps written out, or spread evenly over a number of steps."""

from __future__ import annotations

from ..piece import Span, Step
from ..text.tree import Euclid, Name
from .scope import Scope
from .units import Slot, number

_MOST_EUCLID = 64


def steps_of(scope: Scope, pattern: Name | Euclid | None) -> tuple[Step, ...]:
    """The steps of a pattern; none, with the mistake noted, if it has one."""
    if isinstance(pattern, Euclid):
        return _spread(scope, pattern)
    return () if pattern is None else _written(scope, pattern)


def euclid(hits: int, steps: int, rotate: int = 0) -> tuple[bool, ...]:
    """`hits` over `steps` as evenly as can be, the first on step 0, then moved `rotate` steps later.

    Each rhythm begins as it is printed in G. Toussaint, "The Euclidean Algorithm Generates Traditional
    Musical Rhythms" (2005), by the algorithm of Bjorklund that is given there: every hit is a group, every
    rest another; the rests, then whatever was left over, are spread over the groups in front until at most
    one group is left over.
    """
    front, rest = [[True]] * hits, [[False]] * (steps - hits)
    least = 0
    while front and len(rest) > least:
        pairs = min(len(front), len(rest))
        spread = [a + b for a, b in zip(front, rest, strict=False)]
        front, rest, least = spread, front[pairs:] or rest[pairs:], 1
    rhythm = [hit for group in (*front, *rest) for hit in group]
    return tuple(rhythm[(step - rotate) % steps] for step in range(steps))


def _spread(scope: Scope, pattern: Euclid) -> tuple[Step, ...]:
    hits = number(scope, pattern.hits, Slot("euclid", (), (0, _MOST_EUCLID), plain=True, whole=True))
    steps = number(scope, pattern.steps, Slot("euclid in", (), (1, _MOST_EUCLID), plain=True, whole=True))
    rotate = 0
    if pattern.rotate is not None:
        most = int(steps or _MOST_EUCLID) - 1
        turned = number(scope, pattern.rotate, Slot("rotate", (), (0, most), plain=True, whole=True))
        if turned is None:
            return ()
        rotate = int(turned)
    if hits is None or steps is None:
        return ()
    if hits > steps:
        message = f"{hits} hits do not fit into {steps} steps"
        scope.say("E036", pattern.span, message, f"such as: euclid {steps} in {hits}")
        return ()
    return tuple(Step(float(hit), False) for hit in euclid(int(hits), int(steps), rotate))


def _written(scope: Scope, pattern: Name) -> tuple[Step, ...]:
    steps: list[Step] = []
    for index, character in enumerate(pattern.text):
        if character == " ":
            continue
        if character in "xXo":
            steps.append(Step(1.0, character == "X", character == "o"))
        elif character == ".":
            steps.append(Step(0.0, False))
        elif character in "123456789":
            steps.append(Step(int(character) / 10, False))
        else:
            column = pattern.span.column + 1 + index
            line = pattern.span.line
            hint = "steps are x (hit), X (accent), o (ghost), . (rest) and 1 to 9 (chance in tenths)"
            if character in "0O":
                hint = "a ghost, a soft hit, is a small letter o"
            scope.say("E036", Span(line, column, line, column + 1), f"`{character}` is not a step", hint)
            return ()
    if not steps:
        scope.say("E036", pattern.span, "this pattern has no steps", 'such as: "x... x.x."')
    return tuple(steps)
