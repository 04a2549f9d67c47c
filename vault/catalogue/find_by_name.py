"""Finds a holder or a stem by what a person writes: an id, the start of one, or a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ...ground.typo import nearest
from ..errors import UnknownHolder, UnknownStem
from ..records import Holder
from .catalogue import Catalogue

_LEAST_PREFIX = 4


def find_holder(holders: Sequence[Holder], text: str) -> Holder:
    """The holder of that id, start of an id (four characters or more) or name (any case).

    A name goes before the start of an id. Raises `UnknownHolder`, with what may have been meant.
    """
    wanted = unicodedata.normalize("NFC", " ".join(text.split())).casefold()
    exact = [h for h in holders if h.holder == wanted or h.name.casefold() == wanted]
    found = exact or [h for h in holders if len(wanted) >= _LEAST_PREFIX and h.holder.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownHolder(
            f"'{text}' is the start of several holders' ids: {', '.join(h.holder for h in found)}"
        )
    raise UnknownHolder(f"there is no holder '{text}'{_hint(wanted, [h.name for h in holders])}")


def find_stem(catalogue: Catalogue, text: str) -> str:
    """The id of the stem with that id, start of an id (four characters or more) or title (any case).

    Raises `UnknownStem`, with what may have been meant.
    """
    wanted = unicodedata.normalize("NFC", " ".join(text.split()))
    found: list[str] = []
    if re.fullmatch(r"s[0-9a-f]{20}", wanted):
        found = catalogue.stem_ids(wanted)
    found = found or catalogue.stem_ids(wanted, exact_title=True)
    if not found and re.fullmatch(r"s[0-9a-f]{3,19}", wanted):
        found = catalogue.stem_ids(wanted)
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise UnknownStem(
            f"'{text}' names {len(found)} stems: {', '.join(found[:5])}{more}; say which by its id"
        )
    raise UnknownStem(f"there is no stem '{text}' in the vault{_hint(wanted, catalogue.titles())}")


def _hint(wanted: str, names: Sequence[str]) -> str:
    if not names:
        return ": it holds none yet"
    near = nearest(wanted, names)
    return f"; did you mean '{near}'?" if near else ""
