"""What is said of a recording that is one sound with another in the vault: held, or of one group with it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from ...ledger.entries import entries
from .fingerprint_index import VERSION, FingerprintMatch

LEAST_SHARED = 0.12
"""The part of the landmarks of both that two of one group share. Copies share 0.2 to 1, those in mono or with
noise at -50 dB down to 0.1; a loop of which the other has all hits and more besides shares 0.01 to 0.1."""


def group_mate(same: Iterable[FingerprintMatch], hit: bool, hits: Iterable[str]) -> FingerprintMatch | None:
    """The one of those that it is the same as, best first, with which it is of one group.

    `hit`: whether it is a one-shot. `hits`: those of the others that are. A loop contains the one-shots that
    it is made of, and is none of them; neither is it one that has the same one-shots and more besides.
    """
    of_hits = set(hits)
    return next(
        (each for each in same if (each.stem in of_hits) == hit and each.shared >= LEAST_SHARED), None
    )


def likeness_entry(stem: str, found: FingerprintMatch, time: str) -> entries.Likeness:
    """The entry by which two stems are of one group from the next period on."""
    return entries.Likeness(
        time=time,
        stem=stem,
        like=found.stem,
        score_milli=min(round(found.score * 1000), 1000),
        fingerprint=VERSION,
        played=found.played or UNSET,
    )


def group_note(title: str, found: FingerprintMatch) -> str:
    """What its holder is told."""
    how = f", played {found.played}" if found.played else ""
    return (
        f"it is one sound with '{title}' ({found.stem}){how}, by {100 * found.score:.0f} %: from the next "
        "period on what is heard of both at the same time earns once"
    )
