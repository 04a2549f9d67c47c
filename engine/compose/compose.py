"""Composing: from a score and the dials, the next bar.

`next_bar` copies the state it is given, so a plan can be drawn ahead and thrown away. A bar is composed at
its line minus the commit horizon: what it starts and stops is then final, until a later bar stops it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ...script.piece import FireSting, Play, Section
from ..effects import length_frames
from ..fades import POWER_FADE_FRAMES, natural_end, stop_at
from ..plan import Bar, Placement
from .drawer import Drawer, drawn_now
from .events import Input, act, next_beat, take_inputs
from .form import Leaving, Visit, enter, leaving, waiting_cues
from .hit_writer import HitWriter
from .loop_writer import LoopWriter
from .score import Score
from .sheet import placed_lines
from .spells import spells
from .state import SoundingLoop, State
from .tuning import ramps_of, tuning_of


def next_bar(
    score: Score,
    before: State,
    inputs: tuple[Input, ...] = (),
    *,
    why: bool = False,
    without: Collection[str] = (),
) -> tuple[Bar, State]:
    """Compose one bar. The state given is left as it was.

    `inputs`: the gestures that came since the bar before was composed. `why`: the bar lists the
    candidates of each choice. `without`: stems that must not be chosen, as they cannot sound yet.
    """
    state = before.copy()
    state.known_grid = state.grid(score.clock)
    take_inputs(score, state, inputs)
    stings = list(act(score, state, state.visit)) if state.visit is not None else []
    overlap, left = _enter_bar(score, state)
    score = score.tuned(state.tuning)
    grid, visit, retuned = state.grid(score.clock), state.visit, state.tuning != before.tuning
    first, last = grid.bar_frame(state.bar), grid.bar_frame(state.bar + 1)
    if visit is None:
        stops = [
            stop_at(each.placement, first) for each in left.values() if natural_end(each.placement) > first
        ]
        return Bar(state.bar, "", 0, first, first, (), tuple(stops), (), ended=True), state
    lines = Drawer(score, state, visit, why, without)
    starts: list[Placement] = []
    stops = []
    loops = LoopWriter(score, state, visit, lines, starts, stops, left, retuned)
    hits = HitWriter(score, state, visit, lines, starts, stops)
    _write(score, state, visit, loops, hits)
    loops.leave(overlap)
    for event in stings:
        hits.sting(event)
    state.swaps.clear()
    state.before.clear()
    bar = Bar(
        bar=state.bar,
        section=visit.section.name,
        section_bar=state.bar - visit.first_bar,
        start_frame=first,
        end_frame=last,
        starts=tuple(sorted(starts, key=lambda p: (p.start_frame, p.id))),
        stops=tuple(stops),
        rested=tuple(lines.rested),
        ended=False,
        choices=tuple(lines.choices),
        tempo_bpm=grid.clock(state.bar).tempo_bpm,
        meter=score.clock.meter,
        key=None if score.key is None else score.key.name,
        onsets=tuple(hits.onsets),
    )
    state.bar += 1
    return bar, state


def _write(score: Score, state: State, visit: Visit, loops: LoopWriter, hits: HitWriter) -> None:
    """Write all parts of the section in this bar."""
    sheet = score.sheets[visit.section.name]
    fills = score.fills.get(visit.section.name, frozenset())
    for part in {**sheet.brings, **sheet.holds}:
        if part not in fills:
            loops.bring(part, sheet.brings.get(part, ()), sheet)
    for part, plays in sheet.plays.items():
        if part not in fills:
            hits.play(part, plays, sheet)
    for part, pulses in sheet.pulses.items():
        hits.pulse(part, pulses, sheet)
    filling = state.leaving.move.through if state.leaving and state.leaving.move else None
    if filling is not None:
        # Its lines may stand in any section of the piece.
        if filling not in sheet.brings and filling not in sheet.plays:
            sheet = next(s for s in score.sheets.values() if filling in s.brings or filling in s.plays)
        hits.fill(filling, sheet)
        loops.fill(filling, sheet)
    hits.end_each_other()
    state.withdrawn.clear()
    line = state.grid(score.clock).bar_frame(state.bar)
    state.placed.forget_before(line, score.head_clock)


def strike(
    score: Score, before: State, given: Input, frame: int, without: Collection[str] = ()
) -> tuple[Bar, State, Input]:
    """Fire the stings that a gesture triggers on a beat, before the next bar line that is to be composed.

    `frame`: of the gesture. Gives the hits, as a bar that holds nothing else, and the gesture as it reaches
    that bar line, where all else that it does happens.
    """
    state, struck = before.copy(), set(given.struck)
    score = score.tuned(state.tuning)
    visit, grid = state.visit, state.grid(score.clock)
    line = grid.bar_beat(state.bar)
    lines = None if visit is None else Drawer(score, state, visit, without=without)
    starts: list[Placement] = []
    for place, event in enumerate(score.piece.events):
        at = score.piece.stings[event.action.sting].at if isinstance(event.action, FireSting) else None
        if lines is None or visit is None or at is None or at.at != "beats" or not given.triggers(event):
            continue
        beat = next_beat(score, state, visit, at.every, frame)
        if beat < line:
            hits = HitWriter(score, state, visit, lines, starts, [])
            hits.sting(event, beat - line)
            struck.add(place)
    rested = tuple(lines.rested) if lines is not None else ()
    name, section_bar = ("", 0) if visit is None else (visit.section.name, state.bar - 1 - visit.first_bar)
    bar = Bar(
        state.bar - 1, name, section_bar, frame, grid.frame(line), tuple(starts), (), rested, ended=False
    )
    return bar, state, replace(given, struck=frozenset(struck))


def _enter_bar(score: Score, state: State) -> tuple[int, dict[str, SoundingLoop]]:
    """Move to the section of this bar.

    Gives how many frames the old section's loops ring into the new one, and those loops. The ones that the
    new section's hold lines keep are in `state.held` as well.
    """
    visit, piece = state.visit, score.piece
    left: Leaving | None = None
    if visit is None:
        if state.ended:
            return 0, {}
        left = Leaving(piece.sections[0])
    else:
        left = state.leaving or leaving(
            piece, score.seed, visit, state.bar, state.dials, state.cues, state.move_to
        )
        passed = state.bar - visit.first_bar
        filled = left is not None and left.move is not None and left.move.through is not None
        if left is not None and filled and state.leaving is None and passed < visit.bars:
            # The fill takes this bar, and the move happens at the next line.
            state.leaving, state.cues = left, set()
            return 0, {}
        state.cues = waiting_cues(piece, visit, state.cues)
        if left is None:
            _look_for_fill(score, state, visit)
            return 0, {}
    state.leaving = state.move_to = None
    frame = state.grid(score.clock).bar_frame(state.bar)
    kept = set(score.sheets[left.target.name].holds) if left.target is not None else set()
    over = left.move.over if left.move is not None else None
    going = dict(state.parts)
    state.held = {part: sounding for part, sounding in state.parts.items() if part in kept}
    for part, sounding in state.parts.items():
        if over or part in kept or natural_end(sounding.placement) > frame:
            end = frame if over or part in kept else stop_at(sounding.placement, frame).end_frame
            state.placed.cut(sounding.placement, end, score)
    state.before = {} if visit is None else _sounding_up_to(score, state, visit)
    state.parts.clear()
    state.redraws.clear()
    state.silenced.clear()
    if left.target is None:
        state.visit, state.ended = None, True
        state.cues.clear()
        return 0, going
    state.dials.update(state.section_dials)
    state.section_dials.clear()
    section = left.target
    occurrence = state.occurrences.get(section.name, 0)
    state.occurrences[section.name] = occurrence + 1
    state.visit = enter(piece, score.seed, section, occurrence, state.bar)
    # A cue that came too late for the section before holds for this one, if a move from here waits for it.
    used = left.move.cue if left.move is not None else None
    state.cues = waiting_cues(piece, state.visit, state.cues - {used})
    _look_for_fill(score, state, state.visit)
    tune(score, state, section)
    clock = score.tuned(state.tuning).clock
    overlap = 0 if over is None else max(length_frames(over, clock), POWER_FADE_FRAMES)
    return overlap, going


def tune(score: Score, state: State, section: Section) -> None:
    """Take up the tempo, metre, key and ramps of a section that begins at this bar."""
    grid, tuning = state.grid(score.clock), tuning_of(section, score.key)
    clock = tuning.clock(score.clock)
    ramps = ramps_of(section, clock, grid.bar_beat(state.bar))
    state.tuning, state.known_grid = tuning, grid.entered(state.bar, clock, ramps)
    if section.song_bar is not None:
        # A song's bars are those of the head's metre, which its tempo counts as well.
        state.song_begins = grid.bar_beat(state.bar) - (section.song_bar - 1) * score.head_clock.beats_per_bar


def _sounding_up_to(score: Score, state: State, visit: Visit) -> dict[str, set[str]]:
    """The stems that each part of the section sounds up to this bar line."""
    found = {part: {sounding.placement.stem} for part, sounding in state.parts.items()}
    passed, clock = state.bar - visit.first_bar, score.tuned(state.tuning).clock
    # The section's own lines: a script that has taken over may not have it any more.
    for line, place in placed_lines(visit.section.lines):
        if isinstance(line, Play) and any(spells(visit, line, passed - 1, clock)):
            found.setdefault(line.part, set()).update(drawn_now(score, state, visit, line, place))
    return found


def _look_for_fill(score: Score, state: State, visit: Visit) -> None:
    """In the last bar of a section, find out whether its move goes through a fill, which takes this bar."""
    if state.bar - visit.first_bar == visit.bars - 1:
        ahead = leaving(score.piece, score.seed, visit, state.bar + 1, state.dials)
        if ahead is not None and ahead.move is not None and ahead.move.through is not None:
            state.leaving = ahead
