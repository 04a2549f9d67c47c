"""The times at which a line is at work: its window comes once or again and again, in rounds of its section.

A section that is `as` a shorter one goes through the lines that it has from there in rounds of the other's
length. A spell is one time of being at work, from a beat to a beat of the section.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import ceil

from ...script.piece import Line
from ..clock import BarClock
from .form import Visit

Spell = tuple[Fraction, Fraction]


def round_of(visit: Visit, line: Line, bar: int) -> tuple[int, int]:
    """The first bar of the line's round at that bar of the section, from 0, and the first after it."""
    lengths = visit.section.taken.get(line.section, ())
    return _round(lengths, visit.bars, bar) if lengths else (0, visit.bars)


@lru_cache(maxsize=256)
def _round(lengths: tuple[int, ...], bars: int, bar: int) -> tuple[int, int]:
    begin, end = 0, bars
    for length in lengths:
        begin += (bar - begin) // length * length
        end = min(end, begin + length)
    return begin, end


def spells(visit: Visit, line: Line, bar: int, clock: BarClock) -> Iterator[Spell]:
    """The spells of a line that begin before that bar is over and do not end before it begins."""
    window, (begin, end), beats = line.window, round_of(visit, line, bar), clock.beats_per_bar
    first = (begin + window.at_bar - 1) * beats + (window.at_beat - 1) * clock.meter_beat
    lasts, limit = window.length(clock.meter[0]), end * beats
    if window.every_bars is None:
        starts = [first]
    else:
        every = window.every_bars * beats
        # It is over before it comes again, so only the last two of them can touch this bar.
        count = ceil(((bar + 1) * beats - first) / every)
        starts = [first + number * every for number in range(max(0, count - 2), count)]
    for start in starts:
        stop = limit if lasts is None else min(limit, start + lasts * clock.meter_beat)
        if start < stop and start < (bar + 1) * beats and stop >= bar * beats:
            yield start, stop


def spell_at(visit: Visit, line: Line, bar: int, beat: Fraction, clock: BarClock) -> Spell:
    """The spell of a line that has begun at a beat of that bar, or the last one that had."""
    here = bar * clock.beats_per_bar + beat
    found = [spell for spell in spells(visit, line, bar, clock) if spell[0] <= here]
    return max(found) if found else (here, here)
