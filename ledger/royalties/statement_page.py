"""A statement as one HTML file: no scripts, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ..division.periods import Period
from . import display_text
from .chart import HEIGHT, WIDTH, ChartBar, chart_bars
from .statement_schema import Statement


def statement_page(statement: Statement) -> str:
    """The statement as a self-contained HTML document, for the screen, a phone and paper."""
    period = Period.parse(statement.period)
    return _template().render(
        s=statement,
        heard=[stem for stem in statement.stems if stem.placements or stem.late_ms or stem.amount],
        unheard=[stem for stem in statement.stems if not (stem.placements or stem.late_ms or stem.amount)],
        ours=sum(stem.ms + stem.late_ms for stem in statement.stems),
        payee=statement.payee.name or statement.holder,
        chart_width=WIDTH,
        chart_height=HEIGHT,
        sources=display_text.SOURCE_TEXT,
        chart=lambda stem: _drawn(chart_bars(stem.by_day, period)),
        last_day=period.last_day.isoformat(),
        first_day=period.first_day.isoformat(),
    )


class _Drawn(NamedTuple):
    """The bars of a chart as SVG, the unit that one of them stands for, and the ms of the tallest."""

    shapes: Markup
    each: str
    most: int


def _drawn(found: tuple[ChartBar, ...]) -> _Drawn:
    # Not in the template: a statement may have thousands of bars. All of it is numbers and dates.
    behind = "".join(f"M{bar.x} 0h{bar.width}v{HEIGHT}h-{bar.width}z" for bar in found)
    shapes = [f'<path d="{behind}" fill="#f2f0ea"/>']
    for bar in found:
        if bar.ms:
            days = display_text.short_day(bar.first)
            if bar.last != bar.first:
                days += f" to {display_text.short_day(bar.last)}"
            shapes.append(
                f'<rect x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}" fill="#0b6b6a">'
                f"<title>{days}: {display_text.duration_text(bar.ms)}</title></rect>"
            )
    each = "day" if found[0].first == found[0].last else "bar"
    return _Drawn(Markup("\n".join(shapes)), each, max(bar.ms for bar in found))


@cache
def _template() -> Template:
    return environment().get_template("statement.html")


def environment() -> Environment:
    """Templates of this folder: autoescaped, with the numbers and times of `display_text.py` as filters."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        day=display_text.day_text,
        short_day=display_text.short_day,
        moment=display_text.moment_text,
        period=display_text.period_text,
        duration=display_text.duration_text,
        percent=display_text.percent_text,
        ppm=display_text.ppm_text,
        parts=display_text.money_parts,
    )
    return made
