"""A session's account: what it means to play, and what was heard, written to the ledger.

    opened -> intend, ... -> begun, ... -> heard, ... -> closed -> sealed

Nothing sounds before `intend` has made it durable in the journal. What was heard is acknowledged as soon
as it has ended, or, for a render, when its file is whole: a file that was never finished was never heard.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ...ledger.clock import Clock, milliseconds_of
from ...ledger.entries.canonical import PlacementForm, decode
from ...ledger.entries.entries import Entry, Tier, Use, ms_of
from ...ledger.entries.entries import Placement as PlacementEntry
from ...ledger.entries.entries import Session as SessionEntry
from ...ledger.entries.signing import commitment, new_salt
from ...ledger.log.journal_format import Intention, Sounding
from ...ledger.log.log import Log
from ...ledger.log.session_page import HeardFrames, set_anchor
from ..plan import Placement
from .scribe import SEAL_SECONDS, Scribe

MOST_FORMS = 4096
"""What placements have in common, kept so that it is written once."""


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
    """The scribe of a session that nobody hears."""

    page: memoryview | None = None
    room = 1 << 62

    def intend(self, intentions: Sequence[Intention], /) -> None:
        """Nothing will sound."""

    def ended(self, ids: Sequence[int], entries: Sequence[bytes], ms: int, /) -> None:
        """Nothing was heard."""

    def lose(self, placements: int, /) -> None:
        """Nothing was heard."""

    def write(self, entries: Sequence[Entry], /) -> None:
        """Nothing was heard."""

    def close(self) -> None:
        """Nothing is open."""


class Account:
    """Writes one session's entries. `keep_back`: acknowledge nothing before `closed`.

    `history`: whether `sounded` keeps everything. `log`: null for a session that nobody hears, and of which
    nothing is written. `sounding`: what the mixer has heard so far of what sounds; asked from another thread.
    """

    def __init__(
        self,
        log: Log | None,
        clock: Clock,
        run: Run,
        *,
        keep_back: bool,
        history: bool = True,
        sounding: Callable[[], Sequence[HeardFrames]] = list,
        page_size: int = 0,
        salt: Callable[[str, str], str] = lambda session, user: new_salt(),
    ) -> None:
        """`salt`: gives the salt for a session of a user, and keeps it."""
        self.session = "x" + secrets.token_hex(10)
        self.sounded: list[Sounded] = []
        self._clock = clock
        self._run = run
        self._keep_back = keep_back
        self._history = history
        self._heard_so_far = sounding
        self._count = self._ms = 0
        self._user_salt = salt(self.session, run.user)
        self._open: dict[int, tuple[Placement, str | None]] = {}
        """What was intended and has not ended yet, and when it began."""
        self._unwritten: list[bytes] = []
        self._forms: dict[tuple[str, str, str, str, int, int], PlacementForm] = {}
        self._closed = False
        self.scribe: Scribe | None = None
        """Who writes the journal; null where nobody hears the session."""
        if log is not None:
            how = (0, None) if keep_back else (page_size, SEAL_SECONDS)
            self.scribe = Scribe(log, clock, self.session, self._sounding, *how)
        self._writer: Scribe | _Nowhere = self.scribe or _Nowhere()
        with ExitStack() as stack:
            stack.callback(self._writer.close)
            self._writer.write([self._entry("opened")])
            stack.pop_all()

    @property
    def page(self) -> memoryview | None:
        """The memory that the mixer is to work in, so that what was heard outlives the process."""
        return self._writer.page

    def intend(self, placements: Sequence[Placement], since: Mapping[str, str]) -> None:
        """Make placements durable as intended: only then may they be mixed. Who never is leaves no entry.

        `since`: by stem, from when on the grant holds that the placement rests on.
        """
        if placements:
            self._writer.intend([self._intention(each, since[each.stem]) for each in placements])
            self._open.update({placement.id: (placement, None) for placement in placements})

    def begun(self, placement: Placement, time: str, since: str) -> None:
        """A placement begins now, under the consent that it names: `time` is its start, RFC 3339."""
        if placement.id not in self._open:
            return
        if placement.consent != self._open[placement.id][0].consent:
            # It was granted anew since it was composed.
            self._writer.intend([self._intention(placement, since)])
        self._open[placement.id] = placement, time
        if self.page is not None:
            set_anchor(self.page, placement.start_frame, milliseconds_of(time))

    def heard(self, ended: Iterable[HeardFrames]) -> list[Sounded]:
        """Take what ended into the account, in the order given; what was never in play leaves no entry.

        Gives what was in play.
        """
        found: list[Sounded] = []
        ids: list[int] = []
        entries: list[bytes] = []
        lost = 0
        room = self._writer.room
        for end in ended:
            placement, start = self._open.pop(end.id)
            if end.frames == 0:
                continue
            if len(entries) >= room:
                lost += 1
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
            ids.append(end.id)
            entries.append(self._form(placement).fill(sounded.seq, end.start_frame, end.frames, start))
        if lost:
            self._writer.lose(lost)
        if self._keep_back:
            self._unwritten += entries
        elif entries:
            self._writer.ended(ids, entries, sum(each.ms for each in found))
        return found

    def closed(self, take: str) -> None:
        """Acknowledge the rest and the closing entry: durable when it returns. May be tried again."""
        if not self._closed:
            self._writer.write([*map(decode, self._unwritten), self._entry("closed", take)])
            self._unwritten = []
            self._closed = True

    def sealed(self) -> None:
        """Have everything sequenced into the log. May be tried again; if we die, another process does it."""
        self._writer.close()

    def abandoned(self) -> None:
        """Close a render whose file never came to be: nothing of it was heard."""
        if self._closed:
            return
        self._unwritten = []
        self.sounded = []
        self._count = self._ms = 0
        self._writer.write([self._entry("closed")])
        self._closed = True
        self._writer.close()

    def _sounding(self) -> list[Sounding]:
        """What sounds, as heard so far. Called by the scribe, while the composing side goes on."""
        found = []
        for each in self._heard_so_far():
            placement, start = self._open.get(each.id, (None, None))
            if placement is not None and start is not None and each.frames:
                found.append(
                    Sounding(
                        id=each.id,
                        start_frame=each.start_frame,
                        end_frame=each.end_frame,
                        frames=each.frames,
                        start=start,
                    )
                )
        return found

    def _intention(self, placement: Placement, since: str) -> Intention:
        return Intention(
            id=placement.id,
            session=self.session,
            stem=placement.stem,
            use=self._run.use,
            tier=self._run.tier,
            role=placement.role,
            part=placement.part,
            section=placement.section,
            line=placement.line,
            start_frame=placement.start_frame,
            frames=placement.end_frame - placement.start_frame,
            rate=self._run.rate,
            consent=placement.consent,
            since=since,
        )

    def _form(self, placement: Placement) -> PlacementForm:
        """What the entries of such placements have in common."""
        p, run = placement, self._run
        alike = (p.stem, p.role, p.part, p.section, p.line, p.consent)
        form = self._forms.get(alike)
        if form is None:
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            form = self._forms[alike] = PlacementForm(
                PlacementEntry(
                    session=self.session,
                    seq=0,
                    stem=p.stem,
                    use=run.use,
                    tier=run.tier,
                    role=p.role,
                    part=p.part,
                    section=p.section,
                    line=p.line,
                    start_frame=0,
                    frames=0,
                    rate=run.rate,
                    start=self._clock.now(),
                    ms=0,
                    consent=p.consent,
                )
            )
        return form

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
