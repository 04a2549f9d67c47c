"""Finds what a sound is like, also if it is played faster or higher than it is in the vault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..sound.fingerprint import Fingerprint, Landmarks, Played
from .fingerprint_index import FingerprintIndex, FingerprintMatch

Hear = Callable[[tuple[Played, ...]], tuple[Landmarks, ...]]
"""Gives the landmarks that a sound would have if it were played in these ways."""


def likeness(
    index: FingerprintIndex,
    fingerprint: Fingerprint,
    hear: Hear,
    concerns: Callable[[str], bool] = lambda stem: True,
) -> list[FingerprintMatch]:
    """The stems that a sound contains, best first.

    Where it is none of them as it is, those are tried that it may be if it is played otherwise; `concerns`:
    whether a stem is worth that.
    """
    found = index.identify(fingerprint)
    if found and found[0].same:
        return found
    otherwise: list[FingerprintMatch] = []
    for stem, ways in index.otherwise(fingerprint):
        if not concerns(stem):
            continue
        for played, marks in zip(ways, hear(ways), strict=True):
            match = index.holds(stem, marks)
            if match is not None and match.same:
                otherwise.append(replace(match, played=str(played)))
    otherwise.sort(key=lambda each: -each.score)
    best = {each.stem: each for each in reversed(otherwise)}
    return [*sorted(best.values(), key=lambda each: -each.score), *(e for e in found if e.stem not in best)]
