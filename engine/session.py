"""A session: one run of a piece, composing just ahead of what it mixes. Player and render are both one.

    compose a bar -> conform its stems -> journal what it means to play -> mix -> account for what was heard

A bar is composed when the mixer comes within the commit horizon of it, so a gesture is heard at the first
boundary that is not yet committed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..ledger.clock import Clock, SystemClock
from ..ledger.entries import Tier, Use
from ..script.piece import Piece
from ..vault.records import ENGINE_RATE, TIERS, Stem
from ..vault.vault import Vault
from . import take as takes
from .account import Account, Run, Sounded
from .clock import QUANTUM
from .compose import next_bar, strike
from .conform import Conformer
from .errors import EngineError, UnknownCue, UnknownPart
from .events import Input
from .fades import LINEAR_FADE_FRAMES
from .gains import remix
from .latches import Latches
from .master import LATENCY_FRAMES
from .mixer import Mixer
from .plan import Bar, Fade, Placement, Rested, Variant
from .quantise import to_pcm24
from .score import Score, score
from .stage import Stage
from .state import State, first_state, in_range

HORIZON_FRAMES = 4800
"""The commit horizon, 100 ms: what starts within it is fixed."""
MOST_TAIL_SECONDS = 10
"""How long hits may ring after a piece's end."""
MOST_PREPARED_BARS = 4000
"""How far `prepare` looks ahead: some two hours. What comes later is conformed when it is composed."""
WITHDRAWN_FADE_FRAMES = 4800
"""100 ms: how a sounding stem leaves when its consent is withdrawn."""
QUIET_START = 0.003
"""Below it the first frames of a sound are no click when it begins at once: -50 dBFS."""


