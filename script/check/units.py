"""Numbers with units: each place takes certain units, and gets its value in the base unit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from ..expression import ALWAYS, NEVER, extent
from ..piece import Binary, DialValue, Expression, Length, Number, RandomValue, Unary
from ..problems import listed
from ..text.tree import BinaryTerm, Name, Quantity, RandomRange, Range, Term, UnaryTerm
from ..words import MOST_BARS, UNITS
from .scope import Scope

_CONDITIONS = frozenset(("<", "<=", ">", ">=", "==", "!=", "and", "or", "not"))
_LONGEST_SECONDS = 3600
_LARGEST = Fraction(10**9)
_EVERY_KIND = frozenset(kind for kind, _ in UNITS.values())
_ANY_UNIT = "?"
"""The unit of a term with a dial whose statement could not be read."""
_SAMPLES = {"dB": "6 dB", "Hz": "5 kHz", "s": "2 s", "beats": "0.5 beats"}


@dataclass(frozen=True, slots=True)
class Slot:
    """What a number at one place of a script may be. `words`: those before it.

    `kinds`: the base units that fit (empty text: %). `plain`: it may be without a unit. `bounds`: both ends
    included, in the base unit; `shown`: their text. `whole`: it must be a whole number. `computed`: it is
    part of an expression.
    """

    words: str
    kinds: Collection[str] = ()
    bounds: tuple[Fraction | int, Fraction | int] = (-_LARGEST, _LARGEST)
    shown: str | None = None
    plain: bool = False
    whole: bool = False
    computed: bool = False


def number(scope: Scope, quantity: Quantity, slot: Slot) -> Fraction | None:
    """The value of `quantity` in its base unit, or `None` with a mistake noted."""
    words, kinds = slot.words, slot.kinds
    if quantity.unit is None:
        if not slot.plain:
            scope.say("E029", quantity.span, f"`{words} {written(quantity)}` needs a unit: {_units(kinds)}")
            return None
        value = quantity.value
    else:
        kind, factor = UNITS[quantity.unit]
        if kind not in kinds:
            # `lowpass 8 bars`: even where a factor may be plain, the mistake is the unit.
            takes = _units(kinds, plain=slot.plain and not slot.computed)
            scope.say("E029", quantity.span, f"`{words}` takes {takes}, not {quantity.unit}")
            return None
        value = quantity.value * factor
    if slot.whole and value.denominator != 1:
        scope.say("E043", quantity.span, f"`{words}` takes a whole number, not {written(quantity)}")
        return None
    lo, hi = slot.bounds
    if not lo <= value <= hi:
        limits = slot.shown or f"{_plain(Fraction(lo))} to {_plain(Fraction(hi))}"
        scope.say("E028", quantity.span, f"`{words} {written(quantity)}` is out of bounds: {limits}")
        return None
    return value


def ends(scope: Scope, range_: Range, slot: Slot) -> tuple[Fraction, Fraction] | None:
    """Both ends of a range in the base unit, or `None` with a mistake noted."""
    lo = number(scope, range_.lo, slot)
    hi = None if lo is None else number(scope, range_.hi, slot)
    if lo is None or hi is None:
        return None
    if lo > hi:
        unit = range_.hi.unit
        turned = f"{_plain(range_.hi.value)}..{written(range_.lo)}" if unit == range_.lo.unit else None
        message = f"the range of `{slot.words}` is reversed: its lower end comes first"
        scope.say("E027", range_.span, message, f"write {turned}" if turned else None)
        return None
    return lo, hi


def length(scope: Scope, quantity: Quantity, words: str) -> Length | None:
    """A musical or clock length above zero."""
    seconds = quantity.unit is not None and UNITS[quantity.unit][0] == "s"
    most = _LONGEST_SECONDS if seconds else MOST_BARS
    unit = "s" if seconds else quantity.unit
    shown = f"more than 0, at most {most:,} {unit}"
    slot = Slot(words, ("bars", "beats", "s"), (Fraction(1, 1000), most), shown)
    value = number(scope, quantity, slot)
    if value is None:
        return None
    assert quantity.unit is not None
    return Length(value, cast(Literal["bars", "beats", "s"], UNITS[quantity.unit][0]))


def bars_after(words: str) -> Slot:
    """The place of a whole number of bars, from 1."""
    return Slot(words, ("bars",), (1, MOST_BARS), f"1 to {MOST_BARS:,} bars", whole=True)


def bars(scope: Scope, quantity: Quantity, words: str) -> int | None:
    """A whole number of bars, from 1."""
    value = number(scope, quantity, bars_after(words))
    return None if value is None else int(value)


def condition(scope: Scope, term: Term, words: str) -> Expression | None:
    """`term` as a condition, or `None` with a mistake noted; a doubt is noted if it never or always holds."""
    kinds = scope.dial_kinds | {""}
    compiled = _compiled(scope, term, words, kinds, wants_condition=True, structural=True)
    if compiled is None or unit_of(scope, term) is None:
        return None
    may_be = extent(compiled, scope.dial_ranges)
    if may_be == NEVER:
        scope.say("W010", term.span, "this condition never holds", _range_of_first_dial(scope, term))
    elif may_be == ALWAYS:
        scope.say("W008", term.span, "this condition always holds", _range_of_first_dial(scope, term))
    return compiled


def _range_of_first_dial(scope: Scope, term: Term) -> str | None:
    """The range of the first dial in a condition, in words; `None` if it has no dial."""
    waiting = [term]
    while waiting:
        match waiting.pop():
            case Name(text=name) if name in scope.dial_ranges:
                lo, hi = scope.dial_ranges[name]
                unit = scope.dial_unit(name)
                return f"dial {name} goes from {lo:g} to {hi:g}{' ' + unit if unit else ''}"
            case UnaryTerm(operand=operand):
                waiting.append(operand)
            case BinaryTerm(left=left, right=right):
                waiting += [right, left]
            case _:
                pass
    return None


def amount(
    scope: Scope, term: Term, words: str, kind: str, bounds: tuple[float, float], *, plain: bool
) -> Expression | None:
    """`term` as a number in the unit `kind`, or `None` with a mistake noted.

    Some of its values must lie within `bounds`. `plain`: it may be without a unit.
    """
    expression = _compiled(scope, term, words, {kind}, wants_condition=False, structural=False)
    if expression is None:
        return None
    bare = _bare(term)
    if bare is not None and not plain and bare.value:
        scope.say("E029", bare.span, f"`{words} {_signed(term)}` needs a unit: {_units((kind,))}")
        return None
    unit = unit_of(scope, term)
    if unit is None:
        return None
    lo, hi = extent(expression, scope.dial_ranges)
    if unit not in (kind, "", _ANY_UNIT):
        scope.say("E029", term.span, f"`{words}` takes {_units((kind,), plain=plain)}, not {unit}")
        return None
    if not unit and not plain and (lo, hi) != (0, 0):
        message = f"`{words}` takes {_units((kind,))}, and this has no unit"
        scope.say("E029", term.span, message, f"multiply it, such as by {_SAMPLES[kind]}")
        return None
    if hi < bounds[0] or lo > bounds[1]:
        limits = f"{bounds[0]:,g} to {bounds[1]:,g}{' ' + kind if kind else ''}"
        scope.say("E028", term.span, f"`{words}` is out of bounds here: {limits}")
        return None
    return expression


def unit_of(scope: Scope, term: Term) -> str | None:
    """The base unit of a term, empty without one and for a condition; `None` with a mistake noted."""
    match term:
        case Quantity(unit=unit) | RandomRange(range=Range(hi=Quantity(unit=unit))):
            return UNITS[unit][0] if unit else ""
        case Name(text=name):
            found = scope.dial_unit(name)
            return _ANY_UNIT if found is None else found
        case UnaryTerm(operand=operand):
            return unit_of(scope, operand)
    left, right = unit_of(scope, term.left), unit_of(scope, term.right)
    if left is None or right is None:
        return None
    compares = term.operator in _CONDITIONS
    if _ANY_UNIT in (left, right) or term.operator in ("and", "or"):
        return "" if compares else _ANY_UNIT
    match term.operator:
        case "*":
            fits, unit = not (left and right), left or right
        case "/":
            fits, unit = right in ("", left), "" if left == right else left
        case _:
            # Zero is the same in every unit.
            fits, unit = left == right or _is_zero(term.left) or _is_zero(term.right), left or right
    if not fits:
        first, second = (_units((each,), named=True) for each in (left, right))
        hint = "leave out one of the units" if term.operator in ("*", "/") else "give both the same unit"
        scope.say("E029", term.span, f"`{term.operator}` stands between {first} and {second}", hint)
        return None
    return "" if compares else unit


def _is_zero(term: Term) -> bool:
    return isinstance(term, Quantity) and term.unit is None and not term.value


def _bare(term: Term) -> Quantity | None:
    """The number without a unit that is the whole term, if it is one."""
    while isinstance(term, UnaryTerm):
        term = term.operand
    return term if isinstance(term, Quantity) and term.unit is None else None


def _compiled(
    scope: Scope, term: Term, words: str, kinds: Collection[str], *, wants_condition: bool, structural: bool
) -> Expression | None:
    """`term` as an expression of the wanted kind. `structural`: `now` dials may not be in it."""
    operator = term.operator if isinstance(term, UnaryTerm | BinaryTerm) else None
    gives_condition = operator in _CONDITIONS
    if gives_condition != wants_condition:
        if wants_condition:
            dial = term.text if isinstance(term, Name) else "energy"
            message = "a condition is needed here, and this is a number"
            scope.say("E041", term.span, message, f"such as: {dial} > 0.5")
        else:
            scope.say("E041", term.span, "a number is needed here, and this is a condition")
        return None
    inner = operator in ("and", "or", "not")
    # A dividend may have any unit: `unit_of` decides whether it suits the divisor.
    within = _EVERY_KIND if operator == "/" else kinds

    def part(node: Term) -> Expression | None:
        return _compiled(scope, node, words, within, wants_condition=inner, structural=structural)

    match term:
        case Quantity():
            value = number(scope, term, Slot(words, kinds, plain=True, computed=bool(set(kinds) - {""})))
            return None if value is None else Number(float(value))
        case Name():
            return _dial(scope, term, structural=structural)
        case RandomRange(range=range_):
            drawn = ends(scope, range_, Slot("random", kinds, plain=True))
            return None if drawn is None else RandomValue(float(drawn[0]), float(drawn[1]))
        case UnaryTerm():
            operand = part(term.operand)
            return None if operand is None else Unary(term.operator, operand)
        case BinaryTerm():
            left, right = part(term.left), part(term.right)
            if right is not None and operator == "/":
                _divides(scope, term, right)
            return None if left is None or right is None else Binary(term.operator, left, right)


def _divides(scope: Scope, term: BinaryTerm, by: Expression) -> None:
    """Note a division by zero."""
    least, greatest = extent(by, scope.dial_ranges)
    if least == greatest == 0:
        scope.say("E049", term.span, "this divides by 0")
    elif least <= 0 <= greatest:
        message = "this divides by a value that may be 0; the result is 0 then"
        scope.say("W011", term.span, message, "keep the divisor above 0, such as: 1 / (1 + energy)")


def _dial(scope: Scope, name: Name, *, structural: bool) -> Expression | None:
    if not scope.known("dial", name):
        return None
    dial = scope.dials[name.text]
    if structural and dial is not None and dial.effect.text == "now":
        message = f'dial "{name.text}" takes effect now: it can drive the mix, but no condition'
        scope.say("E040", name.span, message, "let it take effect `at next bar`, or use another dial")
        return None
    return DialValue(name.text)


def _signed(term: Term) -> str:
    """A number as in the script, with its signs."""
    signs = ""
    while isinstance(term, UnaryTerm):
        signs, term = signs + term.operator, term.operand
    assert isinstance(term, Quantity)
    return signs + written(term)


def written(quantity: Quantity) -> str:
    """A quantity as in a script."""
    unit = quantity.unit or ""
    return _plain(quantity.value) + (unit if unit in ("%", "") else f" {unit}")


def _plain(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):.12g}"


def _units(kinds: Collection[str], *, plain: bool = False, named: bool = False) -> str:
    """Units in words; with `plain` also a number without one, which `named` says in place of %."""
    names = [kind or ("a number without a unit" if named else "%") for kind in sorted(kinds)]
    if not names:
        return "a number without a unit"
    if plain:
        names.append("a number without a unit")
    return listed(names)
