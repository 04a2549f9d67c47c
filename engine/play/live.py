"""Live play: a thread that decides ahead of what a device takes, while the device mixes by itself.

Every few milliseconds it looks how far the device is, has the conductor decide a little further, takes the
reports into the placement log, and takes the output that the callback left in the tap. No block of sound
waits for this thread: when it comes late, what it decided comes late, is reported so and kept in the take,
and the device plays on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..clock import QUANTUM
from ..errors import DeviceFailed, EngineError
from ..mix import rack as racks
from ..mix.callback import AWAITS, TRANSPORT_STEP, duration_of, new_deck
from ..mix.limiter import LATENCY_FRAMES
from ..plan import Bar
from .portaudio import SILENT
from .pull_health import PullHealth
from .session import Session
from .stepped import SteppedDevice
from .stream import Device, open_device
from .whole import whole

LEAD_FRAMES = 512
"""How far what is decided lies ahead of what the device has taken: 11 ms."""
TICK_SECONDS = 0.003
STOP_SECONDS = 1.0
"""A process that has done nothing for so long was stopped."""
MOST_BLOCKS_OF_A_STOP = 8
"""What a device may ask for at both ends of that."""
DRAIN_SECONDS = 1.0
"""How much longer than its fade a device may take to play what it was given."""
MOST_FADE_SECONDS = 60.0
VOLUME_SECONDS = 0.05
STALL_SECONDS = 5.0
"""A device that has asked for no block for so long is given up."""
PREPARED_BARS = 4
"""How many bars ahead stems are conformed while the music plays."""
PATIENT_TICK_SECONDS = 0.0005
PATIENT_LEAD_FRAMES = 4096


@dataclass(frozen=True, slots=True)
class Health:
    """The counters of a device's play. Times in seconds, of the callback.

    `late`: commands to the mixer that came after their frame. `lost`: quanta of output that were played but
    could not be kept for the take's hash. `clockless`: the device takes blocks faster than they can be heard,
    and is held to our clock.
    """

    device: str
    blocks: int
    p50: float
    p99: float
    p999: float
    longest: float
    xruns: int
    late: int
    lost: int
    command_ring: int
    report_ring: int
    clockless: bool

    @classmethod
    def of_reads(cls, reads: PullHealth) -> Health:
        """The counters of a host's reads: `late` are those that took longer than their sound lasts."""
        longest = reads.longest_ns / 1e9
        p50, p99, p999 = (min(_quantile(reads.times.copy(), share), longest) for share in (0.5, 0.99, 0.999))
        return cls("read", reads.reads, p50, p99, p999, longest, 0, reads.late, 0, 0, 0, False)


