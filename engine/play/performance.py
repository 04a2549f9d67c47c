"""A performance: what a Player holds. It ends by itself when nobody holds the player any more.

    host's thread      read: mixes, by compiled code, and gives out; gestures: looked at and queued
    control thread     decides, journals, closes; only this one and a device's own thread touch the session

An interrupt on a host's thread therefore breaks nothing off, and no host's thread waits for a disk but where
it would run ahead of the ledger.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import warnings
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...script.check.check import accepted
from ...vault.vault import Vault
from ..compose.score import Score
from ..compose.state import State
from ..errors import EngineError, LedgerStopped, NoRoom
from ..plan import Bar
from .asked import Asked
from .control import Control
from .interpreter import player_closes, player_opens
from .notices import Notices
from .options import Options
from .pull_health import PullHealth
from .session import Session
from .take import Gesture, Take
from .transport import FADE_FRAMES, Transport

if TYPE_CHECKING:
    from .live import Health, Live
    from .stepped import SteppedDevice

PREPARED_BARS = 8
"""How many bars are conformed before the first block."""
CLOSE_SECONDS = 0.5
"""How long a close waits for another thread's `read` before it takes the stems from under it."""
_log = logging.getLogger("stemloom")
_open: weakref.WeakSet[Performance] = weakref.WeakSet()


