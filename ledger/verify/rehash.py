"""Hashes a log again from its entries up, and finds the file that is wrong.

Every tile exists twice here: as it is stored, and as it follows from the level below. Where the two differ,
the hash above the tile says which one is right: that in the parent tile, or for partial tiles, which have no
parent, the checkpoint's root. This distinguishes a changed entry from a changed tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from ..tlog import merkle
from ..tlog.report import Problem
from ..tlog.right_edge import RightEdge
from ..tlog.tiles import ENTRIES, TILE, File, in_bundle, levels_of, width_at

_Row = tuple[bytes, ...]


class Rehash:
    """One pass over the files of a log at `size` entries; `root` is the checkpoint's.

    `read` gives a file's bytes, or raises FileNotFoundError; the caller reports files that are missing.
    Iterate over `entries()` first, then read `problems`.
    """

    def __init__(self, size: int, root: bytes, read: Callable[[File], bytes]) -> None:
        self._size = size
        self._root = root
        self._fetch = read
        self.problems: list[Problem] = []
        self.bundles: list[bytes] = []
        """The hash of each row of 256 entries, the last, shorter one included, as the entries give it."""
        # Per level, the hashes as they follow from below, for those full tiles and the open one.
        self._derived: list[list[bytes]] = [[] for _ in range(len(levels_of(size)) + 1)]
        self._above: dict[tuple[int, int], _Row | None] = {}
        # The level 0 of the right edge, when its two forms differ: entries' and tile's.
        self._edges: dict[int, tuple[_Row | None, _Row | None]] = {}
        self._open_entries: _Row | None = ()

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """The entries and their indices, as far as bundles can be read; adds to `problems` as it goes."""
        for number in range(-(-self._size // TILE)):
            yield from self._bundle(number)
        for level in range(1, len(self._derived) - 1):
            self._level(level)
        self._right_edge()

    # Reading.

    def _read(self, file: File) -> bytes | None:
        try:
            return self._fetch(file)
        except FileNotFoundError:
            return None

    def _stored(self, level: int, number: int) -> _Row | None:
        """A tile's hashes; None if it is missing, or if its length is wrong, which is a problem."""
        width = width_at(level, number, self._size)
        file = File(level, number, width)
        data = self._read(file)
        if data is None:
            return None
        if len(data) != 32 * width:
            self._say(None, file, f"has {len(data)} bytes where {width} hashes have {32 * width}")
            return None
        return tuple(data[i : i + 32] for i in range(0, len(data), 32))

    def _parent(self, level: int, number: int) -> bytes | None:
        """The hash of a full tile, as the tile above has it."""
        above, place = divmod(number, TILE)
        row = self._row_above(level + 1, above)
        return row[place] if row is not None else None

    def _row_above(self, level: int, number: int) -> _Row | None:
        # Tiles above level 0 are few: one in 256 of those below.
        if (level, number) not in self._above:
            self._above[level, number] = self._stored(level, number)
        return self._above[level, number]

    def _say(self, index: int | None, file: File, detail: str) -> None:
        place = f"entry {index} in " if index is not None else ""
        self.problems.append(Problem(index, file.path, f"{place}{file.path} {detail}"))

    # Checking.

    def _bundle(self, number: int) -> Iterator[tuple[int, bytes]]:
        width = width_at(ENTRIES, number, self._size)
        file = File(ENTRIES, number, width)
        data = self._read(file)
        entries, whole = in_bundle(data) if data is not None else ([], False)
        leaves = tuple(merkle.leaf_hashes(entries))
        self.bundles.append(merkle.root_from_leaves(leaves))
        stored = self._stored(0, number)
        right = whole and len(entries) == width
        if right and leaves == stored:
            self._accept(0, number, leaves)
        elif width < TILE:
            self._edges[0] = (leaves if right else None, stored)
            self._open_entries = leaves
        else:
            parent = self._parent(0, number)
            derived_fits = right and merkle.root_from_leaves(leaves) == parent
            stored_fits = stored is not None and merkle.root_from_leaves(stored) == parent
            if not derived_fits:
                self._blame_entries(number, leaves, stored if stored_fits or not right else None)
            if not stored_fits and stored is not None:
                self._blame_tile(0, number, stored, leaves if derived_fits else None)
            self._accept(0, number, leaves if derived_fits or stored is None else stored)
        yield from zip(range(number * TILE, number * TILE + width), entries, strict=False)

    def _accept(self, level: int, number: int, row: _Row) -> None:
        if len(row) == TILE:
            self._derived[level + 1].append(merkle.root_from_leaves(row))
        else:
            self._edges[level] = (row, row)

    def _blame_entries(self, number: int, leaves: _Row, right: _Row | None) -> None:
        """Report the entries of a bundle that do not match `right`, or the bundle if nothing tells which."""
        width = width_at(ENTRIES, number, self._size)
        file = File(ENTRIES, number, width)
        first = number * TILE
        data = self._read(file)
        if data is None:
            return
        entries, whole = in_bundle(data)
        if right is not None:
            changed = [i for i, (a, b) in enumerate(zip(leaves, right, strict=False)) if a != b]
            if not whole or len(entries) != width:
                # A changed length shifts every later entry: only the first is known to be wrong.
                place = changed[0] if changed else min(len(leaves), width - 1)
                self._say(first + place, file, "is changed or cut short, and those after it cannot be told")
                return
            for place in changed:
                self._say(first + place, file, "is not the entry that was logged: its hash differs")
            if changed:
                return
        if not whole or len(entries) != width:
            place = min(len(entries), width - 1)
            self._say(first + place, file, "is cut short, or the bundle holds more than belongs to it")
        else:
            self._say(None, file, "does not hash to what the tiles above it have")

    def _blame_tile(self, level: int, number: int, stored: _Row, right: _Row | None) -> None:
        file = File(level, number, width_at(level, number, self._size))
        if right is None:
            self._say(None, file, "does not hash to what the tile above it has")
            return
        for place, (have, want) in enumerate(zip(stored, right, strict=True)):
            if have != want:
                index = number * TILE + place if level == 0 else None
                self._say(index, file, f"has a wrong hash in place {place}")

    def _level(self, level: int) -> None:
        """Check the tiles of a level against the hashes that follow from below."""
        hashes = self._derived[level]
        for number in range(-(-len(hashes) // TILE)):
            derived = tuple(hashes[number * TILE : (number + 1) * TILE])
            stored = self._row_above(level, number)
            if stored == derived:
                self._accept(level, number, derived)
            elif len(derived) < TILE:
                self._edges[level] = (derived, stored)
            else:
                parent = self._parent(level, number)
                if stored is not None and merkle.root_from_leaves(stored) == parent:
                    self._blame_below(level, number, derived, stored)
                    self._accept(level, number, stored)
                else:
                    fits = merkle.root_from_leaves(derived) == parent
                    if stored is not None:
                        self._blame_tile(level, number, stored, derived if fits else None)
                    if not fits:
                        self._blame_below(level, number, derived, stored or derived)
                    self._accept(level, number, derived)

    def _blame_below(self, level: int, number: int, derived: _Row, right: _Row) -> None:
        """Report the tiles under a right one whose hashes it does not have, if they were not reported yet."""
        for place, (have, want) in enumerate(zip(derived, right, strict=True)):
            if have != want:
                child = File(level - 1, number * TILE + place)
                self._say(None, child, f"does not hash to what {File(level, number, len(right)).path} has")
                if child.level == 0:
                    bundle = File(ENTRIES, child.number)
                    self._say(
                        None, bundle, f"does not hash to what {File(level, number, len(right)).path} has"
                    )

    def _right_edge(self) -> None:
        """Check the partial tiles, the only ones without a parent, against the checkpoint's root."""
        levels = levels_of(self._size)
        forms = [self._edges.get(level, ((), ())) for level in levels]
        choices = [[form for form in dict.fromkeys(pair) if form is not None] for pair in forms]
        # One form for each level if entries and tiles agree, at most a few if they do not.
        chosen: tuple[_Row, ...] | None = None
        for rows in product(*choices):
            if RightEdge(self._size, rows).root == self._root:
                chosen = rows
                break
        if chosen is None and all(len(choice) == 1 for choice in choices) and not self.problems:
            found = RightEdge(self._size, tuple(choice[0] for choice in choices)).root
            self.problems.append(
                Problem(
                    None,
                    "checkpoint",
                    f"the checkpoint has the root {self._root.hex()}, the log's {self._size} entries hash to "
                    f"{found.hex()}",
                )
            )
            return
        for level, (derived, stored) in zip(levels, forms, strict=True):
            if derived == stored and derived is not None:
                continue
            right = chosen[level] if chosen is not None else None
            self._blame_edge(level, derived, stored, right)

    def _blame_edge(self, level: int, derived: _Row | None, stored: _Row | None, right: _Row | None) -> None:
        count = self._size >> (8 * level)
        number = count // TILE
        if derived is None or derived != right:
            if level == 0:
                self._blame_entries(number, self._open_entries or (), right or stored)
            elif derived is not None:
                self._blame_below(level, number, derived, right or stored or derived)
        if stored is not None and stored != right:
            self._blame_tile(level, number, stored, right)
