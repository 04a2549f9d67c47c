"""Another script takes over while the music plays: at a bar line, and whole or not at all.

Tempo and meter are the session's. The form goes on in the section of the same name, or else begins anew; a
line that stands in both scripts, word for word, goes on without a seam.
"""

from __future__ import annotations

from dataclasses import replace

from ...script.piece import Boundary, MoveTo, Piece
from ...vault.catalogue.snapshot import Snapshot
from ..errors import SwapRefused
from ..fades import stop_at
from ..plan import Stop
from .form import Visit, enter, waiting_cues
from .score import Score, score
from .state import State


def rescored(
    now: Score, piece: Piece, snapshot: Snapshot, at: str, *, key: str | None = None, must_sound: bool = True
) -> Score:
    """The score by which `piece` takes over from `now`. `at`: RFC 3339 time at which consents are read.

    `key`: of the piece's keys; by default the session's if it is one of them. Raises SwapRefused for another
    tempo or meter, and what a session's begin raises: UseRefused, NothingCleared.
    """
    clock, (least, most) = now.clock, piece.tempo_bpm
    if piece.meter != clock.meter:
        old, new = ("/".join(map(str, meter)) for meter in (clock.meter, piece.meter))
        raise SwapRefused(f'"{piece.name}" is in {new}, and what plays is in {old}: the old script plays on')
    if not least <= clock.tempo_bpm <= most:
        asked = f"{float(least):g}" if least == most else f"{float(least):g}..{float(most):g}"
        raise SwapRefused(
            f'"{piece.name}" is for {asked} bpm, and what plays is at {float(clock.tempo_bpm):g}: '
            "the old script plays on"
        )
    if key is None and now.key is not None and now.key in piece.keys:
        key = now.key.name
    coming = score(
        piece,
        snapshot,
        use=now.use,
        at=at,
        rate=clock.rate,
        seed=None if now.seed == now.piece.seed else now.seed,
        must_sound=must_sound,
        tempo_bpm=clock.tempo_bpm,
        key=key,
    )
    return replace(coming, starts_clean=now.starts_clean)


def carried(before: State, old: Piece, score: Score) -> tuple[State, list[Stop]]:
    """The state at the next bar line as `score` goes on from it, and the stops of what does not go on.

    What the `old` script and this one name keeps its value: dials in range, sections, parts, cues, events.
    """
    state, piece = before.copy(), score.piece
    dials = {name: dial.default for name, dial in piece.dials.items()}
    state.dials = dials | {n: v for n, v in before.dials.items() if n in dials and in_reach(piece, n, v)}
    state.section_dials = {n: v for n, v in before.section_dials.items() if in_reach(piece, n, v)}
    state.leaving = None
    if state.move_to is not None and state.move_to.target not in {None, *score.sheets}:
        state.move_to = None
    stops: list[Stop] = []
    visit = before.visit
    if visit is not None:
        section = next((each for each in piece.sections if each.name == visit.section.name), None)
        if section is None:
            state.move_to = MoveTo(piece.sections[0].name, Boundary("bars"))
        else:
            bars = visit.bars
            if bars not in section.lengths:
                bars = enter(piece, score.seed, section, visit.occurrence, visit.first_bar).bars
            state.visit = Visit(section, visit.occurrence, bars, visit.first_bar)
            stops = _keep_parts(state, score, section.name)
        state.cues = waiting_cues(piece, state.visit or visit, before.cues)
    state.held = {part: each for part, each in state.held.items() if each.placement.stem in score.stems}
    state.kept = {p: kept for p, kept in state.kept.items() if p in score.parts and kept[0] in score.stems}
    state.swaps &= set(score.parts)
    state.withdrawn &= set(score.parts)
    state.silenced &= set(score.parts)
    if state.last_part not in score.parts:
        state.last_part = None
    _carry_events(state, old, piece)
    return state, stops


def _carry_events(state: State, old: Piece, new: Piece) -> None:
    """Events that stand in both scripts, word for word, stay due, and have happened if they had."""
    places = {event.text: place for place, event in enumerate(new.events)}
    moved = {p: places[event.text] for p, event in enumerate(old.events) if event.text in places}
    state.due = [(new.events[places[e.text]], part) for e, part in state.due if e.text in places]
    state.fired = {moved[place] for place in state.fired if place in moved}
    state.holding = {moved[place] for place in state.holding if place in moved}


def in_reach(piece: Piece, dial: str, value: float) -> bool:
    """Whether the piece has such a dial, and the value is in its range."""
    found = piece.dials.get(dial)
    return found is not None and found.lo <= value <= found.hi


def _keep_parts(state: State, score: Score, section: str) -> list[Stop]:
    """Let go of the parts that the section no longer has, or whose stem may not be brought any more."""
    sheet, frame = score.sheets[section], score.clock.bar_frame(state.bar)
    stops: list[Stop] = []
    for part, sounding in list(state.parts.items()):
        lines = {(line.text, place): line for line, place in sheet.brings.get(part, ())}
        line = lines.get(sounding.line)
        stem = sounding.placement.stem
        goes_on = part in sheet.holds and sounding.held and stem in score.stems
        if line is not None and score.pools[line.pool].find(stem) is not None:
            state.parts[part] = replace(sounding, bring=line)
        elif not goes_on:
            stops.append(stop_at(sounding.placement, frame))
            state.placed.cut(sounding.placement, stops[-1].end_frame, score)
            del state.parts[part]
    return stops
