"""How many files of each kind an intake met, and which of them it passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..ground.visible import visible

if TYPE_CHECKING:
    from ..vault.intake.intake import Intake, PassedOver

_OUTCOMES = ("added", "would", "here", "held", "refused", "passed")
_WORDS = {"would": "would be added", "here": "here already", "passed": "passed over"}
_MOST_SHOWN = 10
"""Files that are passed over for one reason and named; `--json` names them all."""


def by_ending(intake: Intake) -> dict[str, dict[str, int]]:
    """How many files of each ending (in lower case, empty without one) had each outcome."""
    found: dict[str, Counter[str]] = {}
    for outcome in _OUTCOMES:
        for each in getattr(intake, outcome):
            found.setdefault(each.path.suffix.lower(), Counter())[outcome] += 1
    return {ending: dict(counts) for ending, counts in sorted(found.items())}


def counted_endings(intake: Intake) -> str:
    """The counts by ending in a line."""
    return "files: " + "; ".join(
        f"{sum(counts.values())} {visible(ending) or 'without an ending'} "
        f"({', '.join(f'{count} {_WORDS.get(outcome, outcome)}' for outcome, count in counts.items())})"
        for ending, counts in by_ending(intake).items()
    )


def shown_passed(passed: Sequence[PassedOver]) -> list[tuple[object, ...]]:
    """Rows for the report's table, by reason."""
    rows: list[tuple[object, ...]] = []
    for reason, group in groupby(sorted(passed, key=lambda each: each.reason), lambda each: each.reason):
        files = list(group)
        rows += [("passed over", visible(each.path), "", reason) for each in files[:_MOST_SHOWN]]
        if len(files) > _MOST_SHOWN:
            rows.append(("passed over", f"and {len(files) - _MOST_SHOWN} more", "", reason))
    return rows
