"""Drawing the stem of a line: the one that it keeps, or one chosen to go with what sounds in this bar."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ...ground.roles import TONAL_ROLES
from ...script.piece import Bring, Line, Play, Pool
from ...vault.records import Stem
from ..fades import offset_at
from ..plan import Candidate, Choice, Rested
from .allowed import may_play
from .bags import taken_up
from .chance import DrawKey
from .choose import Around, candidates, choose, clashes, too_soon, weights_held
from .chords import as_part
from .eligible import Eligible
from .form import Visit
from .harmony import AGREEMENT_STEEPNESS, CHORDS_STEEPNESS, TonalPart
from .notes import UNPLAYABLE, unplayable
from .phase import phase_of
from .score import Score
from .sheet import subject
from .spells import round_of, spell_at
from .state import Drawn, SoundingLoop, State


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
    _swapped: set[tuple[str, int, int]] = field(default_factory=set)
    """The choices that another has been taken for in this bar."""
    _tonal: dict[int, TonalPart | None] = field(default_factory=dict)
    """The tonal part of each placement that sounds, from this bar on."""

    def key(self, line: Line, place: int) -> DrawKey:
        """The key of the line's random draws in this occurrence of the section."""
        section = home(self.visit, line)
        return DrawKey(self.score.seed, section, self.visit.occurrence, subject(line), place)

    def draw(
        self, line: Bring | Play, place: int, avoid: Collection[str] = (), *, swap: bool = False
    ) -> Stem | None:
        """The stem of a line at its present choice index.

        A line keeps it until it is varied, and takes it again when the section returns, as far as the rules
        still allow it. `swap`: another is to take its place.
        """
        state, among = self.state, self.score.pools[line.pool]
        if line.part in state.kept and isinstance(line, Bring):
            held = self.score.stems.get(state.kept[line.part][0])
            if held is not None and held.stem not in self.without and may_play(held, self.score.use, line):
                return held
        since, index = self.visit.first_bar, state.redraws.get(subject(line), 0)
        section, place = kept_at(self.score, self.visit, line, place)
        at = subject(line), place, index
        before = state.drawn.get(section, {}).get(at)
        barred = self._barred(line, among)
        here = None if before is None or before.stem in barred else among.find(before.stem)
        if here is not None and isinstance(line, Play) and line.notes is not None:
            here = None if unplayable(self.score, line.pool)[here] else here
        # Of several lines that share a choice, one swaps it.
        swap = swap and at not in self._swapped
        if before is not None and here is not None and before.since == since and not swap:
            return among.stem(here)
        if swap:
            self._swapped.add(at)
        pool, anew = self.score.piece.pools[line.pool], self._anew(line)
        avoid = {*avoid, *self._just_sounded(line)}
        if before is not None and (swap or state.liked.get(before.stem, 0) < 0):
            avoid.add(before.stem)
        if before is not None and anew and before.since != since:
            if not avoid and not pool.prefer_fresh:
                avoid.add(before.stem)
            before = None
        swaps = (before.swaps if before is not None else 0) + swap
        key = _choice_key(replace(self.key(line, place), section=section), swaps, anew=anew)
        around = self._around(line, pool, avoid)
        weights = tuple(weights_held(pool, key, around))
        chosen: Stem | None
        if before is None or here is None or not _stands(before, here, among, pool, around, weights):
            chosen = self._choose(line, pool, key, index, around)
        else:
            chosen = among.stem(here)
            self._note(line, chosen, (Candidate(chosen.stem, chosen.title, 1.0, None, None, ()),), again=True)
        if chosen is not None:
            state.note_drawn(section, at, Drawn(chosen.stem, since, swaps, weights))
            state.note_start(pool, chosen.stem)
        return chosen

    def vary(self, line: Line) -> None:
        """Go on to the next choice of the line and of its like, whether they sound or not."""
        self.state.redraws[subject(line)] = self.state.redraws.get(subject(line), 0) + 1

    def begin_again(self, line: Line) -> bool:
        """Go back to the first choice of the line and of its like; gives whether they had left it."""
        return self.state.redraws.pop(subject(line), 0) > 0

    def draw_once(self, line: Play, place: int, index: int) -> Stem | None:
        """The stem of something that is struck once, which nothing keeps."""
        pool = self.score.piece.pools[line.pool]
        key = _choice_key(self.key(line, place), 0, anew=False)
        chosen = self._choose(line, pool, key, index, self._around(line, pool, ()))
        if chosen is not None:
            self.state.note_start(pool, chosen.stem)
        return chosen

    def which_slice(self, line: Play, place: int, count: int, turn: int | None) -> int:
        """The place among a stem's slices of the one that the line plays.

        `turn`: of a hit that draws its own; else it is the line's, at its present choice index.
        """
        if line.slice is not None:
            return (line.slice - 1) % count
        section, place = kept_at(self.score, self.visit, line, place)
        key = _choice_key(replace(self.key(line, place), section=section), 0, anew=self._anew(line))
        index = self.state.redraws.get(subject(line), 0) if turn is None else turn
        return int(key.uniform("slice", index) * count)

    def draw_for_hit(self, line: Play, place: int, number: int) -> Stem | None:
        """Another recording for each hit of a line; none comes again until all have had their turn.

        `number`: of the hit's step in the section. A section that returns begins with a full bag, so it is
        the same music, but for a first hit that would be the one just played.
        """
        pool, among, at = (
            self.score.piece.pools[line.pool],
            self.score.pools[line.pool],
            (subject(line), place),
        )
        first_bar = self.visit.first_bar
        first_bar += round_of(self.visit, line, self.state.bar - first_bar)[0]
        bag = taken_up(self.state.bags.get(at), among, first_bar)
        around = replace(self._around(line, pool, bag.last), had=bag.had)
        key = _choice_key(self.key(line, place), 0, anew=self._anew(line))
        key = replace(key, subject=f"{key.subject}, each hit")
        chosen = self._choose(line, pool, key, number, around)
        if chosen is not None:
            self.state.bags[at] = bag.after(chosen.stem)
            self.state.note_start(pool, chosen.stem)
        return chosen

    def last(self, line: Bring | Play, place: int) -> Collection[str]:
        """The stem that the line plays as things stand, if it has drawn one since the section began."""
        return drawn_now(self.score, self.state, self.visit, line, place)

    def _anew(self, line: Bring | Play) -> bool:
        """Whether the line keeps no choice from one visit of its section to the next."""
        section = self.visit.section
        renewed = line.part in self.score.sheets[section.name].renewed
        return section.fresh or renewed or self.score.piece.pools[line.pool].prefer_fresh

    def _choose(
        self, line: Bring | Play, pool: Pool, key: DrawKey, index: int, around: Around
    ) -> Stem | None:
        """One of the pool's stems; if none may sound, the line rests."""
        among = self.score.pools[pool.name]
        chosen = choose(pool, among, key, index, around)
        if self.why:
            self._note(line, chosen, candidates(pool, among, key, around))
        if chosen is None:
            reason = among.reason or f"every stem has {too_soon(pool)}"
            if around.unplayable is not None and around.unplayable.all():
                reason = among.reason or "no stem has a known root and a grant that allows `pitch`"
            elif self._barred(line, among) is not self.without and len(among.unstretched) == len(among):
                reason = "no grant allows to stretch a stem to its time"
            elif self.without:
                reason = "no other stem is ready yet"
            reason = f"pool {line.pool} is empty: {reason}"
            self.rested.append(Rested(line.part, line.pool, line.span.line, reason))
        return chosen

    def _note(
        self, line: Bring | Play, taken: Stem | None, among: tuple[Candidate, ...], *, again: bool = False
    ) -> None:
        """Note a choice, if somebody asks why."""
        if not self.why:
            return
        stem = taken.stem if taken is not None else None
        self.choices.append(Choice(line.part, line.pool, line.span.line, self.state.bar, stem, among, again))

    def _just_sounded(self, line: Bring | Play) -> set[str]:
        """What a line that is varied or prefers fresh should not begin its section with."""
        avoid, before = set[str](), self.state.before
        if self.score.piece.pools[line.pool].prefer_fresh:
            avoid.update(*before.values())
        if line.part in self.score.sheets[self.visit.section.name].varies:
            avoid |= before.get(line.part, set())
        return avoid

    def _around(self, line: Bring | Play, pool: Pool, avoid: Collection[str]) -> Around:
        """The surroundings of a choice of the line, as the bar stands so far."""
        state, score = self.state, self.score
        beside = [s for part, s in state.parts.items() if part != line.part]
        section_bar = state.bar - self.visit.first_bar
        tonal: Sequence[TonalPart] = ()
        span = chords = notes = None
        if isinstance(line, Play):
            notes = line.notes
        else:
            span, chords = self._span(line), as_part(score, self.visit, section_bar)
            parts = (*(self._tonal_part(s) for s in beside), chords)
            tonal = [part for part in parts if part is not None]
        cap = score.piece.share_cap
        capped, nearly = set[str](), set[str]()
        if cap is not None:
            length = 0 if span is None else span * score.clock.bar_frame(1)
            capped, nearly = state.placed.holders.above(cap), state.placed.holders.above(cap, length)
        sets = {score.stems[s.placement.stem].set for s in beside if s.placement.stem in score.stems}
        return Around(
            never_twice=state.started_lately(pool).union(self._barred(line, score.pools[pool.name])),
            capped=capped,
            nearly_capped=nearly,
            avoid=avoid,
            heard=state.placed.heard(pool.name, score.pools[pool.name]) if pool.prefer_fresh else None,
            liked=state.liked,
            tonal=tonal,
            sets={name for name in sets if name is not None},
            span_bars=span,
            dials=state.dials,
            section_bar=section_bar,
            steepness=AGREEMENT_STEEPNESS if chords is None else CHORDS_STEEPNESS,
            unplayable=None if notes is None else unplayable(score, line.pool),
            why_unplayable=UNPLAYABLE,
        )

    def _barred(self, line: Bring | Play, among: Eligible) -> Collection[str]:
        """The stems that the line must not take, as they are not ready or its time would stretch them."""
        stretches = isinstance(line, Bring) and line.time != 1
        return {*self.without, *among.unstretched} if stretches else self.without

    def _tonal_part(self, sounding: SoundingLoop) -> TonalPart | None:
        """A loop as a tonal part, from its present bar on; None if it is not tonal, or its stem is gone."""
        placement = sounding.placement
        if placement.id not in self._tonal:
            found, stem = None, self.score.stems.get(placement.stem)
            if stem is not None and stem.role in TONAL_ROLES and stem.chroma:
                bars = self._bars_into(sounding, stem)
                chroma = self.score.chroma(stem, placement.variant.semitones)
                found = TonalPart(placement.part, stem.title, chroma, round(bars) % len(chroma))
            self._tonal[placement.id] = found
        return self._tonal[placement.id]

    def _bars_into(self, sounding: SoundingLoop, stem: Stem) -> float:
        """How many bars into its recording a loop is at this bar's line."""
        placement, grid, bar = sounding.placement, self.state.grid(self.score.clock), self.state.bar
        clock = grid.clock(bar)
        if placement.variant.ramp:
            phase = phase_of(placement, stem, sounding.bring.time, grid, grid.bar_beat(bar))
            return float((phase or 0) / clock.beats_per_bar)
        return offset_at(placement, grid.bar_frame(bar)) / clock.bar_frame(1)

    def _span(self, line: Bring) -> int:
        """How many bars a loop of the line is meant for: to its next redraw, its end, or the section's."""
        section_bar, clock = self.state.bar - self.visit.first_bar, self.score.clock
        _, end = spell_at(self.visit, line, section_bar, clock.beats_per_bar, clock)
        bars = int(end // clock.beats_per_bar) - section_bar
        varies = self.score.sheets[self.visit.section.name].varies.get(line.part, ())
        return max(1, min([bars, *(vary.every_bars for vary, _ in varies)]))


def home(visit: Visit, line: Line) -> str:
    """The section under whose name a line of `visit` draws: that of which it is, where two share choices."""
    section = visit.section
    return line.section if line.section in section.taken and not section.fresh else section.name


def kept_at(score: Score, visit: Visit, line: Bring | Play, place: int) -> tuple[str, int]:
    """The section and the place under which a line keeps its choices.

    Lines of one part and one pool share them; so does one that replaces such a line of the section that its
    own is `as`.
    """
    section = visit.section
    if line.section == section.name and not section.fresh:
        for name in section.taken:
            first = score.sheets[name].first.get((subject(line), line.pool))
            if first is not None:
                return name, first
    sheet = score.sheets.get(line.section)
    return home(visit, line), place if sheet is None else sheet.shared.get((subject(line), place), place)


def drawn_now(score: Score, state: State, visit: Visit, line: Bring | Play, place: int) -> Collection[str]:
    """The stem that a line of the section drew last in this occurrence of it, if any."""
    section, place = kept_at(score, visit, line, place)
    at = subject(line), place, state.redraws.get(subject(line), 0)
    drawn = state.drawn.get(section, {}).get(at)
    return [drawn.stem] if drawn is not None and drawn.since == visit.first_bar else []


def _choice_key(key: DrawKey, swaps: int, *, anew: bool) -> DrawKey:
    """The key of the choice of a stem: the same in every occurrence of the section.

    `anew`: whether each occurrence draws its own; the first draws as if it did not.
    """
    occurrence = (key.occurrence or None) if anew else None
    return replace(
        key, occurrence=occurrence, subject=f"{key.subject}, swap {swaps}" if swaps else key.subject
    )


def _stands(
    before: Drawn, here: int, among: Eligible, pool: Pool, around: Around, weights: tuple[int, ...]
) -> bool:
    """Whether what the line drew before is taken again, as no rule has anything against it now."""
    return not (
        before.weights != weights
        or before.stem in around.never_twice
        or before.stem in around.avoid
        or among.stem(here).holder in {*around.capped, *around.nearly_capped}
        or clashes(among, here, around)
    )
