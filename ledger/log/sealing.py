"""Sealing in the background: one thread seals all sessions that a process has open in one home.

Once a second it has the log take in what is acknowledged in all their journals, in one append: the syncs that
an append costs are the same for one session and for sixteen.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .journal import Journal, seal_together

PATIENCE_SECONDS = 1.0
"""How long it waits for the log's lock; after that it tries again in its next round."""

_Told = Callable[[Exception | None], object]

_registry = threading.Lock()
"""Guards `_running`, and what is in each of its rounds."""
_running: dict[tuple[Path, float], _Rounds] = {}


class _Rounds:
    """The thread of one home."""

    def __init__(self, place: tuple[Path, float]) -> None:
        self._place = place
        self.members: dict[Journal, _Told] = {}
        self.news = threading.Condition(_registry)
        self.thread = threading.Thread(target=self._run, name="stemloom sealing", daemon=True)

    def _run(self) -> None:
        seconds = self._place[1]
        again = time.monotonic() + seconds
        while True:
            with _registry:
                while self.members and (left := again - time.monotonic()) > 0:
                    self.news.wait(left)
                if not self.members:
                    if _running.get(self._place) is self:
                        del _running[self._place]
                    return
                members = dict(self.members)
            again = time.monotonic() + seconds
            failed = seal_together(list(members), PATIENCE_SECONDS)
            for journal, told in members.items():
                told(failed.get(journal))


def seal_regularly(journal: Journal, folder: Path, seconds: float, told: _Told) -> None:
    """Seal a journal every so many `seconds`, together with the others of this process in `folder`.

    `told` is called after each round, on the sealing thread, with the error or None.
    """
    place = folder, seconds
    with _registry:
        rounds = _running.get(place)
        if rounds is None:
            rounds = _Rounds(place)
            rounds.thread.start()
            _running[place] = rounds
        rounds.members[journal] = told


def seal_no_more(journal: Journal) -> None:
    """Leave a journal alone from the next round on."""
    with _registry:
        for rounds in _running.values():
            if rounds.members.pop(journal, None) is not None and not rounds.members:
                rounds.news.notify()


def _begin_anew_in_child() -> None:
    global _registry
    _registry = threading.Lock()
    _running.clear()


os.register_at_fork(after_in_child=_begin_anew_in_child)
