"""Writing the loops of a bar: which of a part's lines sounds, and where it starts, goes on and stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from ...script.piece import Boundary, Bring, LineWindow, MoveTo
from ...vault.records import Stem
from ..effects import length_frames
from ..fades import LINEAR_FADE_FRAMES, entering, natural_end, offset_at, overhang, stop_at
from ..fades import leaving as leaving_fade
from ..plan import MAX_BARS, Fade, Placement, Rested
from .bar_writer import BarWriter
from .form import holds
from .sheet import Sheet
from .state import SoundingLoop
from .tempo_and_key import fit_tempo, variant_of


class LoopWriter(BarWriter):
    """Writes what goes on: works out what should sound, and turns changes into starts and stops."""

    def fill(self, part: str, sheet: Sheet) -> None:
        """The last bring line of a part that fills the whole bar before a move."""
        for line, place in sheet.brings.get(part, ())[-1:]:
            if not holds(line.window.when, self.state.dials, self.lines.key(line, place), self.section_bar):
                continue
            bar = replace(line, window=LineWindow(at_bar=self.section_bar + 1, for_bars=1))
            self._segment(part, (bar, place), Fraction(0), redraw=False)

    def bring(self, part: str, lines: Sequence[tuple[Bring, int]], sheet: Sheet) -> None:
        """Bring and hold lines of one part: a hold keeps what came from the section before; else the last
        bring that is at work sounds; a rest silences them all.
        """
        beats = self.score.clock.beats_per_bar
        spans = [
            (line, place, span) for line, place in lines if (span := self.active(line, place)) is not None
        ]
        rests = self.resting(part, sheet)
        holds = self._holds(part, sheet)
        if part in self.state.withdrawn:
            self._answer_withdrawal(part)
        if part in self.state.silenced:
            rests.append((Fraction(0), Fraction(beats)))
        cuts = sorted(
            {Fraction(0), Fraction(beats), *(b for *_, s in spans for b in s)}
            | {b for s in (*rests, *holds) for b in s}
        )
        redraw = self.varies(part, sheet)
        for start, end in pairwise(cuts):
            silent = any(lo <= start and end <= hi for lo, hi in rests)
            wanted = [(line, place) for line, place, (lo, hi) in spans if lo <= start and end <= hi]
            held = any(lo <= start and end <= hi for lo, hi in holds)
            if held and part in self.state.held and not silent:
                self._go_on_held(part, start)
                continue
            if not held and part in self.state.held:
                sounding = self.state.parts.get(part)
                if sounding is not None and sounding.held:
                    self._stop(part, sounding, self.frame(start))
                del self.state.held[part]
            self._segment(part, None if silent or not wanted else wanted[-1], start, redraw and start == 0)

    def _answer_withdrawal(self, part: str) -> None:
        """What the piece says to do when a sounding stem is withdrawn."""
        answers = self.score.piece.if_withdrawn
        if answers[0] == "swap" and self._can_swap(part):
            return
        answer = answers[-1] if answers[-1] != "swap" else "rest"
        self.state.silenced.add(part)
        if answer == "stop":
            self.state.move_to = MoveTo(None, Boundary("bars"))

    def _can_swap(self, part: str) -> bool:
        sheet = self.score.sheets[self.visit.section.name]
        return any(
            len(self.score.pools[line.pool])
            for line, place in sheet.brings.get(part, ())
            if self.active(line, place) is not None
        )

    def _holds(self, part: str, sheet: Sheet) -> list[tuple[Fraction, Fraction]]:
        spans = self.spans(sheet.holds.get(part, ()))
        if spans and part not in self.state.held:
            line = sheet.holds[part][0][0]
            if self.section_bar == line.window.at_bar - 1:
                reason = "nothing of it came from the section before"
                reason = reason if self.section_bar == 0 else "it did not sound until here"
                self.lines.rested.append(Rested(part, "", line.span.line, reason))
            return []
        return spans

    def _go_on_held(self, part: str, start: Fraction) -> None:
        """Let what the section before brought go on without a seam, to the section's end or 64 bars."""
        sounding = self.state.parts.get(part)
        frame = self.frame(start)
        if sounding is not None and natural_end(sounding.placement) > frame:
            return
        old = sounding or self.state.held[part]
        end = self.visit.bars * self.score.clock.beats_per_bar - self._here(start)
        fade = leaving_fade(old.placement.role)
        placement = self._extended(old.placement, start, frame, min(end, Fraction(self._most_beats)), fade)
        if placement is None:
            self.state.parts.pop(part, None)
            return
        held = SoundingLoop(placement, old.bring, old.key, old.section_bar, held=True)
        self.state.parts[part] = self.state.held[part] = held

    def overlap(self, frames: int) -> None:
        """Let the loops of the section before ring into this one, but those that it holds."""
        holds = self.score.sheets[self.visit.section.name].holds
        for part, old in list(self.state.held.items()):
            if part in holds:
                continue
            del self.state.held[part]
            beats = self.score.clock.beats(frames)
            self._extended(old.placement, Fraction(0), self.frame(Fraction(0)), beats, Fade(frames))

    def _extended(
        self, old: Placement, start: Fraction, frame: int, beats: Fraction, fade_out: Fade
    ) -> Placement | None:
        """A placement that goes on at `frame` where `old` leaves off; None if its stem is not cleared."""
        stem = self.score.stems.get(old.stem)
        if stem is None:
            return None
        end = self.score.clock.frame(self.state.bar * self.score.clock.beats_per_bar + start + beats)
        placement = replace(
            old,
            id=self.state.next_id,
            section=self.visit.section.name,
            bar=self.state.bar,
            beat=start,
            bars=beats / self.score.clock.beats_per_bar,
            start_frame=frame,
            end_frame=end + overhang(fade_out),
            offset_frames=offset_at(old, frame),
            fade_in=Fade(),
            fade_out=fade_out,
        )
        return self.start(placement, stem)

    @property
    def _most_beats(self) -> int:
        return MAX_BARS * self.score.clock.beats_per_bar

    def _here(self, start: Fraction) -> Fraction:
        """Beats since the section's start."""
        return self.section_bar * self.score.clock.beats_per_bar + start

    def _segment(self, part: str, wanted: tuple[Bring, int] | None, start: Fraction, redraw: bool) -> None:
        frame = self.score.clock.frame(self.state.bar * self.score.clock.beats_per_bar + start)
        sounding = self.state.parts.get(part)
        if sounding is not None and not redraw:
            self._count_on(sounding)
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
        swap = part in self.state.swaps and start == 0
        if part in self.state.kept and same:
            return
        redraw = redraw or swap
        if same and not redraw:
            return
        avoid = sounding.placement.stem if same and sounding is not None else None
        if redraw:
            self.state.redraws[line.text, place] = self.state.redraws.get((line.text, place), 0) + 1
        stem = self.lines.draw(line, place, avoid)
        if stem is not None and avoid == stem.stem:
            assert sounding is not None
            self._count_on(sounding)
            return
        if sounding is not None:
            self._stop(part, sounding, frame)
        if stem is None:
            return
        in_phase = swap or (not redraw and not self._enters(line, start) and not self._dropped(part, start))
        placement = self._loop(line, place, stem, start, frame, in_phase)
        self.state.parts[part] = SoundingLoop(placement, line, self.lines.key(line, place), self.section_bar)
        self.state.last_part = part

    def _count_on(self, sounding: SoundingLoop) -> None:
        """Count the time of a loop that goes on through this bar."""
        self.state.placed.go_on(sounding.placement, self._until(sounding.bring), self.score)

    def _until(self, line: Bring) -> int:
        """The frame at which a loop of the line may be varied next, or its section ends."""
        varies = self.score.sheets[self.visit.section.name].varies.get(line.part, ())
        left = [vary.every_bars - self.section_bar % vary.every_bars for vary, _ in varies]
        return self.score.clock.bar_frame(self.state.bar + min([self.visit.bars - self.section_bar, *left]))

    def _dropped(self, part: str, start: Fraction) -> bool:
        """Whether a drop of the part has just ended: it comes in anew."""
        drops = self.score.sheets[self.visit.section.name].drops.get(part, ())
        windows = [line.window for line, _ in drops if line.window.for_bars is not None]
        return any(self._here(start) == self.work(window)[1] for window in windows)

    def _enters(self, line: Bring, start: Fraction) -> bool:
        """Whether the line's own `at` is here, so that its loop begins at its bar 1."""
        return self._here(start) == self.work(line.window)[0]

    def _stop(self, part: str, sounding: SoundingLoop, frame: int) -> None:
        self.stops.append(stop_at(sounding.placement, frame))
        self.state.placed.cut(sounding.placement, self.stops[-1].end_frame, self.score)
        del self.state.parts[part]

    def _loop(
        self, line: Bring, place: int, stem: Stem, start: Fraction, frame: int, in_phase: bool
    ) -> Placement:
        """Place a loop from `frame` to the end of its line, its section, or 64 bars."""
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        here = self._here(start)
        end_beat = min(self.work(line.window)[1], Fraction(self.visit.bars * beats), here + MAX_BARS * beats)
        variant = variant_of(
            stem, clock, line.time, semitones=self.score.shift(line.pool, stem), reverse=line.reverse
        )
        fit = fit_tempo(stem, clock.tempo_bpm)
        # By beats, not frames: a frame's rounding must not put the join just before the loop's end.
        offset = clock.frame(here % (fit.beats / line.time)) if in_phase and fit is not None else 0
        end_frame = clock.frame(self.visit.first_bar * beats + end_beat)
        fade_out = leaving_fade(stem.role)
        if line.out_over is not None:
            fade_out = Fade(max(length_frames(line.out_over, self.score.clock), LINEAR_FADE_FRAMES))
        placement = self.placement(
            line,
            place,
            stem,
            variant,
            start,
            end_beat - here,
            frame,
            end_frame + overhang(fade_out),
            offset=offset,
            fade_in=self._fade_in(line, stem, offset),
            fade_out=fade_out,
        )
        return self.start(placement, stem, self._until(line))

    def _continue(self, part: str, capped: SoundingLoop, line: Bring, start: Fraction, frame: int) -> None:
        """Go on without a seam after the greatest length of a placement."""
        old = capped.placement
        among = self.score.pools[line.pool]
        here = among.find(old.stem)
        if here is None:
            return
        stem = among.stem(here)
        placement = self._loop(line, capped.key.place, stem, start, frame, in_phase=True)
        placement = replace(placement, offset_frames=offset_at(old, frame), fade_in=Fade())
        self.starts[-1] = placement
        self.state.parts[part] = SoundingLoop(placement, line, capped.key, self.section_bar)

    def _fade_in(self, line: Bring, stem: Stem, offset: int) -> Fade:
        """The fade of a loop that enters: none when it begins at its own first frame and that is quiet."""
        if line.over is not None:
            return Fade(max(length_frames(line.over, self.score.clock), LINEAR_FADE_FRAMES))
        return entering(stem.role, offset, self.score.starts_clean(stem.stem))
