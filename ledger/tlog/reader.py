"""Reads entries and hashes from a log's files, while another process may be appending to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import VerificationFailed
from . import merkle
from .file_view import read_regular
from .tiles import ENTRIES, TILE, File, in_bundle, width_at

Size = Callable[[], int]
"""Gives the log's size as of now."""

Fetch = Callable[[File], bytes]
"""Reads one file; raises FileNotFoundError."""


class TileReader:
    """Reads the files of the folder `log`; each call reads its files anew.

    `fetch`: reads a file instead of taking it from the folder as it is now.
    """

    def __init__(self, log: Path, fetch: Fetch | None = None) -> None:
        self._log = log
        self._fetch = fetch or self._from_disk

    def _from_disk(self, file: File) -> bytes:
        return read_regular(self._log / file.path, file.largest)

    def read(self, level: int, number: int, latest: Size) -> tuple[bytes, int]:
        """A tile or bundle at the width of the log as of now, and that width.

        A partial file is removed once its successor is under a checkpoint, so a missing file is looked for
        again at the new size: the log only grows, and the wider file begins with the same bytes.
        """
        size = latest()
        while True:
            width = width_at(level, number, size)
            file = File(level, number, width)
            try:
                return self._fetch(file), width
            except (FileNotFoundError, NotADirectoryError) as error:
                now = latest()
                if now == size:
                    raise VerificationFailed(
                        f"{self._log / file.path} is missing from the log; see 'stemloom ledger verify'"
                    ) from error
                size = now

    def entries(self, start: int, stop: int, latest: Size) -> Iterator[tuple[int, bytes]]:
        """Entries [start, stop) of a log that has them, each with its index."""
        number = start // TILE
        while number * TILE < stop:
            first = number * TILE
            data, width = self.read(ENTRIES, number, latest)
            entries, whole = in_bundle(data)
            if not whole or len(entries) != width:
                raise VerificationFailed(
                    f"{self._log / File(ENTRIES, number, width).path} is damaged: "
                    f"{len(entries)} of {width} entries can be read; see 'stemloom ledger verify'"
                )
            for place in range(max(start - first, 0), min(stop - first, width)):
                yield first + place, entries[place]
            number += 1

    def inclusion(self, index: int, size: int, latest: Size) -> list[bytes]:
        """The inclusion proof of a leaf in the tree of `size` leaves; reads two tiles of a level at most."""
        return merkle.inclusion_proof(self.hashes(latest), index, size)

    def consistency(self, old: int, new: int, latest: Size) -> list[bytes]:
        """The consistency proof between two sizes that the log has had."""
        return merkle.consistency_proof(self.hashes(latest), old, new)

    def root(self, size: int, latest: Size) -> bytes:
        """The root that the tiles give for a size that the log has had."""
        return merkle.root_of_range(self.hashes(latest), 0, size) if size else merkle.EMPTY_ROOT

    def hashes(self, latest: Size) -> merkle.ReadHash:
        """Reads the hash of any complete subtree of the log; each tile once."""
        tiles: dict[tuple[int, int], bytes] = {}

        def read_hash(level: int, place: int) -> bytes:
            tile_level, within = divmod(level, 8)
            count = 1 << within
            number, at = divmod(place * count, TILE)
            data = tiles.get((tile_level, number))
            if data is None:
                data = tiles[tile_level, number] = self.read(tile_level, number, latest)[0]
            row = [data[32 * i : 32 * i + 32] for i in range(at, at + count)]
            if len(row[-1]) != 32:
                raise VerificationFailed(
                    f"tile {number} of level {tile_level} in {self._log} is cut short; "
                    "see 'stemloom ledger verify'"
                )
            return merkle.root_from_leaves(row)

        return read_hash
