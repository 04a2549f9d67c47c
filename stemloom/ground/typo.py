"""The known word that a mistyped one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SURE = 0.75
"""Likeness from which a word may be refused as a slip.

`beets` and `beats` have 0.8; `vocals` and `voice`, two different words, 0.55.
"""


def nearest(word: str, known: Iterable[str], *, least: float = 0.6) -> str | None:
    """The known word that is most like `word`, in any case; `None` if none is, or if `word` is known itself.

    `least`: how much alike they must be, as difflib's `ratio` has it.
    """
    names: dict[str, str] = {}
    for name in known:
        if name == word:
            return None
        names.setdefault(name.casefold(), name)
    wanted = word.casefold()
    # The ratio makes too much of two letters that changed places in a short word.
    swapped = [name for name in names if sorted(name) == sorted(wanted)]
    near = swapped or get_close_matches(wanted, names, n=1, cutoff=least)
    return names[near[0]] if near else None
