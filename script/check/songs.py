"""Songs: pools of the whole stems of one, and sections that say where in it they start."""

from __future__ import annotations

from fractions import Fraction

from ..catalogue import Catalogue
from ..piece import Clause, Piece
from ..problems import counted, short
from ..text import tree
from ..words import MOST_BARS
from .scope import Scope, needs_text
from .units import Slot, number

_STARTING = Slot("starting at bar", (), (1, MOST_BARS), f"1 to {MOST_BARS:,}", plain=True, whole=True)
_POOL = 'pool voice = loops song "Low Water", role voice'
_UNFIT = frozenset(("reverse", "half time", "double time"))


def song_of(scope: Scope, clause: tree.Attribute, catalogue: Catalogue | None) -> list[Clause]:
    """The conditions of a pool of stems of a song, their shape first; none with a mistake noted."""
    if clause.negated:
        message = "`not song` leaves nothing out: a pool without `song` holds no stems of a song"
        scope.say("E103", clause.span, message, "leave it out")
        return []
    name, *more = clause.values
    assert isinstance(name, tree.Name)
    if more:
        hint = "make a pool for each song"
        scope.say("E100", clause.span, "a pool holds the stems of one song, which go together", hint)
        return []
    needs_text(scope, name, "song")
    if catalogue is not None and name.text.casefold() not in map(str.casefold, catalogue.songs):
        scope.unknown("W054", "song", name, sorted(catalogue.songs))
    return [Clause("shape", ("song",)), Clause("song", (name.text,))]


def starting_bar(scope: Scope, clause: tree.AmountClause) -> int | None:
    """The bar of the song at which a section starts; `None` with a mistake noted."""
    bar = number(scope, clause.amount, _STARTING)
    if bar is not None and not any(_is_of_song(pool) for pool in scope.pools.values()):
        if "pool" not in scope.unsure:
            message = "`of song` needs a pool that holds the stems of a song"
            scope.say("E101", clause.span, message, f"such as: {_POOL}")
        return None
    return None if bar is None else int(bar)


def refuse_odd_lines(scope: Scope, script: tree.Script) -> None:
    """Note what a line does with the stems of a song that would take them out of step."""
    for section in script.statements:
        for line in section.lines if isinstance(section, tree.SectionStatement) else ():
            if not isinstance(line, tree.LineStatement) or line.word != "bring" or line.pool is None:
                continue
            if _is_of_song(scope.pools.get(line.pool.text)):
                for modifier in line.modifiers:
                    if modifier.word in _UNFIT:
                        message = f"`{modifier.word}` does not fit a song, of which all parts are in step"
                        scope.say("E102", modifier.span, message, "leave it out")


def warn_of_late_starts(scope: Scope, piece: Piece, catalogue: Catalogue) -> None:
    """Note the sections that start past the end of a song that they bring."""
    lengths = {name.casefold(): Fraction(beats, piece.meter[0]) for name, beats in catalogue.songs.items()}
    for section in piece.sections:
        if section.song_bar is None:
            continue
        pools = {line.pool: piece.pools[line.pool] for line in section.brings if line.pool in piece.pools}
        for song in dict.fromkeys(pool.song for pool in pools.values()):
            bars = None if song is None else lengths.get(song.casefold())
            if song is not None and bars is not None and section.song_bar > bars:
                has = counted(int(bars) if bars.denominator == 1 else float(bars), "bar")
                message = f'bar {section.song_bar} is past the end of "{short(song)}", which has {has}'
                scope.say("W055", section.span, message, "its parts rest all through this section")


def _is_of_song(pool: tree.PoolStatement | None) -> bool:
    return pool is not None and any(
        isinstance(clause, tree.Attribute) and clause.column == "song" for clause in pool.clauses
    )
