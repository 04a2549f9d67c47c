"""Counter-based randomness: every draw is a function of where it is made, never of what was drawn before.

A draw is keyed by (seed, section, its subject, such as a line's kind and part, its place among its like,
purpose, index), never by the text of a line: an edit changes what it says, and no draw. Whether something
happens is drawn anew in each occurrence of a section; which stem is taken is not, so a section that returns
is the same music. Choices among stems are made by rendezvous (Thaler and Ravishankar 1998): each stem gets a
number of its own from the key, so that adding or withdrawing a stem changes only the choices that it wins or
had won.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DrawKey:
    """Where a draw is made."""

    seed: int
    section: str
    occurrence: int | None
    """Of the section; None for a draw that is the same in all of them."""
    subject: str
    place: int = 0
    """Among those of the section with the same subject."""

    def bits(self, purpose: str, index: int = 0) -> int:
        """64 random bits for one purpose and index."""
        fields = (self.seed, self.section, self.occurrence, self.subject, self.place, purpose, index)
        text = "\0".join(map(str, fields))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    def uniform(self, purpose: str, index: int = 0) -> float:
        """Uniform over [0, 1), on a grid of 2^-53."""
        return (self.bits(purpose, index) >> 11) * 2.0**-53


def stem_keys(stems: tuple[str, ...]) -> NDArray[np.uint64]:
    """64 bits of each stem's own, from its id: the vector that `rendezvous` takes."""
    digests = b"".join(blake2b(stem.encode(), digest_size=8).digest() for stem in stems)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def rendezvous(keys: NDArray[np.uint64], bits: int) -> NDArray[np.float64]:
    """Uniform numbers over (0, 1), one a stem, from the stems' keys and one key's bits.

    The mixing is SplitMix64's finaliser (Steele, Lea and Flood 2014).
    """
    z = keys ^ np.uint64(bits)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
