"""What was meant by a word that is one slip away from a known one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LEAST_LIKENESS = 0.75
"""Ratio of `difflib`: `beets` and `beats` have 0.8; `vocals` and `voice`, two different words, 0.55."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` looks like a slip of, or `None`; a known word is none."""
    known = tuple(known)
    if word in known:
        return None
    # The ratio makes too much of two letters that changed places in a short word.
    swapped = [each for each in known if sorted(each) == sorted(word)]
    near = swapped or get_close_matches(word, known, n=1, cutoff=_LEAST_LIKENESS)
    return near[0] if near else None
