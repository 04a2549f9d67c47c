"""The fairness report as one HTML file: no scripts, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

from collections.abc import Mapping

from .fairness import Fairness, Spread, lorenz
from .statement_page import environment

_SHAPES = {"loop": "a loop", "sustained": "a sustained sound", "hit": "a hit", "song": "a stem of a song"}


def fairness_page(made: Fairness, names: Mapping[str, str]) -> str:
    """`names`: of holders and stems, by id."""
    pages = environment()
    pages.filters.update(shape=lambda name: _SHAPES.get(name, name), whole=round)
    return pages.get_template("fairness.html").render(
        f=made,
        names=names,
        curve=_curve,
        bias=None if made.bias is None else float(made.bias),
    )


def _curve(spread: Spread) -> str:
    """The Lorenz curve of income as the points of a drawing of 200 by 200, y downward."""
    points = lorenz(each.amount for each in spread.members)
    step = max(1, len(points) // 400)
    chosen = [*points[:-1:step], points[-1]]
    return " ".join(f"{200 * x:.2f},{200 - 200 * y:.2f}" for x, y in chosen)
