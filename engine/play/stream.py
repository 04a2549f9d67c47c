"""Devices take the mixer's output: PortAudio's, and one that plays to nobody at the same pace.

The compiled callback goes to PortAudio as a C pointer, through names of sounddevice that are private but kept
for authors of libraries (rtmixer uses them too).
"""

from __future__ import annotations

import operator
import threading
import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arguments import number, shown, whole as whole_number
from ..errors import DeviceFailed
from ..mix.callback import (
    ALLOWED_NS,
    CLOCKLESS,
    FASTER,
    HAND,
    IN_CALL,
    LEAST_DUE_NS,
    PLAYS,
    REVOKED,
    Deck,
    addresses,
    callback,
    pace,
)
from ..mix.chain import chain
from ..mix.rack import NEVER, Rack
from . import portaudio as library
from .portaudio import SILENT
from .stepped import SteppedDevice
from .whole import whole

SILENT_BLOCK = 256
OPEN_SECONDS = 10.0
"""How long a driver may take to open a stream, and to start it."""
ALLOWED_SECONDS = 0.5
"""How far a device may be ahead of our clock; one with a long block or latency, by twice that."""
MOST_BLOCK = 1 << 15
MOST_LATENCY_SECONDS = 10.0
_POLL_SECONDS = 0.001


class Device(Protocol):
    """Something that takes blocks until it is stopped."""

    name: str

    def start(self) -> None: ...

    def play(self) -> None:
        """Take over rack and deck, if it was opened to wait until the device before has left them."""
        ...

    @property
    def active(self) -> bool:
        """Whether it still takes blocks."""
        ...

    @property
    def clockless(self) -> bool:
        """Whether it took blocks faster than they can be heard, and is held to our clock now."""
        ...

    @property
    def ahead(self) -> float:
        """For how many seconds more what it was given may still be heard."""
        ...

    def stop(self) -> None:
        """Take no more blocks; when this returns nothing of the rack and the deck is touched any more."""
        ...

    def abandon(self) -> None:
        """The same for a device that does not answer: its driver is not waited for."""
        ...


class PortAudioDevice:
    """An output of PortAudio. `device`: its number or a part of its name, None for the system's default.

    `hand`: whether it plays once started, or gives silence until `play`. Raises DeviceFailed, in words that a
    player of music can act on.
    """

    def __init__(
        self,
        rack: Rack,
        deck: Deck,
        rate: int,
        device: int | str | None = None,
        block: int = 0,
        latency: float | str = "high",
        hand: int = PLAYS,
    ) -> None:
        sounddevice = library.portaudio()
        # Everything that the callback touches is kept here for as long as the stream lives.
        self._kept = rack, deck, callback, chain
        self._driver = threading.Lock()
        """Held while the driver starts or closes: a start that was given up is over before it is closed."""
        self._addresses = addresses(rack, deck, rate=rate, hand=hand)
        ffi = sounddevice._ffi
        try:
            self.name = str(sounddevice.query_devices(device, "output")["name"])
            self._stream: Any = sounddevice._StreamBase(
                kind="output",
                samplerate=rate,
                blocksize=block,
                device=device,
                channels=2,
                dtype="float32",
                latency=latency,
                extra_settings=None,
                callback=ffi.cast("PaStreamCallback*", callback.address),
                finished_callback=None,
                clip_off=True,
                dither_off=True,
                never_drop_input=None,
                prime_output_buffers_using_stream_callback=None,
                userdata=ffi.cast("void*", self._addresses.ctypes.data),
                wrap_callback=None,
            )
        except (sounddevice.PortAudioError, ValueError, OverflowError) as error:
            raise DeviceFailed(_said(device, rate, error)) from error
        self._allowed: float = max(ALLOWED_SECONDS, 2 * self._stream.latency, 2 * block / rate)
        self._addresses[ALLOWED_NS] = round(self._allowed * 1e9)

    def start(self) -> None:
        try:
            whole(self._begin, OPEN_SECONDS)
        except library.portaudio().PortAudioError as error:
            raise DeviceFailed(
                f'the device "{self.name}" could not be started: {library.reason(error)}'
            ) from error
        except TimeoutError as error:
            raise DeviceFailed(f'the device "{self.name}" did not start within {OPEN_SECONDS:g} s') from error

    def play(self) -> None:
        self._addresses[HAND] = PLAYS

    @property
    def active(self) -> bool:
        try:
            return bool(self._stream.active)
        except library.portaudio().PortAudioError:
            return False

    @property
    def clockless(self) -> bool:
        return bool(self._addresses[CLOCKLESS])

    @property
    def ahead(self) -> float:
        return min(_ahead(self._addresses), self._allowed)

    def stop(self) -> None:
        self._close().join(library.CLOSE_SECONDS)

    def abandon(self) -> None:
        self._close()

    def _close(self) -> threading.Thread:
        """Take the rack from the callback, and close the stream in a thread of its own: drivers may hang.

        PortAudio waits for ever to close a stream of a JACK server that is gone.
        """
        self._addresses[HAND] = REVOKED
        closing = library.close(self._end, self)
        while self._addresses[IN_CALL]:
            closing.join(_POLL_SECONDS)
        return closing

    def _begin(self) -> None:
        with self._driver:
            self._stream.start()

    def _end(self) -> None:
        with self._driver:
            self._stream.close(True)


