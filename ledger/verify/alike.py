"""The rules between entries that say that stems are one sound, or that they are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ..entries.entries import Distinct, Likeness
from ..entries.rights import Rights


@dataclass(slots=True)
class Alike:
    """The likenesses so far that were not ended, each with its two stems."""

    _said: dict[int, tuple[str, str]] = field(default_factory=dict)

    def take(
        self, index: int, entry: Likeness | Distinct, rights: Rights, holders: Collection[str]
    ) -> Iterator[str]:
        """What is wrong with the next of these entries. `holders`: those who joined."""
        if isinstance(entry, Likeness):
            if entry.stem == entry.like:
                yield f"{entry.stem} is said to be one sound with itself"
            for stem in (entry.stem, entry.like):
                if rights.holder(stem) is None:
                    yield f"a likeness names {stem}, which never entered"
            self._said[index] = entry.stem, entry.like
            return
        stems = self._said.pop(entry.likeness, None)
        if stems is None:
            yield f"entry {entry.likeness} is ended, and it is no likeness that holds"
        elif entry.asked not in holders or not any(
            entry.asked in parties for stem in stems for parties in _parties(rights, stem)
        ):
            yield f"a likeness is ended as {entry.asked} asked, who has no part in either stem"


def _parties(rights: Rights, stem: str) -> Iterator[Collection[str]]:
    yield (rights.holder(stem) or "",)
    for each in rights.ownerships.get(stem, ()):
        yield from each.sides
