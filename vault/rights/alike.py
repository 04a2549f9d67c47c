"""Stems that are one sound, as the ledger has it: shown to their holders, and ended where one contests it."""

from __future__ import annotations

from dataclasses import dataclass

from ...ledger.clock import Clock
from ...ledger.entries import entries
from ..catalogue.catalogue import Catalogue
from ..catalogue.find_by_name import find_holder
from ..errors import BadDeclaration
from .changes import Changes


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two stems that are one sound: the entry that says so, and by how much, in thousandths."""

    entry: int
    stem: str
    other: str
    score_milli: int
    time: str


class AlikeStems:
    """The pairs of a vault that hold."""

    def __init__(self, catalogue: Catalogue, changes: Changes, clock: Clock) -> None:
        self._catalogue, self._changes, self._clock = catalogue, changes, clock

    def pairs(self) -> tuple[AlikePair, ...]:
        """All of them, in the order of the ledger."""
        with self._catalogue.reading() as db:
            rows = db.execute("SELECT entry, stem, other, score_milli, time FROM alike ORDER BY entry")
            return tuple(AlikePair(*row) for row in rows.fetchall())

    def of(self, stem: str) -> tuple[AlikePair, ...]:
        """Those by which a stem, by its whole id, is of its group, in the order of the ledger."""
        pairs, group = self.pairs(), {stem}
        while (
            more := {
                each for pair in pairs if group & {pair.stem, pair.other} for each in (pair.stem, pair.other)
            }
            - group
        ):
            group |= more
        return tuple(pair for pair in pairs if pair.stem in group)

    def end(self, entry: int, asked: str, reason: str) -> int:
        """Write that an entry's two stems are no one sound, as a holder asked; gives the index.

        It holds from the next period on. Raises BadDeclaration for an entry that says nothing of the kind, or
        a holder who has no part in either stem; UnknownHolder.
        """
        holder = find_holder(self._catalogue.holders(), asked).holder
        with self._changes.alone():
            pair = next((each for each in self.pairs() if each.entry == entry), None)
            if pair is None:
                raise BadDeclaration(
                    f"entry {entry} does not say that two stems are one sound, or it was ended; "
                    "'stemloom vault show STEM' names those of a stem"
                )
            if not any(holder in self._parties(stem) for stem in (pair.stem, pair.other)):
                raise BadDeclaration(f"{asked} has no part in {pair.stem} and none in {pair.other}")
            said = entries.Distinct(time=self._clock.now(), likeness=entry, asked=holder, reason=reason)
            (index,) = self._changes.sequence([said])
        return index

    def _parties(self, stem: str) -> set[str]:
        known = self._catalogue.title_and_holder(stem)
        found = {holder for parts in self._catalogue.shares(stem).values() for holder in parts}
        return found if known is None else {known[1], *found}
