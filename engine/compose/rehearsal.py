"""The dry run: every section that can be reached is composed, and what would be missed on stage is reported.

    check the text -> fit tempo and key -> compose each section, entered from one that leads to it

Nothing is mixed, conformed or written. All that is found is a doubt: the piece plays, and something rests.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ...script.piece import Boundary, Bring, Hold, LineWindow, MoveTo, Piece, Play, Section, Span, Vary
from ...script.problems import Problem, counted, problem
from ...vault.catalogue.snapshot import Snapshot
from ...vault.records import ENGINE_RATE
from ..plan import MOST_SOUNDING, Bar
from .compose import next_bar
from .foretold import MOST_BARS, Ask, foresee, foretold_lufs, foretold_reduction_db, gain_for, unlimited_lufs
from .grant_doubts import left_out, too_few_slices
from .loop_writer import CANNOT_FOLLOW, SONG_OVER
from .meter_doubts import of_meters, without_other_meters
from .pitch_doubts import of_chords, of_notes
from .score import Score, score
from .state import State, first_state
from .tuning import PLAIN, tuning_of

MOST_TITLES = 5
"""How many of the stems that are left out are named."""


def rehearse(
    piece: Piece,
    snapshot: Snapshot,
    *,
    at: str,
    uses: Sequence[str] | None = None,
    ask: Ask | None = None,
) -> tuple[Problem, ...]:
    """Warnings of what a session of `piece` would miss with these stems, for each use, in order of place.

    `at`: RFC 3339 time at which consents are read. `uses`: those of the piece by default. The dials stand at
    their defaults. `ask`: gives how loud stems are; without it nothing is said of the limiter.
    """
    found: dict[tuple[str, Span, str], list[str]] = {}
    hints: dict[str, str] = {}
    for use in uses or piece.uses:
        fixed = score(piece, snapshot, use=use, at=at, rate=ENGINE_RATE, must_sound=False)
        for code, span, message, hint in (
            *_misfits(fixed, at),
            *left_out(fixed),
            *too_few_slices(fixed),
            *of_notes(fixed),
            *_rehearsed(fixed),
            *(_limited(fixed, ask) if ask is not None else ()),
        ):
            found.setdefault((code, span, message), []).append(use)
            hints[code] = hint
    several = len(uses or piece.uses) > 1
    said = [
        problem(code, span, message + (f" (for {', '.join(of)})" if several else ""), hints[code])
        for (code, span, message), of in found.items()
    ]
    return tuple(sorted(said, key=lambda p: (p.span.line, p.span.column, p.code)))


Doubt = tuple[str, Span, str, str]
"""Code, place, message, hint."""


def _misfits(fixed: Score, at: str) -> Iterator[Doubt]:
    """Pools whose cleared stems all fail the session's tempo or key. Those without any are the checker's."""
    elsewhere = _only_tuned(fixed)
    for name, among in fixed.pools.items():
        pool = fixed.piece.pools[name]
        if (
            not len(among)
            and name not in elsewhere
            and fixed.snapshot.match(pool.clauses, use=fixed.use, at=at).size
        ):
            hint = "widen `tempo` or `key`, or give the pool `max stretch`, `max shift` or `key any`"
            yield "W020", pool.span, f"pool {name} is empty: {among.reason}", hint


def _limited(fixed: Score, ask: Ask) -> Iterator[Doubt]:
    """A loudness that is said, and for which the limiter has to work hard."""
    piece = fixed.piece
    if piece.loudness_lufs is None or piece.loudness_span is None:
        return
    foreseen = foresee(fixed, {})
    gain_db = gain_for(piece.loudness_lufs, foretold_lufs(foreseen, fixed.stems, ask))
    takes_db = foretold_reduction_db(foreseen, fixed.stems, ask, gain_db - piece.ceiling_dbtp)
    loudest = unlimited_lufs(piece.loudness_lufs, takes_db)
    if loudest is not None:
        message = f"the limiter has to take some {takes_db:.0f} dB in over 1% of the piece"
        yield "W030", piece.loudness_span, message, f"such as: loudness {loudest:g} LUFS"


def _only_tuned(fixed: Score) -> set[str]:
    """The pools of which only sections with a tempo or key of their own make use."""
    own, others = set[str](), {sting.pool for sting in fixed.piece.stings.values()}
    for section in fixed.piece.sections:
        pools = {line.pool for line in section.lines if isinstance(line, Bring | Play)}
        (others if tuning_of(section, fixed.key) == PLAIN else own).update(pools)
    return own - others


def _left_out(fixed: Score, section: Section, tuned: Score) -> Iterator[Doubt]:
    """The stems of a section's pools that cannot follow to its own tempo or key."""
    if tuned is fixed:
        return
    hint = "give the pool `max stretch`, `max shift` or `key any`, or move the tempo or the key less"
    clock, key = tuned.clock, f", {tuned.key.name}" if tuned.key else ""
    reached = [clock.tempo_bpm, *(ramp.tempo_bpm for ramp in section.ramps)]
    at = f"{' to '.join(f'{float(tempo):g}' for tempo in reached)} bpm{key}"
    held = {line.part for line in section.lines if isinstance(line, Hold)}
    brings = [
        line
        for each in fixed.piece.sections
        for line in each.lines
        if isinstance(line, Bring) and (each is section or line.part in held)
    ]
    for name in dict.fromkeys(line.pool for line in brings):
        among, before = tuned.pools[name], fixed.pools[name]
        gone = without_other_meters(np.setdiff1d(before.places, among.places), tuned, among)
        cleared = len(fixed.cleared[name])
        if cleared and not len(among):
            message = f"pool {name} is empty in section {section.name}: {among.reason}"
            yield "W038", section.span, message, hint
        elif len(gone):
            titles = [fixed.snapshot.stems[place].title for place in gone[:MOST_TITLES].tolist()]
            more = f" and {len(gone) - len(titles)} more" if len(gone) > len(titles) else ""
            said = f"{len(gone)} of {counted(len(before), 'stem')} of pool {name} cannot follow to"
            message = f"{said} section {section.name} ({at}): {', '.join(titles)}{more}"
            yield "W037", section.span, message, hint


