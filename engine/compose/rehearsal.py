"""The dry run: every section that can be reached is composed, and what would be missed on stage is reported.

    check the text -> fit tempo and key -> compose each section, entered from one that leads to it

Nothing is mixed, conformed or written. All that is found is a doubt: the piece plays, and something rests.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ...script.piece import Boundary, Bring, LineWindow, MoveTo, Piece, Play, Section, Span, Vary
from ...script.problems import Problem, problem
from ...vault.catalogue.snapshot import Snapshot
from ...vault.records import ENGINE_RATE
from ..plan import MOST_SOUNDING, Bar
from .compose import next_bar
from .score import Score, score
from .state import State, first_state

MOST_BARS = 256
"""How many bars are composed in all."""


def rehearse(
    piece: Piece, snapshot: Snapshot, *, at: str, uses: Sequence[str] | None = None
) -> tuple[Problem, ...]:
    """Warnings of what a session of `piece` would miss with these stems, for each use, in order of place.

    `at`: RFC 3339 time at which consents are read. `uses`: those of the piece by default. The dials stand at
    their defaults.
    """
    found: dict[tuple[str, Span, str], list[str]] = {}
    hints: dict[str, str] = {}
    for use in uses or piece.uses:
        fixed = score(piece, snapshot, use=use, at=at, rate=ENGINE_RATE, must_sound=False)
        for code, span, message, hint in (*_misfits(fixed, at), *_rehearsed(fixed)):
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
    for name, among in fixed.pools.items():
        pool = fixed.piece.pools[name]
        if not len(among) and fixed.snapshot.match(pool.clauses, use=fixed.use, at=at).size:
            hint = "widen `tempo` or `key`, or give the pool `max stretch`, `max shift` or `key any`"
            yield "W020", pool.span, f"pool {name} is empty: {among.reason}", hint


def _rehearsed(fixed: Score) -> Iterator[Doubt]:
    piece = fixed.piece
    room = max(1, MOST_BARS // len(piece.sections))
    for section, bars in _run(fixed, room):
        yield from _rests(fixed, section, bars)
        yield from _unvaried(section, bars)
        sounding = _sounding(bars)
        if not any(sounding) and _should_sound(fixed, section):
            message = f"nothing sounds in section {section.name}"
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
                f"this changes nothing in section {section.name}: no other stem of the pool may sound here"
            )
            hint = "`stemloom plan --why` says what leaves the others out, such as a clash with what sounds"
            yield "W024", line.span, message, hint


def _waits(window: LineWindow) -> bool:
    """Whether a line waits for a dial or for chance."""
    return bool(window.when) or window.chance is not None or window.one_in is not None


def _should_sound(fixed: Score, section: Section) -> bool:
    """Whether some line has a pool with stems, and none waits for a dial or for chance."""
    lines = [line for line in section.lines if isinstance(line, Bring | Play)]
    return not any(_waits(line.window) for line in lines) and any(
        len(fixed.pools[line.pool]) for line in lines
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
