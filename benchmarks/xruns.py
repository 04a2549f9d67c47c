"""Gaps on a real clock while Python holds its lock: the compiled callback beside an ordinary Python callback.

Needs an audio device with a clock, such as a JACK dummy server; `python -m benchmarks.xruns SECONDS` prints
one JSON object. Both play 64 stereo loops, or as much as Python can: the Python callback only copies.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from stemloom.engine.mix.callback import new_deck
from stemloom.engine.mix.rack import CLOSING, XRUNS, tell
from stemloom.engine.mix.trial import mixer_with
from stemloom.engine.play.portaudio import portaudio
from stemloom.engine.play.stream import PortAudioDevice

RATE, BLOCK, VOICES = 48_000, 128, 64


@contextmanager
def lock_held() -> Iterator[None]:
    """A thread that sorts, again and again: each call holds the interpreter's lock for some ten ms."""
    numbers = np.random.default_rng(1).random(60_000).tolist()
    stop = threading.Event()

    def sort() -> None:
        while not stop.is_set():
            sorted(numbers)

    thread = threading.Thread(target=sort)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def compiled(seconds: float) -> int:
    """Gaps of the engine's own callback."""
    mixer, deck = mixer_with(VOICES), new_deck()
    device = PortAudioDevice(mixer.rack, deck, RATE, block=BLOCK, latency="low")
    with lock_held():
        device.start()
        threading.Event().wait(seconds)
        found = int(mixer.rack.status[XRUNS])
        tell(mixer.rack.status, CLOSING, 1)
        device.stop()
    return found


def ordinary(seconds: float) -> int:
    """Gaps of a Python callback that only copies a block."""
    found = 0
    sound = (np.random.default_rng(2).standard_normal((BLOCK, 2)) * 0.1).astype(np.float32)

    def callback(out: np.ndarray, frames: int, time: object, status: object) -> None:
        nonlocal found
        found += bool(status)
        out[:] = sound[:frames]

    stream = portaudio().OutputStream(
        samplerate=RATE, blocksize=BLOCK, channels=2, dtype="float32", latency="low", callback=callback
    )
    with lock_held(), stream:
        threading.Event().wait(seconds)
    return found


def main(seconds: float) -> None:
    """Each in turn, twice, so that what else the machine does meets both."""
    ours = theirs = 0
    for _ in range(2):
        ours += compiled(seconds / 2)
        theirs += ordinary(seconds / 2)
    blocks = round(seconds * RATE / BLOCK)
    print(json.dumps({"seconds": seconds, "blocks": blocks, "compiled": ours, "python": theirs}))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