def _rehearsed(fixed: Score) -> Iterator[Doubt]:
    piece = fixed.piece
    room = max(1, MOST_BARS // len(piece.sections))
    for section, bars in _run(fixed, room):
        tuned = fixed.tuned(tuning_of(section, fixed.key))
        yield from _left_out(fixed, section, tuned)
        yield from of_meters(tuned, section)
        yield from _rests(tuned, section, bars)
        yield from _unvaried(section, bars)
        yield from of_chords(tuned, section, bars)
        sounding = _sounding(bars)
        if not any(sounding) and _should_sound(tuned, section, len(bars)):
            message = f"nothing sounds in {_looked_at(section, bars)}"
            yield "W022", section.span, message, "its lines rest all through it"
        most = max(sounding, default=0)
        if most > MOST_SOUNDING:
            bar = sounding.index(most) + 1
            message = (
                f"{most} sounds at once in bar {bar} of section {section.name}; {MOST_SOUNDING} can sound"
            )
            yield "W023", section.span, message, "the oldest hits give way: play fewer, or shorter ones"


def _run(fixed: Score, room: int) -> Iterator[tuple[Section, list[Bar]]]:
    """Each reachable section's first bars, at most `room`, entered from the first that leads to it."""
    piece = fixed.piece
    waiting = deque([(piece.sections[0], first_state(piece, {}))])
    seen = {piece.sections[0].name}
    left = MOST_BARS
    while waiting and left > 0:
        section, state = waiting.popleft()
        bars: list[Bar] = []
        for _ in range(min(room, left)):
            bar, state = next_bar(fixed, state if bars else _to(state, section))
            if bar.section != section.name:
                break
            bars.append(bar)
            if state.visit is None or len(bars) == state.visit.bars:
                break
        left -= len(bars)
        yield section, bars
        for follower in _followers(piece, section):
            if follower.name not in seen:
                seen.add(follower.name)
                waiting.append((follower, state))


def _looked_at(section: Section, bars: Sequence[Bar]) -> str:
    """The part of a section that these bars are, in words: what lies behind them is not known."""
    whole = len(bars) == max(section.lengths)
    first = "" if whole else f"the first {counted(len(bars), 'bar')} of "
    return f"{first}section {section.name}"


def _to(state: State, section: Section) -> State:
    """The state with which `section` comes next."""
    state = state.copy()
    state.leaving = None
    if state.visit is not None:
        state.move_to = MoveTo(section.name, Boundary("bars"))
    return state


def _followers(piece: Piece, section: Section) -> list[Section]:
    """The sections that moves, events or the order of the text can lead to from here."""
    by_name = {each.name: each for each in piece.sections}
    names = [m.target for m in piece.moves if m.origin in (None, section.name)]
    names += [e.action.target for e in piece.events if isinstance(e.action, MoveTo)]
    names += [after.name for before, after in pairwise(piece.sections) if before is section]
    return [by_name[name] for name in dict.fromkeys(names) if name is not None]


def _rests(fixed: Score, section: Section, bars: Sequence[Bar]) -> Iterator[Doubt]:
    """Lines that rest though their pool has stems."""
    spans = {line.span.line: line.span for each in fixed.piece.sections for line in each.lines}
    spans |= {sting.span.line: sting.span for sting in fixed.piece.stings.values()}
    told: set[int] = set()
    for number, bar in enumerate(bars, 1):
        for rest in bar.rested:
            empty = rest.pool in fixed.pools and not len(fixed.pools[rest.pool])
            if empty or rest.line in told or rest.line not in spans:
                continue
            told.add(rest.line)
            message = f"{rest.part} rests in bar {number} of section {section.name}: {rest.reason}"
            hint = "let its pool take in more, or repeat sooner" if rest.pool else "bring it there first"
            if rest.reason == SONG_OVER:
                hint = "make the section shorter, or start earlier: starting at bar 1 of song"
            if rest.reason == CANNOT_FOLLOW:
                hint = "give the pool from which it was brought `max stretch` or `max shift`"
            yield "W021", spans[rest.line], message, hint


def _unvaried(section: Section, bars: Sequence[Bar]) -> Iterator[Doubt]:
    """Loops that a `vary` should have changed, once or more, and that it never did."""
    asked: Counter[Vary] = Counter()
    changed: set[Vary] = set()
    sounding: dict[int, tuple[str, int]] = {}
    varies = [line for line in section.lines if isinstance(line, Vary) and not _waits(line.window)]
    for number, bar in enumerate(bars):
        left = {sounding[stop.id][0] for stop in bar.stops if stop.id in sounding}
        before = {part for part, end in sounding.values() if end > bar.start_frame}
        for line in varies:
            if number and number % line.every_bars == 0 and line.part in before:
                asked[line] += 1
                if line.part in left:
                    changed.add(line)
        sounding |= {p.id: (p.part, p.end_frame) for p in bar.starts if not p.hit}
        for stop in bar.stops:
            sounding.pop(stop.id, None)
    for line in asked:
        if line not in changed:
            message = (
                f"this changes nothing in {_looked_at(section, bars)}: "
                "no other stem of the pool may sound here"
            )
            hint = "`stemloom plan --why` says what leaves the others out, such as a clash with what sounds"
            yield "W024", line.span, message, hint


def _waits(window: LineWindow) -> bool:
    """Whether a line waits for a dial or for chance."""
    return bool(window.when) or window.chance is not None or window.one_in is not None


def _should_sound(fixed: Score, section: Section, bars: int) -> bool:
    """Whether some line begins in the first `bars` and has a pool with stems, and none waits for a dial or
    for chance."""
    fills = fixed.fills.get(section.name, frozenset())
    return not any(_waits(line.window) for line in section.lines) and any(
        len(fixed.pools[line.pool])
        and line.window.at_bar <= bars
        and line.part not in fills
        and (isinstance(line, Bring) or any(step.chance == 1 for step in line.steps))
        for line in section.lines
        if isinstance(line, Bring | Play)
    )


def _sounding(bars: Sequence[Bar]) -> list[int]:
    """How many placements sound at once, at most, in each of the bars."""
    ends: dict[int, tuple[int, int]] = {}
    most = []
    for bar in bars:
        ends |= {p.id: (p.start_frame, p.end_frame) for p in bar.starts}
        ends |= {s.id: (ends[s.id][0], s.end_frame) for s in bar.stops if s.id in ends}
        edges = sorted((f, step) for start, end in ends.values() for f, step in ((start, 1), (end, -1)))
        count = high = 0
        for frame, step in edges:
            count += step
            if frame < bar.end_frame:
                high = max(high, count)
        most.append(high)
        ends = {id: span for id, span in ends.items() if span[1] > bar.end_frame}
    return most
