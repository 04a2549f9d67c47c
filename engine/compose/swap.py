"""Another script takes over while the music plays: at a bar line, and whole or not at all.

Tempo and meter are the session's, and so is the seed unless the script names a new one. The form goes on in
the section of the same name, or else begins anew. A line goes on that stands in both scripts, word for word
or with another text at the same place among its like, if its pool still has what it plays: without a seam,
moved to another gain, pan and effects by a ramp. See `edits` for what needs more than that.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from ...script.piece import Boundary, MoveTo, Piece
from ...vault.catalogue.snapshot import Snapshot
from ..errors import SwapRefused
from ..fades import stop_at
from ..plan import Stop
from .edits import needs_new_placement
from .form import Visit, enter, waiting_cues
from .gains import settled_holds
from .score import Score, score
from .sheet import placed_lines, subject
from .state import Drawn, SoundingLoop, State


class Said(Protocol):
    """What stands in a script by its text."""

    @property
    def text(self) -> str: ...


S = TypeVar("S", bound=Said)
LineId = tuple[str, int]
"""A line's subject, and its place among its like."""
Moved = dict[str, dict[LineId, LineId]]
"""Of each section that both scripts have, which line of the new one each line of the old has become."""


def rescored(
    now: Score, piece: Piece, snapshot: Snapshot, at: str, *, key: str | None = None, must_sound: bool = True
) -> Score:
    """The score by which `piece` takes over from `now`. `at`: RFC 3339 time at which consents are read.

    Its seed is the session's, unless the piece names one and `now`'s piece did not name that one. `key`: of
    the piece's keys; by default the session's if it is one of them. Raises SwapRefused for another
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
        seed=piece.seed if _names_new_seed(now.piece, piece) else now.seed,
        must_sound=must_sound,
        tempo_bpm=clock.tempo_bpm,
        key=key,
    )
    return replace(coming, starts_clean=now.starts_clean)


def _names_new_seed(old: Piece, new: Piece) -> bool:
    return new.names_seed and not (old.names_seed and old.seed == new.seed)


def carried(before: State, old: Score, score: Score) -> tuple[State, list[Stop]]:
    """The state at the next bar line as `score` goes on from it, and the stops of what does not go on.

    What the `old` script and this one name keeps its value: dials in range, sections, parts, cues, events.
    What lines have drawn stays drawn, unless the seed is a new one.
    """
    state, piece = before.copy(), score.piece
    moved = _moved_lines(old.piece, piece)
    state.drawn = _moved_draws(before, old, score, moved) if old.seed == score.seed else {}
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
            stops = _keep_parts(state, old, score, moved, before.dials, resized=bars != visit.bars)
        state.cues = waiting_cues(piece, state.visit or visit, before.cues)
    held = {part: each for part, each in state.held.items() if each.placement.stem in score.stems}
    state.held = {
        part: _as_now(settled_holds(each, before.dials), moved, score) for part, each in held.items()
    }
    state.kept = {p: kept for p, kept in state.kept.items() if p in score.parts and kept[0] in score.stems}
    state.swaps &= set(score.parts)
    state.withdrawn &= set(score.parts)
    state.silenced &= set(score.parts)
    if state.last_part not in score.parts:
        state.last_part = None
    _carry_events(state, old.piece, piece)
    return state, stops


def matched(old: Sequence[S], new: Sequence[S], like: Callable[[S], Hashable]) -> dict[int, int]:
    """What each of `old` has become among `new`: the one of the same text, else the next that is alike."""
    found: dict[int, int] = {}
    ways: tuple[Callable[[S], Hashable], ...] = (lambda each: (like(each), each.text), like)
    for way in ways:
        taken, free = set(found.values()), defaultdict[Hashable, deque[int]](deque)
        for place, each in enumerate(new):
            if place not in taken:
                free[way(each)].append(place)
        for place, each in enumerate(old):
            if place not in found and free[way(each)]:
                found[place] = free[way(each)].popleft()
    return found


def _moved_lines(old: Piece, new: Piece) -> Moved:
    named = {section.name: section for section in old.sections}
    moved: Moved = {}
    for section in new.sections:
        if section.name in named:
            before, after = named[section.name].lines, section.lines
            ids = [
                [(subject(line), place) for line, place in placed_lines(lines)] for lines in (before, after)
            ]
            pairs = matched(before, after, subject)
            moved[section.name] = {ids[0][was]: ids[1][now] for was, now in pairs.items()}
    return moved


def _moved_draws(
    before: State, old: Score, score: Score, moved: Moved
) -> dict[str, dict[tuple[str, int, int], Drawn]]:
    """What the lines that are still there have drawn, under the places at which they keep it now."""
    found: dict[str, dict[tuple[str, int, int], Drawn]] = {}
    for section, drawn in before.drawn.items():
        places: dict[LineId, LineId] = {}
        for was, now in moved.get(section, {}).items():
            kept, keeps = (each.sheets[section].shared for each in (old, score))
            places.setdefault((was[0], kept.get(was, was[1])), (now[0], keeps.get(now, now[1])))
        if section in moved:
            found[section] = {
                (*places[at[:2]], at[2]): each for at, each in drawn.items() if at[:2] in places
            }
    return found


def _carry_events(state: State, old: Piece, new: Piece) -> None:
    """Events with the same trigger in both scripts stay due, and have happened if they had."""
    moved = matched(old.events, new.events, lambda event: event.trigger)
    texts = {old.events[was].text: new.events[now] for was, now in moved.items()}
    state.due = [(texts[event.text], part) for event, part in state.due if event.text in texts]
    state.fired = {moved[place] for place in state.fired if place in moved}
    state.holding = {moved[place] for place in state.holding if place in moved}


def in_reach(piece: Piece, dial: str, value: float) -> bool:
    """Whether the piece has such a dial, and the value is in its range."""
    found = piece.dials.get(dial)
    return found is not None and found.lo <= value <= found.hi


def _keep_parts(
    state: State, old: Score, score: Score, moved: Moved, dials: Mapping[str, float], *, resized: bool
) -> list[Stop]:
    """Let go of the parts that the section no longer has, or whose stem may not be brought any more.

    `dials`: as they stood under the old script.
    """
    assert state.visit is not None
    sheet = score.sheets[state.visit.section.name]
    frame = state.grid(score.clock).bar_frame(state.bar)
    stops: list[Stop] = []
    for part, sounding in list(state.parts.items()):
        settled = settled_holds(sounding, dials)
        now, stem = _as_now(settled, moved, score), sounding.placement.stem
        if sounding.held and part in sheet.holds and stem in score.stems:
            state.parts[part] = now
        elif not sounding.held and not now.settled and score.pools[now.bring.pool].find(stem) is not None:
            outdated = needs_new_placement(sounding.bring, now.bring, old, score, resized=resized)
            state.parts[part] = replace(now, outdated=sounding.outdated or outdated)
        else:
            stops.append(stop_at(sounding.placement, frame))
            state.placed.cut(sounding.placement, stops[-1].end_frame, score)
            del state.parts[part]
    return stops


def _as_now(sounding: SoundingLoop, moved: Moved, score: Score) -> SoundingLoop:
    """A loop with the line that its own has become; settled if that is gone."""
    # A line that another section has taken over may be replaced there.
    section = sounding.key.section if sounding.held else sounding.placement.section
    line = subject(sounding.bring), sounding.place
    now = moved.get(section, {}).get(line)
    if now is None:
        return replace(sounding, settled=True)
    bring, place = score.sheets[section].brings[sounding.bring.part][now[1]]
    return replace(sounding, bring=bring, place=place)
