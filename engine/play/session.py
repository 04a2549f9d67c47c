"""A session: one run of a piece. A player and a render each run one.

The conductor decides what is played, the mixer plays it, the placement log writes down what was heard. A
session puts them together, with the gestures that come in and the output that goes out, and leaves its take.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...ground.uses import HOST_TIER, Tier, Use
from ...ledger.clock import Clock, SteadyClock
from ...ledger.entries.entries import Session as SessionEntry
from ...ledger.entries.salts import Salts
from ...ledger.entries.signing import commitment, new_salt
from ...script.effects.delay import MOST_BEATS
from ...script.piece import Piece
from ...vault.catalogue.snapshot import Snapshot
from ...vault.errors import AudioLost
from ...vault.records import ENGINE_RATE, Stem
from ...vault.vault import Vault
from ..compose.compose import next_bar
from ..compose.gains import buses_of
from ..compose.score import Score, score
from ..compose.state import first_state, in_range
from ..compose.tuning import PLAIN, tuning_of
from ..made_by import engine
from ..mix.mixer import Mixer
from ..mix.page_layout import PAGE_SIZE
from ..plan import Bar, Placement
from . import take as takes
from .ahead import THINKER, Provisional, Wanted, think
from .conductor import Conductor
from .end import end_at
from .gain import foretold_gain_db
from .gestures import Gestures
from .options import Options as Options, known as known, known_tier
from .output import Output
from .placement_log import HeardPlacement, PlacementLog
from .scribe import LedgerState

MOST_PREPARED_BARS = 4000
"""How far `prepare` looks ahead: some two hours. What comes later is conformed when it is composed."""
QUIET_START = 0.003
"""Below it the first frames of a sound are no click when it begins at once: -50 dBFS."""


class Session:
    """One run of a piece; not safe to share between threads.

    `seconds` and `bars` limit its length (the shorter counts); the last bar is then faded out. `keep_back`:
    log nothing before `close`. `replayed`: a take to play again, as it was; the script is then its own.
    `history`: whether all bars are kept for whoever draws them. `logged`: whether anybody hears it; if not,
    no entry and no take is written. `gain_db`: the master's, foretold if it is left out. `loop`: at its limit
    it is not faded out but rings out, for a sound whose end leads into its beginning. Raises UseRefused,
    NothingCleared and UnknownDial before anything is written.
    """

    rate = ENGINE_RATE

    def __init__(
        self,
        vault: Vault,
        piece: Piece,
        *,
        use: str | None = None,
        tier: str = HOST_TIER,
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
        gain_db: float | None = None,
        loop: bool = False,
    ) -> None:
        whose = known_tier(tier)
        wall = clock or SteadyClock()
        self._vault, self._logged = vault, logged
        self._dials = {name: in_range(piece, name, value) for name, value in (dials or {}).items()}
        self._clean: dict[str, bool] = {}
        self.lock = threading.RLock()
        """Held by a thread that touches the session while others may."""
        self.thinks_ahead = False
        self.wanted: Wanted = []
        """The variants that the next bars need, as they were thought of ahead."""
        snapshot = vault.snapshot(replayed.declared if replayed else None)
        self._declared, self._opened_with = snapshot.declared, snapshot.stems
        first = self._first_score(piece, snapshot, use or piece.uses[0], wall.now(), seed, replayed)
        if gain_db is None:
            gain_db = replayed.gain_db if replayed else foretold_gain_db(vault, first, self._dials)
        self._first = first = replace(first, gain_db=gain_db)
        self._limit = replayed.limit_frames if replayed else _limit_frames(first, self._dials, seconds, bars)
        self.planned_frames = self._limit or 0
        """The session's length without its tail, as `prepare` found it."""
        self.loop = (replayed.loop if replayed else loop) and self._limit is not None
        self._first_candidates = tuple(sorted(first.stems))
        self.mixer = self._new_mixer(first)
        self._take: takes.Take | None = None
        self._log = PlacementLog(
            vault.log if logged else None,
            wall,
            self._opening(first, whose, user, snapshot.state_hash, wall.now()),
            keep_back=keep_back,
            history=history,
            sounding=self.mixer.sounding,
            page_size=PAGE_SIZE,
        )
        if self._log.page is not None:
            self.mixer.share(self._log.page, vault.log.boot)
        self._spool = takes.Spool(vault.home / "takes")
        self.conductor = Conductor(
            vault,
            first,
            self.mixer,
            self._log,
            dials=self._dials,
            ends=end_at(self._limit, self.loop),
            wall=wall,
            replayed=replayed,
            history=history,
        )
        self.conductor.listeners.append(self._keep_for_take)
        cut, least = None if self.loop else self._limit, replayed.frames if replayed else 0
        self.output = Output(self.mixer, self.conductor, self._log, cut, least)
        self.gestures = Gestures(self.conductor, again=replayed is not None)

    def _first_score(
        self,
        piece: Piece,
        snapshot: Snapshot,
        use: str,
        at: str,
        seed: int | None,
        replayed: takes.Take | None,
    ) -> Score:
        """The score that the session begins with."""
        first = score(
            piece,
            snapshot if replayed is None else snapshot.only(frozenset(replayed.candidates)),
            use=use,
            at=at,
            rate=ENGINE_RATE,
            seed=seed,
            tempo_bpm=None if replayed is None else Fraction(replayed.tempo_bpm),
            key=None if replayed is None else replayed.key,
        )
        return replace(first, starts_clean=self._starts_clean)

    def _opening(self, first: Score, tier: Tier, user: str, state_hash: str, time: str) -> SessionEntry:
        """The entry that opens the session; only a salted commitment to the user is in it."""
        session = "x" + secrets.token_hex(10)
        salt = Salts(self._vault.home).new(session, user) if self._logged else new_salt()
        return SessionEntry(
            time=time,
            session=session,
            state="opened",
            use=cast(Use, first.use),
            tier=tier,
            user=commitment(user, salt),
            script=first.piece.sha256,
            seed=first.seed,
            vault=state_hash,
            engine=engine(),
            licence=None,
            take=None,
            placements=None,
            ms=None,
        )

    def _new_mixer(self, first: Score, kind: type[Mixer] = Mixer) -> Mixer:
        mixer = kind(
            first.gain_db,
            first.piece.ceiling_dbtp,
            buses_of(first, first_state(first.piece, self._dials).dials),
            first.ducked_under,
            first.clock.frame(MOST_BEATS),
            first.piece.ride_lufs,
        )
        if self._limit is not None and not self.loop:
            fade = min(first.clock.bar_frame(1), self._limit // 4)
            mixer.master.fade(self._limit - fade, self._limit)
        return mixer

    @property
    def session(self) -> str:
        return self._log.opening.session

    @property
    def opened(self) -> str:
        """When it was opened, ISO 8601 in UTC."""
        return self._log.opening.time

    def isrcs(self, stems: Iterable[str]) -> tuple[str, ...]:
        """The ISRCs of those of the stems that have one, in order."""
        return self._vault.isrcs(stems)

    @property
    def gain_db(self) -> float:
        """The master's gain with which it begins."""
        return self._first.gain_db

    @property
    def score(self) -> Score:
        """The piece, its clock and key, and who may sound now."""
        return self.conductor.score

    @property
    def bars(self) -> list[Bar]:
        """Every bar composed so far, if history is kept."""
        return self.conductor.bars

    @property
    def sounded(self) -> list[HeardPlacement]:
        """What was heard and has ended."""
        return self._log.sounded

    @property
    def ledger(self) -> LedgerState | None:
        """How far the ledger is; None for a session that nobody hears."""
        return None if self._log.scribe is None else self._log.scribe.state

    def on_ledger(self, call: Callable[[str | None], object]) -> None:
        """Have `call` called, on another thread, with the fault that keeps entries from the disk, or None."""
        if self._log.scribe is not None:
            self._log.scribe.on_fault = call

    @property
    def playing(self) -> list[Placement]:
        """What sounds at the frame that is decided on next."""
        self.conductor.decide()
        return self.conductor.playing

    def sounding(self, frame: int) -> list[Placement]:
        """What sounds at a frame that is decided. May be asked from any thread."""
        return self.conductor.sounding(frame)

    @property
    def crowded(self) -> int:
        """How many sounds had to go or never came because 256 sounded already."""
        return self.mixer.crowded + self.conductor.left_out

    @property
    def frame(self) -> int:
        """Frames of output given out so far."""
        return self.output.frame

    @property
    def ended(self) -> bool:
        """Whether the last frame has been given out."""
        return self.output.ended

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames of output, float32 (2, frames); fewer only where the piece ends."""
        return self.output.read(frames)

    def prepare(self, bars: int | None = None, progress: Callable[[int, int], None] | None = None) -> None:
        """Conform what the next bars need, side by side; without `bars`, what the whole session needs."""
        wanted, end = self.conductor.wanted(MOST_PREPARED_BARS if bars is None else bars)
        self.conductor.conformer.prepare(wanted, progress)
        self.planned_frames = self.planned_frames if end is None else end

    def think_ahead(self) -> None:
        """From here on compose each bar provisionally before it is due, and make ready what it needs."""
        self.thinks_ahead = True
        self.conductor.listeners.append(self._think_on)
        THINKER.ask(self._thoughts)

    def _think_on(self, kind: str, bar: object) -> None:
        if isinstance(bar, Bar) and not bar.ended:
            THINKER.ask(self._thoughts)

    def _thoughts(self) -> Iterator[None]:
        with self.lock:
            if self.output.closed:
                return
            conductor = self.conductor
            # A script that is about to take over changes the state at the bar line.
            coming = conductor.next_score is not conductor.score
            score, before = conductor.next_score, conductor.state.copy()
            if coming:
                before = conductor.state_under(score)
        yield

        def keep(thought: Provisional) -> None:
            with self.lock:
                if not coming:
                    conductor.thought = thought

        found: Wanted = []
        for _ in think(score, before, self._limit, keep, found):
            conductor.conformer.soon(found)
            yield
        self.wanted = found

    def go_live(self, lead: int | None) -> None:
        """From here on a device mixes, and gestures are heard `lead` frames after what it has mixed.

        With None no device mixes after all: what is read is mixed when it is read.
        """
        self.conductor.lead = lead or 0
        self.conductor.waits_for_stems = lead is None
        self.output.go_live(lead is not None)
        if self._log.scribe is not None:
            self._log.scribe.live = lead is not None

    def finish(self) -> takes.Take:
        """Cut what sounds, log all that was heard, save the take: durable when this returns.

        The entries are acknowledged; `seal` puts them into the log. After an error it may be called again.
        """
        if self._take is None:
            self._stop_work()
            for sounded in self._log.heard(self.mixer.close(self.output.frame)):
                self._keep_for_take("ended", sounded)
            take = self._make_take()
            if self._logged:
                takes.save(take, self.take_path)
            self._log.closed(takes.digest(take))
            self._take = take
            self._spool.close()
        return self._take

    def seal(self) -> None:
        """Sequence the session's entries into the log. After an error it may be called again."""
        self._log.sealed()
        self.mixer.let_go()

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
        self._log.abandoned()

    def let_go(self) -> None:
        """Free memory, files, threads and processes. What is not in the log is adopted by the next writer."""
        self._stop_work()
        self._spool.close()
        self.mixer.let_go()

    def discard(self) -> None:
        """Give up a session that nobody has heard, and that the disk does not let be closed."""
        self.let_go()
        self._log.discard()

    def _stop_work(self) -> None:
        self.output.closed = True
        self.conductor.close()

    @property
    def take_path(self) -> Path:
        """Where the take is saved at the session's close."""
        return self._vault.home / "takes" / f"{self.session}.json"

    def _starts_clean(self, stem: str) -> bool:
        if stem not in self._clean:
            try:
                begin = self._vault.recordings.samples(self._as_declared(stem))[:, :32]
            except (AudioLost, KeyError, OSError):
                # It cannot sound as things are. Its recording may come back.
                return False
            self._clean[stem] = bool(np.abs(begin).max() < QUIET_START)
        return self._clean[stem]

    def _as_declared(self, stem: str) -> Stem:
        """A stem as this session knows it, also one that came since. Raises KeyError if it has gone."""
        if stem in self._opened_with.facts.place:
            return self._opened_with.find(stem)
        return self._vault.snapshot(self._declared).stem(stem)

    def _keep_for_take(self, kind: str, what: object) -> None:
        if isinstance(what, HeardPlacement):
            p = what.placement
            self._spool.add(
                takes.TakePlacement(
                    what.seq, p.stem, p.role, p.part, p.section, p.line, p.start_frame, what.frames, what.ms
                )
            )

    def _make_take(self) -> takes.Take:
        score, tape, opening = self._first, self.conductor.tape, self._log.opening
        return takes.Take(
            version=takes.VERSION,
            engine=opening.engine,
            session=self.session,
            script=score.piece.text,
            use=opening.use,
            tier=opening.tier,
            seed=opening.seed,
            rate=ENGINE_RATE,
            tempo_bpm=str(score.clock.tempo_bpm),
            key=score.key.name if score.key else None,
            dials=self._dials,
            gain_db=score.gain_db,
            vault=opening.vault,
            candidates=self._first_candidates,
            limit_frames=self._limit,
            changes=tuple(tape.changes),
            swaps=tuple(tape.swaps),
            unready=tuple(tape.unready),
            late=tuple(tape.late),
            gestures=tuple(self.gestures.made),
            placements=self._spool.all(),
            frames=self.frame,
            mixed=self.mixer.frame,
            pcm_sha256=self.output.pcm_sha256,
            loop=self.loop,
            time=opening.time,
            declared=self._declared,
        )


def _limit_frames(
    score: Score, dials: Mapping[str, float], seconds: float | None, bars: int | None
) -> int | None:
    lengths = []
    if seconds is not None:
        lengths.append(round(seconds * score.clock.rate))
    if bars is not None:
        lengths.append(_end_of(score, dials, bars))
    return min(lengths, default=None)


def _end_of(score: Score, dials: Mapping[str, float], bars: int) -> int:
    """The frame at which so many bars end, with nobody at the dials."""
    if all(tuning_of(section, score.key) == PLAIN for section in score.piece.sections):
        return score.clock.bar_frame(bars)
    state = first_state(score.piece, dials)
    while state.bar < bars and not state.ended:
        _, state = next_bar(score, state)
    return state.grid(score.clock).bar_frame(bars)
