"""The right edge of a tree: the hashes of its partial tiles, which give its root and from which it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import merkle
from .tiles import TILE, File


@dataclass(frozen=True, slots=True)
class RightEdge:
    """`rows[level]` holds the hashes of that level's partial tile, none where its width is 0."""

    size: int
    rows: tuple[tuple[bytes, ...], ...]

    @property
    def root(self) -> bytes:
        """The root of the tree (32 bytes)."""
        hashes: list[bytes] = []
        for row in reversed(self.rows):
            at = 0
            while at < len(row):
                # Tiles begin at multiples of 256, so the tree divides a row at its own powers of two.
                step = 1 << ((len(row) - at).bit_length() - 1)
                hashes.append(merkle.root_from_leaves(row[at : at + step]))
                at += step
        if not hashes:
            return merkle.EMPTY_ROOT
        root = hashes.pop()
        while hashes:
            root = merkle.node_hash(hashes.pop(), root)
        return root

    def grow(self, leaves: Sequence[bytes]) -> tuple[RightEdge, dict[File, bytes]]:
        """The edge with `leaves` (leaf hashes) appended, and the tile files to write."""
        size = self.size + len(leaves)
        files: dict[File, bytes] = {}
        rows: list[tuple[bytes, ...]] = []
        new: Sequence[bytes] = leaves
        level, count = 0, self.size
        while new or level < len(self.rows):
            kept = self.rows[level] if level < len(self.rows) else ()
            row = [*kept, *new]
            first = count // TILE
            full = len(row) // TILE
            above: list[bytes] = []
            for place in range(full):
                tile = row[place * TILE : (place + 1) * TILE]
                files[File(level, first + place)] = b"".join(tile)
                above.append(merkle.root_from_leaves(tile))
            rest = row[full * TILE :]
            if rest and new:
                files[File(level, first + full, len(rest))] = b"".join(rest)
            rows.append(tuple(rest))
            new, level, count = above, level + 1, count // TILE
        return RightEdge(size, tuple(rows)), files
