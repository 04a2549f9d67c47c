"""Drawing the stem of a line: the one that it keeps, or one chosen to go with what sounds in this bar."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ...ground.roles import TONAL_ROLES
from ...script.piece import Bring, Line, Play, Pool
from ...vault.records import Stem
from ..fades import offset_at
from ..plan import Choice, Rested
from .chance import DrawKey
from .choose import Around, candidates, choose, too_soon
from .form import Visit
from .harmony import TonalPart
from .score import Score
from .state import SoundingLoop, State


@dataclass
class Drawer:
    """Draws the stems of one bar's lines. `why`: whether to note the candidates of each choice.

    `without`: stems that must not be chosen, as they cannot sound yet.
    """

    score: Score
    state: State
    visit: Visit
    why: bool = False
    without: Collection[str] = ()
    rested: list[Rested] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    _tonal: dict[int, TonalPart | None] = field(default_factory=dict)
    """The tonal part of each placement that sounds, from this bar on."""

    def key(self, line: Line, place: int) -> DrawKey:
        """The key of the line's random draws in this occurrence of the section."""
        return DrawKey(self.score.seed, self.visit.section.name, self.visit.occurrence, line.text, place)

    def draw(self, line: Bring | Play, place: int, avoid: str | None = None) -> Stem | None:
        """The stem of a line at its present choice index; a line keeps it until it is varied."""
        state, among = self.state, self.score.pools[line.pool]
        if line.part in state.kept and isinstance(line, Bring):
            held = self.score.stems.get(state.kept[line.part][0])
            if held is not None and held.stem not in self.without:
                return held
        index = state.redraws.get((line.text, place), 0)
        kept = state.drawn.get((line.text, place, index))
        here = None if kept is None or kept in self.without else among.find(kept)
        if here is not None:
            return among.stem(here)
        pool, key = self.score.piece.pools[line.pool], self.key(line, place)
        around = self._around(line, pool, avoid)
        chosen = choose(pool, among, key, index, around)
        if self.why:
            weighed = candidates(pool, among, key, around)
            taken = chosen.stem if chosen is not None else None
            self.choices.append(Choice(line.part, pool.name, line.span.line, state.bar, taken, weighed))
        if chosen is None:
            reason = among.reason or f"every stem has {too_soon(pool)}"
            if self.without:
                reason = "no other stem is ready yet"
            reason = f"pool {line.pool} is empty: {reason}"
            self.rested.append(Rested(line.part, line.pool, line.span.line, reason))
            return None
        state.drawn[line.text, place, index] = chosen.stem
        state.note_start(pool, chosen.stem)
        return chosen

    def _around(self, line: Bring | Play, pool: Pool, avoid: str | None) -> Around:
        """The surroundings of a choice of the line, as the bar stands so far."""
        state, score = self.state, self.score
        beside = [s for part, s in state.parts.items() if part != line.part]
        span = None if isinstance(line, Play) else self._span(line)
        cap = score.piece.share_cap
        capped, nearly = set[str](), set[str]()
        if cap is not None:
            length = 0 if span is None else span * score.clock.bar_frame(1)
            capped, nearly = state.placed.holders.above(cap), state.placed.holders.above(cap, length)
        sets = {score.stems[s.placement.stem].set for s in beside if s.placement.stem in score.stems}
        return Around(
            never_twice=state.started_lately(pool).union(self.without),
            capped=capped,
            nearly_capped=nearly,
            avoid=avoid,
            heard=state.placed.heard(pool.name, score.pools[pool.name]) if pool.prefer_fresh else None,
            liked=state.liked,
            tonal=() if isinstance(line, Play) else [t for s in beside if (t := self._tonal_part(s))],
            sets={name for name in sets if name is not None},
            span_bars=span,
            dials=state.dials,
            section_bar=state.bar - self.visit.first_bar,
        )

    def _tonal_part(self, sounding: SoundingLoop) -> TonalPart | None:
        """A loop as a tonal part, from its present bar on; None if it is not tonal, or its stem is gone."""
        placement = sounding.placement
        if placement.id not in self._tonal:
            found, stem = None, self.score.stems.get(placement.stem)
            if stem is not None and stem.role in TONAL_ROLES and stem.chroma:
                clock = self.score.clock
                bars = offset_at(placement, clock.bar_frame(self.state.bar)) / clock.bar_frame(1)
                chroma = self.score.chroma(stem, placement.variant.semitones)
                found = TonalPart(placement.part, stem.title, chroma, round(bars) % len(chroma))
            self._tonal[placement.id] = found
        return self._tonal[placement.id]

    def _span(self, line: Bring) -> int:
        """How many bars a loop of the line is meant for: to its next redraw, its end, or the section's."""
        section_bar = self.state.bar - self.visit.first_bar
        bars = self.visit.bars - section_bar
        if line.window.for_bars is not None:
            bars = min(bars, line.window.at_bar - 1 + line.window.for_bars - section_bar)
        varies = self.score.sheets[self.visit.section.name].varies.get(line.part, ())
        return max(1, min([bars, *(vary.every_bars for vary, _ in varies)]))
