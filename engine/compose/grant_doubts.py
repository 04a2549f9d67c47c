"""What the dry run says of grants and slices: the stems that a pool leaves out, and slices that they lack."""

from __future__ import annotations

from collections.abc import Iterator

from ...script.piece import Play, Span
from ...script.problems import counted
from .allowed import ONSET
from .score import Score


def left_out(fixed: Score) -> Iterator[tuple[str, Span, str, str]]:
    """Doubts of the dry run: pools that leave stems out for what their grants do not allow."""
    hint = "a holder allows more with `vault consent grant STEM --use ... --allow stretch,chop`"
    for name, among in fixed.pools.items():
        of = len(among) + sum(count for _, count in among.left_out)
        for lack, count in among.left_out:
            if len(among) and lack != ONSET:
                grants = "its grant does" if count == 1 else "their grants do"
                message = f"pool {name} leaves out {count} of {of} stems: {grants} not allow {lack}"
                yield "W048", fixed.piece.pools[name].span, message, hint


def too_few_slices(fixed: Score) -> Iterator[tuple[str, Span, str, str]]:
    """Doubts of the dry run: a `slice` that some stems of its pool do not have."""
    for section in fixed.piece.sections:
        for line in section.lines:
            if isinstance(line, Play) and line.slice is not None:
                counts = [len(fixed.slices(stem.stem)) for stem in fixed.pools[line.pool].stems]
                fewer = sum(count < line.slice for count in counts)
                if fewer:
                    message = (
                        f"slice {line.slice} is not in {fewer} of {counted(len(counts), 'stem')} "
                        f"of pool {line.pool}: the fewest that one has is {min(counts)}"
                    )
                    yield "W050", line.span, message, "of those it is counted on from their first"