class Session:
    """One run of a piece; not safe to share between threads.

    `seconds` and `bars` limit its length (the shorter counts); the last bar is then faded out. `keep_back`:
    log nothing before `close`. Raises UseRefused, NothingCleared and UnknownDial before anything is written.
    """

    def __init__(
        self,
        vault: Vault,
        piece: Piece,
        *,
        use: str | None = None,
        tier: str = "free",
        user: str = "",
        seed: int | None = None,
        dials: Mapping[str, float] | None = None,
        seconds: float | None = None,
        bars: int | None = None,
        keep_back: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if tier not in TIERS:
            raise EngineError(f'"{tier}" is no tier: it is one of {", ".join(TIERS)}')
        self._wall = clock or SystemClock()
        self._vault = vault
        self._dials = {name: in_range(piece, name, value) for name, value in (dials or {}).items()}
        self._clean: dict[str, bool] = {}
        snapshot = vault.snapshot()
        self.score = score(
            piece, snapshot, use=use or piece.uses[0], at=self._wall.now(), rate=ENGINE_RATE, seed=seed
        ).with_starts(self._starts_clean)
        self._limit = _limit_frames(self.score, seconds, bars)
        self._planned = self._limit or 0
        self._first_candidates = self._candidates()
        self._state: State = first_state(piece, self._dials)
        self._latches = Latches()
        self._inputs: list[Input] = []
        self._conformer = Conformer(vault)
        self._mixer = Mixer(piece.loudness_lufs, piece.ceiling_dbtp)
        self._stage = Stage(self._mixer)
        if self._limit is not None:
            fade = min(self.score.clock.bar_frame(1), self._limit // 4)
            self._mixer.master.fade(self._limit - fade, self._limit)
        self._ready = np.empty((2, 0), np.float32)
        self._delivered = -LATENCY_FRAMES
        """Frames of output given out; below 0, frames of the master's latency still to drop."""
        self._last: int | None = self._limit
        """The output's length, once it is known."""
        self._ended_at: int | None = None
        self._rung_out = False
        self._hash = hashlib.sha256()
        self._gestures: list[takes.Gesture] = []
        self._changes: list[takes.Changed] = []
        self.rested: list[Rested] = []
        self.bars: list[Bar] = []
        self._take: takes.Take | None = None
        self._open = True
        run = Run(
            use=cast(Use, self.score.use),
            tier=cast(Tier, tier),
            user=user,
            script=piece.sha256,
            seed=self.score.seed,
            vault=snapshot.state_hash,
            engine=__version__,
            rate=ENGINE_RATE,
        )
        self._run = run
        self._account = Account(vault.log, self._wall, run, keep_back=keep_back)

    @property
    def session(self) -> str:
        return self._account.session

    @property
    def frame(self) -> int:
        """Frames of output given out so far."""
        return max(self._delivered, 0)

    @property
    def ended(self) -> bool:
        """Whether the last frame has been given out."""
        return self._last is not None and self._delivered >= self._last

    @property
    def finished(self) -> bool:
        """Whether `finish` has acknowledged all that was heard."""
        return self._take is not None

    @property
    def piece_ended(self) -> bool:
        """Whether the piece has come to its own end."""
        return self._ended_at is not None

    @property
    def planned_frames(self) -> int:
        """How long `prepare` found the session to be, without its tail."""
        return self._planned

    @property
    def sounded(self) -> list[Sounded]:
        """What was heard, once the account holds it."""
        return self._account.sounded

    @property
    def playing(self) -> list[Placement]:
        """What sounds at the frame that is mixed next."""
        frame = self._mixer.frame
        return [p for p in self._stage.playing.values() if p.start_frame <= frame < p.end_frame]

    @property
    def crowded(self) -> int:
        """How many sounds had to go or never came because 256 sounded already."""
        return self._stage.crowded

    @property
    def lufs(self) -> float:
        """Integrated loudness of the output so far."""
        return self._mixer.lufs

    @property
    def true_peak_dbtp(self) -> float:
        """True peak of the output so far."""
        return self._mixer.master.true_peak_dbtp

    def prepare(self, bars: int | None = None, progress: Callable[[int, int], None] | None = None) -> None:
        """Conform what the next bars need, side by side; without `bars`, what the whole session needs."""
        wanted: dict[Variant, Stem] = {}
        state = self._state
        for _ in range(MOST_PREPARED_BARS if bars is None else bars):
            bar, state = next_bar(self.score, state)
            if bar.ended or (self._limit is not None and bar.start_frame >= self._limit):
                self._planned = bar.start_frame if self._limit is None else min(bar.start_frame, self._limit)
                break
            wanted.update({p.variant: self.score.stems[p.stem] for p in bar.starts})
        self._conformer.prepare([(stem, variant) for variant, stem in wanted.items()], progress)

    def set(self, dial: str, value: float) -> None:
        """Turn a dial: heard in the next quantum, or latched at the boundary that the dial names."""
        value = in_range(self.score.piece, dial, value)
        frame = self._mixer.frame
        self._gestures.append(takes.Gesture(frame, "dial", dial, value))
        self._latches.turn(self.score.piece.dials[dial], value, frame, self.score.clock, self._state)
        self._follow_dials()

    def like(self, part: str | None = None) -> None:
        """The listener likes what `part` plays, or the loop that started last. Raises UnknownPart."""
        self._react("like", part)

    def dislike(self, part: str | None = None) -> None:
        """The listener dislikes what `part` plays, or the loop that started last. Raises UnknownPart."""
        self._react("dislike", part)

    def cue(self, name: str) -> None:
        """Give a cue that a move or an event of the script waits for. Raises UnknownCue."""
        self._known_cue(name)
        self._gestures.append(takes.Gesture(self._mixer.frame, "cue", name))
        self._give(Input("cue", name=name))

    def _react(self, kind: Literal["like", "dislike"], part: str | None) -> None:
        """What the gesture means is settled now: by the bar line another stem may play."""
        self._known_part(part)
        self._gestures.append(takes.Gesture(self._mixer.frame, kind, part))
        sounding = [p for p in self.playing if (not p.hit if part is None else p.part == part)]
        last = max(sounding, key=lambda p: (p.start_frame, p.id), default=None)
        self._give(Input(kind, last.part if last else part, stem=last.stem if last else None))

    def perform(self, gesture: takes.Gesture) -> None:
        """Make a gesture now, whatever its frame. Raises as `set`, `cue` and `like` do."""
        if gesture.kind == "dial":
            assert gesture.name is not None
            assert gesture.value is not None
            self.set(gesture.name, gesture.value)
        elif gesture.kind == "cue":
            assert gesture.name is not None
            self.cue(gesture.name)
        else:
            self._react(gesture.kind, gesture.name)

    def expect(self, gesture: takes.Gesture) -> None:
        """Raise what `perform` would, before anything sounds."""
        if gesture.kind == "dial":
            assert gesture.value is not None
            in_range(self.score.piece, gesture.name or "", gesture.value)
        elif gesture.kind == "cue":
            self._known_cue(gesture.name or "")
        else:
            self._known_part(gesture.name)

    def _known_cue(self, name: str) -> None:
        cues = self.score.cues
        if name not in cues:
            known = ", ".join(f'"{cue}"' for cue in cues) or "none"
            raise UnknownCue(f'"{self.score.piece.name}" waits for no cue "{name}"; its cues: {known}')

    def _known_part(self, part: str | None) -> None:
        if part is not None and part not in self.score.parts:
            known = ", ".join(self.score.parts) or "none"
            raise UnknownPart(f'"{self.score.piece.name}" has no part "{part}"; its parts: {known}')

    def _give(self, given: Input) -> None:
        """What a gesture fires on a beat is queued now; the rest waits for the bar line."""
        struck, self._state, given = strike(self.score, self._state, given, self._mixer.frame)
        self._inputs.append(given)
        self.rested += struck.rested
        self._queue(struck.starts)

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames of output, float32 (2, frames); fewer only where the piece ends.

        Frame 0 of the output is frame 0 of the piece: the master's latency is taken off.
        """
        if not self._open:
            raise EngineError("the session is closed")
        self._see_changes()
        blocks = [self._ready]
        have = self._ready.shape[1]
        while have < frames and not (self._last is not None and self._delivered + have >= self._last):
            block = self._produce(frames - have)
            drop = min(max(-self._delivered, 0), block.shape[1])
            self._delivered += drop
            blocks.append(block[:, drop:])
            have += block.shape[1] - drop
        ready = np.concatenate(blocks, axis=1)
        count = min(frames, have)
        if self._last is not None:
            count = min(count, max(self._last - self._delivered, 0))
        out, self._ready = ready[:, :count], ready[:, count:]
        self._delivered += count
        self._hash.update(to_pcm24(out))
        return out

    def finish(self) -> takes.Take:
        """Cut what sounds, account for all that was heard, save the take: durable when this returns.

        The entries are acknowledged; `seal` puts them into the log. After an error it may be called again.
        """
        if self._take is None:
            self._stop_work()
            self._account.heard(self._mixer.close())
            take = self._make_take()
            takes.save(take, self.take_path)
            self._account.closed(takes.digest(take))
            self._take = take
        return self._take

    def seal(self) -> None:
        """Sequence the session's entries into the log. After an error it may be called again."""
        self._account.sealed()

    def close(self) -> takes.Take:
        """`finish` and `seal`. A second call does what is left to do, and gives the same take."""
        take = self.finish()
        self.seal()
        return take

    def abandon(self) -> None:
        """End a session whose output came to nothing: nothing of it was heard, and so nothing is logged."""
        self._stop_work()
        self._account.abandoned()

    def _stop_work(self) -> None:
        self._open = False
        self._conformer.close()

    @property
    def take_path(self) -> Path:
        """Where the take is saved at the session's close."""
        return self._vault.home / "takes" / f"{self.session}.json"

    def _produce(self, wanted: int) -> NDArray[np.float32]:
        """Mix on for `wanted` frames, or to where the next bar is composed or the next placement begins."""
        while self._ended_at is None and self._next_line() <= self._mixer.frame:
            self._compose()
        self._follow_dials()
        self._begin_due()
        until = self._mixer.frame + -(-wanted // QUANTUM) * QUANTUM
        if self._ended_at is None:
            until = min(until, self._next_line())
        for due in (self._stage.next_window(), self._latches.next_frame):
            until = until if due is None else min(until, due)
        block, ended = self._stage.advance((until - self._mixer.frame) // QUANTUM)
        self._account.heard(ended)
        if self._ended_at is not None and not self._rung_out and self._stage.idle:
            self._rung_out = True
            # Not the mixer's frame, which depends on how many frames were asked for.
            end = max(self._ended_at, self._stage.last_end)
            self._last = end if self._last is None else min(end, self._last)
        return block

    def _follow_dials(self) -> None:
        """Set the mix of what sounds anew where a dial's value latches at this frame."""
        if self._latches.due(self._state, self._mixer.frame):
            for id, mix in remix(self._state).items():
                self._mixer.set_gain(id, mix.gain_db, mix.pan)

    def _begin_due(self) -> None:
        """Hand over what begins within the stage's window, if it still has a consent in this moment."""
        due = self._stage.due()
        if not due:
            return
        self._see_changes()
        for placement in due:
            stem = self.score.stems.get(placement.stem)
            now = self._wall.now()
            clearance = stem.cleared(self.score.use, now) if stem is not None else None
            if clearance is None:
                self._stage.cancel(placement.id)
                continue
            placement = replace(placement, consent=clearance.index)
            self._account.begun(placement, now)
            self._stage.begin(placement)

    def _next_line(self) -> int:
        """The frame, on the quantum grid, at which the next bar is composed."""
        first = self.score.clock.bar_frame(self._state.bar)
        return max(first - HORIZON_FRAMES, 0) // QUANTUM * QUANTUM

    def _compose(self) -> None:
        """Compose the next bar, journal it and let it wait for its time."""
        self._see_changes()
        before, line = dict(self._state.dials), self.score.clock.bar_frame(self._state.bar)
        self._latches.at_line(self._state, line)
        bar, self._state = next_bar(self.score, self._state, tuple(self._inputs))
        self._inputs.clear()
        if self._state.dials != before:
            self._latches.follow(line)
        self.bars.append(bar)
        self.rested += bar.rested
        for stop in bar.stops:
            self._stage.stop(stop.id, stop.end_frame, stop.fade_out)
        if bar.ended:
            self._end(bar.start_frame)
            return
        self._queue(bar.starts)

    def _queue(self, placements: Iterable[Placement]) -> None:
        """Conform and journal placements, and let them wait for their time."""
        starts = [p for p in map(self._within_limit, placements) if p is not None]
        sounds = {p.id: self._conformer.sound(self.score.stems[p.stem], p.variant) for p in starts}
        self._account.intend(starts)
        for placement in starts:
            self._stage.queue(placement, sounds[placement.id])

    def _end(self, frame: int) -> None:
        """The piece ends at `frame`; what rings may ring out."""
        self._ended_at = frame
        self._stage.stop_all(frame + MOST_TAIL_SECONDS * ENGINE_RATE, Fade(LINEAR_FADE_FRAMES))

    def _within_limit(self, placement: Placement) -> Placement | None:
        """A placement cut to the length asked for; the master's fade covers the cut."""
        if self._limit is None or placement.end_frame <= self._limit:
            return placement
        if placement.start_frame >= self._limit:
            return None
        return replace(placement, end_frame=self._limit, fade_out=Fade())

    def _see_changes(self) -> None:
        """Take consents that changed, in this or another process, into the candidates."""
        now = self._wall.now()
        expiry = self.score.next_expiry
        if not self._vault.changed() and (expiry is None or now < expiry):
            return
        before = self._candidates()
        self.score = self.score.with_snapshot(self._vault.snapshot(), now)
        if self._candidates() == before:
            return
        frame = self._mixer.frame
        self._changes.append(takes.Changed(frame, self.score.snapshot.state_hash, self._candidates()))
        for id, placement in list(self._stage.playing.items()):
            if placement.stem not in self.score.stems:
                self._stage.stop(id, frame + WITHDRAWN_FADE_FRAMES, Fade(WITHDRAWN_FADE_FRAMES))
        for sounds in (self._state.parts, self._state.held):
            for part, sounding in list(sounds.items()):
                if sounding.placement.stem not in self.score.stems:
                    del sounds[part]
                    self._state.withdrawn.add(part)

    def _candidates(self) -> tuple[str, ...]:
        return tuple(sorted(self.score.stems))

    def _starts_clean(self, stem: str) -> bool:
        if stem not in self._clean:
            self._clean[stem] = bool(np.abs(self._vault.samples(stem)[:, :32]).max() < QUIET_START)
        return self._clean[stem]

    def _make_take(self) -> takes.Take:
        score = self.score
        return takes.Take(
            version=1,
            engine=self._run.engine,
            session=self.session,
            script=score.piece.text,
            use=self._run.use,
            tier=self._run.tier,
            seed=self._run.seed,
            rate=self._run.rate,
            tempo_bpm=str(score.clock.tempo_bpm),
            key=score.key.name if score.key else None,
            dials=self._dials,
            vault=self._run.vault,
            candidates=self._first_candidates,
            limit_frames=self._limit,
            changes=tuple(self._changes),
            gestures=tuple(self._gestures),
            placements=tuple(
                takes.Heard(
                    s.seq,
                    s.placement.stem,
                    s.placement.role,
                    s.placement.part,
                    s.placement.section,
                    s.placement.line,
                    s.placement.start_frame,
                    s.frames,
                    s.ms,
                )
                for s in self.sounded
            ),
            frames=self.frame,
            pcm_sha256=self._hash.hexdigest(),
        )


def _limit_frames(score: Score, seconds: float | None, bars: int | None) -> int | None:
    lengths = []
    if seconds is not None:
        lengths.append(round(seconds * score.clock.rate))
    if bars is not None:
        lengths.append(score.clock.bar_frame(bars))
    return min(lengths, default=None)
