"""What can have been heard in one session: placements in order, within its time, and no more than it had.

A session states its rate and how many sounds there can be at once, and its closing how many there were and
how long its sound is. One of before states nothing of this, and is judged by what its placements say of each
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import UNSET, UnsetType

from ..clock import milliseconds_of, text_at
from ..entries import entries
from ..entries.canonical import milliseconds
from ..entries.entries import ms_of
from ..entries.lateness import CLOCK_ERROR_MS, LATE_MS, RECOVERED_LATE_MS
from ..entries.spans import Spans
from .moments import Moments
from .sweep import Run


@dataclass(slots=True)
class _Session:
    opened: entries.Session
    index: int
    begun_ms: int
    rate: int | None
    placements: int = 0
    ms: int = 0
    latest: str = ""
    """The latest start."""
    late_ms: int = 0
    """By how much the latest of its entries came after its time."""
    late_index: int = -1
    spans: Spans | None = field(default_factory=Spans)
    """None once it is closed."""
    closed: entries.Session | None = None


class Sessions:
    """The sessions of a log after the entries taken so far, beside the log's own time."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._sessions: dict[str, _Session] = {}

    def open_times(self, name: str | None) -> tuple[str | None, str | None]:
        """When a session opened and closed, as far as the log says so."""
        known = None if name is None else self._sessions.get(name)
        if known is None:
            return None, None
        return known.opened.time, None if known.closed is None else known.closed.time

    def placements(self, name: str) -> int:
        """How many placements of a session the log has."""
        known = self._sessions.get(name)
        return 0 if known is None else known.placements

    def unclosed(self) -> Iterator[tuple[int, str]]:
        """Sessions that were opened and not closed, each with the index of its opening."""
        for name, session in self._sessions.items():
            if session.spans is not None:
                yield session.index, f"the session {name} was opened and not closed"

    def unstated(self) -> Iterator[tuple[int, str]]:
        """The first session that states nothing of what it can have heard, and how many do not."""
        weaker = [each for each in self._sessions.values() if each.opened.rate is UNSET]
        if weaker:
            yield (
                weaker[0].index,
                f"{len(weaker)} of {len(self._sessions)} sessions, the first of them "
                f"{weaker[0].opened.session}, do not state their rate and their voices: less of them can be "
                "checked",
            )

    def wrong_so_far(self) -> Iterator[tuple[int, str]]:
        """What is wrong with sessions that are not closed, each with the index of its opening."""
        for session in self._sessions.values():
            if session.spans is not None:
                for each in self._heard(session, session.opened):
                    yield session.index, each

    def take(self, index: int, entry: entries.Session) -> Iterator[str]:
        """Take an opening or a closing; what is wrong with it, or with what it closes."""
        session = self._sessions.get(entry.session)
        if entry.state == "opened":
            if session is not None:
                yield f"the session {entry.session} is opened a second time"
                return
            sums = entry.take, entry.placements, entry.ms, _stated(entry.polyphony), _stated(entry.frames)
            if sums != (None,) * 5:
                yield f"the session {entry.session} opens with sums that only its closing can have"
            if (entry.rate is UNSET) != (entry.voices is UNSET):
                yield f"the session {entry.session} opens with only one of its rate and its voices"
            begun = milliseconds_of(entry.time)
            session = _Session(entry, index, begun, _stated(entry.rate))
            self._sessions[entry.session] = session
            self._came(session, index, begun)
            return
        if session is None or session.spans is None:
            yield f"the session {entry.session} is closed, but it is not open"
            return
        self._came(session, index, milliseconds_of(entry.time))
        yield from self._closes(session, entry)
        yield from self._heard(session, entry)
        session.spans, session.closed = None, entry

    def take_placement(self, index: int, entry: entries.Placement) -> Iterator[str]:
        """Take a placement; what is wrong with it in its session."""
        session = self._sessions.get(entry.session)
        if session is None or session.spans is None:
            yield f"a placement names the session {entry.session}, which is not open"
            return
        if entry.seq != session.placements:
            yield (
                f"a placement of the session {entry.session} has the number {entry.seq} "
                f"where {session.placements} follows"
            )
        session.placements = entry.seq + 1
        session.ms += entry.ms
        if entry.use != session.opened.use or entry.tier != session.opened.tier:
            yield f"a placement is for another use or tier than its session {entry.session}"
        if (entry.span is UNSET) != (session.opened.in_play is UNSET):
            said = "leaves its span out" if entry.span is UNSET else "has a span"
            yield f"a placement {said}, against the rule of its session {entry.session}"
        if session.rate is None:
            session.rate = entry.rate
        if entry.rate != session.rate:
            yield f"a placement at {entry.rate} Hz is of the session {entry.session} at {session.rate} Hz"
        start = milliseconds_of(entry.start)
        if start < session.begun_ms - CLOCK_ERROR_MS:
            opened = session.opened.time
            yield f"a placement of {entry.session} starts at {entry.start}, before its opening at {opened}"
        wrong = self._moments.early(index, entry.start)
        if wrong is not None:
            yield f"a placement is of a time to come: {wrong}"
        session.latest = max(session.latest, entry.start)
        self._came(session, index, start + entry.ms)
        end = entry.start_frame + entry.sounding
        session.spans.add((entry.part, entry.line, entry.stem), entry.start_frame, end)

    def take_run(self, run: Run) -> bool:
        """Take a row of placements at once by the same rules, and say whether all are right."""
        last = run.first - 1
        for name, (seq, count, ms) in run.sessions.items():
            session = self._sessions.get(name)
            if session is None or session.spans is None or session.placements != seq:
                return False
            session.placements += count
            session.ms += ms
            last += count
            for line, (starts, ends) in run.spans[name].items():
                session.spans.extend(line, starts, ends)
        for group, (earliest, latest, _) in run.groups.items():
            session = self._sessions[group.session]
            if session.rate is None:
                session.rate = group.rate
            opened = session.opened
            if (group.use, group.tier, group.rate) != (opened.use, opened.tier, session.rate):
                return False
            if group.spanned != (opened.in_play is not UNSET):
                return False
            start = milliseconds(earliest)
            if start < session.begun_ms - CLOCK_ERROR_MS:
                return False
            if self._moments.early(run.first, latest) is not None:
                return False
            session.latest = max(session.latest, latest)
            # A sound of more than a day is judged one by one.
            self._came(session, last, start)
        return True

    def _came(self, session: _Session, index: int, over_ms: int) -> None:
        """Note an entry of a session that tells of what was over at a time."""
        late = self._moments.at(index) - over_ms
        if late > session.late_ms:
            session.late_ms, session.late_index = late, index

    def _closes(self, session: _Session, entry: entries.Session) -> Iterator[str]:
        """What is wrong with a closing by itself and with its sums."""
        name, opened = entry.session, session.opened
        same = entry.use, entry.tier, entry.user, entry.rate, entry.in_play
        if same != (opened.use, opened.tier, opened.user, opened.rate, opened.in_play):
            yield f"the session {name} closes as another one than it opened"
        if entry.placements != session.placements or entry.ms != session.ms:
            yield (
                f"the session {name} closes with {entry.placements} placements and {entry.ms} ms; "
                f"the log has {session.placements} and {session.ms} ms"
            )
        if session.latest and milliseconds_of(session.latest) > milliseconds_of(entry.time) + CLOCK_ERROR_MS:
            yield (f"a placement of {name} starts at {session.latest}, after its closing at {entry.time}")
        recovered = entry.recovered is not UNSET
        if (entry.voices is UNSET) != (opened.voices is UNSET):
            yield f"the session {name} states its voices at its opening or at its closing alone"
        if (
            opened.voices is not UNSET
            and not recovered
            and (entry.polyphony is UNSET or entry.frames is UNSET)
        ):
            yield f"the session {name} closes without the frames of its sound and its polyphony"

    def _heard(self, session: _Session, stating: entries.Session) -> Iterator[str]:
        """What of a session's placements cannot have been, by what its opening or closing states."""
        spans, name = session.spans, stating.session
        assert spans is not None
        for (part, line, stem), frame in spans.repeated():
            yield f"the session {name} has {stem} by line {line} of {part} twice from frame {frame} on"
        bound = LATE_MS if stating.recovered is UNSET else RECOVERED_LATE_MS
        if session.late_ms > bound:
            at = text_at(self._moments.at(session.late_index))
            yield (
                f"the session {name} has an entry {session.late_index} that came more than "
                f"{bound // 3_600_000} hours after what it tells, when the log had come to {at}"
            )
        voices, opened = _stated(stating.voices), _stated(session.opened.voices)
        if voices is None or opened is None:
            return
        if voices > opened:
            yield f"the session {name} closes with {voices} voices, and it opened with {opened}"
        most_of_lines = spans.most_of_lines()
        # All of them together need only be looked at where they might be too many.
        at_once = spans.voices() if sum(most_of_lines.values()) > voices else 0
        if at_once > voices:
            yield f"the session {name} has {at_once} sounds at once, and states {voices}"
        polyphony = _stated(stating.polyphony)
        for (part, line, stem), most in most_of_lines.items():
            if polyphony is not None and most > polyphony:
                yield (
                    f"the session {name} has {stem} by line {line} of {part} {most} times at once, and "
                    f"states {polyphony}"
                )
        frames = _stated(stating.frames)
        if frames is None:
            return
        if spans.end > frames:
            yield f"the session {name} has a placement up to frame {spans.end}, and its sound has {frames}"
        assert session.rate is not None
        if session.ms > voices * ms_of(frames, session.rate) + session.placements:
            yield f"the session {name} has {session.ms} ms, more than {voices} voices in {frames} frames"


def _stated(value: int | UnsetType) -> int | None:
    return None if isinstance(value, UnsetType) else value
