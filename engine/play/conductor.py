"""The conductor: the composing side of a session. It decides what the mixer plays, ahead of it.

    compose a bar -> conform its stems -> journal what it means to play -> hand it to the mixer

It keeps a frame of its own, `control`: everything up to it is decided. Where a session is pulled, that is the
frame that is mixed next; beside a device it runs a little ahead of what the device has taken. A bar is
composed when `control` comes within the commit horizon of it, so a gesture is heard at the first boundary
that is not yet committed.

What it decides depends on `control`, the gestures and what the take records besides - consents that changed,
stems that were not ready, commands that came late - and on nothing else, so a take can be played again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...ledger.clock import Clock
from ...ledger.log.session_page import HeardFrames
from ...script.piece import Piece
from ...vault.catalogue.snapshot import Snapshot
from ...vault.errors import VaultError
from ...vault.records import ENGINE_RATE, Clearance, Stem
from ...vault.vault import Vault
from ..clock import QUANTUM, Grid
from ..compose.compose import next_bar, strike
from ..compose.events import Input
from ..compose.gains import buses_of, remixed
from ..compose.score import Score
from ..compose.state import State, first_state
from ..compose.swap import carried, in_reach, rescored
from ..errors import EngineError
from ..fades import LINEAR_FADE_FRAMES
from ..mix.mixer import Late, Mixer
from ..plan import Bar, Fade, Placement, Rested, Variant
from .ahead import Provisional
from .conform import Conformer
from .end import End
from .gain import MasterGain
from .home_watch import follow
from .keying import Keying
from .latches import Boundary, Latches
from .placement_log import PlacementLog
from .stage import Stage
from .take import Take
from .tape import Tape

HORIZON_FRAMES = 4800
"""The commit horizon, 100 ms: what starts within it is fixed."""
MOST_TAIL_SECONDS = 10
"""How long hits may ring after a piece's end."""
WITHDRAWN_FADE_FRAMES = 4800
"""100 ms: how a sounding stem leaves when its consent is withdrawn."""


