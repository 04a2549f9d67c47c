"""Begins sessions and kills them; run by killer.py. A line of JSON in, a line of JSON out.

This process has everything loaded and nothing open, and forks a child for each session, so that a kill costs
no start of the interpreter. What a child gives out is in a file before the next is asked for: written by the
host's loop, by the compiled callback's own code, or by ALSA behind PortAudio. The instant of the kill is one
of progress: when that file has a certain length, or at a certain call, counted in the child from where a
phase begins. What the child was told of the ledger until then is in another file.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, njit, types

import stemloom.engine.play.live as live
import stemloom.engine.play.placement_log as account
from stemloom import Player, Vault
from stemloom.engine.mix.callback import ADDRESSES, COMPLETE, Deck, addresses, serve
from stemloom.engine.mix.machine import monotonic_ns, pointer, sleep_ns
from stemloom.engine.mix.rack import Rack
from stemloom.engine.play.live import Live
from stemloom.engine.play.render import render
from stemloom.engine.play.scribe import LedgerState
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted

BLOCKS = (1, 64, 100, 256, 441, 512, 1024)
"""What a host asks for."""
_write = types.ExternalFunction("write", types.int64(types.int32, types.voidptr, types.uint64))
_int64, _float32 = np.dtype(np.int64), np.dtype(np.float32)


@njit(nogil=True)
def keep(at, out, descriptor, rate):
    """Be a device that writes every block it is given to a file, at its pace, or with a rate of 0 at once."""
    at = carray(pointer(at.ctypes.data), ADDRESSES, _int64)
    out = carray(pointer(out.ctypes.data), (out.shape[0], 2), _float32)
    scratch = np.zeros(2, np.int64)
    begun = monotonic_ns(scratch)
    given = 0
    while True:
        if rate > 0:
            due = begun + given * 1_000_000_000 // rate
            now = monotonic_ns(scratch)
            if now < due:
                sleep_ns(scratch, due - now)
        if serve(at, out, np.int64(0)) == COMPLETE:
            return
        _write(np.int32(descriptor), out.ctypes, np.uint64(out.shape[0] * 8))
        given += out.shape[0]


class KeepingDevice:
    """The callback's own code, and a file behind it."""

    name = "kept"
    clockless = False
    ahead = 0.0

    def __init__(self, rack: Rack, deck: Deck, block: int, path: Path, rate: int) -> None:
        self._block = np.zeros((block, 2), np.float32)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._thread = threading.Thread(
            target=keep, args=(addresses(rack, deck), self._block, self._file, rate), daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    @property
    def active(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._thread.join()

    def abandon(self) -> None:
        self.stop()


class Calls:
    """Counts what this thread calls and returns from; at the call `last` it is killed."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last

    def begin(self) -> None:
        sys.setprofile(self._call)

    def end(self) -> None:
        sys.setprofile(None)

    def _call(self, *_: object) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def sizes(seed: int) -> Iterator[int]:
    """The blocks that a host asks for, one after the other."""
    chance = random.Random(seed)
    while True:
        yield chance.choice(BLOCKS)


def open_at(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def tell(told: int, state: LedgerState | None) -> None:
    assert state is not None
    os.write(told, b"%d %d\n" % (state.acknowledged, state.sealed))


def reading(job: dict[str, Any], told: int, calls: Calls) -> None:
    """A host that pulls blocks of many sizes, and may close when it has enough."""
    file = open_at(job["out"])
    if job["phase"] == "opening":
        calls.begin()
    player = Player.from_text(job["home"], job["text"], use="stream", seed=job["seed"])
    calls.end()
    tell(told, player.ledger)
    given, begun = 0, time.monotonic()
    pause = threading.Event()
    for size in sizes(job["blocks"]):
        if job["phase"] == "opening" or (job["phase"] == "closing" and given * 8 >= job["enough"]):
            break
        block = player.read(size)
        os.write(file, block.tobytes())
        tell(told, player.ledger)
        given += len(block)
        if job["paced"]:
            pause.wait(max(begun + given / player.rate - time.monotonic(), 0))
    if job["phase"] == "closing":
        calls.begin()
    player.close()
    calls.end()
    os.write(told, b"calls %d\n" % calls.count)


def playing(job: dict[str, Any], told: int, calls: Calls) -> None:
    """A device that waits for decisions, and has a clock or none."""
    if "alsa" in job:
        os.environ["ALSA_CONFIG_PATH"] = job["alsa"]
    else:

        def opened(rack: Rack, deck: Deck, rate: int, *_: object) -> KeepingDevice:
            return KeepingDevice(rack, deck, job["block"], Path(job["out"]), rate if job["paced"] else 0)

        live.open_device = opened  # type: ignore[assignment]
    with Vault.open(Path(job["home"])) as vault:
        session = Session(vault, accepted(job["text"]), seed=job["seed"], history=False)
        session.prepare(4)
        device = Live(session, threading.RLock(), block=job["block"], latency="low", patient=True)
        if "alsa" in job:
            # Before it starts, for it may be killed as soon as it has.
            os.write(told, b"buffer %d\n" % round(device._device._stream.latency * session.rate))
        device.start()
        tell(told, session.ledger)
        while not device.wait(0.002):
            tell(told, session.ledger)
            if job["phase"] == "closing" and length(job["out"]) >= job["enough"]:
                break
        if job["phase"] == "closing":
            calls.begin()
        device.stop()
        if device.failed is not None:
            raise device.failed
        session.close()
        calls.end()
        os.write(told, b"calls %d\n" % calls.count)


def rendering(job: dict[str, Any], told: int, calls: Calls) -> None:
    def progress(step: str, done: int, all: int) -> None:
        os.write(told, b"%s %d\n" % (step.encode(), calls.count))

    with Vault.open(Path(job["home"])) as vault:
        piece = accepted(job["text"])
        calls.begin()
        render(vault, piece, Path(job["out"]), seed=job["seed"], progress=progress)
        calls.end()
    os.write(told, b"calls %d\n" % calls.count)


KINDS = {"read": reading, "play": playing, "render": rendering}


def child(job: dict[str, Any]) -> None:
    if "seal_seconds" in job:
        account.SEAL_SECONDS = job["seal_seconds"]
    KINDS[job["kind"]](job, open_at(job["told"]), Calls(job.get("call")))


def length(path: str) -> int:
    """Of a file, or of the working file of a render to it."""
    where = Path(path)
    for each in (where, *where.parent.glob(f".{where.name}.*.part")):
        try:
            return os.stat(each).st_size
        except FileNotFoundError:
            continue
    return -1


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run a session, and kill it when its file has `job["bytes"]`, if it has not come to `job["call"]`."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child(job)
            code = 0
        except BaseException:  # noqa: BLE001 - a child may not fall into what its parent does next
            traceback.print_exc()
        finally:
            os._exit(code)
    pause = threading.Event()
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if job.get("bytes") is not None and length(job["out"]) >= job["bytes"]:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        pause.wait(0.0002)
    return {"pid": pid, "killed": os.WIFSIGNALED(status), "status": status}


def warm(home: str, text: str) -> None:
    """Compile and load everything once, in this process, and leave nothing open and no thread behind."""
    with Vault.open(Path(home)) as vault:
        session = Session(vault, accepted(text), logged=False)
        session.prepare(4)
        session.read(4096)
        session.close()
    keep.compile(
        (types.Array(types.int64, 1, "C"), types.Array(types.float32, 2, "C"), types.int64, types.int64)
    )
    assert threading.active_count() == 1


if __name__ == "__main__":
    warm(sys.argv[1], sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
