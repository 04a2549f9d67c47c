"""What the dry run says of meters: loops that all have another than the section in which they play."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...script.piece import Bring, Section, Span
from ...script.problems import counted
from .eligible import Eligible
from .score import Score

COMMON = (4, 4)
"""The meter of loops for which none was declared: of theirs nothing is said."""


def of_meters(tuned: Score, section: Section) -> Iterator[tuple[str, Span, str, str]]:
    """Doubts of the dry run: brings whose loops are all in another meter, some in one that was declared."""
    meter = tuned.clock.meter
    for line in section.lines:
        if isinstance(line, Bring):
            among = tuned.pools[line.pool]
            loops = [stem.meter for stem in among.stems if stem.shape == "loop"]
            others = sorted(set(loops) - {COMMON, meter})
            if others and meter not in loops:
                are = " or ".join("{}/{}".format(*other) for other in others)
                message = (
                    f"none of {counted(len(loops), 'loop')} of pool {line.pool} is in {meter[0]}/{meter[1]}, "
                    f"the meter of section {section.name}: there are some in {are}"
                )
                hint = f"give the section `meter {others[0][0]}/{others[0][1]}`, or bring loops of its meter"
                yield "W057", line.span, message, hint


def without_other_meters(gone: NDArray[np.intp], tuned: Score, among: Eligible) -> NDArray[np.intp]:
    """Of stems that are not among those of a pool, the ones that were not left out for their meter alone."""
    meter, meters = tuned.clock.meter, tuned.snapshot.stems.facts["meter"]
    if not any(meters[place] == meter for place in among.places.tolist()):
        return gone
    return np.array([place for place in gone.tolist() if meters[place] == meter], np.intp)
