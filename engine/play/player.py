"""The player to embed: pull blocks of sound into a host's own audio loop, or have it play on a device.

Pull, where the host has an audio loop of its own:

    from stemloom import Player

    with Player("~/music-home", "harbour.loom", use="stream", tier="developer") as player:
        while (block := player.read(512)).shape[0]:      # float32 (frames, 2) at 48 kHz
            host.play(block)
            player.set("energy", host.energy)            # a dial of the script

Play, where it has none: a device mixes by itself, without the interpreter's lock.

    with Player("~/music-home", "harbour.loom") as player:
        player.on("section", lambda bar: print(bar.section))
        player.open_device()                             # or open_device("silent"), which plays to nobody
        player.wait()                                    # until the piece ends; player.stop() ends it before

The sound is the one that `stemloom render` writes, bit for bit, whatever the block sizes and the device;
every placement that has ended is in the ledger's journal, a second later in the log, and leaving the `with`
block seals the session. `player.take` then holds all that happened, and `stemloom replay` gives the same
sound again.

Gestures - `set`, `like`, `dislike`, `cue`, `fade`, `mute`, `solo`, `panic`, `swap_script`, `undo` - may come
from any thread. One for the mix is heard in the next block, one for what is played at the boundary that the
script names; another script takes over at the next bar line, or is refused while the old one plays on.

Events come on a thread of their own, never on the device's: `on("bar", f)` calls `f(Bar)` for each bar as it
is composed, `"section"` for each first bar of a section, `"started"` with a Placement, `"ended"` with what
was heard of it, `"withdrawn"` with the ids of stems, `"script"` with the Piece that took over, `"xrun"` with
their number, `"stopped"` with the seconds for which the process stood still, `"device"` and `"unready"`
with an error that did not stop the music, `"failed"` with one that did, `"ledger"` with a sentence when the
disk takes no more entries and with None when it does again: the music goes on, and `player.ledger` says how
far it is.

Errors: a script with mistakes raises ScriptRejected, a use that it is not for UseRefused, a vault with
nothing cleared NothingCleared, a device that will not play DeviceFailed. All are sentences for a person.
"""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from ...script.check.check import accepted
from ...script.text.load import load
from ...vault.records import ENGINE_RATE
from ...vault.vault import Vault
from ..errors import EngineError
from ..mix.meters import Level
from ..plan import Bar
from .gestures import Gestures
from .notices import EVENTS, Notices
from .scribe import LedgerState
from .session import Options, Session, known
from .take import Take

if TYPE_CHECKING:
    from .live import Health, Live
    from .stepped import SteppedDevice

PREPARED_BARS = 8
"""How many bars are conformed before the first block."""


@dataclass(frozen=True, slots=True)
class Now:
    """One thing that sounds: who made it, and which line of the script placed it."""

    stem: str
    title: str
    holder: str
    role: str
    part: str
    section: str
    line: int


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud everything is: behind the listener's faders; the output as it is given out."""

    roles: dict[str, Level]
    effects: dict[str, Level]
    output: Level


_Given = ParamSpec("_Given")


def _made(
    gesture: Callable[Concatenate[Gestures, _Given], None],
) -> Callable[Concatenate[Player, _Given], None]:
    """The method of a player that makes a gesture of its session."""

    @wraps(gesture)
    def method(player: Player, /, *args: _Given.args, **kwargs: _Given.kwargs) -> None:
        with player._open() as session:
            gesture(session.gestures, *args, **kwargs)

    return method


