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

The sound is the one that `stemloom render` writes, bit for bit, whatever the block sizes and the device.
What may sound is in the ledger's journal before it does; a placement that has ended is there soon, a second
later in the log, and leaving the `with` block seals the session. `player.take` then holds all that happened,
and `stemloom replay` gives the same sound again.

Gestures - `set`, `like`, `dislike`, `cue`, `fade`, `mute`, `solo`, `panic`, `swap_script`, `undo` - may come
from any thread, and wait for nobody. One for the mix is heard in the next block, one for what is played at
the boundary that the script names; another script takes over at the next bar line, or is refused while the
old one plays on. Turns of a dial that wait for the same boundary count as one, the last.

A player is `opened` while its first stems are made ready, then `ready`, `playing` once something was read or
a device plays, `paused`, `ended` when the piece or its `stop` is over, and `closed`. All of its methods may
be called from any thread of the process that opened it; in a forked child they are refused, and its exit
leaves the player alone. An interrupt, as by Ctrl-C, may come at any time: what was mixed is given out by the
next `read`.

Events come on a thread of their own, never on the device's: `on("bar", f)` calls `f(Bar)` for each bar as it
is composed, `"section"` for each first bar of a section, `"started"` with a Placement, `"ended"` with what
was heard of it, `"finished"` when the piece has come to its end, `"withdrawn"` with the ids of stems,
`"script"` with the Piece that took over, `"refused"` with the error of a gesture that could not be made any
more when its time came, `"xrun"` with their number, `"stopped"` with the seconds for which the process stood
still, `"device"` and `"unready"` with an error that did not stop the music, `"failed"` with one that did,
`"ledger"` with a sentence when the disk takes no more entries and with None when it does again: on a device
the music goes on, a `read` raises LedgerStopped and goes on later, and `player.ledger` says how far it is.

Errors: a script with mistakes raises ScriptRejected, a use that it is not for UseRefused, a vault with
nothing cleared NothingCleared, a device that will not play DeviceFailed, and whatever else an EngineError,
VaultError or LedgerError; an OSError where the disk refuses what opening or closing writes. All are sentences
for a person. A value of the wrong type is a TypeError; one that is out of its range is the error that the
method names, such as UnknownDial, or a ValueError.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Never, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from ...script.text.load import load
from ...vault.records import ENGINE_RATE
from ..arguments import number, place, shown, whole, word
from ..errors import EngineError
from ..mix.meters import Level
from ..plan import Bar
from .hands import Hands
from .listening import Listening
from .notices import Notices
from .options import Options, known
from .outline import DialOutline, Outline, PartOutline, SectionOutline, outline
from .performance import Performance
from .scribe import LedgerState
from .take import Gesture, Take

if TYPE_CHECKING:
    from .live import Health
    from .stepped import SteppedDevice

