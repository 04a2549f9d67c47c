"""Begins sessions and kills them; run by test_crash.py. A line of JSON in, a line of JSON out.

This process has everything loaded and nothing open, and forks a child for each session, so that a kill costs
no start of the interpreter. What a child gives out is written to a file before the next is asked for: by
`read` for a host's loop, by the compiled callback itself for a device. The child is killed when that file has
a certain length; what it was told of the ledger until then is in another file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, njit, types

import stemloom.engine.live as live
from stemloom import Vault
from stemloom.engine.callback import ADDRESSES, COMPLETE, addresses, serve
from stemloom.engine.live import Live
from stemloom.engine.machine import pointer
from stemloom.engine.rack import Deck, Rack
from stemloom.engine.render import render
from stemloom.engine.session import Session
from stemloom.script.check import accepted

_write = types.ExternalFunction("write", types.int64(types.int32, types.voidptr, types.uint64))
_int64, _float32 = np.dtype(np.int64), np.dtype(np.float32)


@njit(nogil=True)
def keep(at, out, descriptor):
    """Be a device that writes every block it is given to a file, as fast as it is given them."""
    at = carray(pointer(at.ctypes.data), ADDRESSES, _int64)
    out = carray(pointer(out.ctypes.data), (out.shape[0], 2), _float32)
    while True:
        done = serve(at, out, np.int64(0)) == COMPLETE
        if done:
            return
        _write(np.int32(descriptor), out.ctypes, np.uint64(out.shape[0] * 8))


class KeepingDevice:
    """The callback's own code, and a file behind it."""

    name = "kept"

    def __init__(self, rack: Rack, deck: Deck, block: int, path: Path) -> None:
        self._block = np.zeros((block, 2), np.float32)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._thread = threading.Thread(
            target=keep, args=(addresses(rack, deck), self._block, self._file), daemon=True
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


def reading(session: Session, job: dict[str, Any], told: int) -> None:
    """A host that pulls blocks."""
    file = os.open(job["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while (block := session.read(job["block"])).shape[1]:
        os.write(file, np.ascontiguousarray(block.T).tobytes())
        tell(session, told)


def playing(session: Session, job: dict[str, Any], told: int) -> None:
    """A device, which never waits for longer than its decisions take."""

    def opened(rack: Rack, deck: Deck, *_: object) -> KeepingDevice:
        return KeepingDevice(rack, deck, job["block"], Path(job["out"]))

    live.open_device = opened  # type: ignore[assignment]
    device = Live(session, threading.RLock(), block=job["block"], patient=True)
    device.start()
    while not device.wait(0.002):
        tell(session, told)
    device.stop()
    if device.failed is not None:
        raise device.failed


def tell(session: Session, told: int) -> None:
    state = session.ledger
    assert state is not None
    os.write(told, b"%d %d\n" % (state.acknowledged, state.sealed))


def child(job: dict[str, Any]) -> None:
    told = os.open(job["told"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Vault.open(Path(job["home"])) as vault:
        piece = accepted(Path(job["script"]).read_text())
        if job["kind"] == "render":
            os.write(told, b"begun\n")
            render(vault, piece, Path(job["out"]), seed=job["seed"])
            return
        session = Session(vault, piece, seed=job["seed"], history=False)
        session.prepare(4)
        os.write(told, session.session.encode() + b"\n")
        (reading if job["kind"] == "read" else playing)(session, job, told)
        session.close()


def length(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Kill a session when its file has `job["bytes"]`, or, of a render, after `job["seconds"]`."""
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
    pause, begun = threading.Event(), 0.0
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return {"killed": False, "status": status}
        if job["kind"] == "render":
            begun = begun or (time.monotonic() if length(job["told"]) else 0.0)
            due = begun and time.monotonic() - begun >= job["seconds"]
        else:
            due = length(job["out"]) >= job["bytes"]
        if due:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            return {"killed": True, "status": status}
        pause.wait(0.0002)


def warm(home: str, script: str) -> None:
    """Compile and load everything once, in this process, and leave nothing open and no thread behind."""
    with Vault.open(Path(home)) as vault:
        session = Session(vault, accepted(Path(script).read_text()), logged=False)
        session.prepare(4)
        session.read(4096)
        session.close()
    block = np.zeros((64, 2), np.float32)
    keep.compile((types.Array(types.int64, 1, "C"), types.Array(types.float32, 2, "C"), types.int64))
    assert block.shape[1] == 2


if __name__ == "__main__":
    warm(sys.argv[1], sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
