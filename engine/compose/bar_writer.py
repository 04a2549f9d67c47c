"""What the writers of a bar's loops and hits share: which lines are at work, and how a placement is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from ...script.piece import Bring, Line, LineWindow, Play
from ...vault.records import Stem
from ..plan import Fade, Placement, Stop, Variant
from .drawer import Drawer
from .form import Visit, holds
from .gains import mixed, numbers
from .levels import level_db
from .score import Score
from .sheet import Sheet
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

    @property
    def section_bar(self) -> int:
        return self.state.bar - self.visit.first_bar

    def work(self, window: LineWindow) -> tuple[Fraction, Fraction]:
        """From which beat to which of the section a line with this window is at work."""
        beats = self.score.clock.beats_per_bar
        first = (window.at_bar - 1) * beats + window.at_beat - 1
        if window.for_bars is None:
            return first, Fraction(self.visit.bars * beats)
        return first, first + window.for_bars * beats

    def active(self, line: Line, place: int) -> tuple[Fraction, Fraction] | None:
        """From which beat to which of this bar the line is at work; None when it is not."""
        window, beats, bar = line.window, self.score.clock.beats_per_bar, self.section_bar
        if bar < window.at_bar - 1:
            return None
        lo, hi = Fraction(0), Fraction(beats)
        if window.at_beat != 1 or window.for_bars is not None:
            first, last = self.work(window)
            lo, hi = max(first - bar * beats, lo), min(last - bar * beats, hi)
            if lo >= hi:
                return None
        key = self.lines.key(line, place)
        if not isinstance(line, Play):
            if window.chance is not None and key.uniform("chance") >= window.chance:
                return None
            if window.one_in is not None and key.uniform("one in") >= 1 / window.one_in:
                return None
        if not holds(window.when, self.state.dials, key, self.section_bar):
            return None
        return lo, hi

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
        spans = (self.active(line, place) for line, place in lines)
        return [span for span in spans if span is not None]

    def varies(self, part: str, sheet: Sheet) -> bool:
        """Whether a vary line redraws the part at this bar."""
        bar = self.section_bar
        return bar > 0 and any(
            bar % line.every_bars == 0 and self.active(line, place) is not None
            for line, place in sheet.varies.get(part, ())
        )

    def frame(self, start: Fraction) -> int:
        """The frame of a beat of this bar."""
        return self.score.clock.frame(self.state.bar * self.score.clock.beats_per_bar + start)

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
    ) -> Placement:
        """`start`, `length`: in beats, of this bar."""
        clearance = stem.clearances[self.score.use]
        key = self.lines.key(line, place)
        number = numbers(key, self.section_bar, self.state.dials)
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
        return mixed(placement, line, self.score, number, accent_db)

    def start(self, placement: Placement, stem: Stem, upto: int | None = None) -> Placement:
        """`upto`: the frame up to which it is sure to sound, as things stand."""
        self.state.next_id += 1
        self.state.placed.add(placement, self.score, upto)
        self.starts.append(placement)
        return placement
