"""The gaps in what a period can count: records of placements that are lost, and whose they may have been."""

from __future__ import annotations

from ..entries.gaps import LostTime, lost_time
from .periods import Period
from .usage import Usage
from .windows import PlacementWindow


def lost_in(usage: Usage, period: Period, last: int) -> tuple[LostTime, ...]:
    """The gaps among entries 0 to `last` whose sessions were open within a period.

    Their stems are those that were heard in these sessions within the period.
    """
    books = usage.books
    found = []
    for index, gap in books.gaps:
        since, until = books.open_times.get(gap.session or "", (None, None))
        # When a session is not known, or never closed, the gap's own time is all that tells.
        if index <= last and (since or gap.time) < period.end and period.start <= (until or gap.time):
            found.append((index, gap, since, until))
    if not found:
        return ()
    sessions = {gap.session for _, gap, _, _ in found}
    heard: dict[str, set[str]] = {}
    for each in usage.played([PlacementWindow(period, -1, last)]):
        if each.session in sessions:
            heard.setdefault(each.session, set()).add(each.stem)
    return tuple(
        lost_time(index, gap, since, until, heard.get(gap.session or "", ()), books.rights, last)
        for index, gap, since, until in found
    )
