"""How evenly a period's time and income lie over holders, roles and stems, and what the rule itself favours.

Time in play is a measure with a known bias: a long sound earns more than a short one, whatever either did for
the music. The report shows it: the earnings of a placement, by the shape and the role of its stem. The Gini
coefficient is that of C. Gini (1912) in the form of Sen (1973): 0 where all have the same, close to 1 where
one has all. Whoever was in the vault and was not heard counts, with nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..division.books import Books
from ..division.division import Division


@dataclass(frozen=True, slots=True)
class Member:
    """A holder, a role or a stem. A holder's `ms` are those of stems, by the holder's part of their money."""

    id: str
    ms: int
    placements: int
    amount: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How time and income lie over some members, which come by descending income, then id.

    Ginis and shares are parts of one, rounded to six places. `top_tenth`: the share of the income that went
    to the tenth of the members that earned most, of ten members one.
    """

    members: tuple[Member, ...]
    unheard: int
    gini_ms: float
    gini_amount: float
    top_tenth: float


@dataclass(frozen=True, slots=True)
class Kind:
    """The placements of stems of one shape or role, with exact averages. Micro-units and ms."""

    name: str
    placements: int
    ms: int
    amount: int

    @property
    def ms_each(self) -> Fraction:
        return Fraction(self.ms, self.placements) if self.placements else Fraction(0)

    @property
    def amount_each(self) -> Fraction:
        return Fraction(self.amount, self.placements) if self.placements else Fraction(0)


@dataclass(frozen=True, slots=True)
class Fairness:
    """The report on one division. `shapes` and `roles_each` by descending earnings of a placement."""

    period: str
    currency: str
    pool: int
    total_ms: int
    holders: Spread
    roles: Spread
    stems: Spread
    shapes: tuple[Kind, ...]
    roles_each: tuple[Kind, ...]

    @property
    def bias(self) -> Fraction | None:
        """The earnings of a placement of the best-paid shape, as a multiple of those of a hit."""
        hit = next((each for each in self.shapes if each.name == "hit"), None)
        if hit is None or not hit.amount_each:
            return None
        return max(each.amount_each for each in self.shapes) / hit.amount_each


def fairness(books: Books, division: Division) -> Fairness:
    """The report on a division."""
    own = division.period.text
    own_lines = {each.stem: [line for line in each.lines if line.income_of == own] for each in division.stems}
    placements = {stem: sum(line.placements for line in lines) for stem, lines in own_lines.items()}
    stems = {
        stem: Member(stem, 0, 0, 0) for stem, (index, _) in books.stems.items() if index <= division.last
    }
    for each in division.stems:
        stems[each.stem] = Member(each.stem, each.ms, placements[each.stem], each.amount)
    role_of = {stem: books.stems[stem][1].role for stem in stems}
    shape_of = {stem: books.stems[stem][1].shape for stem in stems}
    # Averages are over the placements that the settlement counts, so without income that came late.
    counted = [
        replace(stems[stem], amount=sum(line.amount for line in lines)) for stem, lines in own_lines.items()
    ]
    roles = _grouped(stems.values(), role_of)
    return Fairness(
        division.period.text,
        division.currency,
        division.for_holders,
        division.total_ms,
        _spread(_holders(books, division)),
        _spread(roles),
        _spread(stems.values()),
        _kinds(_grouped(counted, shape_of)),
        _kinds(_grouped(counted, role_of)),
    )


def gini(values: Iterable[int]) -> Fraction:
    """The Gini coefficient of amounts of 0 or more, exact; 0 where there is nothing."""
    ordered = sorted(values)
    count, whole = len(ordered), sum(ordered)
    if not whole:
        return Fraction(0)
    ranked = sum(rank * value for rank, value in enumerate(ordered, 1))
    return Fraction(2 * ranked, count * whole) - Fraction(count + 1, count)


def lorenz(values: Iterable[int]) -> list[tuple[float, float]]:
    """The points of the Lorenz curve: a part of the members, least first, and their part of the whole."""
    ordered = sorted(values)
    whole, so_far = sum(ordered), 0
    points = [(0.0, 0.0)]
    for number, value in enumerate(ordered, 1):
        so_far += value
        points.append((number / len(ordered), so_far / whole if whole else number / len(ordered)))
    return points


def _spread(members: Iterable[Member]) -> Spread:
    ordered = sorted(members, key=lambda each: (-each.amount, -each.ms, each.id))
    whole = sum(each.amount for each in ordered)
    top = ordered[: -(-len(ordered) // 10)]
    return Spread(
        tuple(ordered),
        sum(not each.placements for each in ordered),
        _rounded(gini(each.ms for each in ordered)),
        _rounded(gini(each.amount for each in ordered)),
        _rounded(Fraction(sum(each.amount for each in top), whole) if whole else Fraction(0)),
    )


def _rounded(part: Fraction) -> float:
    return float(round(part, 6))


def _grouped(members: Iterable[Member], key: Mapping[str, str]) -> list[Member]:
    sums: dict[str, list[int]] = {}
    for each in members:
        sum_ = sums.setdefault(key[each.id], [0, 0, 0])
        sum_[0] += each.ms
        sum_[1] += each.placements
        sum_[2] += each.amount
    return [Member(name, *sum_) for name, sum_ in sums.items()]


def _kinds(members: Sequence[Member]) -> tuple[Kind, ...]:
    kinds = [Kind(each.id, each.placements, each.ms, each.amount) for each in members if each.placements]
    return tuple(sorted(kinds, key=lambda each: (-each.amount_each, each.name)))


def _holders(books: Books, division: Division) -> list[Member]:
    """A stem's time counts for each party by the party's part of the stem's money; rounded down."""
    ms = dict.fromkeys(books.holders, Fraction(0))
    placements, earned = dict.fromkeys(books.holders, 0), dict.fromkeys(books.holders, 0)
    for stem in division.stems:
        for line in stem.lines:
            parts: dict[str, int] = {}
            for part in line.parts:
                parts[part.holder] = parts.get(part.holder, 0) + part.amount
            for holder, amount in parts.items():
                earned[holder] = earned.get(holder, 0) + amount
                if line.income_of != division.period.text:
                    continue  # income that came late: its placements counted before
                if line.amount:
                    ms[holder] = ms.get(holder, Fraction(0)) + Fraction(line.ms * amount, line.amount)
                placements[holder] = placements.get(holder, 0) + line.placements
    return [
        Member(holder, int(ms.get(holder, 0)), placements[holder], amount)
        for holder, amount in earned.items()
    ]
