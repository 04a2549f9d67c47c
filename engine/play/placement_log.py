"""The placements of a session in the ledger: what it intends to play, then what was heard.

    opened -> intend, ... -> begun, ... -> heard, ... -> closed -> sealed

Nothing sounds before it is durable in the journal as intended: `undurable` says up to where all is, and
`wait_durable` waits. What was heard is acknowledged as soon as it has ended, or, for a render, when its file
is whole: nobody has heard a file that was never finished. `intend`, `begun` and `heard` never wait for the
disk, and raise nothing where it fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_in

from ...ledger.clock import Clock, milliseconds_of
from ...ledger.entries.canonical import PlacementForm, decode
from ...ledger.entries.entries import Placement as PlacementEntry, Session as SessionEntry, ms_of
from ...ledger.forks import refuse_children
from ...ledger.log.journal_format import Sounding
from ...ledger.log.log import Log
from ...ledger.log.session_page import HeardFrames, set_anchor, set_counted
from ...vault.records import ENGINE_RATE
from ..plan import Placement
from .scribe import NEVER_UNDURABLE, SEAL_SECONDS, Scribe

MOST_FORMS = 4096
"""How many forms of entries are kept, each for placements that differ in what was heard alone."""


@dataclass(frozen=True, slots=True)
class HeardPlacement:
    """A placement that was heard: its plan, its number among the session's entries, and its time in play."""

    placement: Placement
    seq: int
    end_frame: int
    frames: int
    ms: int
    start: str


@dataclass(frozen=True, slots=True)
class _Open:
    """A placement that was intended and has not ended: its plan, and the entry that it will become.

    Until it has begun, the entry's `start` is the time of the grant that it rests on.
    """

    planned: Placement
    entry: PlacementEntry
    begun: bool = False


class _Nowhere:
    """The scribe of a session that nobody hears: it writes nothing."""

    page: memoryview | None = None
    room = 1 << 62
    undurable = NEVER_UNDURABLE

    def wait_durable(self, frame: int, seconds: float | None = None) -> bool:
        """Nothing needs to be durable."""
        return True

    def write(self, *_: object) -> None:
        """Nothing is heard."""

    intend = ended = forget = lose = close = discard = write


