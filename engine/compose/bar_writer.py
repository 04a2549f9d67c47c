"""What the writers of a bar's loops and hits share: which lines are at work, and how a placement is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from ...script.piece import Bring, Length, Line, Play, Pulse
from ...vault.records import Stem
from ..clock import Grid
from ..effects import length_frames
from ..fades import POWER_FADE_FRAMES, entering, leaving as leaving_fade
from ..plan import Fade, Placement, Stop, Variant
from .drawer import Drawer
from .form import Visit, holds
from .gains import mixed, numbers
from .held import Stay
from .levels import level_db
from .score import Score
from .sheet import Sheet
from .spells import round_of, spell_at, spells
from .state import State

NO_FADE = Fade()


@dataclass
class BarWriter:
    """One bar as it is written; all writers of a bar share its state, `starts` and `stops`."""

    score: Score
    state: State
    visit: Visit
    lines: Drawer
    starts: list[Placement]
    stops: list[Stop]

    @cached_property
    def grid(self) -> Grid:
        return self.state.grid(self.score.clock)

    @cached_property
    def line(self) -> Fraction:
        """The beat at which this bar begins."""
        return self.grid.bar_beat(self.state.bar)

    @property
    def section_bar(self) -> int:
        return self.state.bar - self.visit.first_bar

    def span(self, line: Line) -> Stay:
        """Where a line stands, as it counts the bars: from the beginning of its round."""
        first, bars = round_of(self.visit, line, self.section_bar)[0], self.visit.bars
        return Stay(self.visit.first_bar + first, bars - first, self.score.clock, self.grid)

    def round_bar(self, line: Line) -> int:
        """The bar of the section as the line counts it: from the beginning of its round."""
        return self.section_bar - round_of(self.visit, line, self.section_bar)[0]

    def work(self, line: Line, start: Fraction) -> tuple[Fraction, Fraction]:
        """From which beat to which of the section a line is at work that is so at a beat of this bar."""
        return spell_at(self.visit, line, self.section_bar, start, self.score.clock)

    def active(self, line: Line, place: int) -> list[tuple[Fraction, Fraction]]:
        """From which beats to which of this bar the line is at work."""
        window, beats, bar = line.window, self.score.clock.beats_per_bar, self.section_bar
        found = [(Fraction(0), beats)]
        if window.at_beat != 1 or window.ends:
            begun = spells(self.visit, line, bar, self.score.clock)
            spans = ((max(lo - bar * beats, Fraction(0)), min(hi - bar * beats, beats)) for lo, hi in begun)
            found = [(lo, hi) for lo, hi in spans if lo < hi]
        elif self.round_bar(line) < window.at_bar - 1:
            found = []
        if not found:
            return []
        key = self.lines.key(line, place)
        if not isinstance(line, Play | Pulse):
            if window.chance is not None and key.uniform("chance") >= window.chance:
                return []
            if window.one_in is not None and key.uniform("one in") >= 1 / window.one_in:
                return []
        return found if holds(window.when, self.state.dials, key, self.section_bar) else []

    def resting(self, part: str, sheet: Sheet) -> list[tuple[Fraction, Fraction]]:
        """The beats of this bar in which rest, drop and solo lines silence the part."""
        found = [*self.spans(sheet.rests.get(part, ())), *self.spans(sheet.drops.get(part, ()))]
        mine = self.spans(sheet.solos.get(part, ()))
        for other, lines in sheet.solos.items():
            if other != part:
                for lo, hi in self.spans(lines):
                    cuts = sorted({lo, hi, *(b for s in mine for b in s if lo < b < hi)})
                    found += [
                        (start, end)
                        for start, end in pairwise(cuts)
                        if not any(first <= start and end <= last for first, last in mine)
                    ]
        return found

    def spans(self, lines: Sequence[tuple[Line, int]]) -> list[tuple[Fraction, Fraction]]:
        return [span for line, place in lines for span in self.active(line, place)]

    def varies(self, part: str, sheet: Sheet) -> bool:
        """Whether a vary line redraws the part at this bar."""
        for line, place in sheet.varies.get(part, ()):
            bar = self.round_bar(line)
            if bar > 0 and bar % line.every_bars == 0 and self.active(line, place):
                return True
        return False

    def redraws(self, part: str, lines: Sequence[tuple[Line, int]], sheet: Sheet) -> bool:
        """Whether the lines of the part draw anew at this bar: they go on to their next choice.

        Where a round begins again they go back to their first.
        """
        if not lines:
            return False
        if self.varies(part, sheet):
            self.lines.vary(lines[0][0])
            return True
        vary = sheet.varies.get(part, ())
        again = self.section_bar > 0 and any(self.round_bar(line) == 0 for line, _ in vary)
        return again and self.lines.begin_again(lines[0][0])

    def frame(self, start: Fraction) -> int:
        """The frame of a beat of this bar."""
        return self.grid.frame(self.line + start)

    def lasting(self, length: Length, start: Fraction, *, before: bool = False) -> int:
        """The frames that a length of the script lasts from a beat of this bar on, or up to it."""
        at = self.line + start
        clock = self.grid.clock(self.state.bar, at)
        if length.unit in ("bars", "beats"):
            unit = clock.beats_per_bar if length.unit == "bars" else clock.meter_beat
            beats = length.amount * unit
            first, last = (at - beats, at) if before else (at, at + beats)
            if any(ramp.beat < last and ramp.end > first for ramp in self.grid.ramps):
                return self.grid.frame(last) - self.grid.frame(max(first, Fraction(0)))
        return length_frames(length, clock)

    def placement(
        self,
        line: Bring | Play,
        place: int,
        stem: Stem,
        variant: Variant,
        start: Fraction,
        length: Fraction,
        frame: int,
        end_frame: int,
        *,
        offset: int = 0,
        fade_in: Fade = NO_FADE,
        fade_out: Fade = NO_FADE,
        accent_db: float = 0.0,
        hit_number: int | None = None,
    ) -> Placement:
        """`start`, `length`: in beats, of this bar. `hit_number`: by which a hit draws its numbers."""
        clearance = stem.clearances[self.score.use]
        key = self.lines.key(line, place)
        index = self.section_bar if hit_number is None else hit_number
        number = numbers(key, index, self.state.dials)
        placement = Placement(
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
            end_frame=end_frame,
            variant=variant,
            offset_frames=offset,
            gain_db=0.0,
            level_db=level_db(stem),
            pan=0.0,
            fade_in=fade_in,
            fade_out=fade_out,
            consent=clearance.index,
            hit=isinstance(line, Play),
        )
        return mixed(placement, line, number, accent_db, span=self.span(line))

    def start(self, placement: Placement, stem: Stem, upto: int | None = None) -> Placement:
        """`upto`: the frame up to which it is sure to sound, as things stand."""
        self.state.next_id += 1
        self.state.placed.add(placement, self.score, upto)
        self.starts.append(placement)
        return placement

    def _fade_in(self, line: Bring, stem: Stem, start: Fraction, offset: int) -> Fade:
        """The fade of a loop that enters: none when it begins at its own first frame and that is quiet."""
        if line.over is not None:
            return self._by(self.lasting(line.over, start))
        return entering(stem.role, offset, self.score.starts_clean(stem.stem))

    def _fade_out(self, line: Bring, role: str, end: Fraction) -> Fade:
        """The fade of a loop at the end of its line, at a beat counted from this bar's line."""
        if line.out_over is None:
            return leaving_fade(role)
        return self._by(self.lasting(line.out_over, end, before=True))

    def _by(self, frames: int) -> Fade:
        """A fade as long as a line says: a sine, so that two sounds which cross keep their level."""
        return Fade(max(frames, POWER_FADE_FRAMES), equal_power=True)
