"""Thinking ahead: the next bars are composed provisionally before they are due, on a thread of low demands.

What comes of it is used when the bar is due and nothing has changed since; else the bar is composed then. So
the thread that mixes seldom waits for a composer, and a stem is brought to tempo before a bar needs it. One
thread thinks for all players of a process, in small steps, and stands back between them.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...vault.records import Stem
from ..compose.compose import next_bar
from ..compose.score import Score
from ..compose.state import State
from ..plan import Bar, Variant

DELAY_SECONDS = 0.05
"""How long a thought waits: players that began together compose together, and want the interpreter then."""
PAUSES = 4
"""How much longer than a step the pause after it is."""
BARS_AHEAD = 4
"""How many bars ahead stems are made ready while the music plays."""
Wanted = list[tuple[Stem, Variant]]
_log = logging.getLogger("stemloom")


@dataclass(frozen=True, slots=True)
class Provisional:
    """A bar as it will be if nothing changes: composed by `score` from the state `before`."""

    score: Score
    before: State
    bar: Bar
    after: State

    def holds(self, score: Score, state: State) -> bool:
        """Whether composing now would give the same."""
        return self.score is score and self.before == state


def think(
    score: Score, before: State, limit: int | None, keep: Callable[[Provisional], None], found: Wanted
) -> Iterator[None]:
    """Compose the next bars, one a step. `keep` gets the first; `found`, the variants that they need.

    `limit`: the frame at which all ends. `before` is not changed, and must not be by others.
    """
    wanted: dict[Variant, Stem] = {}
    state = before
    for n in range(BARS_AHEAD):
        bar, state = next_bar(score, state)
        if n == 0:
            # The state after it is the composer's own once the bar is used.
            keep(Provisional(score, before, bar, state.copy()))
        if bar.ended or (limit is not None and bar.start_frame >= limit):
            break
        wanted.update({p.variant: score.stems[p.stem] for p in bar.starts})
        found[:] = [(stem, variant) for variant, stem in wanted.items()]
        yield


class Thinker:
    """The thread that thinks ahead for the players of this process. It starts when it is first asked."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[tuple[float, Callable[[], Iterator[None]]]] = queue.SimpleQueue()
        self._process = 0
        self._starting = threading.Lock()

    def ask(self, steps: Callable[[], Iterator[None]]) -> None:
        """Have the steps of a thought taken, after those that were asked for before."""
        if self._process != os.getpid():
            self._start()
        self._asked.put((time.monotonic() + DELAY_SECONDS, steps))

    def _start(self) -> None:
        with self._starting:
            if self._process != os.getpid():
                # The thread of a parent process is not in its child.
                self._asked = queue.SimpleQueue()
                threading.Thread(target=self._run, name="stemloom ahead", daemon=True).start()
                self._process = os.getpid()

    def _run(self) -> None:
        asked = self._asked
        while True:
            due, think = asked.get()
            time.sleep(max(due - time.monotonic(), 0.0))
            steps = iter(think())
            while self._took_step(steps):
                pass
            del steps

    @staticmethod
    def _took_step(steps: Iterator[None]) -> bool:
        """Take a step, then leave the interpreter to others for longer; whether there may be another."""
        begun = time.perf_counter()
        try:
            next(steps)
        except StopIteration:
            return False
        except Exception:  # noqa: BLE001 - the bar is composed again when it is due, and the error is told then
            _log.debug("a bar could not be composed ahead", exc_info=True)
            return False
        time.sleep(PAUSES * (time.perf_counter() - begun))
        return True


THINKER = Thinker()
