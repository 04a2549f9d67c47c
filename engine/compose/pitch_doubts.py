"""What a dry run finds of pitch: loops that clash with the chords, and hits that cannot play notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...script.piece import Bring, Play, Section, Span
from ...script.problems import counted
from ..plan import Bar
from .chords import as_part
from .form import Visit
from .harmony import CLASH, Chords, agreements
from .notes import repitched, rootless
from .score import Score


def of_notes(fixed: Score) -> Iterator[tuple[str, Span, str, str]]:
    """Lines whose notes not all stems of their pool can play, and why."""
    for section in fixed.piece.sections:
        for line in section.lines:
            if not isinstance(line, Play) or line.notes is None:
                continue
            unknown = int(rootless(fixed, line.pool).sum())
            forbidden = int((~repitched(fixed, line.pool) & ~rootless(fixed, line.pool)).sum())
            whole = f"of {counted(len(fixed.pools[line.pool]), 'hit')} of pool {line.pool}"
            if unknown:
                message = f"{unknown} {whole} cannot be played at notes: no root is known"
                yield (
                    "W046",
                    line.span,
                    message,
                    "the root is the note of a hit's key, declared as it is added",
                )
            if forbidden:
                message = f"{forbidden} {whole} cannot be played at notes: the grant does not allow `pitch`"
                yield "W047", line.span, message, "ask the holders for a grant that allows `pitch`"


def of_chords(fixed: Score, section: Section, bars: Sequence[Bar]) -> Iterator[tuple[str, Span, str, str]]:
    """Lines that bring a loop which clashes with the chords, as each of their pool does there.

    `fixed`: the score as the section is tuned.
    """
    lines = {line.span.line: line for line in section.lines if isinstance(line, Bring)}
    told: set[int] = set()
    for bar in bars:
        for placement in bar.starts:
            line = lines.get(placement.line)
            if (
                line is None
                or placement.line in told
                or not _all_clash(fixed, section, bar.section_bar, line)
            ):
                continue
            told.add(placement.line)
            message = (
                f'{placement.part} "{placement.title}" clashes with the chords in bar {bar.section_bar + 1} '
                f"of section {section.name}, as does every stem of pool {line.pool}"
            )
            hint = (
                "`stemloom plan --why` says how they agree; change the chords, or let the pool take in more"
            )
            yield "W045", line.span, message, hint


def _all_clash(fixed: Score, section: Section, bar: int, line: Bring) -> bool:
    """Whether the pool has nothing that goes with the chords which begin at a bar of the section."""
    part = as_part(fixed, Visit(section, 0, max(section.lengths), 0), bar)
    tonal, places = fixed.pools[line.pool].tonal, np.arange(len(fixed.pools[line.pool]))
    if part is None or (tonal.offset < 0).any():
        return False
    chords = Chords([part])
    return all(
        (agreements(tonal.of(places, length)[1], chords.values(length)) < CLASH).all()
        for length in tonal.lengths
    )
