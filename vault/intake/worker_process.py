"""The worker process of the vault: decodes and measures one recording at a time.

Each line of input is a job, each line of output its answer, both JSON; it ends when its input ends. A hostile
file that takes over the decoder gets no further: the form of each answer is checked.
"""

from __future__ import annotations

import base64
import os
import queue
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..catalogue.store import Store
from ..errors import Refused
from ..sound.fingerprint import Fingerprint, Landmarks, Played
from ..sound.song import SongExtent
from .preparation import (
    HeldForReview,
    KeptRecording,
    Preparation,
    Prepared,
    Remeasured,
    fingerprint_of_conformed,
    fingerprint_of_file,
    landmarks_of_conformed,
    landmarks_of_file,
    measure_again,
    prepare,
    song_extent,
)

MOST_MEMORY = 8 << 30
"""Bytes: the longest sound that is taken needs some 4 GB while it is measured."""


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job for a worker: one of the fields besides `home`, which is the vault's."""

    home: Path
    offer: Preparation | None = None
    kept: KeptRecording | None = None
    file: Path | None = None
    conformed: Path | None = None
    ways: tuple[Played, ...] | None = None
    """How the sound of `file` or `conformed` may be played."""
    song: Path | None = None


class WorkerAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of a job. `refused`, `held`: reasons. `number`, `text`, `path`: of an `OSError`."""

    prepared: Prepared | None = None
    again: Remeasured | None = None
    fingerprint: Fingerprint | None = None
    landmarks: tuple[Landmarks, ...] | None = None
    refused: str | None = None
    held: str | None = None
    number: int | None = None
    text: str = ""
    path: str = ""
    extent: SongExtent | None = None


def encoded(message: Job | WorkerAnswer) -> bytes:
    """As one line, without its end."""
    return msgspec.json.encode(message, enc_hook=_plain)


def job_of(line: bytes) -> Job:
    return msgspec.json.decode(line, type=Job, dec_hook=_typed)


def answer_of(line: bytes) -> WorkerAnswer:
    """Raises `msgspec.ValidationError`, `ValueError`."""
    return msgspec.json.decode(line, type=WorkerAnswer, dec_hook=_typed)


def answered(request: Job) -> WorkerAnswer:
    """Do a job."""
    store = Store(request.home)
    try:
        if request.offer is not None:
            return WorkerAnswer(prepared=prepare(request.offer, store))
        if request.kept is not None:
            return WorkerAnswer(again=measure_again(request.kept, store))
        if request.file is not None and request.ways is not None:
            return WorkerAnswer(landmarks=landmarks_of_file(request.file, request.ways))
        if request.file is not None:
            return WorkerAnswer(fingerprint=fingerprint_of_file(request.file))
        if request.song is not None:
            return WorkerAnswer(extent=song_extent(request.song))
        assert request.conformed is not None
        if request.ways is not None:
            return WorkerAnswer(landmarks=landmarks_of_conformed(request.conformed, request.ways))
        return WorkerAnswer(fingerprint=fingerprint_of_conformed(request.conformed))
    except HeldForReview as error:
        return WorkerAnswer(held=str(error))
    except Refused as error:
        return WorkerAnswer(refused=str(error))
    except MemoryError:
        return WorkerAnswer(refused="it does not fit into memory while it is measured")
    except OSError as error:
        return WorkerAnswer(
            number=error.errno or 0, text=error.strerror or str(error), path=_said(error.filename)
        )
    except Exception as error:  # noqa: BLE001 - whatever a sound leads to, its holder is told, and the next is heard
        return WorkerAnswer(refused=f"it cannot be measured ({type(error).__name__}: {error})")


def serve() -> None:
    """Answer jobs until standard input ends."""
    _bound_memory()
    # Decoders in C write to standard output as they please: the answers go elsewhere.
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(2, 1)
        requests = _requests()
        while True:
            line = requests.get()
            left = memoryview(encoded(answered(job_of(line))) + b"\n")
            try:
                while left:
                    left = left[answers.write(left) :]
            except BrokenPipeError:
                # The process that asked was killed: nobody waits for the answer.
                return


def _bound_memory() -> None:
    """A sound that needs more is refused, before it takes the machine's."""
    if sys.platform != "linux":
        # Elsewhere the limit is not kept, or counts what is shared.
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _requests() -> queue.SimpleQueue[bytes]:
    """The jobs as they arrive. At the end of input the process ends, even within a job."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            lines.put(line)
        # The process that asked has closed us or was killed: nobody waits, and its folder is cleared.
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, base64.b64encode(value.tobytes()).decode()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Path):
        # A name need not be text.
        return base64.b64encode(os.fsencode(value)).decode()
    raise NotImplementedError(type(value))


def _typed(kind: Any, value: Any) -> Any:
    if kind is Path:
        return Path(os.fsdecode(base64.b64decode(value, validate=True)))
    if kind is Fraction:
        return Fraction(value)
    form, shape, data = value
    if form not in ("<f4", "<i8"):
        raise ValueError(f"an array of {form}")
    return np.frombuffer(base64.b64decode(data, validate=True), form).reshape(shape)


def _said(name: object) -> str:
    return os.fsdecode(name).encode(errors="replace").decode() if isinstance(name, str | bytes) else ""
