"""The bag of a line that plays another recording for each hit: which of its pool have had their turn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .eligible import Eligible


@dataclass(frozen=True, slots=True)
class Bag:
    """What is out of a bag, by the places of a pool's eligible stems.

    `last`: the recording that came last, of this bag or of the one before. `first_bar`: of the section.
    """

    among: Eligible = field(compare=False)
    out: bytes
    last: tuple[str, ...]
    first_bar: int

    @property
    def had(self) -> NDArray[np.bool_]:
        """Which of the eligible stems are out."""
        return np.frombuffer(self.out, np.bool_)

    def after(self, stem: str) -> Bag:
        """The bag without another stem. One that was out already is the first of the next bag."""
        place = self.among.find(stem)
        assert place is not None
        out = bytearray(len(self.out) if self.out[place] else self.out)
        out[place] = True
        return Bag(self.among, bytes(out), (stem,), self.first_bar)


def taken_up(bag: Bag | None, among: Eligible, first_bar: int) -> Bag:
    """The bag as a bar finds it: full at its section's start, and over the stems that are there now."""
    if bag is None or bag.first_bar != first_bar:
        return Bag(among, bytes(len(among)), () if bag is None else bag.last, first_bar)
    if bag.among is among:
        return bag
    out = bytearray(len(among))
    for place in np.flatnonzero(bag.had).tolist():
        here = among.find(bag.among.stem(place).stem)
        if here is not None:
            out[here] = True
    return Bag(among, bytes(out), bag.last, first_bar)