class Performance:
    """One session of a host, with its threads. Raises what a session's begin raises; then nothing is left."""

    def __init__(self, home: Path, text: str, name: str, options: Options) -> None:
        self._process = os.getpid()
        self.take: Take | None = None
        self.bar: Bar | None = None
        self.live: Live | None = None
        self.notices = Notices()
        self.transport = Transport()
        self.health = PullHealth()
        self.last_health: Health | None = None
        """How the device did, once the player is closed."""
        self.begun = False
        """Whether anything was read or played."""
        self.closing = self._gone = False
        self._home = home / "ledger"
        self._reading = threading.RLock()
        """Held by the thread that reads."""
        self._closed = threading.RLock()
        """Held by the thread that closes."""
        self._left = ExitStack()
        """What is to be let go of, the last of it first."""
        self._control = Control("stemloom control")
        try:
            self._control.run(lambda: self._begin(home, text, name, options))
        except BaseException:
            self.closing = True
            self._control.post(self._unwind)
            self._control.close()
            raise
        _open.add(self)

    def _begin(self, home: Path, text: str, name: str, options: Options) -> None:
        player_opens()
        self._left.callback(player_closes)
        vault = Vault.open(home)
        self._left.callback(vault.close)
        piece = accepted(text, vault.snapshot(), file=name)
        self.session = session = Session(vault, piece, history=False, **options)
        self._left.callback(session.let_go)
        self.output = session.output
        self.asked = Asked(session.gestures)
        session.conductor.listeners.append(self._heard_of)
        session.on_ledger(lambda fault: self.notices.tell("ledger", fault))
        session.prepare(PREPARED_BARS)
        session.mixer.warm()
        session.think_ahead()

    def _unwind(self) -> None:
        """Undo a begin that failed, or that nobody waits for any more."""
        try:
            if hasattr(self, "session"):
                self.session.abandon()
        except Exception:  # noqa: BLE001 - the error that is on its way to the host says why
            self.session.discard()
        finally:
            self._left.close()
            self.notices.close()

    @property
    def is_ours(self) -> bool:
        """Whether this process has opened it."""
        return self._process == os.getpid()

    def check_owner(self) -> None:
        """Raise EngineError in a child of the process that opened this."""
        if not self.is_ours:
            raise EngineError(
                f"this player belongs to the process {self._process}, which goes on playing it: "
                "a process that was forked from it opens a player of its own"
            )

    def check_open(self) -> None:
        """Raise EngineError where there is nothing to play any more, or not for this process."""
        self.check_owner()
        if self.closing:
            raise EngineError("the player is closed")

    # Reading.

    def read(self, frames: int, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """The next frames of output, float32 (frames, 2), in `out` if there is one; fewer where it ends.

        Where an interrupt comes before the host has them, they count as not given out.
        """
        self.check_open()
        begun = time.perf_counter_ns()
        output = self.output
        before = given = None
        try:
            with self._reading:
                before = output.given
                try:
                    block = self._given(frames, out)
                except BaseException:
                    output.take_back(before, None)
                    raise
                given = output.given
            if self.session.mixer.has_reports:
                self._control.post(self._collect)
            self.health.read(frames, time.perf_counter_ns() - begun)
        except BaseException:
            if before is not None and given is not None:
                output.take_back(before, given)
            raise
        return block

    def _given(self, frames: int, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """What `read` gives. `_reading` is held."""
        transport, output = self.transport, self.output
        if self.live is not None and transport.stopping:
            frames = 0
        elif self.live is not None:
            raise EngineError("a device plays this player: it cannot be read as well")
        self.begun = True
        wanted = transport.music(frames)
        try:
            self._mix(wanted)
        except (LedgerStopped, NoRoom):
            # What is ready may be heard; the next call raises.
            if not output.ready:
                raise
        block = transport.applied(output.give(wanted))
        silent = transport.paused and not transport.stopping and not output.ended
        filled = np.zeros((frames if silent else block.shape[1], 2), np.float32) if out is None else out
        filled = filled[: frames if silent else block.shape[1]]
        filled[: block.shape[1]] = block.T
        filled[block.shape[1] :] = 0
        return filled

    def take_ready(self, frames: int) -> NDArray[np.float32] | None:
        """What `read` would give, if it is all there and nobody else is reading; waits for nothing."""
        self.check_open()
        if not self._reading.acquire(blocking=False):
            return None
        try:
            wanted = self.transport.music(frames)
            if self.live is None and self.output.lacks(wanted):
                return None
            return self.read(frames, None)
        finally:
            self._reading.release()

    def mix_ahead(self, frames: int) -> None:
        """Have so many frames ready for the next `read`."""
        self.check_open()
        with self._reading:
            self._mix(self.transport.music(frames))

    def prepare(self, seconds: float) -> None:
        """Conform what the next seconds need, as things stand."""
        self.check_open()
        conductor = self.session.conductor
        score, state = self._control.run(self._standing)
        clock = score.tuned(state.tuning).clock
        bars = int(seconds * self.session.rate / clock.bar_frame(1)) + 2
        wanted, _ = conductor.wanted(bars, score, state)
        conductor.conformer.prepare(wanted)

    def _standing(self) -> tuple[Score, State]:
        with self.session.lock:
            return self.session.score, self.session.conductor.state.copy()

    def _mix(self, frames: int) -> None:
        """Mix until so many frames are ready, or the piece ends."""
        if self.live is not None:
            return
        output, conductor = self.output, self.session.conductor
        while output.lacks(frames):
            self.check_open()
            if self.asked or not output.decided or conductor.changes_wait:
                output.undecided()
                self._control.run(self._decide)
            output.mix(frames)
            if output.ringing:
                self._control.run(self._collect)

    def _decide(self) -> None:
        with self.session.lock:
            self.asked.make(self._refused)
            self.output.decide()

    def _collect(self) -> None:
        with self.session.lock:
            if not self.output.closed:
                self.output.settle()

    def _refused(self, error: Exception) -> None:
        self.notices.tell("refused", error)

    # Gestures.

    def ask(self, gesture: Gesture, coming: Score | None = None) -> None:
        """Take a gesture; it is made where the output stands. Raises as `Asked.add` does."""
        self.check_open()
        self.asked.add(gesture, coming)
        if self.live is not None:
            self._control.post(self._make)

    def _make(self) -> None:
        with self.session.lock:
            if not self.output.closed:
                self.asked.make(self._refused)
                self.session.mixer.flush()

    def swap_script(self, text: str, name: str) -> None:
        """Have another script take over at the next bar line, once what it needs first is conformed."""
        self.check_open()
        conductor = self.session.conductor
        piece = accepted(text, conductor.snapshot, file=name)
        coming = conductor.rescored(piece)
        state = self._control.run(lambda: self._state_under(coming))
        wanted, _ = conductor.wanted(PREPARED_BARS, coming, state)
        conductor.conformer.prepare(wanted)
        self.ask(Gesture(0, "script", text), coming)

    def _state_under(self, coming: Score) -> State:
        with self.session.lock:
            return self.session.conductor.state_under(coming)

    def how_it_does(self) -> Health:
        """The counters of the device, or of the reads where there is none."""
        from .live import Health

        if self.live is not None:
            return self.live.health
        return self.last_health or Health.of_reads(self.health)

    # Devices.

    def open_device(self, device: int | str | SteppedDevice | None, block: int, latency: float | str) -> None:
        """Have a device play from here on. Raises DeviceFailed."""
        self.check_open()
        if self.transport.stopping or self.session.ended:
            raise EngineError("the music is over, so no device can go on with it")
        with self._reading:
            self._control.run(lambda: self._open_device(device, block, latency))

    def _open_device(
        self, device: int | str | SteppedDevice | None, block: int, latency: float | str
    ) -> None:
        from .live import Live

        if self.live is not None:
            self.live.change_device(device, block, latency)
            return
        live = Live(
            self.session,
            self.session.lock,
            device=device,
            block=block,
            latency=latency,
            on_event=self.notices.tell,
        )
        with self.session.lock:
            self.asked.make(self._refused)
        live.start()
        self.live, self.begun = live, True
        live.volume(self.transport.volume, 0.0)
        if self.transport.paused:
            live.pause()

    def pause(self) -> None:
        self.check_open()
        self.transport.pause()
        if self.live is not None:
            self.live.pause()

    def resume(self) -> None:
        self.check_open()
        self.transport.resume()
        if self.live is not None:
            self.live.resume()

    def set_volume(self, gain: float) -> None:
        """Have all that is given out at another gain."""
        self.check_open()
        self.transport.set_volume(gain, at_once=not self.begun)
        if self.live is not None:
            self.live.volume(gain, FADE_FRAMES / self.session.rate)

    def stop(self, seconds: float) -> None:
        """Fade out for good."""
        self.check_open()
        self.transport.stop(max(seconds, FADE_FRAMES / self.session.rate))
        if self.live is not None:
            self.live.stop(seconds)

    @property
    def stopped(self) -> bool:
        """Whether it was stopped, and the fade is over."""
        return self.transport.stopping and (self.live is not None or self.transport.still)

    # The end.

    def close(self) -> None:
        """End the session: what sounds is logged as heard so far, and the log is sealed.

        If the disk fails it raises, and may be called again. Called in a forked child it is refused.
        """
        self.check_owner()
        self.closing = True
        with self._closed:
            if self.take is None and not self._gone:
                self._end()
        # Not before others that close may go on: a call of the host's may wait for one of them. And again if
        # a close before this one was interrupted here.
        self.notices.close()
        self._control.close()

    def _end(self) -> None:
        if not self._reading.acquire(timeout=CLOSE_SECONDS):
            # It waits for a stem, or for the disk.
            self.session.conductor.conformer.close()
            self._reading.acquire()
        try:
            self._control.run(self._close)
        finally:
            self._reading.release()

    def _close(self) -> None:
        if self.take is not None or self._gone:
            # A close that was interrupted has done it.
            return
        if self.live is not None:
            self.live.stop()
        if not self._home.is_dir():
            self._gone = True
            self.session.discard()
            self._left.close()
            _open.discard(self)
            raise EngineError(
                f"{self._home} was removed while it was played: nothing of this could be logged"
            )
        with self.session.lock:
            if not self.output.closed:
                self.asked.make(self._refused)
            take = self.session.close()
        self._left.close()
        _open.discard(self)
        if self.live is not None:
            self.last_health, self.live = self.live.health, None
        self.take = take

    def forgotten(self) -> None:
        """Close what nobody closed, when the last reference to its player is gone."""
        if self.take is None and not self._gone and self.is_ours:
            warnings.warn(f"a player of {self.title!r} was never closed", ResourceWarning, stacklevel=2)
            # Not here: this may be any thread, in the middle of anything.
            threading.Thread(target=self._close_quietly, name="stemloom close").start()

    def _close_quietly(self) -> None:
        try:
            self.close()
        except Exception:  # noqa: BLE001 - nobody is there to be told
            _log.exception("a player that nobody closed could not be closed; the next writer does it")

    @property
    def title(self) -> str:
        """The piece's name."""
        return self.session.score.piece.name

    def _heard_of(self, kind: str, what: object) -> None:
        self.notices.tell(kind, what)
        if isinstance(what, Bar):
            if what.ended:
                self.notices.tell("finished", what)
            elif self.bar is None or what.section_bar == 0:
                self.notices.tell("section", what)
            self.bar = what


@atexit.register
def _close_all() -> None:
    """Close the players that are open when the process ends."""
    for performance in list(_open):
        if performance.is_ours:
            performance._close_quietly()
