"""Recovery of the session of a process that died: its open placements end where they were last heard.

Where the machine went on, the page that the mixer worked in (`session_page.py`) says so to within one block.
Where it did not, the journal says what was heard so far, to within the last second. The entries say which of
the two it was. The session is closed; it has no take. Where the disk refused to the end what was heard, the
page still tells how much of it no journal has: a `gap` entry says so.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import msgspec

from ..clock import text_at
from ..entries.canonical import decode, encode
from ..entries.entries import Entry, Gap, Placement, Recovered, Session, ms_of
from ..errors import BadEntry
from .journal_format import JournalContent
from .session_page import read_page


class Orphan:
    """A session whose owner died, from its journal's files in their order and its page, if it left one."""

    def __init__(self, files: Mapping[int, JournalContent], page: bytes | None, boot: str) -> None:
        """`files`: what was found in each, by number. `boot`: of this run of the machine."""
        used = {number: found for number, found in files.items() if found.whole}
        replaced = {number for found in used.values() for number in found.carried.replaces}
        self._files = [used[number] for number in sorted(used) if number not in replaced]
        self.damaged = any(found.damaged for found in files.values())
        """Whether something in the files cannot be read; complete once `entries` was called."""
        self._boot = boot
        self._page = None if page is None else read_page(page, boot)

    def entries(self, now: str) -> list[bytes]:
        """All that is to be sequenced of it, canonical: what was acknowledged, then how it ended.

        `now`: the time of the closing entry.
        """
        if not self._files:
            return []
        taken: list[bytes] = []
        damaged = False
        opened: Session | None = None
        closed = False
        count = ms = 0
        for found in self._files:
            # The sums that each file carries include the files before it.
            carried = found.carried
            opened, closed, count, ms = carried.session, carried.closed, carried.placements, carried.ms
            good = 0
            for data in found.entries:
                try:
                    entry = decode(data)
                except BadEntry:
                    break
                good += 1
                if isinstance(entry, Placement):
                    count, ms = count + 1, ms + entry.ms
                elif isinstance(entry, Session):
                    opened, closed = entry, entry.state == "closed"
            taken += found.entries[:good]
            damaged = damaged or found.damaged or good < len(found.entries)
        self.damaged = self.damaged or damaged
        ending: list[Entry] = []
        if damaged:
            session = None if opened is None else opened.session
            ending.append(Gap(time=now, session=session, placements=None, reason="damaged journal"))
        if opened is not None and not closed:
            here = self._page is not None or self._files[-1].carried.boot == self._boot
            how: Recovered = "crash" if here else "power loss"
            placements = self._open(how, opened.time)
            if lost := self._lost(count, placements):
                gap = Gap(time=now, session=opened.session, placements=lost, reason="disk failed")
                ending.append(gap)
            for placement in placements.values():
                ending.append(msgspec.structs.replace(placement, seq=count))
                count, ms = count + 1, ms + placement.ms
            ending.append(
                msgspec.structs.replace(
                    opened,
                    time=max(now, opened.time),
                    state="closed",
                    take=None,
                    placements=count,
                    ms=ms,
                    recovered=how,
                )
            )
        return [*taken, *map(encode, ending)]

    def _open(self, how: Recovered, opened: str) -> dict[int, Placement]:
        """The placements that sounded, as far as they were heard, by number, in the order of their ends.

        `opened`: the time of the session's opening. No start is earlier, though a page counts back to before
        it where the host pulled faster than the music goes.
        """
        last = self._files[-1]
        heard = [heard for heard, _ in last.sounding] if self._page is None else self._page.heard
        starts = {heard.id: start for heard, start in last.sounding}
        found = {}
        for each in sorted(heard, key=lambda each: (each.end_frame, each.id)):
            intended = last.intentions.get(each.id)
            if intended is None or each.frames <= 0:
                continue
            start = starts.get(each.id)
            if start is None and self._page is not None:
                at = self._page.start_ms(each.start_frame)
                start = None if at is None else text_at(at)
            if start is not None:
                found[each.id] = msgspec.structs.replace(
                    intended,
                    start_frame=each.start_frame,
                    frames=each.frames,
                    start=max(start, intended.start, opened),
                    ms=ms_of(each.frames, intended.rate),
                    recovered=how,
                )
        return found

    def _lost(self, written: int, recovered: Container[int]) -> int:
        """How many placements were heard of which there will be no entry.

        `written`: how many have one in the journal; `recovered`: those that get one now, by number.
        """
        greatest = self._files[-1].greatest
        if self._page is None or greatest is None:
            return 0
        counted = self._page.counted
        ended = self._page.ended - written - sum(id in recovered for id in counted)
        others = [each.id for each in self._page.heard if each.frames > 0 and each.id not in counted]
        return max(ended, 0) + sum(id > greatest for id in others)


def first_bad(entries: Sequence[bytes]) -> int | None:
    """The place of the first entry that this version cannot read."""
    for place, entry in enumerate(entries):
        try:
            decode(entry)
        except BadEntry:
            return place
    return None
