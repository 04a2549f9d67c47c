"""The entries of a log that was verified: each time that they are read they are hashed, and held against it.

A server may answer otherwise the second time, and a file may change. So what verified a log keeps the hash of
each bundle, 32 bytes for 256 entries, and whoever reads the entries afterwards reads them through these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ..errors import VerificationFailed
from . import merkle
from .tiles import TILE

Stored = Callable[[int, int], Iterator[tuple[int, bytes]]]
"""Reads the entries [start, stop) from where they are stored, each with its index."""


class HashedLog:
    """The first `size` entries of a log with the root `root` (32 bytes)."""

    def __init__(self, size: int, root: bytes, bundles: Sequence[bytes], stored: Stored) -> None:
        """`bundles`: the hash of each row of 256 entries, that of the last, shorter one included.

        Raises VerificationFailed where they do not give the root.
        """
        if merkle.root_from_leaves(bundles) != root:
            raise VerificationFailed(f"the hashes of {size} entries do not give the root {root.hex()}")
        self.size, self.root = size, root
        self._bundles, self._stored = tuple(bundles), stored

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Entries [start, stop), each with its index. Raises VerificationFailed where one is another now."""
        stop = self.size if stop is None else min(stop, self.size)
        for row in range(start // TILE, -(-stop // TILE)):
            for index, entry in self._row(row):
                if start <= index < stop:
                    yield index, entry

    def root_at(self, size: int) -> bytes:
        """The root that the log had when it had `size` entries, at most those of now."""
        bundles, rest = divmod(size, TILE)
        edge = [*self._bundles[:bundles]]
        if rest:
            edge.append(
                merkle.root_from_leaves(merkle.leaf_hashes(e for _, e in islice(self._row(bundles), rest)))
            )
        return merkle.root_from_leaves(edge)

    def _row(self, row: int) -> list[tuple[int, bytes]]:
        found = list(self._stored(row * TILE, min((row + 1) * TILE, self.size)))
        if merkle.root_from_leaves(merkle.leaf_hashes(entry for _, entry in found)) != self._bundles[row]:
            first, last = row * TILE, min((row + 1) * TILE, self.size) - 1
            raise VerificationFailed(
                f"the entries {first} to {last} are others now than when the log was verified: "
                "what serves it gave two answers, or it was changed meanwhile"
            )
        return found


def bundles_of(leaves: Sequence[bytes]) -> list[bytes]:
    """The hash of each row of 256 leaf hashes."""
    return [merkle.root_from_leaves(leaves[at : at + TILE]) for at in range(0, len(leaves), TILE)]
