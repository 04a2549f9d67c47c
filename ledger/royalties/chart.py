"""A stem's time in play over the days of a period, as the bars of a small chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from ..division.periods import Period
from .statement_schema import UseTotal

MOST_BARS = 31
WIDTH, HEIGHT = 620, 64
"""Of the drawing, in its own units."""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """Time in play of the days `first` to `last`; geometry in the drawing's units, y downward."""

    first: str
    last: str
    ms: int
    x: float
    y: float
    width: float
    height: float


def chart_bars(by_day: tuple[UseTotal, ...], period: Period) -> tuple[ChartBar, ...]:
    """One bar a day, or a run of days in a period of more than `MOST_BARS`; the tallest fills the chart.

    A bar with any time in play is at least two units high, so that it can be seen.
    """
    step = -(-period.days // MOST_BARS)
    count = -(-period.days // step)
    sums = [0] * count
    for used in by_day:
        sums[(date.fromisoformat(used.name) - period.first_day).days // step] += used.ms
    tallest = max(sums, default=0) or 1
    pitch = WIDTH / count
    drawn = []
    for at, ms in enumerate(sums):
        first = period.first_day + timedelta(days=at * step)
        height = max(2.0, ms / tallest * HEIGHT) if ms else 0.0
        drawn.append(
            ChartBar(
                first=first.isoformat(),
                last=min(first + timedelta(days=step - 1), period.last_day).isoformat(),
                ms=ms,
                x=round(at * pitch + pitch * 0.12, 2),
                y=round(HEIGHT - height, 2),
                width=round(pitch * 0.76, 2),
                height=round(height, 2),
            )
        )
    return tuple(drawn)
