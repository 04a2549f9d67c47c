"""Gestures and events at a bar line, and the actions that they trigger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ...script.expression import evaluate
from ...script.piece import Boundary, Event, FireSting, HoldPart, Length, MoveTo, SetDial, SwapPart
from ..effects import length_frames
from .form import Visit, holds
from .score import Score
from .state import State

FOR_EVER = 10**9


@dataclass(frozen=True, slots=True)
class Input:
    """A gesture that reaches the composer at the next bar line.

    `part`: the part it names, None for `that role`. `name`: of a cue. `stem`: the liked or disliked one, None
    for the one that its part plays then. `struck`: places of the events whose stings it has fired already, on
    a beat before that bar line.
    """

    kind: Literal["like", "dislike", "cue"]
    part: str | None = None
    name: str | None = None
    stem: str | None = None
    struck: frozenset[int] = frozenset()

    def triggers(self, event: Event) -> bool:
        """Whether the gesture alone triggers the event."""
        trigger = event.trigger
        return trigger.kind == self.kind and (trigger.kind != "cue" or trigger.name == self.name)


def take_inputs(score: Score, state: State, inputs: tuple[Input, ...]) -> None:
    """Make the events due that gestures and the passing of time trigger; boundaries decide when they act."""
    for given in inputs:
        part = given.part or state.last_part
        if given.kind == "cue" and given.name is not None:
            state.cues.add(given.name)
        elif given.stem is not None or part in state.parts:
            stem = given.stem or state.parts[part or ""].placement.stem
            state.liked[stem] = state.liked.get(stem, 0) + (1 if given.kind == "like" else -1)
    for place, event in enumerate(score.piece.events):
        for part in _triggered(score, state, place, event, inputs):
            state.due.append((event, part))


def act(score: Score, state: State, visit: Visit) -> Iterator[Event]:
    """Do what is due at this bar line; gives the stings that fire. What waits for a boundary stays due."""
    waiting: list[tuple[Event, str | None]] = []
    for event, part in state.due:
        action = event.action
        boundary = Boundary("bars") if isinstance(action, HoldPart) else _boundary(score, event)
        if not at_boundary(boundary, state.bar - visit.first_bar):
            waiting.append((event, part))
            continue
        match action:
            case SwapPart(part=named):
                state.swaps.add(named or part or "")
            case HoldPart(part=named, for_bars=bars):
                target = named or part or ""
                if target in state.parts:
                    until = state.bar + bars if bars is not None else FOR_EVER
                    state.kept[target] = state.parts[target].placement.stem, until
            case SetDial(dial=name, value=value):
                dial = score.piece.dials[name]
                key = score.event_keys[event.text]
                drawn = iter(range(FOR_EVER))
                number = evaluate(value, state.dials, lambda: key.uniform(f"set {next(drawn)}", state.bar))  # noqa: B023
                state.dials[name] = min(max(float(number), dial.lo), dial.hi)
            case MoveTo():
                state.move_to = action
            case FireSting():
                yield event
    state.due[:] = waiting
    state.kept = {part: kept for part, kept in state.kept.items() if kept[1] > state.bar}


def next_beat(score: Score, state: State, visit: Visit, every: int, frame: int) -> Fraction:
    """The first of every `every` beats of a section at or after `frame`, counted from the session's start."""
    grid, beats = state.grid(score.clock), every * score.clock.meter_beat
    first = grid.bar_beat(visit.first_bar)
    number = max(0, -(-(grid.beat(frame) - first) // beats))
    while grid.frame(first + number * beats) < frame:
        number += 1
    return first + number * beats


def at_boundary(boundary: Boundary, section_bar: int) -> bool:
    """Whether the line of a section's bar is on the boundary's grid. Each bar line is a beat."""
    return boundary.at != "bars" or section_bar % boundary.every == 0


def _passed(score: Score, state: State, length: Length) -> bool:
    """Whether so much of the session has passed at this bar line. Beats are those of the head."""
    grid = state.grid(score.clock)
    match length.unit:
        case "bars":
            return state.bar >= length.amount
        case "beats":
            return grid.bar_beat(state.bar) >= length.amount
    return grid.bar_frame(state.bar) >= length_frames(length, score.clock)


def _boundary(score: Score, event: Event) -> Boundary:
    action = event.action
    if isinstance(action, FireSting):
        return score.piece.stings[action.sting].at
    assert isinstance(action, SwapPart | MoveTo | SetDial)
    return action.at


def _triggered(
    score: Score, state: State, place: int, event: Event, inputs: tuple[Input, ...]
) -> Iterator[str | None]:
    """The part that counts as `that role`, once for each time that the event is triggered."""
    trigger = event.trigger
    match trigger.kind:
        case "like" | "dislike":
            for given in inputs:
                if given.triggers(event) and place not in given.struck:
                    yield given.part or state.last_part
        case "cue":
            if any(given.triggers(event) and place not in given.struck for given in inputs):
                yield state.last_part
        case "when":
            now = holds(trigger.when, state.dials, score.event_keys[event.text], state.bar)
            if now and place not in state.holding:
                yield state.last_part
            (state.holding.add if now else state.holding.discard)(place)
        case "after":
            assert trigger.length is not None
            if _passed(score, state, trigger.length) and place not in state.fired:
                state.fired.add(place)
                yield state.last_part
        case "every":
            assert trigger.length is not None
            if state.bar > 0 and state.bar % int(trigger.length.amount) == 0:
                yield state.last_part
