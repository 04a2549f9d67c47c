"""Stems as they were declared earlier, for sessions that opened then, and for their takes."""

from __future__ import annotations

from collections.abc import Callable

from ...ledger.entries import entries
from ..sound.ends import Cut
from .catalogue import Catalogue
from .earlier_rows import Declared, Past
from .projection import cut_in, first_name, grid_name


def past_at(catalogue: Catalogue, size: int, entry_at: Callable[[int], entries.Entry]) -> Past:
    """The stems that were declared anew after the ledger had that size, as they were declared before.

    A stem that came later is as it came. `entry_at`: gives the ledger's entry of an index.
    """
    with catalogue.reading() as db:
        rows = db.execute(
            "SELECT stem, entry, grid FROM declaration WHERE stem IN"
            " (SELECT stem FROM declaration GROUP BY stem HAVING max(entry) >= ?) ORDER BY stem, entry",
            (size,),
        ).fetchall()
    held: dict[str, tuple[int, str]] = {}
    for stem, index, grid in rows:
        if stem not in held or index < size:
            held[stem] = index, grid
    found: dict[str, tuple[Declared, str]] = {}
    for stem, (index, grid) in held.items():
        entry = entry_at(index)
        assert isinstance(entry, entries.Stem | entries.Declaration)
        found[stem] = entry, grid
    return found


def unmeasured(catalogue: Catalogue, past: Past) -> list[str]:
    """The stems of which the measurements for that grid are lost, as after a rebuild."""
    with catalogue.reading() as db:
        return [
            stem
            for stem, (_, grid) in past.items()
            if not db.execute("SELECT 1 FROM measured WHERE stem = ? AND grid = ?", (stem, grid)).fetchone()
        ]


def declared_size(catalogue: Catalogue) -> int:
    """The ledger's size after the last declaration of a stem that had come before; 0 without one."""
    with catalogue.reading() as db:
        return int(db.execute("SELECT declared FROM ledger").fetchone()[0])


def declarations(catalogue: Catalogue, stem: str) -> list[int]:
    """Indices of the entries that declared a stem; the first of them brought it in."""
    with catalogue.reading() as db:
        rows = db.execute("SELECT entry FROM declaration WHERE stem = ? ORDER BY entry", (stem,)).fetchall()
        rows = rows or db.execute("SELECT entry FROM stem WHERE stem = ?", (stem,)).fetchall()
    return [int(entry) for (entry,) in rows]


def grid_of(catalogue: Catalogue, entry: entries.Declaration) -> str:
    """The name of the grid to which a stem is conformed once it is declared so."""
    name = grid_name(entry)
    with catalogue.reading() as db:
        return "" if name == first_name(db, entry.stem) else name


def cut_of_stem(catalogue: Catalogue, stem: str, grid: str) -> Cut | None:
    """What is cut off a stem where it is conformed to one of its grids."""
    with catalogue.reading() as db:
        return cut_in(grid or first_name(db, stem))
