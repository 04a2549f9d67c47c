"""PortAudio: how it is loaded, what outputs it knows, and how it is left.

It is not made to be ended while a stream of it hangs, nor to be forked: then it is left as it is.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from ..errors import DeviceFailed

SILENT = "silent"
"""The name of the device that plays to nobody."""
CLOSE_SECONDS = 2.0
"""How long a driver may take to close a stream."""

using = threading.Lock()
"""Held while a stream is opened, and while PortAudio looks for devices."""
_closing: list[tuple[threading.Thread, object]] = []
"""Streams that are being closed, with what their drivers may still call back."""
_of_the_parent: list[ModuleType] = []
"""The module, in a process that was forked from one that had loaded it."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """An output that `open_device` takes by its number or its name.

    `rate`: the one that it likes best, in Hz; it may take others. `latency`: in seconds, the one that
    `open_device` asks for unless it is told otherwise, and `low_latency` the one of "low". `api`: what it is
    reached through, such as ALSA. `number` is None for "silent", which plays to nobody.
    """

    name: str
    number: int | None
    channels: int
    rate: float
    latency: float
    low_latency: float
    default: bool
    api: str


def devices() -> tuple[DeviceInfo, ...]:
    """What `open_device` can play on, as the machine has it now, and at last "silent".

    Where PortAudio is not installed there is that one alone.
    """
    silent = DeviceInfo(SILENT, None, 2, 48_000.0, 0.0, 0.0, False, "")
    try:
        sounddevice = portaudio()
    except DeviceFailed:
        return (silent,)
    look_again()
    apis = [api["name"] for api in sounddevice.query_hostapis()]
    default = sounddevice.default.device[1]
    return (
        *(
            DeviceInfo(
                name=each["name"],
                number=number,
                channels=each["max_output_channels"],
                rate=each["default_samplerate"],
                latency=each["default_high_output_latency"],
                low_latency=each["default_low_output_latency"],
                default=number == default,
                api=apis[each["hostapi"]],
            )
            for number, each in enumerate(sounddevice.query_devices())
            if each["max_output_channels"] >= 2
        ),
        silent,
    )


def takes(number: int, rate: int) -> bool:
    """Whether an output takes our sound at that rate."""
    sounddevice = portaudio()
    try:
        sounddevice.check_output_settings(number, 2, "float32", samplerate=rate)
    except (sounddevice.PortAudioError, ValueError):
        return False
    return True


def portaudio() -> ModuleType:
    """The sounddevice module, loaded when it is first needed. Raises DeviceFailed where PortAudio is not."""
    if _of_the_parent:
        raise DeviceFailed(
            "this process was forked from one that had loaded PortAudio, which cannot be used in both: start "
            'it by "spawn", or use the device "silent"'
        )
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


def look_again() -> bool:
    """Have PortAudio find devices that were plugged in since it was loaded; whether it could look.

    It does so only when it begins anew, which would close every stream of this process, the host's own among
    them: so not while there is one, nor where it cannot be ended safely.
    """
    sounddevice = portaudio()
    if not using.acquire(blocking=False):
        return False
    try:
        kind = sounddevice._StreamBase
        if _cannot_end(sounddevice) or any(
            issubclass(type(each), kind) and not each.closed for each in gc.get_objects()
        ):
            return False
        sounddevice._terminate()
        sounddevice._initialize()
        return True
    finally:
        using.release()


def close(end: Callable[[], object], kept: object) -> threading.Thread:
    """Have `end` close a stream, in a thread that may hang. `kept`: what its driver may call until then."""

    def run() -> None:
        end()
        _closing.remove(entry)

    closing = threading.Thread(target=run, name="stemloom close", daemon=True)
    entry = closing, kept
    _closing.append(entry)
    closing.start()
    return closing


def hangs() -> bool:
    """Whether a driver has not closed a stream yet, so that PortAudio cannot begin anew."""
    return bool(_closing)


MOST_SAID = 200
"""How many characters of its words stand in a message: it says names again."""


def reason(error: Exception) -> str:
    """What PortAudio says is wrong, without its numbers."""
    said = str(error.args[0] if error.args else error).split(" [PaErrorCode")[0]
    said = said.splitlines()[0].rstrip(":")
    return "there is none" if said == "Error querying device -1" else said[:MOST_SAID]


def _cannot_end(sounddevice: ModuleType) -> bool:
    """Whether its end would hang or abort the process, as a stream hangs or a JACK server has gone.

    While that server is there, its threads are to be ended: left alone, they crash the process as it ends.
    """
    return hangs() or not all(
        _answers(sounddevice, api["default_output_device"])
        for api in sounddevice.query_hostapis()
        if api["name"].startswith("JACK")
    )


def _answers(sounddevice: ModuleType, number: int) -> bool:
    """Whether a device can be opened."""
    try:
        sounddevice.RawOutputStream(device=number, channels=1).close()
    except sounddevice.PortAudioError:
        return False
    return True


def _let_exit() -> None:
    """At the end of the process: PortAudio is left as it is where it cannot be ended safely."""
    for closing, _ in tuple(_closing):
        closing.join(CLOSE_SECONDS)
    if _cannot_end(portaudio()):
        atexit.unregister(portaudio()._exit_handler)


def _leave_to_parent() -> None:
    """In a forked child: streams and their threads are the parent's, and its end must not wait for them."""
    loaded = sys.modules.get("sounddevice")
    if loaded is not None and not _of_the_parent:
        atexit.unregister(loaded._exit_handler)
        _of_the_parent.append(loaded)
    atexit.unregister(_let_exit)


os.register_at_fork(after_in_child=_leave_to_parent)
