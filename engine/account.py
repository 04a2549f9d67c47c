"""A session's account: what it means to play, and what was heard, written to the ledger.

    opened -> intend, ... -> begun, ... -> heard, ... -> closed -> sealed

Nothing sounds before `intend` has made it durable in the journal. What was heard is acknowledged as soon
as it has ended, or, for a render, when its file is whole: a file that was never finished was never heard.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ..ledger.clock import Clock
from ..ledger.entries import Placement as PlacementEntry
from ..ledger.entries import Session as SessionEntry
from ..ledger.entries import Tier, Use, ms_of
from ..ledger.journal import Intention, Journal
from ..ledger.log import Log
from ..ledger.statements import commitment
from .mixer import Heard
from .plan import Placement


@dataclass(frozen=True, slots=True)
class Run:
    """What a session is, for its entries. `vault`: the snapshot's state hash."""

    use: Use
    tier: Tier
    user: str
    script: str
    seed: int
    vault: str
    engine: str
    rate: int


@dataclass(frozen=True, slots=True)
class Sounded:
    """A placement that was heard: its plan, its place in the session, where it ended, the frames in play."""

    placement: Placement
    seq: int
    end_frame: int
    frames: int
    ms: int
    start: str


class _Nowhere:
    """The journal of a session that nobody hears."""

    def intend(self, intentions: Sequence[Intention], /) -> None:
        """Nothing will sound."""

    def write(self, entries: Sequence[PlacementEntry | SessionEntry], /) -> None:
        """Nothing was heard."""

    def close(self) -> None:
        """Nothing is open."""


class Account:
    """Writes one session's entries. `keep_back`: acknowledge nothing before `closed`.

    `history`: whether `sounded` keeps everything. `log`: null for a session that nobody hears, and of which
    nothing is written.
    """

    def __init__(
        self, log: Log | None, clock: Clock, run: Run, *, keep_back: bool, history: bool = True
    ) -> None:
        self.session = "x" + secrets.token_hex(10)
        self.sounded: list[Sounded] = []
        self._clock = clock
        self._run = run
        self._keep_back = keep_back
        self._history = history
        self._count = self._ms = 0
        self._user_salt = secrets.token_hex(16)
        self._open: dict[int, tuple[Placement, str | None]] = {}
        """What was intended and has not ended yet, and when it began."""
        self._unwritten: list[PlacementEntry | SessionEntry] = []
        self._closed = False
        self._journal: Journal | _Nowhere = _Nowhere() if log is None else log.journal()
        with ExitStack() as stack:
            stack.callback(self._journal.close)
            self._journal.write([self._entry("opened")])
            stack.pop_all()

    def intend(self, placements: Sequence[Placement]) -> None:
        """Make placements durable as intended: only then may they be mixed. Who never is leaves no entry."""
        if placements:
            self._journal.intend([self._intention(placement) for placement in placements])
            self._open.update({placement.id: (placement, None) for placement in placements})

    def begun(self, placement: Placement, time: str) -> None:
        """A placement begins now, under the consent that it names: `time` is its start, RFC 3339."""
        if placement.id in self._open:
            self._open[placement.id] = placement, time

    def heard(self, ended: Iterable[Heard]) -> list[Sounded]:
        """Take what ended into the account, in the order given; what was never in play leaves no entry.

        Gives what was in play.
        """
        found = []
        for end in ended:
            placement, start = self._open.pop(end.id)
            if end.frames == 0:
                continue
            ms = ms_of(end.frames, self._run.rate)
            placement = replace(placement, start_frame=end.start_frame)
            start = start or self._clock.now()
            sounded = Sounded(placement, self._count, end.end_frame, end.frames, ms, start)
            self._count += 1
            self._ms += ms
            if self._history:
                self.sounded.append(sounded)
            found.append(sounded)
            self._unwritten.append(self._placement(sounded))
        if self._unwritten and not self._keep_back:
            self._journal.write(self._unwritten)
            self._unwritten = []
        return found

    def closed(self, take: str) -> None:
        """Acknowledge the rest and the closing entry: durable when it returns. May be tried again."""
        if not self._closed:
            self._journal.write([*self._unwritten, self._entry("closed", take)])
            self._unwritten = []
            self._closed = True

    def sealed(self) -> None:
        """Have everything sequenced into the log. May be tried again; if we die, another process does it."""
        self._journal.close()

    def abandoned(self) -> None:
        """Close a render whose file never came to be: nothing of it was heard."""
        if self._closed:
            return
        self._unwritten = []
        self.sounded = []
        self._count = self._ms = 0
        self._journal.write([self._entry("closed")])
        self._closed = True
        self._journal.close()

    def _intention(self, placement: Placement) -> Intention:
        return Intention(
            session=self.session,
            stem=placement.stem,
            line=placement.line,
            start_frame=placement.start_frame,
            frames=placement.end_frame - placement.start_frame,
            consent=placement.consent,
        )

    def _placement(self, sounded: Sounded) -> PlacementEntry:
        placement, run = sounded.placement, self._run
        return PlacementEntry(
            session=self.session,
            seq=sounded.seq,
            stem=placement.stem,
            use=run.use,
            tier=run.tier,
            role=placement.role,
            part=placement.part,
            section=placement.section,
            line=placement.line,
            start_frame=placement.start_frame,
            frames=sounded.frames,
            rate=run.rate,
            start=sounded.start,
            ms=sounded.ms,
            consent=placement.consent,
        )

    def _entry(self, state: str, take: str | None = None) -> SessionEntry:
        run, closed = self._run, state == "closed"
        return SessionEntry(
            time=self._clock.now(),
            session=self.session,
            state="closed" if closed else "opened",
            use=run.use,
            tier=run.tier,
            user=commitment(run.user, self._user_salt),
            script=run.script,
            seed=run.seed,
            vault=run.vault,
            engine=run.engine,
            licence=None,
            take=take,
            placements=self._count if closed else None,
            ms=self._ms if closed else None,
        )