class Conductor:
    """Composes for one mixer. `ends`: how it ends at the limit, if it has one.

    `replayed`: the take that is played again, None for a session of its own. `history`: whether all bars are
    kept for whoever draws them.
    """

    def __init__(
        self,
        vault: Vault,
        score: Score,
        mixer: Mixer,
        log: PlacementLog,
        *,
        dials: Mapping[str, float],
        ends: End,
        wall: Clock,
        replayed: Take | None = None,
        history: bool = True,
    ) -> None:
        self.score = score
        self.control = 0
        """The frame up to which everything is decided."""
        self.ended_at: int | None = None
        """The frame at which the piece came to its end."""
        self.last_end = 0
        """The greatest end frame of what has ended."""
        self.lead = 0
        """How many frames after what a device has mixed a gesture is heard."""
        self.waits_for_stems = True
        """Whether a stem that is not conformed yet is waited for. A device never waits: it does without."""
        self.thought: Provisional | None = None
        """The next bar as it was composed ahead."""
        self.tape = Tape(vault, replayed)
        self.bars: list[Bar] = []
        self.rested: list[Rested] = []
        self.left_out = 0
        """Placements that were given up because too many waited."""
        self.listeners: list[Callable[[str, object], None]] = []
        """Told ("bar", Bar), ("started", Placement), ("ended", HeardPlacement), ("withdrawn", ids of stems),
        ("script", Piece) when another takes over."""
        self._mixer, self._log, self._wall, self._ends, self._history = mixer, log, wall, ends, history
        self.state: State = first_state(score.piece, dials)
        """The state from which the next bar is composed. Not to be changed from outside."""
        self._latches, self._master = Latches(), MasterGain(vault, mixer, score, dials)
        self._inputs: list[Input] = []
        self._moment = 0
        """How many bars were composed and gestures given so far."""
        self.conformer = Conformer(vault)
        self._stage = Stage(mixer)
        self._keying = Keying(mixer, self._stage, self.conformer, score)
        self._coming: Score | None = None
        """The score that takes over at the next bar line."""
        self._guests: dict[str, Stem] = {}
        """Stems that only an earlier script could choose, and that still wait or sound."""
        self._following = None if self.tape.plays_back else follow(vault.home, score, wall)
        if replayed is not None:
            mixer.late = {each.command: each.frame for each in replayed.late}

    @property
    def grid(self) -> Grid:
        """Where bars and beats lie, up to the next bar line and as it stands."""
        return self.state.grid(self.score.clock)

    @property
    def playing(self) -> list[Placement]:
        """What sounds at `control`."""
        return self._stage.playing(self.control)

    def sounding(self, frame: int) -> list[Placement]:
        """What sounds at a frame up to `control`; for any thread, and nothing is changed."""
        return self._stage.sounding(frame)

    @property
    def next_score(self) -> Score:
        """The score by which the next bar is composed."""
        return self._coming or self.score

    def next_frame(self) -> int | None:
        """The next frame at which something is to be decided; None when nothing is to come."""
        lines = None if self.ended_at is not None else self._next_line()
        change = self.tape.next_change(self.control)
        frames = (lines, self._stage.next_window(), self._latches.next_frame, change)
        return min((frame for frame in frames if frame is not None), default=None)

    def advance_to(self, frame: int) -> None:
        """Decide everything up to `frame`, a whole number of quanta, each thing at its own frame."""
        while (due := self.next_frame()) is not None and due <= frame:
            self.control = max(self.control, due)
            if self.ended_at is None and self._next_line() <= self.control:
                self._compose()
                continue
            self._follow_dials()
            self._begin_due()
        self.control = max(self.control, frame)
        self.see_changes()

    def decide(self) -> None:
        """Decide everything up to where a gesture now would be heard."""
        self.advance_to(max(self._mixer.frame + self.lead, self.control))

    def turn(self, dial: str, value: float) -> None:
        """A dial is turned at `control`."""
        turned = self.score.piece.dials[dial]
        # One that waits may be left out of the take, when another comes before its boundary.
        self._moment += turned.effect == "now"
        self._latches.turn(turned, value, self.control, self.grid, self.state)
        self._follow_dials()

    def boundary_of(self, dial: str) -> Boundary | None:
        """The boundary at which a turn of the dial at `control` takes effect; None where it does at once."""
        turned = self.score.piece.dials[dial]
        return self._latches.boundary(turned, self.control, self.grid, self.state)

    def waits(self, dial: str, boundary: Boundary) -> bool:
        """Whether a turn of the dial that was made for a boundary has still to take effect."""
        return self._latches.waits(dial, boundary, self.state)

    def give(self, given: Input) -> None:
        """Queue at once what a gesture fires on a beat; the rest waits for the bar line."""
        before = self.state

        def compose(without: frozenset[str]) -> tuple[Bar, State]:
            nonlocal given
            bar, state, given = strike(self.score, before, given, self.control, without)
            return bar, state

        struck, self.state = self._ready_bar(compose, must=False)
        self._moment += 1
        self._inputs.append(given)
        self._note(struck.rested)
        self._queue(struck.starts)

    def take_back(self, given: Input) -> bool:
        """Undo a gesture as far as it has not led to anything yet; whether there was something to undo."""
        self._moment += 1
        same = [each for each in self._inputs if replace(each, struck=frozenset()) == given]
        if same:
            self._inputs.remove(same[-1])
            return True
        if given.kind == "cue":
            waits = given.name in self.state.cues
            self.state.cues.discard(given.name or "")
            return waits
        stem = given.stem or ""
        step = 1 if given.kind == "like" else -1
        if stem not in self.state.liked:
            return False
        self.state.liked[stem] -= step
        return True

    def swap(self, coming: Score) -> None:
        """Have another score take over at the next bar line that is not composed yet."""
        self._mixer.effect_buses.expect(buses_of(coming, self.state_under(coming).dials), self.control)
        self._moment += 1
        self._coming = coming

    def rescored(self, piece: Piece, seed: int | None = None) -> Score:
        """The score by which `piece` could take over now. May be called from any thread; raises as `swap`.

        `seed`: the one that it had, where it is gone back to.
        """
        at = self._wall.now()
        if self.tape.plays_back:
            coming = self.tape.rescored(self.score, piece, at)
        else:
            coming = rescored(self.score, piece, self._known, at)
        coming = coming if seed is None else replace(coming, seed=seed)
        return coming if self.tape.plays_back else self._master.decided(coming)

    def collect(self) -> None:
        """Take the mixer's reports into the placement log."""
        reports = self._mixer.reports()
        ended = [each for each in reports if isinstance(each, HeardFrames)]
        self.tape.came_late(each for each in reports if isinstance(each, Late))
        self.last_end = max((self.last_end, *(each.end_frame for each in ended if each.frames)))
        for sounded in self._log.heard(ended):
            self._tell("ended", sounded)

    def set_fader(self, role: str, gain: float, frames: int) -> None:
        """Move the listener's fader of a role, at `control`."""
        self._mixer.set_fader(role, gain, frames, self.control)

    def panic(self) -> None:
        """Silence at once; what belongs to the next bar comes in with it."""
        self._moment += 1
        self._stage.stop_all(self.control + LINEAR_FADE_FRAMES, Fade(LINEAR_FADE_FRAMES), self.control)
        self.state.parts.clear()
        self.state.held.clear()
        self.state.voices.clear()

    def close(self) -> None:
        """End what runs beside it: the conforming, and the watch over the home."""
        self.conformer.close()
        if self._following is not None:
            self._following.leave()

    @property
    def changes_wait(self) -> bool:
        """Whether `see_changes` has something to take over; asked on any thread, it costs next to nothing.

        Those that a take records come at frames of `next_frame` instead.
        """
        if self._following is None or self._following.ready is not None:
            return self._following is not None
        ends = (stem.clearances[self.score.use].until for stem in self._guests.values())
        expiry = min((end for end in (self.score.next_expiry, *ends) if end is not None), default=None)
        return expiry is not None and self._wall.now() >= expiry

    def see_changes(self) -> None:
        """Take over what the watch over the home has made ready, and let go of what ran out."""
        following = self._following
        if following is None:
            self._change_again()
            return
        if not self.changes_wait:
            return
        before, now = self.candidates(), self._wall.now()
        self.score = following.take(now)
        there = following.snapshot.stems
        guests = (there.find(stem) for stem in self._guests if stem in there.facts.place)
        self._guests = {each.stem: each for each in guests if each.cleared(self.score.use, now) is not None}
        if self.candidates() == before:
            return
        self.tape.changed(self.control, self._moment, self.score, self.candidates())
        self._tell("withdrawn", tuple(sorted(before - self.candidates())))
        self._let_go()

    @property
    def snapshot(self) -> Snapshot:
        """The vault as it is known now, for whoever would choose from it anew."""
        return self._known.at_size(self._known.size, self._wall.now())

    @property
    def _known(self) -> Snapshot:
        return self.score.snapshot if self._following is None else self._following.snapshot

    def candidates(self) -> frozenset[str]:
        """The stems that may be chosen, or that may sound on after a swap of the script, by id."""
        return frozenset(self.score.stems) | frozenset(self._guests)

    def state_under(self, coming: Score) -> State:
        """The state at the next bar line, if another score took over there."""
        return carried(self.state, self.score, coming)[0]

    def wanted(
        self, bars: int, score: Score | None = None, state: State | None = None
    ) -> tuple[list[tuple[Stem, Variant]], int | None]:
        """The variants that the next bars need, as things stand, and the frame at which the session ends.

        For another `score` and `state` it may be called from any thread.
        """
        score, state = score or self.score, state or self.state
        wanted: dict[Variant, Stem] = {}
        end = None
        for _ in range(bars):
            bar, state = next_bar(score, state)
            if bar.ended or self._ends.ends(bar.start_frame):
                end = bar.start_frame if self._ends.limit is None else min(bar.start_frame, self._ends.limit)
                break
            wanted.update({p.variant: score.stems[p.stem] for p in bar.starts})
        return [(stem, variant) for variant, stem in wanted.items()], end

    def _follow_dials(self) -> None:
        """Set the mix of what sounds anew where a dial's value latches at this frame."""
        if self._latches.due(self.state, self.control):
            for now in remixed(self.state):
                self._mixer.set_gain(now.id, now.gain_db, now.pan, self.control)
                self._mixer.set_effects(now.id, now.effects, self.control)
            self._mixer.set_buses(buses_of(self.score, self.state.dials), self.control)
            self._master.follow(self.control)

    def _begin_due(self) -> None:
        """Note what begins within the stage's window, if it still has a consent in this moment."""
        if not self._stage.begins(self.control):
            return
        self.see_changes()
        for placement in self._stage.begin_due(self.control):
            clearance = self._clearance(placement.stem)
            # Where another machine's clock, or this one's before it was set, gave the grant a later time,
            # that one is right.
            start = max(self._wall.now(), clearance.since)
            self._log.begun(replace(placement, consent=clearance.index), start, clearance.since)
            self._tell("started", placement)

    def _clearance(self, id: str) -> Clearance:
        """The grant that a stem rests on now."""
        stem = self.score.stems.get(id) or self._guests[id]
        return stem.clearances[self.score.use]

    def _next_line(self) -> int:
        """The frame, on the quantum grid, at which the next bar is composed."""
        first = self.grid.bar_frame(self.state.bar)
        return max(first - HORIZON_FRAMES, 0) // QUANTUM * QUANTUM

    def _compose(self) -> None:
        """Compose the next bar, journal it and hand it to the mixer."""
        self.see_changes()
        if self._coming is not None:
            self._take_over(self._coming)
        if self._guests:
            sounding = self._stage.stems(self.control)
            self._guests = {stem: each for stem, each in self._guests.items() if stem in sounding}
        before, line = dict(self.state.dials), self.grid.bar_frame(self.state.bar)
        if self._ends.rings and self._ends.ends(line):
            self._end(line)
            return
        self._latches.at_line(self.state, line)
        if self.state.dials != before:
            self._latches.follow(line)
            before = dict(self.state.dials)
        state, inputs = self.state, tuple(self._inputs)
        thought, self.thought = self.thought, None

        def compose(without: frozenset[str]) -> tuple[Bar, State]:
            if thought is not None and not (without or inputs) and thought.holds(self.score, state):
                return thought.bar, thought.after
            return next_bar(self.score, state, inputs, without=without)

        # Where this raises, all is as before, and the bar is composed when it is asked for again.
        bar, self.state = self._ready_bar(compose, must=True)
        self._moment += 1
        self._inputs.clear()
        if self.state.dials != before:
            self._latches.follow(line)
        if self._history:
            self.bars.append(bar)
        self._note(bar.rested)
        for stop in bar.stops:
            self._stage.stop(stop.id, stop.end_frame, stop.fade_out, self.control)
        if bar.ended:
            self._end(bar.start_frame)
        else:
            self._queue(bar.starts)
            self._keying.bar(bar, self.score, self.state, self._guests, self.control)
            if bar.section_bar == 0:
                self._master.begin_section(self.score, bar.start_frame, self._latches)
        self._tell("bar", bar)

    def _take_over(self, coming: Score) -> None:
        """Go on by another score from the bar line that is composed now."""
        self._coming = None
        now, old = self._wall.now(), self.score
        if self.tape.plays_back:
            coming = replace(self.tape.next_swap(old, coming.piece, now), seed=coming.seed)
        elif coming.snapshot is not self._known:
            coming = coming.with_snapshot(self._known, now)
        self.state, stops = carried(self.state, old, coming)
        self._latches.follow(self.grid.bar_frame(self.state.bar))
        known = {**self._guests, **old.stems}
        self.score, sounding = coming, self._stage.stems(self.control)
        self._guests = {stem: known[stem] for stem in sorted(sounding - set(coming.stems)) if stem in known}
        if self._following is not None:
            self._following.go_on(coming, self._guests)
        for stop in stops:
            self._stage.stop(stop.id, stop.end_frame, stop.fade_out, self.control)
        self._latches.keep(lambda dial, value: in_reach(coming.piece, dial, value))
        self._mixer.effect_buses.take(buses_of(coming, self.state.dials), self.control)
        self._keying.take_over(coming)
        self._master.take_over(coming, self.control)
        self.tape.swapped(self.control, self._moment, coming, self.candidates())
        self._moment += 1
        self._tell("script", coming.piece)

    def _ready_bar(
        self, compose: Callable[[frozenset[str]], tuple[Bar, State]], *, must: bool
    ) -> tuple[Bar, State]:
        """Compose; where stems are not waited for, once more without those that are not ready.

        `must`: raise what keeps a stem from being had that is waited for, before anything has changed.
        """
        if self.tape.plays_back:
            return compose(self.tape.unready_at(self._moment))
        without = frozenset[str]()
        bar, state = compose(without)
        while missing := self._unready(bar, must=must) - without:
            without |= missing
            bar, state = compose(without)
        if without:
            self.tape.not_ready(self._moment, without)
        return bar, state

    def _unready(self, bar: Bar, *, must: bool) -> set[str]:
        """The stems that begin in a bar and that are not to be had."""
        if not self.waits_for_stems:
            return {p.stem for p in bar.starts if not self.conformer.ready(p.variant)}
        missing = set()
        for placement in bar.starts:
            try:
                self.conformer.sound(self.score.stems[placement.stem], placement.variant)
            except (EngineError, VaultError, OSError):
                if must:
                    raise
                missing.add(placement.stem)
        return missing

    def _queue(self, placements: Iterable[Placement]) -> None:
        """Conform and journal placements, and hand them to the mixer."""
        starts = [p for p in map(self._ends.within, placements) if p is not None]
        self.left_out += max(len(starts) - self._stage.room, 0)
        starts = starts[: self._stage.room]
        sounds = {p.id: self.conformer.sound(self.score.stems[p.stem], p.variant) for p in starts}
        self._log.intend(starts, {p.stem: self._clearance(p.stem).since for p in starts})
        if not self.waits_for_stems:
            # Whoever is read from mixes nothing before it is durable. A device cannot be held up so.
            self._log.wait_durable(max((p.start_frame for p in starts), default=-1))
        for placement in starts:
            self._stage.queue(placement, sounds[placement.id], self.control)
        self._keying.hits(starts, self.control)

    def _end(self, frame: int) -> None:
        """The piece ends at `frame`; what rings may ring out."""
        self.ended_at = frame
        last = frame + MOST_TAIL_SECONDS * ENGINE_RATE
        self._stage.stop_all(last, Fade(LINEAR_FADE_FRAMES), self.control, longer=self._ends.rings)

    def _change_again(self) -> None:
        """Take over the changes that the take records for this moment."""
        for change in self.tape.changes_due(self.control, self._moment):
            self.score = self.tape.only(self.score, change.candidates, self._wall.now())
            kept = frozenset(change.candidates)
            self._guests = {stem: each for stem, each in self._guests.items() if stem in kept}
            self._let_go()

    def _let_go(self) -> None:
        """Fade out or take back the placements of stems that may not sound any more."""
        kept = self.candidates()
        self._stage.stop_stems(kept, Fade(WITHDRAWN_FADE_FRAMES), self.control)
        for sounds in (self.state.parts, self.state.held):
            for part, sounding in list(sounds.items()):
                if sounding.placement.stem not in kept:
                    del sounds[part]
                    self.state.withdrawn.add(part)

    def _tell(self, kind: str, what: object) -> None:
        for listener in self.listeners:
            listener(kind, what)

    def _note(self, rested: Iterable[Rested]) -> None:
        if self._history:
            self.rested += rested
