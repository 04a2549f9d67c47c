"""Stems that are one sound: what is heard of several at the same time earns once. Pure.

Two stems that the fingerprint held to be the same are alike from the period on that begins after the
entry that says so, until the one that begins after an entry that ends it. Whoever is alike with one of a
group is of that group. Where placements of one group sound at the same time in one session, each frame is
divided evenly among them:

    counted ms = ms x (sum over its frames of 1 / how many of the group sound in that frame) / its frames

in exact fractions, rounded down.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

from ..entries.entries import Distinct, Likeness, Placement
from .periods import Period


@dataclass(frozen=True, slots=True)
class Sounded:
    """A placement of a stem of a group, on its session's counter. `frames`: from its begin to its end."""

    start_frame: int
    frames: int
    ms: int

    @classmethod
    def of(cls, placement: Placement) -> Sounded:
        """Without a span it is taken to have been in play all the time."""
        return cls(placement.start_frame, placement.span or placement.frames, placement.ms)


def counted(together: Sequence[Sounded]) -> list[int]:
    """The ms that count of each of the placements of one group in one session."""
    edges = sorted({edge for each in together for edge in (each.start_frame, each.start_frame + each.frames)})
    sounding = _sounding(together, edges)
    unit = lcm(*(count for count in sounding if count), 1)
    # How much one placement has of all time up to each edge, in parts of a frame.
    until = [0]
    for (begin, end), count in zip(pairwise(edges), sounding, strict=False):
        until.append(until[-1] + ((end - begin) * unit // count if count else 0))
    found = []
    for each in together:
        first = bisect_right(edges, each.start_frame) - 1
        last = bisect_right(edges, each.start_frame + each.frames) - 1
        whole = each.frames * unit
        found.append(each.ms * (until[last] - until[first]) // whole if whole else each.ms)
    return found


def _sounding(together: Iterable[Sounded], edges: Sequence[int]) -> list[int]:
    """How many sound from each edge to the next."""
    changes = dict.fromkeys(edges, 0)
    for each in together:
        changes[each.start_frame] += 1
        changes[each.start_frame + each.frames] -= 1
    count, found = 0, []
    for edge in edges:
        count += changes[edge]
        found.append(count)
    return found


def groups(
    said: Sequence[tuple[int, Likeness]],
    ended: Mapping[int, tuple[int, Distinct]],
    period: Period,
    last: int,
) -> dict[str, str]:
    """The group of each stem that has one in `period`, by entries 0 to `last`; it is named by its least id.

    `ended`: by the index of the likeness that is ended. What entered the log in the period or after it counts
    in the next one. `last`: no later than the first placement that was heard in the period.
    """

    def holds(index: int, time: str) -> bool:
        return index <= last and time < period.start

    leader: dict[str, str] = {}

    def find(stem: str) -> str:
        while leader.setdefault(stem, stem) != stem:
            stem = leader[stem]
        return stem

    for index, each in said:
        end = ended.get(index)
        if holds(index, each.time) and not (end is not None and holds(end[0], end[1].time)):
            one, other = sorted((find(each.stem), find(each.like)))
            leader[other] = one
    return {stem: find(stem) for stem in leader}
