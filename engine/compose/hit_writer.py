"""Writing the hits of a bar: patterns of `play` lines, fills and stings."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ...script.piece import Event, FireSting, LineWindow, Play
from ...vault.records import Stem
from ..fades import LINEAR_FADE_FRAMES
from ..plan import Fade, Variant
from .bar_writer import BarWriter
from .chance import DrawKey
from .form import holds
from .sheet import Sheet
from .tempo_and_key import resampled

ACCENT_DB = 0.0
PLAIN_DB = -4.0
"""A plain step against an accented one."""
AT_THE_LINE = Fraction(0)


class HitWriter(BarWriter):
    """Writes what is struck."""

    def fill(self, part: str, sheet: Sheet) -> None:
        """The play lines of a part that fills the whole bar before a move."""
        whole = AT_THE_LINE, Fraction(self.score.clock.beats_per_bar)
        for line, place in sheet.plays.get(part, ()):
            if holds(line.window.when, self.state.dials, self.lines.key(line, place), self.section_bar):
                stem = self.lines.draw(line, place)
                if stem is not None:
                    self._pattern(line, place, stem, whole, ())

    def play(self, part: str, lines: Sequence[tuple[Play, int]], sheet: Sheet) -> None:
        """Hits of the play lines of one part in this bar."""
        rests, redraw = self.resting(part, sheet), self.varies(part, sheet)
        redraw = redraw or part in self.state.swaps
        for line, place in lines:
            span = self.active(line, place)
            if span is None:
                continue
            if redraw:
                self.state.redraws[line.text, place] = self.state.redraws.get((line.text, place), 0) + 1
            stem = self.lines.draw(line, place)
            if stem is not None:
                self._pattern(line, place, stem, span, rests)

    def _pattern(
        self,
        line: Play,
        place: int,
        stem: Stem,
        span: tuple[Fraction, Fraction],
        rests: Sequence[tuple[Fraction, Fraction]],
    ) -> None:
        """The hits of one line between two beats of this bar."""
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        step_beats = clock.beats_per_step
        key, window = self.lines.key(line, place), line.window
        bar_beat = Fraction(self.section_bar * beats)
        first = -(-bar_beat // step_beats)
        late = Fraction(line.swing).limit_denominator(10_000) * 2 - 1
        for number in range(int(first), int(-(-(bar_beat + beats) // step_beats))):
            step = line.steps[number % len(line.steps)]
            if step.chance == 0:
                continue
            beat = number * step_beats - bar_beat
            if (
                not span[0] <= beat < span[1]
                or any(lo <= beat < hi for lo, hi in rests)
                or (step.chance < 1 and key.uniform("step", number) >= step.chance)
                or (window.chance is not None and key.uniform("chance", number) >= window.chance)
                or (window.one_in is not None and key.uniform("one in", number) >= 1 / window.one_in)
            ):
                continue
            if number % 2:
                beat += late * step_beats
            late_frames = 0
            if line.humanise_seconds:
                late_frames = int(line.humanise_seconds * key.uniform("humanise", number) * clock.rate)
            self._hit(line, place, stem, beat, ACCENT_DB if step.accent else PLAIN_DB, late_frames)

    def sting(self, event: Event, beat: Fraction = AT_THE_LINE) -> None:
        """A hit that an event fires, so many beats after this bar's line."""
        assert isinstance(event.action, FireSting)
        sting = self.score.piece.stings[event.action.sting]
        key = DrawKey(self.score.seed, self.visit.section.name, self.visit.occurrence, sting.text)
        number = int(self.state.bar * self.score.clock.beats_per_bar + beat)
        if sting.chance is not None and key.uniform("chance", number) >= sting.chance:
            return
        if sting.one_in is not None and key.uniform("one in", number) >= 1 / sting.one_in:
            return
        sound = sting.pool, sting.gain, sting.pan, sting.effects
        line = Play(sting.name, LineWindow(), sting.text, sting.span, *sound, reverse=False)
        self.state.redraws[sting.text, 0] = number
        stem = self.lines.draw(line, 0)
        if stem is not None:
            self._hit(line, 0, stem, beat, ACCENT_DB, 0)

    def _hit(self, line: Play, place: int, stem: Stem, beat: Fraction, accent_db: float, late: int) -> None:
        clock = self.score.clock
        frame = self.frame(beat) + late
        semitones = self.score.shift(line.pool, stem)
        # A hit is shifted as a tape is: what is higher is shorter.
        frames, sounding = (resampled(n, semitones) for n in (stem.frames, stem.sounding_frames))
        if line.reverse:
            sounding = frames
        variant = Variant(stem.stem, frames, None, 1.0, semitones, line.reverse)
        placement = self.placement(
            line,
            place,
            stem,
            variant,
            beat,
            clock.beats(sounding),
            frame,
            frame + sounding,
            fade_out=Fade(min(LINEAR_FADE_FRAMES, sounding // 4)),
            accent_db=accent_db,
        )
        self.start(placement, stem)
