"""How one session follows the changes of its home: the score that a change leads to is made ready for it.

The watch over the home makes it, or the thread that changed the vault; the thread that decides takes it. They
wait for each other only while a reference is put down or picked up. If another script takes over at the same
time, the thread that decides makes the score itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ...ledger.clock import Clock
from ...ledger.entries.entries import Consent
from ...vault.catalogue.snapshot import Snapshot
from ..compose.score import Score


@dataclass(frozen=True, slots=True)
class Change:
    """What is new in a home. `snapshot`: the vault after it."""

    snapshot: Snapshot
    said: tuple[Consent, ...] = ()
    """Statements on stems."""
    entered: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    """Stems that came into the vault, and that were taken out of it."""
    everything: bool = False
    """Whether it may be more than that."""
    made: dict[object, Score] = field(default_factory=dict)
    """Scores over the snapshot: sessions that play the same piece share the work."""


class Following:
    """The place of one session on the watch. `score`: the one that it plays by."""

    def __init__(self, score: Score, clock: Clock) -> None:
        self.snapshot = score.snapshot
        """The vault as it is known now."""
        self.ready: tuple[Score | None, Score] | None = None
        """A score that waits to be taken, after the one that it was made from."""
        self._guests: Collection[str] = ()
        """Stems besides those of the score that may still sound."""
        self.leave: Callable[[], None] = lambda: None
        """Ends the following."""
        self._score, self._clock = score, clock
        self._turn = threading.Lock()
        """Held while references change, and for nothing that takes time."""

    # On the watch.

    def follow(self, change: Change) -> None:
        """Make a score ready if the change is one of those who may sound here."""
        with self._turn:
            self.snapshot = change.snapshot
        said = [each for each in change.said if self._score.use in each.uses]
        named = {each.stem for each in said} | change.entered | change.left
        theirs = change.everything or any(self._has(stem) for stem in named)
        if not (theirs or change.entered or any(each.action == "grant" for each in said)):
            return
        while True:
            base = self._score
            try:
                later = self._made(base, change)
            except Exception:  # noqa: BLE001 - the thread that decides makes it, and is told why it cannot
                with self._turn:
                    self.ready = None, base
                return
            if not theirs and self.ready is None and later.stems.keys() == base.stems.keys():
                return
            with self._turn:
                # If another script has taken over since, it is made once more.
                if self._score is base:
                    self.ready = base, later
                    return

    def _has(self, stem: str) -> bool:
        """Whether a stem may sound now, or once the score that waits is taken."""
        ready = self.ready
        return (
            stem in self._score.stems
            or stem in self._guests
            or (ready is not None and stem in ready[1].stems)
        )

    def _made(self, base: Score, change: Change) -> Score:
        now = self._clock.now()
        alike = base.piece.sha256, base.use, base.clock, base.key, now[:-5]
        other = change.made.get(alike)
        if other is not None:
            return base.over_that_of(other)
        later = change.made[alike] = base.with_snapshot(change.snapshot, now)
        # Worked out here, and not at its first use.
        _ = later.sheets, later.next_expiry
        return later

    # On the thread that decides.

    def take(self, now: str) -> Score:
        """The score to go on by: the one that was made ready, without what has run out by `now`.

        What waits goes on waiting if this fails.
        """
        with self._turn:
            ready, snapshot = self.ready, self.snapshot
            if ready is not None and ready[0] is self._score:
                self._score, self.ready, ready = ready[1], None, None
            score = self._score
        ends = score.next_expiry
        if (ready is not None and score.snapshot is not snapshot) or (ends is not None and now >= ends):
            score = score.with_snapshot(snapshot, now)
        with self._turn:
            if self.ready is ready:
                self.ready = None
        if score is not self._score:
            self.go_on(score, self._guests)
        return score

    def go_on(self, score: Score, guests: Collection[str]) -> None:
        """Play by another score from here on. `guests`: stems besides those of the score that still sound."""
        with self._turn:
            self._score, self._guests = score, frozenset(guests)
            if self.ready is None and score.snapshot is not self.snapshot:
                # The vault changed while it was made: the next `take` makes it anew.
                self.ready = None, score
