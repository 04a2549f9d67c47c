"""The spans in which the placements of one session sound, and how many of them sound at once.

A placement has `frames` in play from `start_frame` on, and sounds at least from there to there: what is said
here of placements that overlap is true whatever silence lies between those frames.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from operator import eq

Line = tuple[str, int, str]
"""A part, a line of the script, and a stem."""


class Spans:
    """The spans of one session, 16 bytes for each placement."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[Line, tuple[array[int], array[int]]] = {}

    def add(self, line: Line, start: int, end: int) -> None:
        """A span from a frame to another, exclusive."""
        self.extend(line, (start,), (end,))

    def extend(self, line: Line, starts: Iterable[int], ends: Iterable[int]) -> None:
        """Several spans of one line."""
        known = self._lines.get(line)
        if known is None:
            known = self._lines[line] = array("q"), array("q")
        known[0].extend(starts)
        known[1].extend(ends)

    @property
    def end(self) -> int:
        """The last frame of all, exclusive; 0 without any."""
        return max((max(ends) for _, ends in self._lines.values()), default=0)

    def repeated(self) -> Iterator[tuple[Line, int]]:
        """The lines of which two sounds begin at one frame, each with the first such frame."""
        for line, (begun, _) in self._lines.items():
            starts = sorted(begun)
            if any(map(eq, starts, islice(starts, 1, None))):
                yield line, next(one for one, other in pairwise(starts) if one == other)

    def most_of_lines(self) -> dict[Line, int]:
        """By line and stem, how many sounded at once at most."""
        found = self._lines.items()
        return {line: most_at_once(sorted(begun), sorted(ended)) for line, (begun, ended) in found}

    def voices(self) -> int:
        """How many sounded at once at most."""
        starts: list[int] = []
        ends: list[int] = []
        for begun, ended in self._lines.values():
            # What is mostly in order is soon sorted, here and below.
            starts += sorted(begun)
            ends += sorted(ended)
        return most_at_once(sorted(starts), sorted(ends))


def most_at_once(starts: Sequence[int], ends: Sequence[int]) -> int:
    """How many spans overlap at most that begin and end, exclusively, at these frames, each in order."""
    most = over = 0
    for start in starts:
        # One more than before sound at once only where none of those counted has ended.
        if start < ends[over]:
            most += 1
        else:
            over += 1
    return most
