"""The spans in which the placements of one session sound, and how many of them sound at once.

A placement has `frames` in play from `start_frame` on, and sounds at least from there to there: what is said
here of placements that overlap is true whatever silence lies between those frames.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

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

    @property
    def voices(self) -> int:
        """How many sounded at once at most."""
        if not self._lines:
            return 0
        starts, ends = zip(*self._lines.values(), strict=True)
        return most_at_once(_joined(starts), _joined(ends))

    @property
    def polyphony(self) -> int:
        """How many sounded at once at most of one stem by one line."""
        return max((most for _, most in self.of_each_line()), default=0)

    def of_each_line(self) -> Iterator[tuple[Line, int]]:
        """Each line, and how many of its sounds there were at once at most."""
        for line, (starts, ends) in self._lines.items():
            yield line, most_at_once(starts, ends)

    def repeated(self) -> Iterator[tuple[Line, int]]:
        """The lines of which two sounds begin at the same frame, each with the first such frame."""
        for line, (starts, _) in self._lines.items():
            ordered = sorted(starts)
            for before, after in pairwise(ordered):
                if before == after:
                    yield line, before
                    break


def most_at_once(starts: Sequence[int], ends: Sequence[int]) -> int:
    """How many of some spans, `starts[i]` to `ends[i]` exclusive, overlap at most."""
    ending = sorted(ends)
    most = over = 0
    for start in sorted(starts):
        # One more than before sound at once only where none of those counted has ended.
        if start < ending[over]:
            most += 1
        else:
            over += 1
    return most


def _joined(parts: Sequence[array[int]]) -> array[int]:
    whole = array("q")
    for part in parts:
        whole.extend(part)
    return whole