class PlacementLog:
    """Writes one session's entries. `keep_back`: acknowledge nothing before `closed`.

    `log`: None for a session that nobody hears, and of which nothing is written. `opening`: the first entry.
    `history`: whether `sounded` keeps everything. `sounding`: gives what was heard so far of what sounds;
    called from another thread.
    """

    def __init__(
        self,
        log: Log | None,
        clock: Clock,
        opening: SessionEntry,
        *,
        keep_back: bool,
        history: bool = True,
        sounding: Callable[[], Sequence[HeardFrames]] = list,
        page_size: int = 0,
    ) -> None:
        self._owner = os.getpid()
        self.opening = opening
        self.sounded: list[HeardPlacement] = []
        self._clock = clock
        self._keep_back = keep_back
        self._history = history
        self._heard_so_far = sounding
        self._count = self._ms = 0
        self._open: dict[int, _Open] = {}
        self._unwritten: list[bytes] = []
        self._forms: dict[tuple[str, str, str, str, int, int], PlacementForm] = {}
        self._closed = False
        self.scribe: Scribe | None = None
        """Writes the journal; None where nobody hears the session."""
        if log is not None:
            how = (0, None) if keep_back else (page_size, SEAL_SECONDS)
            self.scribe = Scribe(log, clock, opening.session, self._sounding, *how)
        self._writer: Scribe | _Nowhere = self.scribe or _Nowhere()
        self.page = self._writer.page
        """The memory that the mixer is to work in, so that what was heard outlives the process."""
        with ExitStack() as stack:
            stack.callback(self._writer.discard)
            self._writer.write([opening])
            stack.pop_all()

    @property
    def undurable(self) -> int:
        """The least start frame of what is intended and not durable: only what starts before it may sound.

        NEVER_UNDURABLE where all may. May be asked for from any thread.
        """
        return self._writer.undurable

    def wait_durable(self, frame: int, seconds: float | None = None) -> bool:
        """Wait until all that starts up to `frame` may sound; False when the time is over.

        From any thread; an interrupt in it changes nothing. Raises LedgerStopped when the disk refuses; while
        it does, each call has it tried once more.
        """
        return self._writer.wait_durable(frame, seconds)

    def intend(self, placements: Sequence[Placement], since: Mapping[str, str]) -> None:
        """Have placements made durable as intended. One that is never mixed leaves no entry.

        `since`: for each stem the time of the grant that its placements rest on.
        """
        refuse_children(self._owner)
        if placements:
            opened = {each.id: _Open(each, self._intended(each, since[each.stem])) for each in placements}
            self._writer.intend({id: each.entry for id, each in opened.items()})
            self._open |= opened

    def begun(self, placement: Placement, time: str, since: str) -> None:
        """A placement begins now, under the consent that it names: `time` is its start, RFC 3339."""
        refuse_children(self._owner)
        intended = self._open.get(placement.id)
        if intended is None:
            return
        entry = intended.entry
        if placement.consent != entry.consent:
            # It was granted anew since it was composed.
            entry = self._intended(placement, since)
            self._writer.intend({placement.id: entry})
        self._open[placement.id] = _Open(placement, replace_in(entry, start=time), begun=True)
        if self.page is not None:
            set_anchor(self.page, placement.start_frame, milliseconds_of(time))

    def heard(self, ended: Iterable[HeardFrames]) -> list[HeardPlacement]:
        """Log what ended, in the order given; what was never in play leaves no entry.

        Gives what was in play.
        """
        refuse_children(self._owner)
        found: list[HeardPlacement] = []
        ids: list[int] = []
        entries: list[bytes] = []
        never: list[int] = []
        lost = 0
        room = self._writer.room
        for end in ended:
            was = self._open.pop(end.id)
            if end.frames == 0:
                never.append(end.id)
                continue
            if len(entries) >= room:
                lost += 1
                continue
            ms = ms_of(end.frames, ENGINE_RATE)
            start = was.entry.start if was.begun else self._clock.now()
            planned = replace(was.planned, start_frame=end.start_frame)
            sounded = HeardPlacement(planned, self._count, end.end_frame, end.frames, ms, start)
            self._count += 1
            self._ms += ms
            if self._history:
                self.sounded.append(sounded)
            found.append(sounded)
            ids.append(end.id)
            entries.append(self._form(was.entry).fill(sounded.seq, end.start_frame, end.frames, start))
        if self.page is not None and found:
            set_counted(self.page, self._count, found[-1].placement.id)
        if never:
            self._writer.forget(never)
        if lost:
            self._writer.lose(lost)
        if self._keep_back:
            self._unwritten += entries
        elif entries:
            self._writer.ended(ids, entries, sum(each.ms for each in found))
        return found

    def closed(self, take: str) -> None:
        """Acknowledge the rest and the closing entry: durable when it returns.

        Raises OSError, JournalFailed; it may be called again.
        """
        refuse_children(self._owner)
        if not self._closed:
            self._writer.write([*map(decode, self._unwritten), self._closing(take)])
            self._unwritten = []
            self._closed = True

    def sealed(self) -> None:
        """Have everything sequenced into the log; if we die, another process does it.

        Raises OSError, and LockHeld where another has the log's lock; it may be called again.
        """
        self._writer.close()
        self.page = None

    def abandoned(self) -> None:
        """Close a render whose file never came to be: nothing of it was heard. May be called again."""
        refuse_children(self._owner)
        if not self._closed:
            self._unwritten = []
            self.sounded = []
            self._count = self._ms = 0
            self._writer.write([self._closing()])
            self._closed = True
        self._writer.close()
        self.page = None

    def discard(self) -> None:
        """Give up a session that nobody has heard, and that the disk does not let be closed."""
        refuse_children(self._owner)
        if not self._closed:
            self._writer.discard()

    def _sounding(self) -> list[Sounding]:
        """What sounds, as heard so far. Called by the scribe, while the composing side goes on."""
        known = ((each, self._open.get(each.id)) for each in self._heard_so_far() if each.frames)
        return [(each, was.entry.start) for each, was in known if was is not None and was.begun]

    def _intended(self, planned: Placement, since: str) -> PlacementEntry:
        """The entry that a placement will become, as far as it is known: see `intention_rows`."""
        opening, frames = self.opening, planned.end_frame - planned.start_frame
        return PlacementEntry(
            session=opening.session,
            seq=0,
            stem=planned.stem,
            use=opening.use,
            tier=opening.tier,
            role=planned.role,
            part=planned.part,
            section=planned.section,
            line=planned.line,
            start_frame=planned.start_frame,
            frames=frames,
            rate=ENGINE_RATE,
            start=since,
            ms=ms_of(frames, ENGINE_RATE),
            consent=planned.consent,
        )

    def _form(self, entry: PlacementEntry) -> PlacementForm:
        """The form of all entries that differ from `entry` in what was heard alone."""
        alike = (entry.stem, entry.role, entry.part, entry.section, entry.line, entry.consent)
        form = self._forms.get(alike)
        if form is None:
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            form = self._forms[alike] = PlacementForm(entry)
        return form

    def _closing(self, take: str | None = None) -> SessionEntry:
        now, count = self._clock.now(), self._count
        return replace_in(self.opening, time=now, state="closed", take=take, placements=count, ms=self._ms)