MOST_READ_SECONDS = 3600
MOST_READ_FRAMES = MOST_READ_SECONDS * ENGINE_RATE
"""How much one `read` gives at most: an hour."""
MOST_STOP_SECONDS = 60
"""The longest fade of a `stop`."""
State = Literal["opened", "ready", "playing", "paused", "ended", "closed"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the piece: its bar, from 1, and the beat in it, from 1, with its fraction."""

    bar: int
    beat: float


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


class _Rate:
    """The rate of every player, which nobody can set."""

    def __get__(self, player: object, owner: type) -> int:
        return ENGINE_RATE

    def __set__(self, player: object, value: Never) -> None:
        raise AttributeError(f"a player's rate is {ENGINE_RATE} Hz; a host that has another resamples")


class Player(Hands, Listening):
    """Plays a script from a vault, block by block. A context manager; safe to call from any thread.

    `home`: the folder of vault and ledger. `path`: the script. `options`: `use`, `tier` ("developer" if it is
    left out), `user`, `seed` and `dials`, as in `Options`. To open one takes as long as its first stems need
    to be made ready: `aopen` waits for that without holding up an event loop.
    """

    rate = _Rate()
    """Frames a second, 48 000."""

    def __init__(
        self, home: str | os.PathLike[str], path: str | os.PathLike[str], **options: Unpack[Options]
    ) -> None:
        self._begin(home, load(place(path, "the script")), str(path), options)

    @classmethod
    def from_text(cls, home: str | os.PathLike[str], text: str, **options: Unpack[Options]) -> Self:
        """A player of a script that is given as text."""
        player = cls.__new__(cls)
        player._begin(home, word(text, "a script"), "<text>", options)
        return player

    @classmethod
    async def aopen(
        cls, home: str | os.PathLike[str], path: str | os.PathLike[str], **options: Unpack[Options]
    ) -> Self:
        """A player, opened on another thread: the event loop goes on meanwhile. Use it by `async with`."""
        opening = asyncio.ensure_future(asyncio.to_thread(lambda: cls(home, path, **options)))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda done: done.exception() or done.result().close())
            raise

    def _begin(self, home: str | os.PathLike[str], text: str, name: str, options: Options) -> None:
        if hasattr(self, "_performance"):
            raise EngineError("this player is open already: open another one")
        folder = place(home, "the home of a vault")
        self._performance = performance = Performance(folder, text, name, known(options))
        weakref.finalize(self, performance.forgotten).atexit = False

    def __reduce__(self) -> Never:
        raise TypeError("a player cannot be copied, nor sent to another process: open one there")

    def __repr__(self) -> str:
        performance, at = self._performance, self.position
        title = performance.title
        return f'<Player "{title}" {self.state}, bar {at.bar} beat {at.beat:.2f}, session {self.session}>'

    # Sound.

    def read(self, frames: int, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """The next `frames` frames, float32 (frames, 2); fewer, and at last none, where the piece ends.

        While it is paused they are silent, and the piece stands still. `out`: float32 (at least `frames`, 2)
        to be filled; what is given is then the filled part of it. Waits for a stem that has still to be
        brought to tempo, and for the ledger's journal if what is read runs ahead of it. Raises ValueError for
        a negative count or one above an hour, TypeError for what is no whole number. Where the disk takes no
        more it gives what may still be heard, then raises LedgerStopped, or NoRoom for a stem that the disk
        has no room for, and goes on once there is room. Raises EngineError when the player is closed or a
        device plays it.
        """
        count = _frames(frames)
        if out is not None and not isinstance(out, np.ndarray):
            raise TypeError(f"`out` is an array of NumPy; {shown(out)} is none")
        if out is not None and (
            out.dtype != np.float32 or out.ndim != 2 or out.shape[1] != 2 or len(out) < count
        ):
            raise ValueError(f"`out` is to be float32 (at least {count}, 2): it is {out.dtype} {out.shape}")
        if out is not None and not out.flags.writeable:
            raise ValueError("`out` is to be filled, and it is an array that cannot be written")
        return self._performance.read(count, out)

    async def aread(self, frames: int) -> NDArray[np.float32]:
        """The same, read on another thread. One that is cancelled has given nothing out."""
        count = _frames(frames)
        while True:
            await asyncio.to_thread(self._performance.mix_ahead, count)
            # What another task has taken meanwhile is mixed once more for this one.
            if (block := self._performance.take_ready(count)) is not None:
                return block

    @property
    def ready(self) -> bool:
        """Whether every stem that the next bars need is in memory, so that no `read` waits for one."""
        session = self._performance.session
        return not session.conductor.conformer.lacking(session.wanted)

    def prepare(self, seconds: float) -> None:
        """Make the stems ready that the next so many seconds need, as things stand, and wait for them.

        Raises ValueError for what is no time from 0 to an hour.
        """
        time = number(seconds, "the time to prepare")
        if not 0 <= time <= MOST_READ_SECONDS:
            raise ValueError(f"stems are made ready for 0 to {MOST_READ_SECONDS} seconds, not for {time:g}")
        self._performance.prepare(time)

    # Play.

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
        self._performance.open_device(device, block, latency)

    def start(self) -> None:
        """Go on after a pause. A player that is not paused goes on as it is; no device is opened."""
        self._performance.resume()

    def pause(self) -> None:
        """Fade out and stand still until `start`: a device plays silence, and `read` gives it."""
        self._performance.pause()

    @property
    def paused(self) -> bool:
        return self._performance.transport.paused

    def stop(self, fade: float = 0.0) -> None:
        """Fade out in so many seconds, 21 ms at least; a device is closed then, and `read` gives no more.

        The session is over, and leaving the `with` block seals it. Raises ValueError for a fade that does not
        last from 0 to 60 seconds.
        """
        seconds = number(fade, "a fade")
        if not 0 <= seconds <= MOST_STOP_SECONDS:
            raise ValueError(f"a stop fades within 0 to {MOST_STOP_SECONDS} seconds, not {seconds:g}")
        self._performance.stop(seconds)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the device has played the piece to its end, or so many seconds; whether it has.

        Raises what stopped the music, if something did; ValueError for what is no time.
        """
        time = None if seconds is None else number(seconds, "a time to wait")
        if time is not None and not 0 <= time <= threading.TIMEOUT_MAX:
            raise ValueError(
                f"a wait lasts for a number of seconds from 0 on, or None for ever: not {time:g}"
            )
        self._performance.check_owner()
        live = self._performance.live
        if live is None and self._performance.closing:
            raise EngineError("the player is closed")
        if live is None:
            raise EngineError("no device is open: what is read ends when `read` gives no more")
        done = live.wait(time)
        if live.failed is not None:
            raise live.failed
        return done

    @property
    def volume(self) -> float:
        """The gain of all that is given out, 0 to 1; apart from the ledger, which counts what is placed."""
        return self._performance.transport.volume

    @volume.setter
    def volume(self, gain: float) -> None:
        to = number(gain, "a volume")
        if not 0 <= to <= 1:
            raise ValueError(f"a volume goes from 0 to 1; {to:g} is outside")
        self._performance.set_volume(to)

    def swap_script(self, text: str, name: str = "<text>") -> None:
        """Have another script take over at the next bar line, whole or not at all; the old one plays on.

        What it needs first is conformed before that, so this may take a while. The form goes on in the
        section of the same name, or begins anew; lines that stand in both scripts go on without a seam.
        `name`: of the script, in messages. Raises ScriptRejected, SwapRefused for another tempo or meter,
        UseRefused, NothingCleared; TypeError for what is no text.
        """
        self._performance.swap_script(word(text, "a script"), word(name, "the name of a script"))

    def _give(self, gesture: Gesture) -> None:
        self._performance.ask(gesture)

    # What there is to know.

    @property
    def state(self) -> State:
        """Where the player stands, as the module's text says."""
        performance = self._performance
        if performance.closing:
            return "closed"
        if performance.session.ended or performance.stopped:
            return "ended"
        if performance.transport.paused:
            return "paused"
        if performance.begun:
            return "playing"
        return "ready" if self.ready else "opened"

    @property
    def health(self) -> Health:
        """Block times, gaps and the like of the device, or of `read` where none is open. Disturbs nothing."""
        return self._performance.how_it_does()

    @property
    def ledger(self) -> LedgerState:
        """How much of what was heard is durable, how much is sealed in the log, and what is wrong if it is.

        May be asked for at any time, and disturbs nothing.
        """
        state = self._performance.session.ledger
        assert state is not None
        return state

    def levels(self) -> Levels | None:
        """How loud the roles' buses, the buses of effects and the output are: peak, RMS and loudness.

        They are measured from the first call on, as far as a device or `read` has got; None until there are
        100 ms of them.
        """
        self._performance.check_owner()
        found = self._performance.session.mixer.levels()
        return None if found is None else Levels(*found)

    def peak(self) -> float:
        """The greatest sample that the device was given since the last call, full scale 1."""
        self._performance.check_owner()
        live = self._performance.live
        return 0.0 if live is None else live.peak()

    def now(self) -> tuple[Now, ...]:
        """What sounds now."""
        self._performance.check_open()
        session = self._performance.session
        return tuple(
            Now(p.stem, p.title, p.holder, p.role, p.part, p.section, p.line)
            for p in session.sounding(session.frame)
        )

    @property
    def dials(self) -> tuple[DialOutline, ...]:
        """The dials of the script that plays, with their ranges, and where each stands."""
        return self._outline.dials

    @property
    def cues(self) -> tuple[str, ...]:
        """The cues that the script waits for anywhere."""
        return self._outline.cues

    @property
    def parts(self) -> tuple[PartOutline, ...]:
        """The parts that the script brings or plays."""
        return self._outline.parts

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that may sound, each with a fader."""
        return self._outline.roles

    @property
    def sections(self) -> tuple[SectionOutline, ...]:
        """The sections of the script."""
        return self._outline.sections

    @property
    def _outline(self) -> Outline:
        conductor = self._performance.session.conductor
        return outline(conductor.score, dict(conductor.state.dials))

    @property
    def bar(self) -> Bar | None:
        """The bar that was composed last, at most 100 ms before it is heard."""
        return self._performance.bar

    @property
    def position(self) -> Position:
        """Where what is heard lies in the piece."""
        session = self._performance.session
        grid = session.conductor.grid
        bar, beats = grid.bar_at(grid.beat(session.frame))
        return Position(bar + 1, float(beats / grid.clock(bar).meter_beat) + 1)

    @property
    def seconds(self) -> float:
        """How much of the piece was read or played so far."""
        return self._performance.session.frame / ENGINE_RATE

    @property
    def tempo(self) -> float:
        """Beats a minute, as they are heard now; they are those of the head's metre."""
        session = self._performance.session
        grid = session.conductor.grid
        return float(grid.tempo(grid.beat(session.frame)))

    @property
    def key(self) -> str | None:
        """The key of the bar that was composed last; None where the script names none."""
        bar, key = self.bar, self._performance.session.score.key
        if bar is not None and not bar.ended:
            return bar.key
        return None if key is None else key.name

    @property
    def ended(self) -> bool:
        """Whether the piece has ended and all of it was read or played."""
        return self._performance.session.ended

    @property
    def script(self) -> str:
        """The text of the script that plays now."""
        return self._performance.session.score.piece.text

    @property
    def session(self) -> str:
        """The session's id in the ledger."""
        return self._performance.session.session

    @property
    def take(self) -> Take | None:
        """What happened, once the player is closed."""
        return self._performance.take

    def _told(self) -> Notices:
        self._performance.check_owner()
        return self._performance.notices

    # The end.

    def close(self) -> None:
        """End the session: what sounds is logged as heard so far, and the log is sealed.

        If the disk fails it raises, and may be called again; what had been acknowledged is safe either way.
        """
        self._performance.close()

    async def aclose(self) -> None:
        """The same on another thread."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        self._performance.check_open()
        return self

    def __exit__(self, *error: object) -> None:
        if self._performance.is_ours:
            self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        if self._performance.is_ours:
            await self.aclose()


def _frames(frames: int) -> int:
    count = whole(frames, "a number of frames")
    if not 0 <= count <= MOST_READ_FRAMES:
        raise ValueError(
            f"`read` gives from 0 to {MOST_READ_FRAMES} frames at once, an hour: not {shown(count)}"
        )
    return count
