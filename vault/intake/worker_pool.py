"""The worker processes of the vault, from the side that asks them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from ...ground.processes import Crew, WorkerDied, cores
from ..errors import Refused
from ..sound.fingerprint import Fingerprint, Landmarks, Played
from ..sound.song import SongExtent
from .preparation import HeldForReview, KeptRecording, Preparation, Prepared, Remeasured
from .worker_process import Job, WorkerAnswer, answer_of, encoded

_Job = TypeVar("_Job")
_Made = TypeVar("_Made")

_MOST = 4
"""The most workers: a recording of twenty minutes takes some two gigabytes."""
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from {} import serve; serve()"


class WorkerPool:
    """At most four workers, and one a core; started when they are needed, ended by `close`.

    Each method gives the result of the function of its name in `preparation.py`, and may be called from any
    thread. A recording that crashes two workers is refused.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        # -P: nothing is imported from the folder that the user happens to be in.
        module, package = __name__.rpartition(".")[0] + ".worker_process", __name__.partition(".")[0]
        root = Path(str(sys.modules[package].__file__)).parents[1]
        self._crew = Crew([sys.executable, "-P", "-c", _PROGRAM.format(module), str(root)])

    def prepare(self, offer: Preparation) -> Prepared:
        return _given(self._ask(Job(self._home, offer=offer)).prepared)

    def measure_again(self, kept: KeptRecording) -> Remeasured | None:
        return self._ask(Job(self._home, kept=kept)).again

    def fingerprint_of_file(self, path: Path) -> Fingerprint:
        return _given(self._ask(Job(self._home, file=path)).fingerprint)

    def fingerprint_of_conformed(self, path: Path) -> Fingerprint:
        return _given(self._ask(Job(self._home, conformed=path)).fingerprint)

    def landmarks_of_conformed(self, path: Path, ways: tuple[Played, ...]) -> tuple[Landmarks, ...]:
        return _given(self._ask(Job(self._home, conformed=path, ways=ways)).landmarks)

    def landmarks_of_file(self, path: Path, ways: tuple[Played, ...]) -> tuple[Landmarks, ...]:
        return _given(self._ask(Job(self._home, file=path, ways=ways)).landmarks)

    def song_extent(self, path: Path) -> SongExtent:
        return _given(self._ask(Job(self._home, song=path)).extent)

    def each(self, do: Callable[[_Job], _Made], jobs: Sequence[_Job]) -> Iterator[_Made]:
        """The result of `do` for each job, in order; jobs run side by side.

        When the reader stops, with or without an error, jobs that have not begun are dropped.
        """
        with ThreadPoolExecutor(max(1, min(cores(), _MOST, len(jobs)))) as pool:
            try:
                yield from pool.map(do, jobs)
            except BaseException:
                # Nobody needs the remaining results.
                pool.shutdown(wait=False, cancel_futures=True)
                self._crew.close()
                raise

    def close(self) -> None:
        """End the processes."""
        self._crew.close()

    def _ask(self, request: Job) -> WorkerAnswer:
        try:
            answer = answer_of(self._crew.ask(encoded(request)))
        except WorkerDied as died:
            raise Refused(f"it cannot be decoded: the decoder {_end_of(died.code)} over it, twice") from died
        except (msgspec.MsgspecError, ValueError) as error:
            raise _strange() from error
        if answer.held is not None:
            raise HeldForReview(answer.held)
        if answer.refused is not None:
            raise Refused(answer.refused)
        if answer.number is not None:
            raise OSError(answer.number, answer.text, answer.path or None)
        return answer


def _given(found: _Made | None) -> _Made:
    if found is None:
        raise _strange()
    return found


def _strange() -> Refused:
    # A hostile file may have taken over its decoder.
    return Refused("it cannot be decoded: the decoder gave an answer of no known form")


def _end_of(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"ended with {signal.Signals(-code).name}"
    except ValueError:
        return f"ended with signal {-code}"
