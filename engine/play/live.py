"""Live play: a thread that decides ahead of what a device takes, while the device mixes by itself.

Every few milliseconds it looks how far the device is, has the conductor decide a little further, takes the
reports into the placement log, and takes the output that the callback left in the tap. No block of sound
waits for this thread: when it comes late, what it decided comes late, is reported so and kept in the take,
and the device plays on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..clock import QUANTUM
from ..errors import DeviceFailed
from ..mix import rack as racks
from ..mix.callback import TRANSPORT_STEP, duration_of, new_deck
from ..mix.limiter import LATENCY_FRAMES
from ..plan import Bar
from .session import Session
from .stepped import SteppedDevice
from .stream import SILENT, Device, open_device

LEAD_FRAMES = 512
"""How far what is decided lies ahead of what the device has taken: 11 ms."""
TICK_SECONDS = 0.003
STOP_SECONDS = 1.0
"""A process that has done nothing for so long was stopped."""
MOST_BLOCKS_OF_A_STOP = 8
"""What a device may ask for at both ends of that."""
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
    could not be kept for the take's hash.
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


class Live:
    """Plays a session on a device. `lock`: held while the session is touched.

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
        self.failed: BaseException | None = None
        """What stopped the deciding, if anything did."""
        self._conforming: Future[None] | None = None
        self._xruns = 0
        self._blocks = self._still = 0
        self._peak = 0.0
        self._looked = time.monotonic(), 0
        self._said: set[str] = set()
        self._options = block, latency
        self._device: Device = open_device(self._rack, self._deck, session.rate, device, block, latency)
        self._workers = ThreadPoolExecutor(1, "stemloom conform")
        self._thread = threading.Thread(target=self._run, name="stemloom control", daemon=True)
        racks.tell(self._status, racks.PATIENT, int(patient))

    def start(self) -> None:
        """Begin to play. Raises DeviceFailed; the session may then still be read."""
        with self._lock:
            self._session.go_live(self._lead)
            self._decide()
        with ExitStack() as stack:
            stack.callback(self._session.go_live, None)
            stack.callback(self._device.stop)
            stack.callback(self._workers.shutdown)
            self._device.start()
            stack.pop_all()
        self._looked = time.monotonic(), int(self._status[racks.BLOCKS])
        self._session.conductor.listeners.append(self._composed)
        self._thread.start()

    def pause(self) -> None:
        """Fade out and stand still."""
        racks.tell(self._status, racks.PAUSED, 1)

    def resume(self) -> None:
        """Go on from where it stood."""
        racks.tell(self._status, racks.PAUSED, 0)

    @property
    def paused(self) -> bool:
        return bool(self._status[racks.PAUSED])

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
        )

    def peak(self) -> float:
        """The greatest sample since it was last asked for, full scale 1."""
        peak, self._peak = self._peak, 0.0
        return peak

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the last frame has been given to the device, or the play has failed; whether it has."""
        # Not for the thread: a `join` that Ctrl-C breaks off takes the thread for ended, and frees its lock.
        return self._over.wait(seconds)

    def stop(self) -> None:
        """Fade out, close the device, and take what was played into the session. It is then to be closed."""
        if self._stopped:
            return
        self._stopped = True
        if self._device.active and not self._patient and not self.ended:
            self.pause()
            self._while_active(lambda: self._deck.transport[0] > 0)
        elif self.ended and not self._patient:
            self._while_active(lambda: True)
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        racks.tell(self._status, racks.CLOSING, 1)
        self._device.stop()
        self._workers.shutdown(cancel_futures=True)
        with self._lock:
            self._take_output()
            self._session.output.settle()
            if self._status[racks.TAP_LOST]:
                self._session.output.lose(int(self._status[racks.DELIVERED]))

    def _while_active(self, going_on: Callable[[], bool]) -> None:
        """Wait for the transport's fade, or until all has been heard, while the device takes blocks."""
        until = time.monotonic() + 1.0 + 1 / (TRANSPORT_STEP * self._session.rate)
        while going_on() and self._device.active and time.monotonic() < until:
            self._stopping.wait(TICK_SECONDS)

    def _run(self) -> None:
        """The control thread: decide, collect, until the end."""
        try:
            tick = PATIENT_TICK_SECONDS if self._patient else TICK_SECONDS
            while not self._stopping.wait(tick):
                self._see_stop()
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
        if (
            not isinstance(bar, Bar)
            or bar.ended
            or (self._conforming is not None and not self._conforming.done())
        ):
            return
        if self._conforming is not None and (error := self._conforming.exception()) is not None:
            # It is tried again with every bar, and said once.
            if str(error) not in self._said:
                self._say("unready", error)
            self._said.add(str(error))
        conductor = self._session.conductor
        wanted, _ = conductor.wanted(PREPARED_BARS)
        wanted = [(stem, variant) for stem, variant in wanted if not conductor.conformer.ready(variant)]
        if wanted and not self._stopped:
            self._conforming = self._workers.submit(conductor.conformer.prepare, wanted)

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

    def _go_on_in_silence(self) -> None:
        """The device is gone: the music goes on, heard by nobody, and nothing of it is lost."""
        gone = self._device.name
        self._still = 0
        self._device.abandon()
        if self.ended or self._stopping.is_set():
            return
        self._device = open_device(self._rack, self._deck, self._session.rate, SILENT, *self._options)
        self._device.start()
        self._say("device", DeviceFailed(f'the device "{gone}" went away: the music goes on in silence'))

    def _say(self, kind: str, what: object) -> None:
        if self._on_event is not None:
            self._on_event(kind, what)


def _quantile(times: NDArray[np.int64], share: float) -> float:
    """Seconds within which that share of the durations lies."""
    counts = np.cumsum(times)
    if not counts[-1]:
        return 0.0
    return duration_of(int(np.searchsorted(counts, share * counts[-1]))) / 1e9


assert LEAD_FRAMES % QUANTUM == PATIENT_LEAD_FRAMES % QUANTUM == 0
