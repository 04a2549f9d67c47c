"""Devices take the mixer's output: PortAudio's, and one that plays to nobody at the same pace.

This is the only file that knows PortAudio. The compiled callback goes to it as a C pointer, through names
of sounddevice that are private but kept for authors of libraries (rtmixer uses them too).
"""

from __future__ import annotations

import atexit
import threading
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from ..errors import DeviceFailed
from ..mix.callback import IN_CALL, REVOKED, Deck, addresses, callback, pace
from ..mix.chain import chain
from ..mix.rack import Rack
from .stepped import SteppedDevice

SILENT = "silent"
"""The name of the device that plays to nobody."""
SILENT_BLOCK = 256
CLOSE_SECONDS = 2.0
"""How long a driver may take to close a stream."""
_POLL_SECONDS = 0.001


class Device(Protocol):
    """Something that takes blocks until it is stopped."""

    name: str

    def start(self) -> None: ...

    @property
    def active(self) -> bool:
        """Whether it still takes blocks."""
        ...

    def stop(self) -> None:
        """Take no more blocks; when this returns nothing of the rack and the deck is touched any more."""
        ...

    def abandon(self) -> None:
        """The same for a device that does not answer: its driver is not waited for."""
        ...


_closing: list[tuple[threading.Thread, Device]] = []
"""Streams that are being closed; kept, as their drivers may still call back."""


class PortAudioDevice:
    """An output of PortAudio. `device`: its number or a part of its name, None for the system's default.

    Raises DeviceFailed, in words that a player of music can act on.
    """

    def __init__(
        self,
        rack: Rack,
        deck: Deck,
        rate: int,
        device: int | str | None = None,
        block: int = 0,
        latency: float | str = "high",
    ) -> None:
        sounddevice = portaudio()
        # Everything that the callback touches is kept here for as long as the stream lives.
        self._kept = rack, deck, callback, chain
        self._addresses = addresses(rack, deck)
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
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DeviceFailed(_said(device, rate, error)) from error

    def start(self) -> None:
        try:
            self._stream.start()
        except portaudio().PortAudioError as error:
            raise DeviceFailed(f'the device "{self.name}" could not be started: {_reason(error)}') from error

    @property
    def active(self) -> bool:
        try:
            return bool(self._stream.active)
        except portaudio().PortAudioError:
            return False

    def stop(self) -> None:
        self._close().join(CLOSE_SECONDS)

    def abandon(self) -> None:
        self._close()

    def _close(self) -> threading.Thread:
        """Take the rack from the callback, and close the stream in a thread of its own: drivers may hang.

        PortAudio waits for ever to close a stream of a JACK server that is gone.
        """
        closing = threading.Thread(
            target=self._stream.close, args=(True,), name="stemloom close", daemon=True
        )
        self._addresses[REVOKED] = 1
        closing.start()
        while self._addresses[IN_CALL]:
            closing.join(_POLL_SECONDS)
        _closing[:] = [each for each in _closing if each[0].is_alive()]
        _closing.append((closing, self))
        return closing


class SilentDevice:
    """Takes blocks at the pace of a real device, and plays them to nobody."""

    name = SILENT

    def __init__(self, rack: Rack, deck: Deck, rate: int, block: int = SILENT_BLOCK) -> None:
        self._block = np.zeros((block or SILENT_BLOCK, 2), np.float32)
        self._thread = threading.Thread(
            target=pace,
            args=(addresses(rack, deck), self._block, rate),
            name="stemloom silent device",
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    @property
    def active(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def abandon(self) -> None:
        self.stop()


def open_device(
    rack: Rack,
    deck: Deck,
    rate: int,
    device: int | str | SteppedDevice | None,
    block: int,
    latency: float | str,
) -> Device:
    """The device of that name or number, or the stepped one itself. Raises DeviceFailed."""
    if isinstance(device, SteppedDevice):
        device.connect(rack, deck)
        return device
    if device == SILENT:
        return SilentDevice(rack, deck, rate, block)
    return PortAudioDevice(rack, deck, rate, device, block, latency)


def portaudio() -> ModuleType:
    """The sounddevice module, loaded when it is first needed. Raises DeviceFailed where PortAudio is not."""
    try:
        import sounddevice
    except OSError as error:
        raise DeviceFailed(
            "PortAudio is not installed, so no sound can be played here: install it "
            '(on Debian and Ubuntu: apt install libportaudio2), or use the device "silent"'
        ) from error
    module: ModuleType = sounddevice
    atexit.unregister(_let_exit)
    atexit.register(_let_exit)
    return module


def _let_exit() -> None:
    """At the end of the process: PortAudio cannot be ended while a stream hangs, so it is left as it is."""
    for closing, _ in _closing:
        closing.join(CLOSE_SECONDS)
    if any(closing.is_alive() for closing, _ in _closing):
        atexit.unregister(portaudio()._exit_handler)


def _said(device: int | str | None, rate: int, error: Exception) -> str:
    which = "the system's default device" if device is None else f"the device {device!r}"
    reason = _reason(error)
    if "sample rate" in reason.lower():
        return f"{which} does not take {rate} Hz, the rate of this engine: choose another with --device"
    return f'{which} cannot be opened: {reason}; `stemloom doctor` lists what there is, or use "silent"'


def _reason(error: Exception) -> str:
    return str(error.args[0] if error.args else error).split(" [PaErrorCode")[0]
