"""Writing the loops of a bar: which of a part's lines sounds, and where it starts, goes on and stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ...script.piece import Boundary, Bring, LineWindow, MoveTo
from ...vault.records import Stem
from ..fades import (
    LINEAR_FADE_FRAMES,
    entering,
    leaving as leaving_fade,
    natural_end,
    offset_at,
    overhang,
    played_out,
    stop_at,
)
from ..plan import MAX_BARS, Fade, Placement, Rested, Stop
from .allowed import may_play
from .bar_writer import BarWriter
from .form import holds
from .gains import mixed_loop
from .held import Held
from .phase import Form, Read, form, in_rounds, phase_of
from .seams import MOST_DRIFT_FRAMES, crossed, drift, faded_out, going_on, rest_of, seam
from .sheet import Sheet
from .spells import round_of, spells
from .state import SoundingLoop

AT_THE_LINE = Fraction(0)

SONG_OVER = "the song is over"
CANNOT_FOLLOW = "what it held cannot follow to the tempo or the key of this section"


@dataclass
class LoopWriter(BarWriter):
    """Writes what goes on: works out what should sound, and turns changes into starts and stops.

    `left`: the loops that the section before leaves sounding, where this bar is the first of another.
    """

    left: Mapping[str, SoundingLoop] = field(default_factory=dict)
    retuned: bool = False
    """Whether this bar begins a section of another tempo, metre or key."""
    _gone: set[int] = field(default_factory=set)
    """What has been stopped at a seam of this bar, by id."""
    _same: set[int] = field(default_factory=set)
    """What the same recording is to follow."""

    def fill(self, part: str, sheet: Sheet) -> None:
        """The last bring line of a part that fills the whole bar before a move."""
        for line, place in sheet.brings.get(part, ())[-1:]:
            if not holds(line.window.when, self.state.dials, self.lines.key(line, place), self.section_bar):
                continue
            bar = replace(line, window=LineWindow(at_bar=self.round_bar(line) + 1, for_bars=1))
            self._segment(part, (bar, place), Fraction(0), redraw=False)

    def bring(self, part: str, lines: Sequence[tuple[Bring, int]], sheet: Sheet) -> None:
        """Bring and hold lines of one part: a hold keeps what came from the section before; else the last
        bring that is at work sounds; a rest silences them all.
        """
        beats = self.score.clock.beats_per_bar
        spans = [(line, place, span) for line, place in lines for span in self.active(line, place)]
        rests = self.resting(part, sheet)
        holds = self._holds(part, sheet)
        if part in self.state.withdrawn:
            self._answer_withdrawal(part)
        if part in self.state.silenced:
            rests.append((Fraction(0), beats))
        cuts = {Fraction(0), beats, *(b for *_, s in spans for b in s)}
        cuts |= {b for s in (*rests, *holds) for b in s}
        redraw = self.redraws(part, lines, sheet)
        start = Fraction(0)
        while start < beats:
            end = min(cut for cut in cuts if cut > start)
            silent = any(lo <= start and end <= hi for lo, hi in rests)
            wanted = [(line, place) for line, place, (lo, hi) in spans if lo <= start and end <= hi]
            held = any(lo <= start and end <= hi for lo, hi in holds)
            if held and part in self.state.held and not silent:
                self._go_on_held(part, start)
            else:
                if not held and part in self.state.held:
                    self._let_go(part, start)
                bring = None if silent or not wanted else wanted[-1]
                self._segment(part, bring, start, redraw and start == 0)
            # A loop that follows a ramp ends where it can go on in steady time, and the other way round.
            cuts.update(self._ends(part))
            start = min(cut for cut in cuts if cut > start)

    def _let_go(self, part: str, start: Fraction) -> None:
        """End what a hold line has kept until here."""
        sounding = self.state.parts.get(part)
        if sounding is not None and sounding.held:
            self._stop(part, sounding, self.frame(start))
        del self.state.held[part]

    def _ends(self, part: str) -> list[Fraction]:
        """The beat of this bar at which what the part sounds has its planned end, if that is within it."""
        sounding = self.state.parts.get(part)
        if sounding is None:
            return []
        placement, beats = sounding.placement, self.score.clock.beats_per_bar
        end = self.grid.bar_beat(placement.bar) + placement.beat + placement.bars * beats
        within = end - self.line
        return [within] if 0 < within < beats else []

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
            if self.active(line, place)
        )

    def _holds(self, part: str, sheet: Sheet) -> list[tuple[Fraction, Fraction]]:
        spans = self.spans(sheet.holds.get(part, ()))
        if spans and part not in self.state.held:
            line = sheet.holds[part][0][0]
            brought = self.spans(sheet.brings.get(part, ()))
            if self.section_bar == line.window.at_bar - 1 and not brought:
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
        old = self._held_by(part, sounding or self.state.held[part])
        end = self.visit.bars * self.score.clock.beats_per_bar - self._here(start)
        fade = leaving_fade(old.placement.role)
        goes_on = sounding is not None or (start == 0 and part in self.left)
        placement = self._extended(old, start, min(end, self._most_beats), fade, goes_on=goes_on)
        if placement is None:
            self.state.parts.pop(part, None)
            if self.retuned:
                # It is not asked again: the section has one tempo and key to its end.
                del self.state.held[part]
                line = self.score.sheets[self.visit.section.name].holds[part][0][0]
                reason = CANNOT_FOLLOW
                self.lines.rested.append(Rested(part, "", line.span.line, reason))
            return
        held = replace(old, placement=placement, held=True)
        self.state.parts[part] = self.state.held[part] = held

    def _held_by(self, part: str, old: SoundingLoop) -> SoundingLoop:
        """A loop with the glides of the lines that hold it here; of older ones, those that move something
        else."""
        sheet = self.score.sheets[self.visit.section.name]
        holds = list(old.holds)
        for line, place in sheet.holds.get(part, ()):
            known = any(each.line is line and each.span == self.span(line) for each in holds)
            if line.effects.glides and not known and self.active(line, place):
                what = {each.what for each in line.effects.glides}
                holds = [each for each in holds if not {g.what for g in each.line.effects.glides} <= what]
                holds.append(Held(line, self.lines.key(line, place), self.section_bar, self.span(line)))
        return replace(old, holds=tuple(holds))

    def leave(self, overlap: int) -> None:
        """Let the loops of the section before leave, but those that go on; `overlap`: in how many frames.

        With 0 each leaves as its role does.
        """
        frame = self.frame(AT_THE_LINE)
        for old in self.left.values():
            id = old.placement.id
            if id in self._gone:
                continue
            fade, beats = Fade(overlap, equal_power=id not in self._same), self.score.clock.beats(overlap)
            if overlap and self._extended(old, AT_THE_LINE, beats, fade, goes_on=True) is not None:
                continue
            if id in self._same or natural_end(old.placement) > frame:
                self.stops.append(self._leaving(old.placement, frame))

    def _extended(
        self,
        old: SoundingLoop,
        start: Fraction,
        beats: Fraction,
        fade_out: Fade,
        *,
        goes_on: bool,
        upto: int | None = None,
    ) -> Placement | None:
        """A placement that goes on with `old`'s sound from `start`; None if its stem is not cleared.

        `goes_on`: whether `old` sounds until then.
        """
        before = old.placement
        stem = self.score.stems.get(before.stem)
        if stem is None or (self.retuned and not self._still_fits(old)):
            return None
        clock, frame = self.score.clock, self.frame(start)
        form = self._goes_on_as(old, stem, start, beats)
        if not form.beats:
            return None
        over = form.over and (old.bring.out_over is None or form.beats < beats)
        if over or form.beats < beats:
            fade_out, beats = Fade() if over else leaving_fade(before.role), form.beats
        placement = replace(
            before,
            id=self.state.next_id,
            section=self.visit.section.name,
            bar=self.state.bar,
            beat=start,
            bars=beats / clock.beats_per_bar,
            start_frame=frame,
            end_frame=self.frame(start + beats) + overhang(fade_out),
            variant=form.variant,
            offset_frames=form.offset,
            fade_in=entering(before.role, form.offset, self.score.starts_clean(before.stem)),
            fade_out=fade_out,
            continues=None,
            drift_frames=0,
            tail_frames=0,
        )
        if over:
            placement = played_out(placement)
        if not old.settled:
            placement = mixed_loop(placement, old, self.state.dials)
        if goes_on and not faded_out(before, frame):
            if form.variant != before.variant:
                placement = self._taking_over(before, placement)
            elif abs(drift(before, placement)) <= MOST_DRIFT_FRAMES:
                placement = self._going_on(before, placement)
            else:
                placement = self._crossed(before, placement)
                self.stops.append(self._leaving(before, frame))
                self._gone.add(before.id)
        return self.start(placement, stem, upto)

    def _goes_on_as(self, old: SoundingLoop, stem: Stem, start: Fraction, beats: Fraction) -> Form:
        """How `old`'s sound goes on from `start` in this bar, by the grid, for so many beats at most."""
        before, line, grid = old.placement, old.bring, self.grid
        semitones = before.variant.semitones
        if self.retuned and line.pool in self.score.pools:
            semitones = self.score.shift(line.pool, stem)
        phase = phase_of(before, stem, line.time, grid, self.line + start)
        if phase is None:
            variant = replace(before.variant, semitones=semitones)
            return Form(variant, offset_at(before, self.frame(start)), beats)
        read = Read(stem, self.score.clock.tempo_bpm, line.time, semitones, before.variant.reverse)
        return form(read, grid, self.state.bar, start, in_rounds(phase, before, read, grid), beats)

    def _still_fits(self, old: SoundingLoop) -> bool:
        """Whether a loop of the section before can follow to the tempo and key of this one."""
        among = self.score.pools.get(old.bring.pool)
        return among is None or among.find(old.placement.stem) is not None

    def _going_on(self, old: Placement, new: Placement) -> Placement:
        """`new` as it goes on from `old`, which ends there."""
        self._gone.add(old.id)
        self.stops.append(Stop(old.id, new.start_frame, Fade()))
        self.state.placed.cut(old, new.start_frame, self.score)
        return going_on(old, new)

    def _taking_over(self, old: Placement, new: Placement) -> Placement:
        """`new` as it takes over from `old`, the same recording at another tempo or in another key."""
        self._gone.add(old.id)
        self.stops.append(self._leaving(old, new.start_frame))
        left = rest_of(old.fade_in, new.start_frame - old.start_frame)
        if left.frames:
            return replace(new, fade_in=left)
        return replace(new, fade_in=crossed(new.fade_in)) if overhang(leaving_fade(old.role)) else new

    def _crossed(self, old: Placement, new: Placement) -> Placement:
        """`new` as it is crossed with `old`, the same recording, which rings over its beginning."""
        self._same.add(old.id)
        ringing = overhang(leaving_fade(old.role))
        return replace(new, fade_in=Fade(ringing)) if ringing else new

    @property
    def _most_beats(self) -> Fraction:
        return MAX_BARS * self.score.clock.beats_per_bar

    def _here(self, start: Fraction) -> Fraction:
        """Beats since the section's start."""
        return self.section_bar * self.score.clock.beats_per_bar + start

    def _segment(self, part: str, wanted: tuple[Bring, int] | None, start: Fraction, redraw: bool) -> None:
        frame = self.frame(start)
        sounding = self.state.parts.get(part)
        if sounding is not None and not redraw:
            self._count_on(sounding)
        ended = sounding is not None and natural_end(sounding.placement) <= frame
        done = None
        if sounding is not None and ended and (wanted is None or not self._has_more(sounding, start)):
            done = self.state.parts.pop(part)
            sounding = None
        if wanted is None:
            if sounding is not None:
                self._stop(part, sounding, frame)
            return
        line, place = wanted
        same = sounding is not None and not sounding.held and sounding.place == place
        swap = part in self.state.swaps and start == 0
        redraw = redraw or swap
        if sounding is not None and same and (part in self.state.kept or not redraw):
            if ended:
                self._continue(part, sounding, start)
            elif sounding.outdated:
                self._hand_over(part, sounding, line, start, frame)
            return
        avoid = [sounding.placement.stem] if same and sounding is not None else []
        stem = self.lines.draw(line, place, avoid, swap=swap)
        if stem is not None and stem.stem in avoid:
            assert sounding is not None
            self._count_on(sounding)
            if ended:
                self._continue(part, sounding, start)
            return
        in_phase = swap or (not redraw and not self._enters(line, start) and not self._dropped(part, start))
        placement = None if stem is None else self._loop(line, place, stem, start, frame, in_phase)
        if placement is not None:
            placement = self._following(part, placement, line, done)
        if sounding is not None:
            self._stop(part, sounding, frame)
        if stem is None or placement is None:
            return
        self.start(placement, stem, self._until(line))
        key = self.lines.key(line, place)
        self.state.parts[part] = SoundingLoop(
            placement, line, place, key, self.section_bar, span=self.span(line)
        )
        self.state.last_part = part

    def _has_more(self, sounding: SoundingLoop, start: Fraction) -> bool:
        """Whether a loop ended because it is long, or because a ramp begins here or has just ended."""
        placement, beat = sounding.placement, self.line + start
        turns = bool(placement.variant.ramp) or any(ramp.beat == beat for ramp in self.grid.ramps)
        return placement.bars >= MAX_BARS or turns

    def _following(
        self, part: str, new: Placement, line: Bring, done: SoundingLoop | None = None
    ) -> Placement:
        """`new` with the fade by which it follows what sounds until it begins, or as that sound going on.

        `done`: a loop of its part that has ended, perhaps just there.
        """
        just_ended = done is not None and natural_end(done.placement) == new.start_frame
        if done is not None and just_ended and line.over is None and seam(done.placement, new) == "one sound":
            return self._going_on(done.placement, new)
        left = self.left if new.start_frame == self.frame(AT_THE_LINE) else {}
        mine = self.state.parts.get(part) or left.get(part)
        others = (each for name, each in left.items() if name not in self.state.held)
        alike = [each for each in others if each.placement.variant == new.variant]
        for old in (each.placement for each in (mine, *alike) if each is not None):
            if old.id in self._gone:
                continue
            how = seam(old, new)
            if how == "one sound" and line.over is None:
                return self._going_on(old, new)
            if how != "another":
                crossing = self._crossed(old, new)
                over = replace(new.fade_in, equal_power=False)
                return crossing if line.over is None else replace(crossing, fade_in=over)
        if mine is not None and overhang(leaving_fade(mine.placement.role)):
            return replace(new, fade_in=crossed(new.fade_in))
        return new

    def _count_on(self, sounding: SoundingLoop) -> None:
        """Count the time of a loop that goes on through this bar."""
        self.state.placed.go_on(sounding.placement, self._until(sounding.bring), self.score)

    def _until(self, line: Bring) -> int:
        """The frame at which a loop of the line may be varied next, or its section ends."""
        varies = self.score.sheets[self.visit.section.name].varies.get(line.part, ())
        left = [vary.every_bars - self.round_bar(vary) % vary.every_bars for vary, _ in varies]
        ends = [round_of(self.visit, vary, self.section_bar)[1] - self.section_bar for vary, _ in varies]
        return self.grid.bar_frame(self.state.bar + min([self.visit.bars - self.section_bar, *left, *ends]))

    def _dropped(self, part: str, start: Fraction) -> bool:
        """Whether a drop of the part has just ended: it comes in anew."""
        drops = self.score.sheets[self.visit.section.name].drops.get(part, ())
        clock = self.score.clock
        begun = (spells(self.visit, line, self.section_bar, clock) for line, _ in drops if line.window.ends)
        return any(self._here(start) == last for each in begun for _, last in each)

    def _enters(self, line: Bring, start: Fraction) -> bool:
        """Whether the line's own `at` is here, so that its loop begins at its bar 1."""
        return self._here(start) == self.work(line, start)[0]

    def _stop(self, part: str, sounding: SoundingLoop, frame: int) -> None:
        del self.state.parts[part]
        if sounding.placement.id not in self._gone:
            self.stops.append(self._leaving(sounding.placement, frame))
            self.state.placed.cut(sounding.placement, self.stops[-1].end_frame, self.score)

    def _leaving(self, old: Placement, frame: int) -> Stop:
        """How a loop leaves at a frame: by a straight line where the same recording follows it."""
        stop = stop_at(old, frame)
        if old.id not in self._same:
            return stop
        return replace(stop, fade_out=replace(stop.fade_out, equal_power=False))

    def _loop(
        self, line: Bring, place: int, stem: Stem, start: Fraction, frame: int, in_phase: bool
    ) -> Placement | None:
        """Place a loop from `frame` to the end of its line, its section, or 64 bars.

        None for a stem of a song that is over.
        """
        clock, beats = self.score.clock, self.score.clock.beats_per_bar
        here = self._here(start)
        lasts = min(self.work(line, start)[1], here + MAX_BARS * beats) - here
        since = here - round_of(self.visit, line, self.section_bar)[0] * beats
        semitones = self.score.shift(line.pool, stem)
        read = Read(stem, clock.tempo_bpm, line.time, semitones, line.reverse)
        # By beats, not frames: a frame's rounding must not put the join just before the loop's end.
        phase = since % read.beats if in_phase and read.beats is not None else Fraction(0)
        if stem.song is not None:
            phase = self.line + start - self.state.song_begins
        made = form(read, self.grid, self.state.bar, start, phase, lasts)
        if not made.beats:
            self.lines.rested.append(Rested(line.part, line.pool, line.span.line, SONG_OVER))
            return None
        end_frame = self.frame(start + made.beats)
        fade_out = self._fade_out(line, stem.role, start + lasts)
        over = made.over and (line.out_over is None or made.beats < lasts)
        if over or made.beats < lasts:
            fade_out = Fade() if over else leaving_fade(stem.role)
        placement = self.placement(
            line,
            place,
            stem,
            made.variant,
            start,
            made.beats,
            frame,
            end_frame + overhang(fade_out),
            offset=made.offset,
            fade_in=self._fade_in(line, stem, start, made.offset),
            fade_out=fade_out,
        )
        return played_out(placement) if over else placement

    def _continue(self, part: str, old: SoundingLoop, start: Fraction) -> None:
        """Go on without a seam after the greatest length of a placement."""
        beats = min(self.work(old.bring, start)[1] - self._here(start), self._most_beats)
        fade = self._fade_out(old.bring, old.placement.role, start + beats)
        upto = self._until(old.bring)
        placement = self._extended(old, start, beats, fade, goes_on=True, upto=upto)
        if placement is None:
            del self.state.parts[part]
        else:
            self.state.parts[part] = replace(old, placement=placement)

    def _hand_over(self, part: str, old: SoundingLoop, line: Bring, start: Fraction, frame: int) -> None:
        """Go on with the same stem as its line says now, by two straight fades that sum to one."""
        was, among = old.placement, self.score.pools[line.pool]
        here = among.find(was.stem)
        fading_in = frame < was.start_frame + was.fade_in.frames
        if here is None or was.stem in self.lines.without or fading_in:
            return
        fade, stem = Fade(LINEAR_FADE_FRAMES), among.stem(here)
        if not may_play(stem, self.score.use, line):
            return
        self.stops.append(Stop(was.id, frame + fade.frames, fade))
        self.state.placed.cut(was, frame + fade.frames, self.score)
        placement = self._loop(line, old.place, stem, start, frame, in_phase=True)
        if placement is None:
            return
        same = placement.variant == was.variant
        offset = placement.offset_frames
        if same:
            offset = self._goes_on_as(
                old, stem, start, placement.bars * self.score.clock.beats_per_bar
            ).offset
        placement = replace(placement, offset_frames=offset, fade_in=fade)
        now = replace(old, bring=line, outdated=False)
        placement = mixed_loop(placement, now, self.state.dials)
        self.state.parts[part] = replace(now, placement=self.start(placement, stem, self._until(line)))