class Player:
    """Plays a script from a vault, block by block. A context manager; safe to call from any thread.

    `home`: the folder of vault and ledger. `path`: the script. `options`: `use`, `tier` ("developer" if it is
    left out), `user`, `seed` and `dials`, as in `Options`.
    """

    rate = ENGINE_RATE

    def __init__(
        self, home: str | os.PathLike[str], path: str | os.PathLike[str], **options: Unpack[Options]
    ) -> None:
        self._begin(home, load(Path(path)), str(path), {"tier": "developer", **options})

    @classmethod
    def from_text(cls, home: str | os.PathLike[str], text: str, **options: Unpack[Options]) -> Self:
        """A player of a script that is given as text."""
        player = cls.__new__(cls)
        player._begin(home, text, "<text>", {"tier": "developer", **options})
        return player

    def _begin(self, home: str | os.PathLike[str], text: str, name: str, options: Options) -> None:
        self.take: Take | None = None
        """What happened, once the player is closed."""
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._notices = Notices()
        self.bar: Bar | None = None
        """The bar that was composed last, at most 100 ms before it is heard."""
        self._vault = Vault.open(Path(home).expanduser())
        with ExitStack() as stack:
            stack.callback(self._vault.close)
            piece = accepted(text, self._vault.snapshot(), file=name)
            self._session = Session(self._vault, piece, history=False, **known(options))
            self._session.prepare(PREPARED_BARS)
            self._session.conductor.listeners.append(self._heard_of)
            self._session.on_ledger(lambda fault: self._notices.tell("ledger", fault))
            stack.pop_all()

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next `frames` frames, float32 (frames, 2); fewer, and at last none, where the piece ends.

        Waits for a stem that has still to be brought to tempo. Raises ValueError for a negative count.
        """
        frames = operator.index(frames)
        if frames < 0:
            raise ValueError(f"frames must not be negative: {frames}")
        with self._lock:
            if self._live is not None:
                raise EngineError("a device plays this player: it cannot be read as well")
            return np.ascontiguousarray(self._session.read(frames).T)

    set = _made(Gestures.set)
    like = _made(Gestures.like)
    dislike = _made(Gestures.dislike)
    cue = _made(Gestures.cue)
    fade = _made(Gestures.fade)
    mute = _made(Gestures.mute)
    solo = _made(Gestures.solo)
    panic = _made(Gestures.panic)
    undo = _made(Gestures.undo)

    def swap_script(self, text: str, name: str = "<text>") -> None:
        """Have another script take over at the next bar line, whole or not at all; the old one plays on.

        What it needs first is conformed before that, so this may take a while. The form goes on in the
        section of the same name, or begins anew; lines that stand in both scripts go on without a seam.
        `name`: of the script, in messages. Raises ScriptRejected, SwapRefused for another tempo or meter,
        UseRefused, NothingCleared.
        """
        session = self._session
        piece = accepted(text, session.score.snapshot, file=name)
        coming = session.conductor.rescored(piece)
        conductor = session.conductor
        with self._open():
            state = conductor.state_under(coming)
        wanted, _ = conductor.wanted(PREPARED_BARS, coming, state)
        conductor.conformer.prepare(wanted)
        with self._open():
            session.gestures.swap(coming)

    def on(self, event: str, call: Callable[..., object]) -> None:
        """Have `call` called for every event of a kind, as the module's text says.

        It is called on a thread of its own; an error in it is reported there and stops nothing. Raises
        ValueError for an unknown event, TypeError for what cannot be called.
        """
        if event not in EVENTS:
            raise ValueError(f"there is no event {event!r}: they are {', '.join(EVENTS)}")
        if not callable(call):
            raise TypeError(f"{call!r} cannot be called with what happens")
        self._notices.add(event, call)

    def open_device(
        self,
        device: int | str | SteppedDevice | None = None,
        *,
        block: int = 0,
        latency: float | str = "high",
    ) -> None:
        """Play on a device from here on: the system's own, one by number or name, "silent", or a stepped one.

        `block`: frames of a callback, 0 for what the device likes best. `latency`: seconds, "low" or "high".
        Raises DeviceFailed; the player may then still be read.
        """
        from .live import Live

        with self._open() as session:
            if self._live is not None:
                raise EngineError("a device plays this player already")
            live = Live(
                session, self._lock, device=device, block=block, latency=latency, on_event=self._notices.tell
            )
            live.start()
            self._live = live

    def start(self) -> None:
        """Go on after a pause; opens the system's own device if none is open."""
        if self._live is None:
            self.open_device()
        else:
            self._live.resume()

    def pause(self) -> None:
        """Fade out and stand still until `start`."""
        if self._live is not None:
            self._live.pause()

    @property
    def paused(self) -> bool:
        return self._live is not None and self._live.paused

    def stop(self) -> None:
        """Fade out and close the device. The session is over; leaving the `with` block seals it."""
        if self._live is not None:
            self._live.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the device has played the piece to its end, or so many seconds; whether it has.

        Raises what stopped the music, if something did.
        """
        if self._live is None:
            raise EngineError("no device is open: there is nothing to wait for")
        done = self._live.wait(seconds)
        if self._live.failed is not None:
            raise self._live.failed
        return done

    @property
    def health(self) -> Health | None:
        """Block times, gaps and the like of the device; None when none is open. Disturbs nothing."""
        return None if self._live is None else self._live.health

    @property
    def ledger(self) -> LedgerState:
        """How much of what was heard is durable, how much is sealed in the log, and what is wrong if it is.

        May be asked for at any time, and disturbs nothing.
        """
        state = self._session.ledger
        assert state is not None
        return state

    def levels(self) -> Levels | None:
        """How loud the roles' buses, the buses of effects and the output are: peak, RMS and loudness.

        They are measured from the first call on, as far as a device or `read` has got; None until there are
        100 ms of them.
        """
        found = self._session.mixer.levels()
        return None if found is None else Levels(*found)

    def peak(self) -> float:
        """The greatest sample that the device was given since the last call, full scale 1."""
        return 0.0 if self._live is None else self._live.peak()

    def _heard_of(self, kind: str, what: object) -> None:
        self._notices.tell(kind, what)
        if isinstance(what, Bar):
            if not what.ended and (self.bar is None or what.section_bar == 0):
                self._notices.tell("section", what)
            self.bar = what

    @contextmanager
    def _open(self) -> Iterator[Session]:
        """The session, for this thread alone. Raises EngineError when it is over."""
        with self._lock:
            if self.take is not None:
                raise EngineError("the player is closed")
            yield self._session

    def now(self) -> tuple[Now, ...]:
        """What sounds now."""
        with self._open() as session:
            return tuple(
                Now(p.stem, p.title, p.holder, p.role, p.part, p.section, p.line) for p in session.playing
            )

    @property
    def ended(self) -> bool:
        """Whether the piece has ended and all of it was read or played."""
        return self._session.ended

    @property
    def seconds(self) -> float:
        """How much was read so far."""
        return self._session.frame / ENGINE_RATE

    @property
    def script(self) -> str:
        """The text of the script that plays now."""
        return self._session.score.piece.text

    @property
    def session(self) -> str:
        """The session's id in the ledger."""
        return self._session.session

    def close(self) -> None:
        """End the session: what sounds is logged as heard so far, and the log is sealed.

        If the disk fails it raises, and may be called again; what had been acknowledged is safe either way.
        """
        self.stop()
        with self._lock:
            if self.take is None:
                self.take = self._session.close()
                self._vault.close()
        self._notices.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