class Live:
    """Plays a session on a device. `lock`: held while the session is touched, not by who changes or stops it.

    `patient`: the device waits for decisions instead of going without them, as one without a clock must and
    a stepped one always does.
    """

    def __init__(
        self,
        session: Session,
        lock: threading.RLock,
        *,
        device: int | str | SteppedDevice | None = None,
        block: int = 0,
        latency: float | str = "high",
        patient: bool = False,
        on_output: Callable[[NDArray[np.float32]], None] | None = None,
        on_event: Callable[[str, object], None] | None = None,
    ) -> None:
        self._session, self._lock = session, lock
        self._rack, self._deck = session.mixer.rack, new_deck()
        self._status = self._rack.status
        self._patient = patient = patient or isinstance(device, SteppedDevice)
        self._lead = PATIENT_LEAD_FRAMES if patient else LEAD_FRAMES
        self._on_output, self._on_event = on_output, on_event
        self._stopping, self._over = threading.Event(), threading.Event()
        self._stopped = False
        self._process = os.getpid()
        self._changing = threading.Lock()
        """Held while the device is changed or closed."""
        self._transport = threading.Lock()
        """Held while the next two are changed, either of which makes the transport stand still."""
        self._paused = self._held = False
        """Whether the host wants a pause; whether the device is being changed or closed."""
        self.failed: BaseException | None = None
        """What stopped the deciding, if anything did."""
        self._xruns = 0
        self._blocks = self._still = 0
        self._peak = 0.0
        self._looked = time.monotonic(), 0
        self._said: set[str] = set()
        self._options = block, latency
        self._device: Device = open_device(self._rack, self._deck, session.rate, device, block, latency)
        self._thread = threading.Thread(target=self._run, name="stemloom control", daemon=True)
        racks.tell(self._status, racks.PATIENT, int(patient))

    def start(self) -> None:
        """Begin to play. Raises DeviceFailed; the session may then still be read."""
        with ExitStack() as stack:
            stack.callback(self._session.go_live, None)
            stack.callback(self._device.stop)
            with self._lock:
                self._session.go_live(self._lead)
                # What was read before counts: the end is counted from the piece's beginning.
                self._status[racks.DELIVERED] = self._session.mixer.frame
                self._decide()
            self._device.start()
            stack.pop_all()
        self._looked = time.monotonic(), int(self._status[racks.BLOCKS])
        self._session.conductor.listeners.append(self._composed)
        self._thread.start()

    def change_device(
        self, device: int | str | SteppedDevice | None, block: int = 0, latency: float | str = "high"
    ) -> None:
        """Play on another device from here on, also after one went away. No frame is lost or given twice.

        The other one is opened and started in silence first; if it will not, DeviceFailed is raised and the
        one before plays on. Then that fades out, the other goes on at the next frame and fades in, in a pause
        when it is over. Raises EngineError once the music is over, TypeError and ValueError as `open_device`.
        """
        self._check_process()
        whole(lambda: self._change_device(device, block, latency))

    def _change_device(
        self, device: int | str | SteppedDevice | None, block: int, latency: float | str
    ) -> None:
        with self._changing, ExitStack() as stack:
            if self._stopped or self._over.is_set():
                raise EngineError("the music is over, so no device can go on with it")
            coming = open_device(self._rack, self._deck, self._session.rate, device, block, latency, AWAITS)
            stack.callback(coming.abandon)
            coming.start()
            stack.pop_all()
            self._fade_out()
            gone, self._device, self._still = self._device, coming, 0
            gone.abandon()
            self._options = block, latency
            self._wait_for_decisions(isinstance(device, SteppedDevice))
            coming.play()
            self._stand(held=False)

    def _wait_for_decisions(self, patient: bool) -> None:
        """Have the next device wait for decisions, or go without."""
        if patient != self._patient:
            self._patient = patient
            self._lead = PATIENT_LEAD_FRAMES if patient else LEAD_FRAMES
            with self._lock:
                self._session.go_live(self._lead)
            racks.tell(self._status, racks.PATIENT, int(patient))

    def volume(self, gain: float, seconds: float = VOLUME_SECONDS) -> None:
        """Move to a gain from 0 to 1 for whoever listens; neither the take nor the ledger is told.

        Raises ValueError for another gain and for a time that is negative or over a minute, and TypeError for
        what is no number.
        """
        self._check_process()
        gain = _within(gain, 1.0, "a volume is a gain from 0 to 1")
        self._deck.volume[2] = self._step_of(seconds)
        self._deck.volume[1] = gain

    def _step_of(self, seconds: float) -> float:
        """By how much a gain moves with each frame so as to go from 0 to 1 in that time, or in 21 ms."""
        seconds = _within(seconds, MOST_FADE_SECONDS, f"a fade takes from 0 to {MOST_FADE_SECONDS:g} seconds")
        return min(TRANSPORT_STEP, 1 / max(seconds * self._session.rate, 1))

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise EngineError("the device belongs to the process that opened it, of which this one is a fork")

    def pause(self) -> None:
        """Fade out and stand still."""
        self._check_process()
        self._stand(paused=True)

    def resume(self) -> None:
        """Go on from where it stood."""
        self._check_process()
        self._stand(paused=False)

    def _stand(self, *, paused: bool | None = None, held: bool | None = None) -> None:
        """Set why the transport stands still, and have it do so or go on."""
        with self._transport:
            self._paused = self._paused if paused is None else paused
            self._held = self._held if held is None else held
            racks.tell(self._status, racks.PAUSED, int(self._paused or self._held))

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def ended(self) -> bool:
        """Whether the device has been given the last frame."""
        return int(racks.seen(self._status, racks.DELIVERED)) >= int(self._status[racks.END])

    @property
    def health(self) -> Health:
        """The counters so far. May be asked for at any time, and disturbs nothing."""
        status, times = self._status, self._deck.times.copy()
        longest = int(status[racks.LONGEST_NS]) / 1e9
        return Health(
            device=self._device.name,
            blocks=int(status[racks.BLOCKS]),
            p50=min(_quantile(times, 0.5), longest),
            p99=min(_quantile(times, 0.99), longest),
            p999=min(_quantile(times, 0.999), longest),
            longest=longest,
            xruns=int(status[racks.XRUNS]),
            late=int(status[racks.CAME_LATE]),
            lost=int(status[racks.TAP_LOST]),
            command_ring=int(status[racks.COMMAND_HIGH_WATER]),
            report_ring=int(status[racks.REPORT_HIGH_WATER]),
            clockless=self._device.clockless,
        )

    def peak(self) -> float:
        """The greatest sample since it was last asked for, full scale 1."""
        peak, self._peak = self._peak, 0.0
        return peak

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the last frame has been given to the device, or the play has failed; whether it has."""
        # Not for the thread: a `join` that Ctrl-C breaks off takes the thread for ended, and frees its lock.
        return self._over.wait(seconds)

    def stop(self, fade: float = 0.0) -> None:
        """Fade out in so many seconds, close the device, and take what was played into the session.

        The session is then to be closed. What the device holds is heard first, if it goes on; one that does
        not is waited for no longer than `DRAIN_SECONDS` and what its driver has to close. If Ctrl-C breaks
        off the wait, all this is done nevertheless, and a second call waits for it. A shorter fade than that
        of a call before cuts it short. Raises ValueError for a fade that is negative or over a minute, and
        TypeError for what is no number.
        """
        self._check_process()
        step = self._step_of(fade)
        self._deck.transport[1] = max(step, self._deck.transport[1]) if self._stopped else step
        whole(self._stop)

    def _stop(self) -> None:
        with self._changing:
            if self._stopped:
                return
            self._stopped = True
            went_on = self._fade_out()
            self._stopping.set()
            if self._thread.ident is not None:
                self._thread.join()
            racks.tell(self._status, racks.CLOSING, 1)
            if self._patient or (went_on and self._wait_while(self._sounds, fading=False)):
                self._device.stop()
            else:
                self._device.abandon()
            self._take_rest()

    def _take_rest(self) -> None:
        """Take what was played last into the session; nobody mixes any more."""
        with self._lock:
            self._take_output()
            self._session.output.settle()
            if self._status[racks.TAP_LOST]:
                self._session.output.lose(int(self._status[racks.DELIVERED]))

    def _fade_out(self) -> bool:
        """Fade out a device that has a clock; whether it took the blocks for that, if it had to."""
        if self._patient or self.ended:
            return True
        self._stand(held=True)
        return self._wait_while(lambda: self._device.active and self._deck.transport[0] > 0, fading=True)

    def _sounds(self) -> bool:
        """Whether what the device was given may still be heard."""
        return self._device.active or self._device.ahead > 0

    def _wait_while(self, going_on: Callable[[], bool], *, fading: bool) -> bool:
        """Wait no longer than a device may take, and than a fade if it is `fading`; whether it is over."""
        begun = time.monotonic()
        while going_on():
            fade = fading / (self._deck.transport[1] * self._session.rate)
            if time.monotonic() > begun + fade + DRAIN_SECONDS:
                return False
            time.sleep(TICK_SECONDS)
        return True

    def _run(self) -> None:
        """The control thread: decide, collect, until the end."""
        try:
            while not self._stopping.wait(PATIENT_TICK_SECONDS if self._patient else TICK_SECONDS):
                self._see_stop()
                self._see_clock()
                with self._lock:
                    self._step()
                if self.ended:
                    return
                if not self._device.active or self._stalled():
                    self._go_on_in_silence()
        except Exception as error:  # noqa: BLE001 - whatever it is, the host is told
            self.failed = error
            racks.tell(self._status, racks.CLOSING, 1)
            self._say("failed", error)
        finally:
            self._over.set()

    def _step(self) -> None:
        self._take_output()
        self._session.output.settle()
        length = self._session.output.length
        if length is not None and int(self._status[racks.END]) > length + LATENCY_FRAMES:
            racks.tell(self._status, racks.END, length + LATENCY_FRAMES)
        self._decide()
        xruns = int(self._status[racks.XRUNS])
        if xruns != self._xruns:
            self._xruns = xruns
            self._say("xrun", xruns)

    def _decide(self) -> None:
        self._session.conductor.decide()
        self._session.mixer.commit(self._session.conductor.control)

    def _take_output(self) -> None:
        """Take what the callback left in the tap into the session's hash, and to whoever listens."""
        read, written = int(self._status[racks.TAP_READ]), int(racks.seen(self._status, racks.TAP_WRITTEN))
        if read == written:
            return
        places = np.arange(read, written) % racks.TAP_QUANTA
        block = np.ascontiguousarray(self._deck.tap[places].transpose(1, 0, 2)).reshape(2, -1)
        racks.tell(self._status, racks.TAP_READ, written)
        self._peak = max(self._peak, float(np.abs(block).max()))
        out = self._session.output.played(block)
        if self._on_output is not None and out.shape[1]:
            self._on_output(out)

    def _composed(self, kind: str, bar: object) -> None:
        """After each bar, see that the stems of the next ones are being made ready."""
        if not isinstance(bar, Bar) or bar.ended:
            return
        conductor = self._session.conductor
        if not self._session.thinks_ahead:
            conductor.conformer.soon(conductor.wanted(PREPARED_BARS)[0])
        for error in conductor.conformer.trouble():
            self._say("unready", error)

    def _see_stop(self) -> None:
        """Tell if the whole process stood still: neither this thread nor the device went on."""
        now, blocks = time.monotonic(), int(self._status[racks.BLOCKS])
        before, blocks_before = self._looked
        self._looked = now, blocks
        if now - before > STOP_SECONDS and blocks - blocks_before <= MOST_BLOCKS_OF_A_STOP:
            self._say("stopped", now - before)

    def _stalled(self) -> bool:
        """Whether the device has asked for nothing for long, not counting when we were stopped ourselves."""
        blocks = int(self._status[racks.BLOCKS])
        self._still = self._still + 1 if blocks == self._blocks else 0
        self._blocks = blocks
        return not self._patient and self._still * TICK_SECONDS > STALL_SECONDS

    def _see_clock(self) -> None:
        """Tell once if the device turns out to have no clock."""
        said = f'the device "{self._device.name}" has no clock of its own: it is held to real time'
        if self._device.clockless and said not in self._said:
            self._said.add(said)
            self._say("device", DeviceFailed(said))

    def _go_on_in_silence(self) -> None:
        """The device is gone: the music goes on, heard by nobody, and nothing of it is lost."""
        if not self._changing.acquire(blocking=False):
            # Another takes over just now, or it is closed. If neither comes to be, this is tried again.
            return
        try:
            still, self._still = self._still, 0
            if self.ended or self._stopping.is_set() or (self._device.active and not still):
                return
            gone = self._device.name
            self._device.abandon()
            self._device = open_device(self._rack, self._deck, self._session.rate, SILENT, *self._options)
            self._device.start()
        finally:
            self._changing.release()
        self._say("device", DeviceFailed(f'the device "{gone}" went away: the music goes on in silence'))

    def _say(self, kind: str, what: object) -> None:
        if self._on_event is not None:
            self._on_event(kind, what)


def _within(value: object, most: float, rule: str) -> float:
    """A number from 0 to `most`. `rule`: says so, for the error if it is another, or none."""
    if not isinstance(value, int | float | np.number):
        raise TypeError(f"{rule}, not of type {type(value).__name__}")
    if not 0 <= value <= most:
        raise ValueError(rule)
    return float(value)


def _quantile(times: NDArray[np.int64], share: float) -> float:
    """Seconds within which that share of the durations lies."""
    counts = np.cumsum(times)
    if not counts[-1]:
        return 0.0
    return duration_of(int(np.searchsorted(counts, share * counts[-1]))) / 1e9


assert LEAD_FRAMES % QUANTUM == PATIENT_LEAD_FRAMES % QUANTUM == 0
