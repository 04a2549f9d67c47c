"""Writing the hits of a bar: patterns of `play` lines, hits that end somewhere, fills and stings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ...script.effects import duck
from ...script.piece import Event, FireSting, LineWindow, NoteValue, Play, Pulse, Step
from ...script.words import MOST_WANDER_SECONDS
from ...vault.records import Stem
from ..effects import length_frames
from ..fades import CUT_FADE_FRAMES, LINEAR_FADE_FRAMES
from ..plan import Fade, Onset, Placement
from .bar_writer import BarWriter
from .chance import DrawKey
from .form import holds
from .notes import PlayedNotes, shift_to
from .sheet import Sheet
from .slices import Slice, Struck, struck
from .spells import round_of
from .tempo_and_key import resampled
from .voices import cut_short, voice_of

ACCENT_DB = 0.0
PLAIN_DB = -4.0
GHOST_DB = -12.0
"""A plain step and a ghost, against an accented one."""
AT_THE_LINE = Fraction(0)
PEAK_FRAMES = 2400
"""The length of what is loudest, 50 ms."""
STING = -1
"""The place of a sting among the lines that play a part of its name."""

Rests = Sequence[tuple[Fraction, Fraction]]


@dataclass
class HitWriter(BarWriter):
    """Writes what is struck. `onsets`: of the triggers, which nobody hears."""

    onsets: list[Onset] = field(default_factory=list)

    _coming: dict[str, list[Placement]] = field(default_factory=dict)
    """The hits of this bar in each voice in which they end each other."""
    _sounds: dict[tuple[str, str, bool, Slice | None, int | None], Struck] = field(default_factory=dict)

    def fill(self, part: str, sheet: Sheet) -> None:
        """The play lines of a part that fills the whole bar before a move."""
        whole = AT_THE_LINE, self.score.clock.beats_per_bar
        for line, place in sheet.plays.get(part, ()):
            if holds(line.window.when, self.state.dials, self.lines.key(line, place), self.section_bar):
                self._line(line, place, [whole], (), self._drawn(line, place))

    def play(self, part: str, lines: Sequence[tuple[Play, int]], sheet: Sheet) -> None:
        """Hits of the play lines of one part in this bar."""
        rests, swap = self.resting(part, sheet), part in self.state.swaps
        before = [self.lines.last(line, place) for line, place in lines]
        redraw = self.redraws(part, lines, sheet)
        for (line, place), avoid in zip(lines, before, strict=True):
            spans = self.active(line, place)
            if spans:
                avoid = avoid if redraw or swap else ()
                self._line(line, place, spans, rests, self._drawn(line, place, avoid, swap=swap))

    def end_each_other(self) -> None:
        """End the hits of each voice where the next begins, once all of this bar are written."""
        upto = self.frame(Fraction(self.score.clock.beats_per_bar))
        upto -= int(MOST_WANDER_SECONDS * self.score.clock.rate)
        for voice in {**self.state.voices, **self._coming}:
            before = self.state.voices.pop(voice, ())
            cut = cut_short(before, self._coming.get(voice, ()), upto, self._bars)
            for hit, stop in cut.stopped:
                self.stops.append(stop)
                self.state.placed.cut(hit, stop.end_frame, self.score)
            for hit in cut.placed:
                self.state.placed.add(hit, self.score)
                self.starts.append(hit)
            if cut.ringing:
                self.state.voices[voice] = cut.ringing

    def _bars(self, frames: int) -> Fraction:
        return self.score.clock.beats(frames) / self.score.clock.beats_per_bar

    def _drawn(
        self, line: Play, place: int, avoid: Collection[str] = (), *, swap: bool = False
    ) -> Stem | None:
        """The stem of all hits of a line; None where each draws its own."""
        return None if line.each_hit_new else self.lines.draw(line, place, avoid, swap=swap)

    def _line(self, line: Play, place: int, spans: Rests, rests: Rests, stem: Stem | None) -> None:
        """The hits of a line within some spans of this bar."""
        if line.ending is not None and stem is not None:
            self._ending(line, place, stem, rests)
        elif line.steps and (stem is not None or line.each_hit_new):
            for span in spans:
                self._pattern(line, place, stem, span, rests)

    def pulse(self, part: str, lines: Sequence[tuple[Pulse, int]], sheet: Sheet) -> None:
        """The triggers of one part in this bar."""
        rests = self.resting(part, sheet)
        for line, place in lines:
            for span in self.active(line, place):
                self._pattern(line, place, None, span, rests)

    def _pattern(
        self,
        line: Play | Pulse,
        place: int,
        stem: Stem | None,
        span: tuple[Fraction, Fraction],
        rests: Rests,
    ) -> None:
        """The hits of one line between two beats of this bar. Without `stem` each has its own."""
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        step_beats = beats / line.steps_in_bar if line.steps_in_bar else clock.beats_per_step
        key = self.lines.key(line, place)
        bar_beat = self.round_bar(line) * beats
        first = -(-bar_beat // step_beats)
        swung = (Fraction(line.swing).limit_denominator(10_000) * 2 - 1) * step_beats
        # Fractions are slow to compare, and nearly all lines are at work through the whole bar.
        whole = span[0] <= 0 and span[1] >= beats
        notes = None
        if isinstance(line, Play) and line.notes is not None:
            since = self.section_bar * beats - bar_beat
            notes = PlayedNotes(self.score, self.visit, line, line.notes, step_beats, since)
        for number in range(int(first), int(-(-(bar_beat + beats) // step_beats))):
            step = line.steps[number % len(line.steps)]
            if step.chance == 0:
                continue
            beat = number * step_beats - bar_beat
            if (
                not (whole or span[0] <= beat < span[1])
                or any(lo <= beat < hi for lo, hi in rests)
                or not _falls(line, step, key, number)
            ):
                continue
            if (number - first) % 2:
                beat += swung
            if isinstance(line, Pulse):
                frame, below = self._struck(line, key, beat, number), min(_level(step) - PLAIN_DB, 0.0)
                self.onsets.append(Onset(line.part, frame, frame, duck.weight(below)))
                continue
            mine = stem if stem is not None else self.lines.draw_for_hit(line, place, number)
            if mine is None:
                return
            # Only now: what is drawn for a hit does not depend on its note.
            note = None if notes is None else notes.note(number)
            if notes is not None and note is None:
                continue
            frame = self._struck(line, key, beat, number)
            semitones = None if note is None else shift_to(note, mine)
            self._hit(line, place, mine, beat, frame, _level(step), number, semitones=semitones)

    def _struck(self, line: Play | Pulse, key: DrawKey, beat: Fraction, number: int) -> int:
        """The frame of a hit on a beat of this bar: around it, but not before the section."""
        rate, frame = self.score.clock.rate, self.frame(beat)
        if line.late_seconds:
            frame += int(line.late_seconds * key.uniform("late", number) * rate)
        if line.humanise_seconds:
            frame += round(line.humanise_seconds * (2 * key.uniform("humanise", number) - 1) * rate)
        return frame if self.section_bar else max(frame, self.frame(AT_THE_LINE))

    def _ending(self, line: Play, place: int, stem: Stem, rests: Rests) -> None:
        """The one hit of a line that is to end somewhere, if it begins in this bar.

        Where it would begin before its section, it begins with it, inside its sound.
        """
        assert line.ending is not None
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        begin, over = round_of(self.visit, line, self.section_bar)
        passed = self.section_bar - begin
        end = (line.ending.bar - 1) * beats + (line.ending.beat - 1) * clock.meter_beat
        filling = line.part in self.score.fills.get(self.visit.section.name, ())
        if filling:
            end = Fraction((passed + 1) * beats)
        if end > (over - begin) * beats:
            return
        line_frame, key = self.frame(AT_THE_LINE), self.lines.key(line, place)
        start = self.frame(end - passed * beats) - self._to_its_end(line, place, stem)
        offset = 0
        if start < line_frame and (passed == 0 or filling):
            start, offset = line_frame, line_frame - start
        if not line_frame <= start < self.frame(Fraction(beats)):
            return
        beat = self.grid.beat(start) - self.line
        if any(lo <= beat < hi for lo, hi in rests) or not _falls(line, _SURE, key, 0):
            return
        self._hit(line, place, stem, beat, start, ACCENT_DB, 0, offset=offset)

    def sting(self, event: Event, beat: Fraction = AT_THE_LINE) -> None:
        """A hit that an event fires, so many beats after this bar's line."""
        assert isinstance(event.action, FireSting)
        sting = self.score.piece.stings[event.action.sting]
        sound = sting.pool, sting.gain, sting.pan, sting.effects
        line = Play(sting.name, LineWindow(), sting.text, sting.span, *sound, reverse=False)
        key = self.lines.key(line, STING)
        number = int(self.line + beat)
        struck = f"sting {sting.name}"
        if self.state.redraws.get(struck) == number:
            # It has been struck there already, however often it is fired.
            return
        if sting.chance is not None and key.uniform("chance", number) >= sting.chance:
            return
        if sting.one_in is not None and key.uniform("one in", number) >= 1 / sting.one_in:
            return
        self.state.redraws[struck] = number
        stem = self.lines.draw_once(line, STING, number)
        if stem is not None:
            self._hit(line, STING, stem, beat, self.frame(beat), ACCENT_DB, None)

    def _hit(
        self,
        line: Play,
        place: int,
        stem: Stem,
        beat: Fraction,
        frame: int,
        level_db: float,
        number: int | None,
        *,
        offset: int = 0,
        semitones: int | None = None,
    ) -> None:
        """`number`: by which it draws its numbers; None for those of its bar. `semitones`: of its note."""
        turn = int(self.line + beat) if number is None else number
        sound = self._sound(line, place, stem, turn, semitones)
        sounding = sound.frames - offset
        if line.length is not None:
            sounding = min(sounding, self._most_frames(line, beat))
        fade = CUT_FADE_FRAMES if line.ending is not None else sound.fade_out_frames
        if line.loose_db and number is not None:
            drawn = self.lines.key(line, place).uniform("loose", number)
            level_db += (2 * drawn - 1) * line.loose_db
        placement = self.placement(
            line,
            place,
            stem,
            sound.variant,
            beat,
            self.score.clock.beats(sounding),
            frame,
            frame + sounding,
            offset=sound.begins + offset,
            fade_in=Fade(LINEAR_FADE_FRAMES if offset else sound.fade_in_frames),
            fade_out=Fade(min(fade, sounding // 4)),
            accent_db=level_db,
            hit_number=number,
        )
        voice = None if place == STING else voice_of(line, place, stem.role, self.score.choked)
        if voice is None:
            self.start(placement, stem)
        else:
            self.state.next_id += 1
            self._coming.setdefault(voice, []).append(placement)

    def _sound(self, line: Play, place: int, stem: Stem, turn: int, semitones: int | None = None) -> Struck:
        """What a hit of the line sounds like, at a note or in the key.

        `turn`: its number, by which it may draw a slice of its own.
        """
        cut = None
        if self.score.piece.pools[line.pool].slices:
            slices, own = self.score.slices(stem.stem), line.each_hit_new or place == STING
            cut = slices[self.lines.which_slice(line, place, len(slices), turn if own else None)]
        asked = stem.stem, line.pool, line.reverse, cut, semitones
        if asked not in self._sounds:
            by = self.score.shift(line.pool, stem) if semitones is None else semitones
            self._sounds[asked] = struck(stem, by, line.reverse, cut)
        return self._sounds[asked]

    def _to_its_end(self, line: Play, place: int, stem: Stem) -> int:
        """How many frames after its start a hit of the line ends; one that grows, such as a riser, peaks."""
        sound = self._sound(line, place, stem, 0)
        if stem.peak_frame is None or self.score.piece.pools[line.pool].slices:
            return sound.frames
        peak = stem.peak_frame
        if line.reverse:
            # Backwards, the loudest 50 ms end where they began.
            peak = min(stem.frames - peak + PEAK_FRAMES, stem.frames)
        peak = resampled(peak, sound.variant.semitones)
        return peak if 2 * peak > sound.frames else sound.frames

    def _most_frames(self, line: Play, beat: Fraction) -> int:
        """The length that a line gives a hit on a beat of this bar, in frames."""
        assert line.length is not None
        clock = self.score.clock
        if isinstance(line.length, NoteValue):
            beats = line.length.whole * 16 * clock.beats_per_step
        elif line.length.unit == "beats":
            beats = line.length.amount * clock.meter_beat
        elif line.length.unit == "bars":
            beats = line.length.amount * clock.beats_per_bar
        else:
            return max(length_frames(line.length, clock), 1)
        return max(self.frame(beat + beats) - self.frame(beat), 1)


_SURE = Step(1.0, accent=True)


def _falls(line: Play | Pulse, step: Step, key: DrawKey, number: int) -> bool:
    """Whether the hit of a step is struck, as far as chance has a say."""
    window = line.window
    return not (
        step.chance == 0
        or (step.chance < 1 and key.uniform("step", number) >= step.chance)
        or (window.chance is not None and key.uniform("chance", number) >= window.chance)
        or (window.one_in is not None and key.uniform("one in", number) >= 1 / window.one_in)
    )


def _level(step: Step) -> float:
    """The level of a step, in dB."""
    return ACCENT_DB if step.accent else GHOST_DB if step.ghost else PLAIN_DB
