"""Pools: queries over the vault, and what leaves one without a stem."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Literal

from .catalogue import Catalogue
from .heads import HIGHEST_BPM, LOWEST_BPM, key_of
from .measure import bars, ends, number
from .piece import Clause, Key, Pool
from .scope import Scope
from .tree import (
    Attribute,
    KeyName,
    MaxStretch,
    Name,
    NeverTwice,
    PoolStatement,
    PreferFresh,
    Range,
    Unsounded,
)
from .words import ROLES, TONAL_ROLES

_SHAPES = {"loops": ("loop", "sustained"), "hits": ("hit",)}
_USUAL_STRETCH = 0.12


def pool_of(scope: Scope, statement: PoolStatement, catalogue: Catalogue | None) -> Pool:
    """The pool that a statement defines; a clause with a mistake, once noted, is left out."""
    clauses = [Clause("shape", _SHAPES[statement.shape])]
    key: Literal["fits", "any"] | tuple[Key, ...] | None = None
    stretch: float | None = None
    never: int | None = None
    fresh = False
    seen: set[str] = set()

    def once(word: str, clause: Attribute | MaxStretch | NeverTwice | PreferFresh) -> None:
        if word in seen:
            scope.say("E038", clause.span, f"`{word}` stands twice in this pool", "keep one of them")
        seen.add(word)

    for clause in statement.clauses:
        match clause:
            case Attribute(column="key"):
                if not clause.negated:
                    once("key", clause)
                keys = _keys(scope, clause)
                if keys is None:
                    continue
                if not clause.negated:
                    key = keys
                if not isinstance(keys, str):
                    clauses.append(Clause("key", tuple(k.name for k in keys), clause.negated))
            case Attribute():
                values = _values(scope, clause, catalogue)
                if values:
                    clauses.append(Clause(clause.column, values, clause.negated))
            case NeverTwice(within=within):
                once("never twice", clause)
                never = bars(scope, within, "never twice in")
            case PreferFresh():
                once("prefer fresh", clause)
                fresh = True
            case MaxStretch(amount=amount):
                once("max stretch", clause)
                found = number(
                    scope, amount, "max stretch", ("",), bounds=(0, Fraction(1, 2)), shown="0% to 50%"
                )
                stretch = None if found is None else float(found)
            case Unsounded():
                scope.unsounded(clause)
    pool = Pool(
        name=statement.name.text,
        clauses=tuple(clauses),
        key="any",
        max_stretch=_USUAL_STRETCH if stretch is None else stretch,
        never_twice_bars=never,
        prefer_fresh=fresh,
        span=statement.span,
    )
    if key is None:
        tonal = not pool.hits and (not pool.roles or bool(TONAL_ROLES & set(pool.roles)))
        key = "fits" if tonal else "any"
    return Pool(
        pool.name, pool.clauses, key, pool.max_stretch, pool.never_twice_bars, pool.prefer_fresh, pool.span
    )


def _keys(scope: Scope, clause: Attribute) -> Literal["fits", "any"] | tuple[Key, ...] | None:
    first = clause.values[0]
    if isinstance(first, Name):
        if clause.negated:
            scope.say(
                "E039", clause.span, f"`not key {first.text}` says nothing", "name the keys to leave out"
            )
            return None
        return "fits" if first.text == "fits" else "any"
    keys = [key_of(scope, value) for value in clause.values if isinstance(value, KeyName)]
    return tuple(dict.fromkeys(k for k in keys if k is not None)) or None


def _values(
    scope: Scope, clause: Attribute, catalogue: Catalogue | None
) -> tuple[str | tuple[float, float], ...]:
    values: list[str | tuple[float, float]] = []
    for value in clause.values:
        if isinstance(value, Range):
            found = _range(scope, value, clause.column)
            if found is not None:
                values.append(found)
        elif isinstance(value, Name):
            values.append(value.text)
            if clause.column == "role":
                roles = {*ROLES, *(catalogue.roles if catalogue else ())}
                _known(scope, "W001", "role", value, roles)
            elif clause.column == "holder" and catalogue is not None:
                _known(scope, "W005", "holder", value, catalogue.holders)
    return tuple(values)


def _known(scope: Scope, code: str, kind: str, name: Name, known: Collection[str]) -> None:
    if name.text not in known:
        scope.unknown(code, kind, name, sorted(known))


def _range(scope: Scope, value: Range, column: str) -> tuple[float, float] | None:
    if column == "energy":
        found = ends(scope, value, "energy", ("",), plain=True, bounds=(0, 1))
    else:
        limits = f"{LOWEST_BPM} to {HIGHEST_BPM} bpm"
        found = ends(
            scope, value, "tempo", ("bpm",), plain=True, bounds=(LOWEST_BPM, HIGHEST_BPM), shown=limits
        )
    return None if found is None else (float(found[0]), float(found[1]))


def warn_if_empty(scope: Scope, pool: Pool, name: Name, catalogue: Catalogue, uses: Sequence[str]) -> None:
    """Note what leaves a pool without a stem that is cleared for each of `uses`, if anything does."""
    what = _what(pool)
    count = catalogue.count(pool.clauses)
    if count == 0:
        reason = _emptied_by(pool, catalogue, what)
        hint = "its lines rest until the vault has such stems; ask for less, or add some"
    else:
        missing = [use for use in uses if not catalogue.count(pool.clauses, use)]
        if not missing:
            return
        hint = "its lines rest there until a holder consents"
        said = " or ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
        if count == 1:
            reason = f"1 {what[:-1]} matches, it is not cleared for {said}"
        else:
            reason = f"{count} {what} match, none is cleared for {said}"
    scope.say("W003", name.span, f"pool {pool.name} is empty: {reason}", hint)


def _what(pool: Pool) -> str:
    shape = "hits" if pool.hits else "loops"
    return f"{' or '.join(pool.roles)} {shape}" if pool.roles else shape


def _emptied_by(pool: Pool, catalogue: Catalogue, what: str) -> str:
    """The first clause that leaves nothing, the shape and the roles taken as one."""
    first = [c for c in pool.clauses if c.column == "shape" or (c.column == "role" and not c.negated)]
    rest = [c for c in pool.clauses if c not in first]
    left = catalogue.count(first)
    if left == 0:
        return f"the vault has no {what}"
    taken = list(first)
    for clause in rest:
        taken.append(clause)
        now = catalogue.count(taken)
        if now == 0:
            if left == 1:
                return f"1 {what[:-1]} matches, but not {_said(clause)}"
            return f"{left} {what} match, none with {_said(clause)}"
        left = now
    return f"no {what} match"


def _said(clause: Clause) -> str:
    values = [v if isinstance(v, str) else f"{v[0]:g}..{v[1]:g}" for v in clause.values]
    return f"{'not ' if clause.negated else ''}{clause.column} {' or '.join(values)}"
