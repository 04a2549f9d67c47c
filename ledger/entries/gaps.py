"""What a gap covers: records of placements that are lost, and whose time in play may be missing with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .entries import Gap, GapReason
from .rights import Rights


@dataclass(frozen=True, slots=True)
class LostTime:
    """What the gap at `index` covers.

    `session`: None if it is not known whose records they were. `placements`: how many, if that is known.
    `since`, `until`: when its session opened and closed, as far as the log has that.
    """

    index: int
    time: str
    session: str | None
    placements: int | None
    reason: GapReason
    since: str | None
    until: str | None
    stems: tuple[str, ...]
    """Those that were heard in the session, by id: each of them may have been heard for longer."""
    holders: tuple[str, ...]
    """Those who own a part of these stems, by id."""

    def __str__(self) -> str:
        """A sentence; long lists are counted."""
        many = "records of placements" if self.placements is None else _count(self.placements, "placement")
        lost = f"entry {self.index}: {many} {_are(self.placements)} lost ({self.reason})"
        if self.session is None:
            return f"{lost}, of a session that is not known: anybody's time in play may be missing"
        span = f"from {self.since or 'an unknown time'} to {self.until or 'its end'}"
        stems, holders = _count(len(self.stems), "stem"), _count(len(self.holders), "holder")
        of = f"of the session {self.session}, {span}: time in play may be missing of the {stems}"
        return f"{lost} {of} that it has ({_some(self.stems)}), of {holders} ({_some(self.holders)})"


def lost_time(
    index: int,
    gap: Gap,
    since: str | None,
    until: str | None,
    stems: Iterable[str],
    rights: Rights,
    last: int,
) -> LostTime:
    """What a gap covers. `stems`: those heard in its session; `last`: the last entry that counts."""
    heard = sorted(set(stems))
    parties: set[str] = set()
    for stem in heard:
        for owned in rights.owned(stem, last)[-1:]:
            parties |= {share.holder for share in (*owned.master, *owned.publishing) if share.ppm}
    return LostTime(
        index,
        gap.time,
        gap.session,
        gap.placements,
        gap.reason,
        since,
        until,
        tuple(heard),
        tuple(sorted(parties)),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _are(number: int | None) -> str:
    return "is" if number == 1 else "are"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:4])
    return (f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown) or "none"
