"""A session: one run of a piece. Player and render are both one.

The conductor decides what is played, the mixer plays it, the account writes down what was heard. Here they
are put together, gestures come in, and the output is pulled. At the end the session leaves its take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ... import __version__
from ...ledger.clock import Clock, SteadyClock
from ...ledger.entries.entries import Tier, Use
from ...ledger.entries.salts import Salts
from ...script.check.check import accepted
from ...script.effects.delay import MOST_BEATS
from ...script.piece import Piece
from ...vault.errors import AudioLost
from ...vault.records import ENGINE_RATE, TIERS
from ...vault.vault import Vault
from ..clock import QUANTUM
from ..compose.events import Input
from ..compose.gains import buses_of
from ..compose.score import Score, score
from ..compose.state import as_number, first_state, in_range
from ..compose.swap import in_reach
from ..errors import EngineError, NothingToUndo, SwapRefused, UnknownCue, UnknownPart, UnknownRole
from ..mix.master import LATENCY_FRAMES
from ..mix.mixer import Mixer
from ..mix.page import PAGE_SIZE
from ..plan import Bar, Placement, Rested
from . import take as takes
from .conductor import MOST_TAIL_SECONDS, Conductor
from .faders import MOST_FADE_SECONDS, Faders
from .pcm24 import to_pcm24
from .placement_log import Account, Run, Sounded
from .scribe import LedgerState

QUIET_START = 0.003
"""Below it the first frames of a sound are no click when it begins at once: -50 dBFS."""
MOST_UNDO = 1000
MOST_MIXED_FRAMES = 1 << 18
"""How much is mixed at once; the sound does not depend on it."""
"""How many gestures may be taken back."""


class Session:
    """One run of a piece; not safe to share between threads.

    `seconds` and `bars` limit its length (the shorter counts); the last bar is then faded out. `keep_back`:
    log nothing before `close`. `replayed`: a take to play again, as it was; the script is then its own.
    `history`: whether all bars are kept for whoever draws them. `logged`: whether anybody hears it; if not,
    no entry and no take is written. Raises UseRefused, NothingCleared and UnknownDial before anything is
    written.
    """

    rate = ENGINE_RATE

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
        replayed: takes.Take | None = None,
        history: bool = True,
        logged: bool = True,
    ) -> None:
        if tier not in TIERS:
            raise EngineError(f'"{tier}" is no tier: it is one of {", ".join(TIERS)}')
        wall = clock or SteadyClock()
        self._vault = vault
        self._dials = {name: in_range(piece, name, value) for name, value in (dials or {}).items()}
        self._clean: dict[str, bool] = {}
        snapshot = vault.snapshot()
        first = score(
            piece,
            snapshot if replayed is None else snapshot.only(frozenset(replayed.candidates)),
            use=use or piece.uses[0],
            at=wall.now(),
            rate=ENGINE_RATE,
            seed=seed,
            tempo_bpm=None if replayed is None else Fraction(replayed.tempo_bpm),
            key=None if replayed is None else replayed.key,
        ).with_starts(self._starts_clean)
        self._first = first
        self._limit = _limit_frames(first, seconds, bars)
        if replayed is not None:
            self._limit = replayed.limit_frames
        self._planned = self._limit or 0
        self._faders = Faders()
        self._logged = logged
        self._least = 0 if replayed is None else replayed.frames
        self._first_candidates = tuple(sorted(first.stems))
        self.mixer = Mixer(
            piece.loudness_lufs,
            piece.ceiling_dbtp,
            buses_of(first, first_state(piece, self._dials).dials),
            first.ducked_under,
            first.clock.frame(MOST_BEATS),
        )
        if self._limit is not None:
            fade = min(first.clock.bar_frame(1), self._limit // 4)
            self.mixer.master.fade(self._limit - fade, self._limit)
        self._kept = [np.empty((2, 0), np.float32)]
        self._ready = 0
        self._delivered = -LATENCY_FRAMES
        """Frames of output given out; below 0, frames of the master's latency still to drop."""
        self._last: int | None = self._limit
        """The output's length, once it is known."""
        self._hash = hashlib.sha256()
        self._gestures: list[takes.Gesture] = []
        self._undo: list[Callable[[], object]] = []
        """What takes each gesture back, the last of them last."""
        self._turned: dict[str, float] = {}
        """The value to which each dial was turned last."""
        self._rung_out = False
        self._lead = 0
        self._lost = False
        """Whether some of the output was played but not given to `played`."""
        self._take: takes.Take | None = None
        self._open = True
        self._run = Run(
            use=cast(Use, first.use),
            tier=cast(Tier, tier),
            user=user,
            script=piece.sha256,
            seed=first.seed,
            vault=snapshot.state_hash,
            engine=__version__,
            rate=ENGINE_RATE,
        )
        self._account = Account(
            vault.log if logged else None,
            wall,
            self._run,
            keep_back=keep_back,
            history=history,
            sounding=self.mixer.sounding,
            page_size=PAGE_SIZE,
            **({"salt": Salts(vault.home).new} if logged else {}),
        )
        if self._account.page is not None:
            self.mixer.share(self._account.page, vault.log.boot)
        self._spool = takes.Spool(vault.home / "takes")
        self.conductor = Conductor(
            vault,
            first,
            self.mixer,
            self._account,
            dials=self._dials,
            limit=self._limit,
            wall=wall,
            replayed=replayed,
            history=history,
        )
        self.conductor.listeners.append(self._keep_for_take)

    @property
    def session(self) -> str:
        return self._account.session

    @property
    def score(self) -> Score:
        """The piece, its clock and key, and who may sound now."""
        return self.conductor.score

    @property
    def bars(self) -> list[Bar]:
        """Every bar composed so far, if history is kept."""
        return self.conductor.bars

    @property
    def rested(self) -> list[Rested]:
        """Every line that rested so far, if history is kept."""
        return self.conductor.rested

    @property
    def frame(self) -> int:
        """Frames of output given out so far."""
        return max(self._delivered, 0)

    @property
    def length(self) -> int | None:
        """The output's length in frames, once it is known."""
        return self._last

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
        return self.conductor.ended_at is not None

    @property
    def planned_frames(self) -> int:
        """How long `prepare` found the session to be, without its tail."""
        return self._planned

    @property
    def sounded(self) -> list[Sounded]:
        """What was heard, once the account holds it."""
        return self._account.sounded

    @property
    def ledger(self) -> LedgerState | None:
        """How far the ledger is; null for a session that nobody hears."""
        return None if self._account.scribe is None else self._account.scribe.state

    def on_ledger(self, call: Callable[[str | None], object]) -> None:
        """Have `call` called, on another thread, with what keeps the disk from taking entries, or null."""
        if self._account.scribe is not None:
            self._account.scribe.on_fault = call

    @property
    def playing(self) -> list[Placement]:
        """What sounds at the frame that is decided on next."""
        self.decide()
        return self.conductor.playing

    @property
    def crowded(self) -> int:
        """How many sounds had to go or never came because 256 sounded already."""
        return self.mixer.crowded + self.conductor.left_out

    @property
    def lufs(self) -> float:
        """Integrated loudness of the output so far."""
        return self.mixer.lufs

    @property
    def true_peak_dbtp(self) -> float:
        """True peak of the output so far."""
        return self.mixer.master.true_peak_dbtp

    def prepare(self, bars: int | None = None, progress: Callable[[int, int], None] | None = None) -> None:
        """Conform what the next bars need, side by side; without `bars`, what the whole session needs."""
        end = self.conductor.prepare(bars, progress)
        self._planned = self._planned if end is None else end

    def set(self, dial: str, value: float) -> None:
        """Turn a dial: heard in the next quantum, or latched at the boundary that the dial names."""
        value = in_range(self.score.piece, dial, value)
        self._note(takes.Gesture(0, "dial", dial, value))
        before = self._turned.get(dial, self.conductor.state.dials[dial])
        self._turn(dial, value)
        self._can_undo(lambda: self._turn_back(dial, before))

    def like(self, part: str | None = None) -> None:
        """The listener likes what `part` plays, or the loop that started last. Raises UnknownPart."""
        self._react("like", part)

    def dislike(self, part: str | None = None) -> None:
        """The listener dislikes what `part` plays, or the loop that started last. Raises UnknownPart."""
        self._react("dislike", part)

    def cue(self, name: str) -> None:
        """Give a cue that a move or an event of the script waits for. Raises UnknownCue."""
        self._known_cue(name)
        self._note(takes.Gesture(0, "cue", name))
        given = Input("cue", name=name)
        self.conductor.give(given)
        self._can_undo(lambda: self.conductor.take_back(given))

    def _react(self, kind: Literal["like", "dislike"], part: str | None) -> None:
        """What the gesture means is settled now: by the bar line another stem may play."""
        self._known_part(part)
        self._note(takes.Gesture(0, kind, part))
        sounding = [p for p in self.conductor.playing if (not p.hit if part is None else p.part == part)]
        last = max(sounding, key=lambda p: (p.start_frame, p.id), default=None)
        given = Input(kind, last.part if last else part, stem=last.stem if last else None)
        self.conductor.give(given)
        self._can_undo(lambda: self.conductor.take_back(given))

    def fade(self, role: str, gain: float, seconds: float = 0.0) -> None:
        """Move the listener's fader of a role to a gain of 0 to 1, over a time. Raises UnknownRole."""
        to, time = as_number(gain), as_number(seconds)
        if to is None or time is None:
            raise UnknownRole(f"a fader goes by numbers: {gain!r} or {seconds!r} is none")
        if not 0 <= time <= MOST_FADE_SECONDS:
            raise UnknownRole(f"a fader moves within 0 to {MOST_FADE_SECONDS} seconds; {time:g} is outside")
        self._fader(takes.Gesture(0, "fade", role, to, round(time * ENGINE_RATE)))

    def mute(self, role: str, on: bool = True) -> None:
        """Take a role out of what is heard, or back in; its fader stays. Raises UnknownRole."""
        self._fader(takes.Gesture(0, "mute", role, float(on)))

    def solo(self, role: str, on: bool = True) -> None:
        """Have this role heard alone, or beside others that are solo too. Raises UnknownRole."""
        self._fader(takes.Gesture(0, "solo", role, float(on)))

    def panic(self) -> None:
        """Silence at once; the music comes back with the next bar."""
        self._note(takes.Gesture(0, "panic", None))
        self.conductor.panic()

    def rescored(self, piece: Piece) -> Score:
        """The score by which another script would take over. May be called from any thread.

        Raises SwapRefused, UseRefused, NothingCleared.
        """
        return self.conductor.rescored(piece)

    def swap(self, score: Score) -> None:
        """Have another script take over at the next bar line, by its score. Raises SwapRefused."""
        if self.piece_ended:
            raise SwapRefused(f'"{self.score.piece.name}" has ended: nothing can take over from it')
        self.decide()
        before = self.conductor.next_score
        self.conductor.swap(score)
        self._gestures.append(takes.Gesture(self.conductor.control, "script", score.piece.text))
        self._can_undo(lambda: self.conductor.swap(self.conductor.rescored(before.piece)))

    def undo(self) -> None:
        """Take the last gesture back that was not taken back yet, as far as nothing came of it.

        A dial, a fader or a script goes back to what it was; a like, a dislike or a cue counts no more. What
        has been heard stays heard. Raises NothingToUndo, and what `swap` raises.
        """
        if not self._undo:
            raise NothingToUndo("no gesture is left that can be taken back")
        self.decide()
        self._undo.pop()()
        self._gestures.append(takes.Gesture(self.conductor.control, "undo", None))

    def _can_undo(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)
        del self._undo[:-MOST_UNDO]

    def _turn_back(self, dial: str, value: float) -> None:
        """Turn a dial to what it was, if the script that plays now has it."""
        if in_reach(self.score.piece, dial, value):
            self._turn(dial, value)

    def _turn(self, dial: str, value: float) -> None:
        self._turned[dial] = value
        self.conductor.turn(dial, value)

    def _fader(self, gesture: takes.Gesture) -> None:
        before = self._faders.stands(gesture)
        self._move(gesture)
        self._can_undo(lambda: self._move_faders(replace(gesture, value=before)))

    def _move(self, gesture: takes.Gesture) -> None:
        self._faders.known(gesture)
        self._note(gesture)
        self._move_faders(gesture)

    def _move_faders(self, gesture: takes.Gesture) -> None:
        for role, gain in self._faders.moved(gesture).items():
            self.conductor.set_fader(role, gain, gesture.frames)

    def _note(self, gesture: takes.Gesture) -> None:
        """Decide all that comes before a gesture, and put it into the take."""
        self.decide()
        self._gestures.append(replace(gesture, frame=self.conductor.control))

    def decide(self) -> None:
        """Decide up to where a gesture now would be heard."""
        self.conductor.advance_to(max(self.mixer.frame + self._lead, self.conductor.control))

    def perform(self, gesture: takes.Gesture) -> None:
        """Make a gesture now, whatever its frame. Raises as `set`, `cue` and `like` do."""
        if gesture.kind == "dial":
            assert gesture.name is not None
            assert gesture.value is not None
            self.set(gesture.name, gesture.value)
        elif gesture.kind == "cue":
            assert gesture.name is not None
            self.cue(gesture.name)
        elif gesture.kind == "panic":
            self.panic()
        elif gesture.kind == "undo":
            self.undo()
        elif gesture.kind == "script":
            self.swap(self.rescored(accepted(gesture.name or "")))
        elif gesture.kind in ("like", "dislike"):
            self._react(gesture.kind, gesture.name)
        else:
            self._fader(gesture)

    def expect(self, gesture: takes.Gesture) -> None:
        """Raise what `perform` would, before anything sounds."""
        if gesture.kind == "dial":
            assert gesture.value is not None
            in_range(self.score.piece, gesture.name or "", gesture.value)
        elif gesture.kind == "cue":
            self._known_cue(gesture.name or "")
        elif gesture.kind in ("like", "dislike"):
            self._known_part(gesture.name)
        elif gesture.kind == "script":
            self.rescored(accepted(gesture.name or ""))
        elif gesture.kind not in ("panic", "undo"):
            self._faders.known(gesture)

    def _known_cue(self, name: str) -> None:
        cues = self.score.cues
        if name not in cues:
            known = ", ".join(f'"{cue}"' for cue in cues) or "none"
            raise UnknownCue(f'"{self.score.piece.name}" waits for no cue "{name}"; its cues: {known}')

    def _known_part(self, part: str | None) -> None:
        if part is not None and part not in self.score.parts:
            known = ", ".join(self.score.parts) or "none"
            raise UnknownPart(f'"{self.score.piece.name}" has no part "{part}"; its parts: {known}')

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames of output, float32 (2, frames); fewer only where the piece ends.

        Frame 0 of the output is frame 0 of the piece: the master's latency is taken off.
        """
        if not self._open:
            raise EngineError("the session is closed")
        while self._ready < frames and not self._all_mixed:
            self._produce(self.mixer.frame + frames - self._ready)
        count = min(frames, self._ready)
        if self._last is not None:
            count = min(count, max(self._last - self._delivered, 0))
        kept = np.concatenate(self._kept, axis=1)
        out, self._kept = kept[:, :count], [kept[:, count:]]
        self._ready -= count
        self._delivered += count
        self._hash.update(to_pcm24(out))
        return out

    def mix_to(self, frame: int) -> int:
        """Mix to `frame`, a whole number of quanta; gives how many frames `read` has ready."""
        while self.mixer.frame < frame and not self._all_mixed:
            self._produce(frame)
        return self._ready

    def go_live(self, lead: int) -> None:
        """From here on a device mixes. Gestures are heard `lead` frames after what it has mixed."""
        self._lead = lead
        self.conductor.waits_for_stems = False
        if self._account.scribe is not None:
            self._account.scribe.live = True

    def go_offline(self) -> None:
        """No device mixes after all: what is read is mixed when it is read."""
        self._lead = 0
        self.conductor.waits_for_stems = True
        if self._account.scribe is not None:
            self._account.scribe.live = False

    def played(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take what a device has mixed, float32 (2, frames); gives what of it is sure to be output.

        When the piece has ended, that is known only once it has rung out.
        """
        self._keep(block)
        if self.conductor.ended_at is not None and not self._rung_out:
            sure = max(self.conductor.ended_at - self._delivered, 0)
            return self.read(min(sure, self._ready))
        return self.read(self._ready)

    def lose_output(self, mixed: int) -> None:
        """Some of what a device played could not be kept: its hash is not known, its length is.

        `mixed`: how many frames the device took in all.
        """
        self._lost = True
        given = mixed - LATENCY_FRAMES
        self._delivered = max(given if self._last is None else min(given, self._last), self._delivered)

    def finish(self) -> takes.Take:
        """Cut what sounds, account for all that was heard, save the take: durable when this returns.

        The entries are acknowledged; `seal` puts them into the log. After an error it may be called again.
        """
        if self._take is None:
            self._stop_work()
            for sounded in self._account.heard(self.mixer.close()):
                self._keep_for_take("ended", sounded)
            take = self._make_take()
            if self._logged:
                takes.save(take, self.take_path)
            self._account.closed(takes.digest(take))
            self._take = take
            self._spool.close()
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
        """End a session whose output came to nothing: nothing of it was heard, and so nothing is logged.

        One that is finished stays as it is.
        """
        if self._take is not None:
            return
        self._stop_work()
        self._spool.close()
        self._account.abandoned()

    def _stop_work(self) -> None:
        self._open = False
        self.conductor.close()

    @property
    def take_path(self) -> Path:
        """Where the take is saved at the session's close."""
        return self._vault.home / "takes" / f"{self.session}.json"

    @property
    def _all_mixed(self) -> bool:
        return self._last is not None and self._delivered + self._ready >= self._last

    def _produce(self, until: int) -> None:
        """Mix on to the quantum that holds `until`, or to where something is to be decided."""
        frame = self.mixer.frame
        self.conductor.advance_to(frame)
        due = self.conductor.next_frame()
        if due is not None:
            until = min(until, due)
        until = min(until, frame + MOST_MIXED_FRAMES)
        block = self.mixer.advance(max(-(-(until - frame) // QUANTUM), 1))
        self.settle()
        self._keep(block)

    def _keep(self, block: NDArray[np.float32]) -> None:
        """Output for `read`, the master's latency taken off."""
        drop = min(max(-self._delivered, 0), block.shape[1])
        self._delivered += drop
        self._kept.append(block[:, drop:])
        self._ready += block.shape[1] - drop

    def settle(self) -> None:
        """Take what ended into the account; where the piece has rung out, the length is known."""
        conductor = self.conductor
        conductor.collect()
        if conductor.ended_at is not None and not self._rung_out and conductor.idle:
            self._rung_out = True
            # Not the mixer's frame, which depends on how many frames were asked for.
            end = max(conductor.ended_at, conductor.last_end)
            most = conductor.ended_at + MOST_TAIL_SECONDS * ENGINE_RATE
            end = min(end + self.mixer.tail_frames, max(end, most))
            # A device may have gone on before it could be told: that is output, too.
            end = max(end, self._delivered, self._least)
            self._last = end if self._last is None else min(end, self._last)

    def _starts_clean(self, stem: str) -> bool:
        if stem not in self._clean:
            try:
                begin = self._vault.samples(stem)[:, :32]
            except (AudioLost, OSError):
                # It cannot sound as things are. Its recording may come back.
                return False
            self._clean[stem] = bool(np.abs(begin).max() < QUIET_START)
        return self._clean[stem]

    def _keep_for_take(self, kind: str, what: object) -> None:
        if isinstance(what, Sounded):
            p = what.placement
            self._spool.add(
                takes.Heard(
                    what.seq, p.stem, p.role, p.part, p.section, p.line, p.start_frame, what.frames, what.ms
                )
            )

    def _make_take(self) -> takes.Take:
        score = self._first
        return takes.Take(
            version=takes.VERSION,
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
            changes=tuple(self.conductor.changes),
            swaps=tuple(self.conductor.swaps),
            unready=tuple(self.conductor.unready),
            late=tuple(self.conductor.late),
            gestures=tuple(self._gestures),
            placements=self._spool.all(),
            frames=self.frame,
            mixed=self.mixer.frame,
            pcm_sha256=None if self._lost else self._hash.hexdigest(),
        )


def _limit_frames(score: Score, seconds: float | None, bars: int | None) -> int | None:
    lengths = []
    if seconds is not None:
        lengths.append(round(seconds * score.clock.rate))
    if bars is not None:
        lengths.append(score.clock.bar_frame(bars))
    return min(lengths, default=None)
