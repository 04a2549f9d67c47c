"""What becomes of a sound: filters, sends, ducking, and the buses that sounds share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from ..expression import constant
from ..piece import Bus, Duck, Effects, Expression, Filter, Number, Send
from ..text.tree import BusEffect, BusStatement, DuckClause, FilterClause, SendClause
from .scope import Scope
from .units import amount, length

LOWEST_HZ, HIGHEST_HZ = 20, 20_000
_LONGEST_REVERB_SECONDS = 30
_LONGEST_DELAY_BEATS = 16
_MOST_FILTERS = 4


def effects_of(scope: Scope, clauses: Sequence[SendClause | DuckClause | FilterClause]) -> Effects:
    """The effects that the clauses of one line say; those with a mistake, once noted, are left out."""
    sends: dict[str, Send] = {}
    duck: Duck | None = None
    filters: list[Filter] = []
    for clause in clauses:
        match clause:
            case SendClause():
                share = amount(scope, clause.term, f"to {clause.bus.text}", "", (0, 1), plain=True)
                if share is not None and constant(share) == 0:
                    scope.say("W008", clause.span, f"`to {clause.bus.text} 0%` sends nothing there")
                if clause.bus.text in sends:
                    scope.say(
                        "E038", clause.span, f"`to {clause.bus.text}` stands twice here", "keep one of them"
                    )
                elif scope.known("bus", clause.bus) and share is not None:
                    sends[clause.bus.text] = Send(clause.bus.text, share)
            case DuckClause():
                depth = amount(scope, clause.term, "duck", "dB", (0, 60), plain=False)
                if depth is not None and constant(depth) == 0:
                    scope.say("W008", clause.span, "`duck 0 dB` makes nothing softer")
                if duck is not None:
                    scope.say("E038", clause.span, "`duck` stands twice here", "keep one of them")
                elif scope.known("part", clause.under) and depth is not None:
                    duck = Duck(depth, clause.under.text)
            case FilterClause():
                filter = filter_of(scope, clause)
                if filter is not None:
                    filters.append(filter)
                if len(filters) > _MOST_FILTERS:
                    scope.say("E038", clause.span, f"at most {_MOST_FILTERS} filters stand in one line")
                    filters.pop()
    return Effects(tuple(sends.values()), duck, tuple(filters))


def filter_of(scope: Scope, clause: FilterClause) -> Filter | None:
    """The filter that a clause says, or null with a mistake noted."""
    kind = clause.kind.text
    bounds = (LOWEST_HZ, HIGHEST_HZ)
    hz = amount(scope, clause.term, kind, "Hz", bounds, plain=False)
    if clause.to is None:
        return None if hz is None else Filter(_kind(kind), hz)
    to_hz = amount(scope, clause.to, kind, "Hz", bounds, plain=False)
    assert clause.over is not None
    over = length(scope, clause.over, "over")
    if hz is None or to_hz is None or over is None:
        return None
    if constant(hz) is not None and constant(hz) == constant(to_hz):
        scope.say("W008", clause.span, f"this `{kind}` ends where it begins", "leave out what follows `->`")
    curve = cast(
        Literal["linear", "smooth", "exponential"], clause.curve.text if clause.curve else "exponential"
    )
    return Filter(_kind(kind), hz, to_hz, over, curve)


def _kind(word: str) -> Literal["lowpass", "highpass", "bandpass"]:
    return cast(Literal["lowpass", "highpass", "bandpass"], word)


def bus_of(scope: Scope, statement: BusStatement) -> Bus:
    """The bus that a statement defines; an effect with a mistake, once noted, is left out."""
    found: dict[str, Expression | None] = {}
    filters: list[Filter] = []
    for effect in statement.effects:
        if isinstance(effect, FilterClause):
            filter = filter_of(scope, effect)
            if filter is not None:
                filters.append(filter)
            if len(filters) > _MOST_FILTERS:
                scope.say("E038", effect.span, f"at most {_MOST_FILTERS} filters stand in one bus")
                filters.pop()
            continue
        if effect.word in found:
            scope.say("E038", effect.span, f"`{effect.word}` stands twice in this bus", "keep one of them")
            continue
        found[effect.word] = _strength(scope, effect)
        if effect.mix is not None:
            found[f"{effect.word} mix"] = amount(scope, effect.mix, "mix", "", (0, 1), plain=True)
        if effect.feedback is not None:
            found["feedback"] = amount(scope, effect.feedback, "feedback", "", (0, 0.95), plain=True)
    return Bus(
        name=statement.name.text,
        span=statement.span,
        reverb_seconds=found.get("reverb"),
        reverb_mix=found.get("reverb mix"),
        delay_beats=found.get("delay"),
        delay_feedback=found.get("feedback"),
        delay_mix=found.get("delay mix"),
        filters=tuple(filters),
        mix=found.get("mix") or Number(1.0),
        gain=found.get("gain") or Number(0.0),
    )


def _strength(scope: Scope, effect: BusEffect) -> Expression | None:
    match effect.word:
        case "reverb":
            return amount(scope, effect.term, "reverb", "s", (0.1, _LONGEST_REVERB_SECONDS), plain=False)
        case "delay":
            return amount(scope, effect.term, "delay", "beats", (0.0625, _LONGEST_DELAY_BEATS), plain=False)
        case "gain":
            return amount(scope, effect.term, "gain", "dB", (-96, 24), plain=False)
        case _:
            return amount(scope, effect.term, "mix", "", (0, 1), plain=True)
