"""Pools: queries over the vault, and the reasons why one is empty."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from ...ground.roles import ROLES, TONAL_ROLES, UNPITCHED_ROLES
from ..catalogue import Catalogue
from ..piece import Clause, Key, Piece, Pool, Span, Weight
from ..problems import listed, short
from ..text.tree import AmountClause, Attribute, Flag, Name, PoolClause, PoolStatement, Range, Weighted
from ..words import ROLES_BY_OTHER_NAMES
from .header import TEMPO, keys_of
from .scope import Scope, needs_text
from .songs import song_of
from .units import Slot, bars, condition, ends, number

_SHAPES = {"loops": ("loop", "sustained"), "hits": ("hit",), "slices": ("loop", "sustained")}
_COLUMNS = {"named": "title"}
"""Properties of a stem that a clause has another word for."""
_SINGLE = frozenset(("role", "holder", "set", "energy", "tempo", "named"))
"""Properties of which a stem has one value."""
_UNFIT = {
    ("hits", "tempo"): "they have none",
    ("hits", "song"): "a song has whole stems, which are brought",
    ("slices", "song"): "the stems of a song stay whole",
    ("hits", "max stretch"): "they are never stretched",
    ("hits", "max shift"): "they go to the nearest tone of the key",
    ("slices", "max stretch"): "they are never stretched",
}
"""Clauses that do not fit a shape, and the reason."""
_STRETCH = Slot("max stretch", ("",), (0, 1), "0% to 100%")
_SHIFT = Slot("max shift", ("st",), (0, 12), "0 to 12 st", whole=True)
_WEIGHT = Slot("weight", (), (0, 1000), "more than 0, at most 1,000", plain=True)
_ENERGY = Slot("energy", ("",), (0, 1), plain=True)
_USUAL_STRETCH = 0.12
_USUAL_SHIFT_ST = 3


def pool_of(scope: Scope, statement: PoolStatement, catalogue: Catalogue | None) -> Pool:
    """The pool that a statement defines; a clause with a mistake, once noted, is left out."""
    clauses = [Clause("shape", _SHAPES[statement.shape])]
    key: Literal["fits", "any"] | tuple[Key, ...] | None = None
    stretch = _USUAL_STRETCH
    never: int | None = None
    fresh = False
    shift = _USUAL_SHIFT_ST
    weights: list[tuple[Weight, Weighted]] = []
    once = partial(_once, scope, statement, set())
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
            case Attribute(column="song"):
                once("song", clause)
                clauses[:1] = song_of(scope, clause, catalogue) or clauses[:1]
            case Attribute():
                if clause.column in _SINGLE and not clause.negated:
                    once(clause.column, clause)
                values = _values(scope, clause, catalogue)
                if values:
                    clauses.append(Clause(_column(clause), values, clause.negated))
            case AmountClause(word="never twice", amount=amount):
                once("never twice", clause)
                never = bars(scope, amount, "never twice in")
            case AmountClause(word="max stretch", amount=amount):
                once("max stretch", clause)
                found = number(scope, amount, _STRETCH)
                stretch = _USUAL_STRETCH if found is None else float(found)
            case AmountClause(amount=amount):
                once("max shift", clause)
                shifted = number(scope, amount, _SHIFT)
                shift = shift if shifted is None else int(shifted)
            case Flag():
                once("prefer fresh", clause)
                fresh = True
            case Weighted():
                weight = _weight(scope, clause, catalogue)
                if weight is not None:
                    weights.append((weight, clause))
    pool = Pool(
        name=statement.name.text,
        clauses=tuple(clauses),
        key="any",
        max_stretch=stretch,
        never_twice_bars=never,
        prefer_fresh=fresh,
        span=statement.span,
        max_shift_st=shift,
        weights=tuple(weight for weight, _ in weights),
        slices=statement.shape == "slices",
    )
    if key is None:
        tonal = (
            not pool.hits and pool.song is None and (not pool.roles or bool(TONAL_ROLES & set(pool.roles)))
        )
        key = "fits" if tonal else "any"
    pool = replace(pool, key=key)
    _warn_of_no_effect(scope, statement, pool, weights)
    return pool


def _once(scope: Scope, statement: PoolStatement, seen: set[str], word: str, clause: PoolClause) -> None:
    """Note a clause that the pool has already, or that does not fit its hits; `seen` takes its `word`."""
    if word in seen:
        hint = "join its values with `or`" if word in _SINGLE else "keep one of them"
        scope.say("E038", clause.span, f"`{word}` appears twice in this pool", hint)
    elif why := _UNFIT.get((statement.shape, word)):
        scope.say("E039", clause.span, f"`{word}` does not fit {statement.shape}: {why}")
    seen.add(word)


def _warn_of_no_effect(
    scope: Scope, statement: PoolStatement, pool: Pool, weights: Sequence[tuple[Weight, Weighted]]
) -> None:
    """Note a `max shift` and weights that change nothing."""
    tuned = not pool.roles or bool(set(pool.roles) - UNPITCHED_ROLES)
    for clause in statement.clauses:
        shifts = isinstance(clause, AmountClause) and clause.word == "max shift"
        if shifts and statement.shape != "hits" and (pool.key != "fits" or not tuned):
            hint = "say `key fits` as well" if tuned else None
            scope.say("W008", clause.span, "`max shift` changes nothing: stems are not shifted here", hint)
    for weight, said in weights:
        if weight.factor == 1:
            scope.say("W008", said.span, "`weight 1` is what every stem has")
        elif weight.clause in pool.clauses:
            message = "every stem of this pool has it: the weight prefers none to another"
            scope.say("W008", said.span, message)


def _weight(scope: Scope, clause: Weighted, catalogue: Catalogue | None) -> Weight | None:
    """The weight that a clause gives, or `None` with a mistake noted."""
    factor = number(scope, clause.factor, _WEIGHT)
    if factor == 0:
        hint = "to leave stems out, write `not` before what they have"
        scope.say("E028", clause.factor.span, f"`weight 0` is out of bounds: {_WEIGHT.shown}", hint)
        return None
    attribute = clause.attribute
    if attribute.column == "key" and isinstance(attribute.values[0], Name):
        scope.say("E039", attribute.span, f"`weight` takes named keys, not `key {attribute.values[0].text}`")
        return None
    if attribute.column == "key":
        named = keys_of(scope, attribute.values)
        values: tuple[str | tuple[float, float], ...] = tuple(k.name for k in named)
    else:
        values = _values(scope, attribute, catalogue)
    when = None if clause.when is None else condition(scope, clause.when, "when")
    if factor is None or not values or (clause.when is not None and when is None):
        return None
    return Weight(float(factor), Clause(_column(attribute), values), when)


def _column(clause: Attribute) -> str:
    return _COLUMNS.get(clause.column, clause.column)


def _keys(scope: Scope, clause: Attribute) -> Literal["fits", "any"] | tuple[Key, ...] | None:
    first = clause.values[0]
    if isinstance(first, Name):
        if clause.negated:
            scope.say(
                "E039", clause.span, f"`not key {first.text}` says nothing", "name the keys to leave out"
            )
            return None
        return "fits" if first.text == "fits" else "any"
    return keys_of(scope, clause.values) or None


def _values(
    scope: Scope, clause: Attribute, catalogue: Catalogue | None
) -> tuple[str | tuple[float, float], ...]:
    values: list[str | tuple[float, float]] = []
    seen: set[object] = set()
    for value in clause.values:
        found: str | tuple[float, float] | None
        if isinstance(value, Range):
            found = _range(scope, value, clause.column)
        else:
            assert isinstance(value, Name)
            needs_text(scope, value, clause.column)
            found = value.text
        if found is None:
            continue
        told = found.casefold() if isinstance(found, str) else found
        if told in seen:
            scope.say("E038", value.span, "this appears twice here", "keep one of them")
            continue
        seen.add(told)
        values.append(found)
        if isinstance(value, Name):
            if clause.column == "role":
                roles = {*ROLES, *(catalogue.roles if catalogue else ())}
                _known(scope, "W001", "role", value, roles, ROLES_BY_OTHER_NAMES.get(value.text))
            elif clause.column == "holder" and catalogue is not None:
                _known(scope, "W005", "holder", value, catalogue.holders)
            elif (
                clause.column == "named"
                and value.text
                and catalogue is not None
                and not _titled(value.text, catalogue.titles)
            ):
                scope.unknown("W049", "recording", value, sorted(catalogue.titles))
    return tuple(values)


def _known(
    scope: Scope, code: str, kind: str, name: Name, known: Collection[str], meant: str | None = None
) -> None:
    if name.text not in known:
        hint = f'that role is called "{meant}" here' if meant in known else None
        scope.unknown(code, kind, name, sorted(known), hint)


def _titled(text: str, titles: Collection[str]) -> bool:
    """Whether a recording has that title, in any case."""
    return any(title.casefold() == text.casefold() for title in titles)


def _range(scope: Scope, value: Range, column: str) -> tuple[float, float] | None:
    found = ends(scope, value, _ENERGY if column == "energy" else TEMPO)
    return None if found is None else (float(found[0]), float(found[1]))


def warn_if_empty(scope: Scope, pool: Pool, name: Name, catalogue: Catalogue, uses: Sequence[str]) -> None:
    """Note an empty pool, and one without a stem that is cleared for one of `uses`, with the reason."""
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
        if count == 1:
            reason = f"1 {what[:-1]} matches, but is not cleared for {listed(missing)}"
        else:
            reason = f"{count} {what} match, none is cleared for {listed(missing)}"
    scope.say("W003", name.span, f"pool {pool.name} is empty: {reason}", hint)


def warn_if_few_holders(
    scope: Scope, place: Span, piece: Piece, catalogue: Catalogue, uses: Sequence[str]
) -> None:
    """Note a share cap that the pools' holders are too few to keep: of two holders, one has at least half."""
    cap, pools = piece.share_cap, piece.pools.values()
    assert cap is not None
    needed = math.ceil(1 / cap - 1e-9)
    for use in uses:
        found: set[str] = set()
        for holder in sorted(catalogue.holders):
            if any(catalogue.count((*pool.clauses, Clause("holder", (holder,))), use) for pool in pools):
                found.add(catalogue.holder_id(holder))
            if len(found) >= needed:
                break
        if 0 < len(found) < needed:
            scope.say(
                "W007",
                place,
                f"a share cap of {cap:.0%} needs {needed} holders, but the pools have {len(found)} for {use}",
                "the cap skips a holder only while another has a stem to offer",
            )
            return


def _what(pool: Pool) -> str:
    shape = "hits" if pool.hits and not pool.slices else "loops" if pool.song is None else "song stems"
    return f"{' or '.join(pool.roles)} {shape}" if pool.roles else shape


def _emptied_by(pool: Pool, catalogue: Catalogue, what: str) -> str:
    """The first clause that leaves no stem, with the shape and the roles counted as one clause."""
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
    if clause.column == "title":
        titles = " or ".join(f'"{short(str(title))}"' for title in clause.values)
        return f"{'not ' if clause.negated else ''}the title {titles}"
    values = [v if isinstance(v, str) else f"{v[0]:g}..{v[1]:g}" for v in clause.values]
    return f"{'not ' if clause.negated else ''}{clause.column} {' or '.join(values)}"