class SilentDevice:
    """Takes blocks at the pace of a real device, and plays them to nobody."""

    name = SILENT
    clockless = False

    def __init__(
        self, rack: Rack, deck: Deck, rate: int, block: int = SILENT_BLOCK, hand: int = PLAYS
    ) -> None:
        self._kept = rack, deck
        self._addresses = addresses(rack, deck, rate=rate, hand=hand)
        # It keeps time by itself.
        self._addresses[ALLOWED_NS] = NEVER // 4
        out = np.zeros((block or SILENT_BLOCK, 2), np.float32)
        self._thread = threading.Thread(
            target=pace, args=(self._addresses, out, rate), name="stemloom silent device", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def play(self) -> None:
        self._addresses[HAND] = PLAYS

    @property
    def active(self) -> bool:
        return self._thread.is_alive()

    @property
    def ahead(self) -> float:
        return _ahead(self._addresses)

    def stop(self) -> None:
        self.abandon()
        if self._thread.ident is not None:
            self._thread.join(library.CLOSE_SECONDS)

    def abandon(self) -> None:
        self._addresses[HAND] = REVOKED
        while self._addresses[IN_CALL] and self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)


def open_device(
    rack: Rack,
    deck: Deck,
    rate: int,
    device: int | str | SteppedDevice | None,
    block: int,
    latency: float | str,
    hand: int = PLAYS,
) -> Device:
    """The device of that name or number, or the stepped one itself. Raises DeviceFailed.

    Raises TypeError for what is no device, block or latency at all, and ValueError for one out of bounds.
    """
    if not isinstance(device, SteppedDevice):
        device, block, latency = _checked(device, block, latency)
    if isinstance(device, SteppedDevice):
        device.connect(rack, deck, hand)
        return device
    if device == SILENT:
        return SilentDevice(rack, deck, rate, block, hand)
    return _in_time(rack, deck, rate, device, block, latency, hand)


def _ahead(at: NDArray[np.int64]) -> float:
    """For how many seconds more all that a device was given would be heard."""
    ahead = int(at[LEAST_DUE_NS]) / 1e9 - time.monotonic()
    return max(ahead * FASTER / (FASTER - 1), 0.0)


def _checked(
    device: int | str | None, block: int, latency: float | str
) -> tuple[int | str | None, int, float | str]:
    if device is not None and not isinstance(device, str):
        if isinstance(device, bool) or not hasattr(device, "__index__"):
            raise TypeError(
                "a device is a number, a name, a SteppedDevice or None for the system's own, "
                f"not of type {type(device).__name__}"
            )
        device = operator.index(device)
    block = whole_number(block, "a block")
    if not 0 <= block <= MOST_BLOCK:
        raise ValueError(f"a block has at most {MOST_BLOCK} frames, or 0 for what the device likes best")
    if not isinstance(latency, str):
        latency = number(latency, 'a latency that is not "low" or "high"')
    if not (latency in ("low", "high") if isinstance(latency, str) else 0 <= latency <= MOST_LATENCY_SECONDS):
        raise ValueError(f'a latency is "low", "high" or at most {MOST_LATENCY_SECONDS:g} seconds')
    return device, block, latency


def _in_time(
    rack: Rack, deck: Deck, rate: int, device: int | str | None, block: int, latency: float | str, hand: int
) -> PortAudioDevice:
    """A device of PortAudio, which is closed if it opens when nobody waits for it any more."""
    made: list[PortAudioDevice] = []
    left = threading.Event()

    def make() -> None:
        with library.using:
            made.append(PortAudioDevice(rack, deck, rate, device, block, latency, hand))

    def opened() -> PortAudioDevice:
        try:
            make()
        except DeviceFailed:
            # It may have come since PortAudio looked. The numbers of all may be others then.
            if isinstance(device, int) or not library.look_again():
                raise
            make()
        if left.is_set():
            made[0].abandon()
        return made[0]

    try:
        return whole(opened, OPEN_SECONDS)
    except BaseException as error:
        left.set()
        for each in made:
            each.abandon()
        if isinstance(error, TimeoutError):
            raise DeviceFailed(f"{_named(device)} did not open within {OPEN_SECONDS:g} s") from error
        raise


def _named(device: int | str | None) -> str:
    return "the system's default device" if device is None else f"the device {shown(device)}"


def _said(device: int | str | None, rate: int, error: Exception) -> str:
    which, reason = _named(device), library.reason(error)
    if "sample rate" in reason.lower():
        return f"{which} does not take {rate} Hz, the rate of this engine: choose another with --device"
    if library.hangs():
        return (
            f"{which} cannot be opened: {reason}; the driver of a device that went away holds PortAudio, "
            "and only a new process finds what has come since"
        )
    return f'{which} cannot be opened: {reason}; `stemloom doctor` lists what there is, or use "silent"'
