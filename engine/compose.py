"""Composing: from a score and the dials, the next bar.

`next_bar` copies the state it is given, so a plan can be drawn ahead and thrown away. A bar is composed at
its line minus the commit horizon: what it starts and stops is then final, until a later bar stops it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from ..script.piece import Bring, Length, Line, Play, Section
from ..vault.records import Stem
from .chance import DrawKey
from .choose import choose
from .fades import LINEAR_FADE_FRAMES, entering, leaving, natural_end, overhang, stop_at
from .fit import fit_tempo, variant_of
from .form import Visit, enter, holds, next_section
from .gains import mix_of
from .levels import level_db
from .plan import MAX_BARS, Bar, Fade, Placement, Rested, Stop, Variant
from .score import Score
from .sheet import Sheet
from .state import Sounding, State

ACCENT_DB = 0.0
PLAIN_DB = -4.0
"""A plain step against an accented one."""


def next_bar(score: Score, before: State) -> tuple[Bar, State]:
    """Compose one bar. The state given is left as it was."""
    state = before.copy()
    stops: list[Stop] = []
    _enter_bar(score, state, stops)
    first, last = score.clock.bar_frame(state.bar), score.clock.bar_frame(state.bar + 1)
    visit = state.visit
    if visit is None:
        return Bar(state.bar, "", 0, first, first, (), tuple(stops), (), ended=True), state
    writer = _Writer(score, state, visit, stops)
    sheet = score.sheets[visit.section.name]
    for part, brings in sheet.brings.items():
        writer.bring(part, brings, sheet)
    for part, plays in sheet.plays.items():
        writer.play(part, plays, sheet)
    bar = Bar(
        bar=state.bar,
        section=visit.section.name,
        section_bar=state.bar - visit.first_bar,
        start_frame=first,
        end_frame=last,
        starts=tuple(sorted(writer.starts, key=lambda p: (p.start_frame, p.id))),
        stops=tuple(stops),
        rested=tuple(writer.rested),
        ended=False,
    )
    state.bar += 1
    return bar, state


def _enter_bar(score: Score, state: State, stops: list[Stop]) -> None:
    """Move to the section of this bar; cut what the section before it leaves sounding."""
    visit = state.visit
    if visit is None:
        if state.ended:
            return
        section: Section | None = score.piece.sections[0]
    else:
        left, section = next_section(score.piece, score.seed, visit, state.bar, state.dials)
        if not left:
            return
    frame = score.clock.bar_frame(state.bar)
    for sounding in state.parts.values():
        if natural_end(sounding.placement) > frame:
            stops.append(stop_at(sounding.placement, frame))
    state.parts.clear()
    state.redraws.clear()
    state.drawn.clear()
    if section is None:
        state.visit, state.ended = None, True
        return
    state.dials.update(state.section_dials)
    state.section_dials.clear()
    occurrence = state.occurrences.get(section.name, 0)
    state.occurrences[section.name] = occurrence + 1
    state.visit = enter(score.piece, score.seed, section, occurrence, state.bar)


@dataclass
class _Writer:
    """Writes one bar: works out per part what should sound when, and turns changes into starts and stops."""

    score: Score
    state: State
    visit: Visit
    stops: list[Stop]
    starts: list[Placement] = field(default_factory=list)
    rested: list[Rested] = field(default_factory=list)

    @property
    def section_bar(self) -> int:
        return self.state.bar - self.visit.first_bar

    def key(self, line: Line, place: int) -> DrawKey:
        return DrawKey(self.score.seed, self.visit.section.name, self.visit.occurrence, line.text, place)

    def active(self, line: Line, place: int) -> tuple[Fraction, Fraction] | None:
        """From which beat to which of this bar the line is at work; null when it is not."""
        window, beats = line.window, self.score.clock.beats_per_bar
        first = (window.at_bar - 1) * beats + window.at_beat - 1
        last = (
            first + window.for_bars * beats
            if window.for_bars is not None
            else Fraction(self.visit.bars * beats)
        )
        bar_first = self.section_bar * beats
        lo, hi = max(first, Fraction(bar_first)), min(last, Fraction(bar_first + beats))
        if lo >= hi:
            return None
        key = self.key(line, place)
        if not isinstance(line, Play):
            if window.chance is not None and key.uniform("chance") >= window.chance:
                return None
            if window.one_in is not None and key.uniform("one in") >= 1 / window.one_in:
                return None
        if not holds(window.when, self.state.dials, key, self.section_bar):
            return None
        return lo - bar_first, hi - bar_first

    def resting(self, part: str, sheet: Sheet) -> list[tuple[Fraction, Fraction]]:
        """The beats of this bar in which rest lines silence the part."""
        spans = (self.active(line, place) for line, place in sheet.rests.get(part, ()))
        return [span for span in spans if span is not None]

    def bring(self, part: str, lines: Sequence[tuple[Bring, int]], sheet: Sheet) -> None:
        """Bring lines of one part: the last that is at work sounds; a rest silences them all."""
        beats = self.score.clock.beats_per_bar
        spans = [
            (line, place, span) for line, place in lines if (span := self.active(line, place)) is not None
        ]
        rests = self.resting(part, sheet)
        cuts = sorted(
            {Fraction(0), Fraction(beats), *(b for *_, s in spans for b in s), *(b for s in rests for b in s)}
        )
        redraw = self._varies(part, sheet)
        for start, end in pairwise(cuts):
            silent = any(lo <= start and end <= hi for lo, hi in rests)
            wanted = [(line, place) for line, place, (lo, hi) in spans if lo <= start and end <= hi]
            self._segment(part, None if silent or not wanted else wanted[-1], start, redraw and start == 0)

    def _varies(self, part: str, sheet: Sheet) -> bool:
        """Whether a vary line redraws the part at this bar."""
        bar = self.section_bar
        return bar > 0 and any(
            bar % line.every_bars == 0 and self.active(line, place) is not None
            for line, place in sheet.varies.get(part, ())
        )

    def _segment(self, part: str, wanted: tuple[Bring, int] | None, start: Fraction, redraw: bool) -> None:
        frame = self.score.clock.frame(self.state.bar * self.score.clock.beats_per_bar + start)
        sounding = self.state.parts.get(part)
        if sounding is not None and natural_end(sounding.placement) <= frame:
            capped = sounding if sounding.placement.bars >= MAX_BARS else None
            del self.state.parts[part]
            sounding = None
            if (
                capped is not None
                and wanted is not None
                and capped.line == (wanted[0].text, wanted[1])
                and not redraw
            ):
                self._continue(part, capped, wanted[0], start, frame)
                return
        if wanted is None:
            if sounding is not None:
                self._stop(part, sounding, frame)
            return
        line, place = wanted
        same = sounding is not None and sounding.line == (line.text, place)
        if same and not redraw:
            return
        avoid = sounding.placement.stem if same and sounding is not None else None
        if redraw:
            self.state.redraws[line.text, place] = self.state.redraws.get((line.text, place), 0) + 1
        stem = self._draw(line, place, avoid)
        if stem is not None and avoid == stem.stem:
            return
        if sounding is not None:
            self._stop(part, sounding, frame)
        if stem is None:
            return
        in_phase = not redraw and not self._enters(line, start)
        placement = self._loop(line, place, stem, start, frame, in_phase)
        self.state.parts[part] = Sounding(placement, line, self.key(line, place), self.section_bar)

    def _enters(self, line: Bring, start: Fraction) -> bool:
        """Whether the line's own `at` is here, so that its loop begins at its bar 1."""
        beats = self.score.clock.beats_per_bar
        return self.section_bar * beats + start == (line.window.at_bar - 1) * beats + line.window.at_beat - 1

    def _stop(self, part: str, sounding: Sounding, frame: int) -> None:
        self.stops.append(stop_at(sounding.placement, frame))
        del self.state.parts[part]

    def _draw(self, line: Bring | Play, place: int, avoid: str | None = None) -> Stem | None:
        """The stem of a line at its present choice index; a line keeps it until it is varied."""
        index = self.state.redraws.get((line.text, place), 0)
        among = self.score.pools[line.pool]
        kept = self.state.drawn.get((line.text, place, index))
        if kept is not None:
            for stem in among.stems:
                if stem.stem == kept:
                    return stem
        pool = self.score.piece.pools[line.pool]
        excluded: set[str] = set()
        if pool.never_twice_bars is not None:
            excluded = {
                stem
                for (name, stem), bar in self.state.last_start.items()
                if name == pool.name and self.state.bar - bar < pool.never_twice_bars
            }
        chosen = choose(
            pool, among, self.key(line, place), index, excluded=excluded, heard=self.state.heard, avoid=avoid
        )
        if chosen is None:
            reason = among.reason or f"every stem has sounded within {pool.never_twice_bars} bars"
            self.rested.append(
                Rested(line.part, line.pool, line.span.line, f"pool {line.pool} is empty: {reason}")
            )
            return None
        self.state.drawn[line.text, place, index] = chosen.stem
        self.state.last_start[pool.name, chosen.stem] = self.state.bar
        return chosen

    def _loop(
        self, line: Bring, place: int, stem: Stem, start: Fraction, frame: int, in_phase: bool
    ) -> Placement:
        """Place a loop from `frame` to the end of its line, its section, or 64 bars."""
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        here = self.section_bar * beats + start
        window = line.window
        end_beat = Fraction(self.visit.bars * beats)
        if window.for_bars is not None:
            end_beat = min(end_beat, (window.at_bar - 1 + window.for_bars) * beats + window.at_beat - 1)
        end_beat = min(end_beat, here + MAX_BARS * beats)
        variant = variant_of(stem, clock)
        fit = fit_tempo(stem, clock.tempo_bpm)
        # By beats, not frames: a frame's rounding must not put the join just before the loop's end.
        offset = clock.frame(here % fit.beats) if in_phase and fit is not None else 0
        end_frame = clock.frame(self.visit.first_bar * beats + end_beat)
        fade_in = self._fade_in(line, stem, offset)
        placement = self._placement(
            line, place, stem, variant, start, frame, end_beat - here, offset, fade_in
        )
        fade_out = leaving(stem.role)
        if line.out_over is not None:
            fade_out = Fade(max(self._length(line.out_over), LINEAR_FADE_FRAMES))
        placement = replace(placement, fade_out=fade_out, end_frame=end_frame + overhang(fade_out))
        return self._start(placement, stem)

    def _continue(self, part: str, capped: Sounding, line: Bring, start: Fraction, frame: int) -> None:
        """Go on without a seam after the greatest length of a placement."""
        old = capped.placement
        stem = next((s for s in self.score.pools[line.pool].stems if s.stem == old.stem), None)
        if stem is None:
            return
        placement = self._loop(line, capped.key.place, stem, start, frame, in_phase=True)
        played = old.offset_frames + frame - old.start_frame
        loop_start = old.variant.loop_start or 0
        if played >= old.variant.frames:
            played = loop_start + (played - old.variant.frames) % (old.variant.frames - loop_start)
        placement = replace(placement, offset_frames=played, fade_in=Fade())
        self.starts[-1] = placement
        self.state.parts[part] = Sounding(placement, line, capped.key, self.section_bar)

    def play(self, part: str, lines: Sequence[tuple[Play, int]], sheet: Sheet) -> None:
        """Hits of the play lines of one part in this bar."""
        rests, redraw = self.resting(part, sheet), self._varies(part, sheet)
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        step_beats = clock.beats_per_step
        for line, place in lines:
            span = self.active(line, place)
            if span is None:
                continue
            if redraw:
                self.state.redraws[line.text, place] = self.state.redraws.get((line.text, place), 0) + 1
            stem = self._draw(line, place)
            if stem is None:
                continue
            key, window = self.key(line, place), line.window
            bar_beat = Fraction(self.section_bar * beats)
            first = -(-bar_beat // step_beats)
            for number in range(int(first), int(-(-(bar_beat + beats) // step_beats))):
                step = line.steps[number % len(line.steps)]
                beat = number * step_beats - bar_beat
                if (
                    step.chance == 0
                    or not span[0] <= beat < span[1]
                    or any(lo <= beat < hi for lo, hi in rests)
                ):
                    continue
                if key.uniform("step", number) >= step.chance:
                    continue
                if window.chance is not None and key.uniform("chance", number) >= window.chance:
                    continue
                if window.one_in is not None and key.uniform("one in", number) >= 1 / window.one_in:
                    continue
                self._hit(line, place, stem, beat, ACCENT_DB if step.accent else PLAIN_DB)

    def _hit(self, line: Play, place: int, stem: Stem, beat: Fraction, accent_db: float) -> None:
        clock = self.score.clock
        frame = clock.frame(self.state.bar * clock.beats_per_bar + beat)
        variant = Variant(stem.stem, stem.frames, None, 1.0)
        bars = clock.beats(stem.sounding_frames) / clock.beats_per_bar
        placement = self._placement(
            line, place, stem, variant, beat, frame, bars * clock.beats_per_bar, 0, Fade()
        )
        placement = replace(
            placement,
            gain_db=placement.gain_db + accent_db,
            end_frame=frame + stem.sounding_frames,
            fade_out=Fade(min(LINEAR_FADE_FRAMES, stem.sounding_frames // 4)),
            hit=True,
        )
        self._start(placement, stem)

    def _placement(
        self,
        line: Bring | Play,
        place: int,
        stem: Stem,
        variant: Variant,
        start: Fraction,
        frame: int,
        length: Fraction,
        offset: int,
        fade_in: Fade,
    ) -> Placement:
        clearance = stem.clearances[self.score.use]
        mix = mix_of(line, self.key(line, place), self.section_bar, self.state.dials)
        return Placement(
            id=self.state.next_id,
            stem=stem.stem,
            title=stem.title,
            holder=stem.holder,
            role=stem.role,
            part=line.part,
            section=self.visit.section.name,
            line=line.span.line,
            column=line.span.column,
            bar=self.state.bar,
            beat=start,
            bars=length / self.score.clock.beats_per_bar,
            start_frame=frame,
            end_frame=frame,
            variant=variant,
            offset_frames=offset,
            gain_db=mix.gain_db,
            level_db=level_db(stem),
            pan=mix.pan,
            fade_in=fade_in,
            fade_out=Fade(),
            consent=clearance.index,
            hit=False,
        )

    def _start(self, placement: Placement, stem: Stem) -> Placement:
        self.state.next_id += 1
        frames = placement.end_frame - placement.start_frame
        self.state.heard[stem.stem] = self.state.heard.get(stem.stem, 0) + frames
        self.starts.append(placement)
        return placement

    def _fade_in(self, line: Bring, stem: Stem, offset: int) -> Fade:
        """The fade of a loop that enters: none when it begins at its own first frame and that is quiet."""
        if line.over is not None:
            return Fade(max(self._length(line.over), LINEAR_FADE_FRAMES))
        return entering(stem.role, offset, self.score.starts_clean(stem.stem))

    def _length(self, length: Length) -> int:
        """A length of the script in frames."""
        clock = self.score.clock
        match length.unit:
            case "bars":
                return clock.frame(length.amount * clock.beats_per_bar)
            case "beats":
                return clock.frame(length.amount)
            case "s":
                return int(length.amount * clock.rate)
            case "ms":
                return int(length.amount * clock.rate / 1000)
