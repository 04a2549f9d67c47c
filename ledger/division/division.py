"""The division of a period's income: from the books and the milliseconds to each holder's amount. Pure.

1. The funds (`funds.py`) hold the amounts to divide, each with the placements that it is divided by.
2. An amount is divided over the stems by the ms of its placements, all tiers and uses alike. Without
   placements all of it stays unallocated.
3. A stem's part is divided over its lines by their ms. A line is the time in play of one period under the
   same splits: a placement goes by the splits that were in force when it started.
4. A line's amount is divided into master and publishing by the terms, and each side over its shares. A side
   without shares belongs to the holder who brought the stem in.

Each division is by `divide.largest_remainder`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..entries import canonical
from ..entries.entries import WHOLE_PPM, SettledHolder, SettledStem, Settlement, Share
from ..errors import VerificationFailed
from .books import Books
from .divide import largest_remainder
from .errors import NothingToSettle
from .funds import DividedIncome, Funds
from .periods import Period
from .treasury import Treasury
from .usage import TimeInPlay, Usage

Rule = Callable[[int, int], Mapping[str, int]]
"""Another rule: an income's number in `divided_income` and an amount of it, to each stem's part."""


@dataclass(frozen=True, slots=True)
class ShareAmount:
    """One party's share of one side of a stem, and its amount in micro-units."""

    holder: str
    ppm: int
    amount: int


@dataclass(frozen=True, slots=True)
class DividedLine:
    """What a stem earned of the income of one period, by its time in play under one set of splits.

    `splits`: the entry that set them. `period`: of the placements; not the settlement's where the placements
    came late, or the income did. `income_of`: the period of the income; where it is not the settlement's, the
    placements were counted before, or are in another line. `master` and `publishing` sum to `amount`.
    """

    income_of: str
    period: str
    splits: int
    ms: int
    placements: int
    amount: int
    master: tuple[ShareAmount, ...]
    publishing: tuple[ShareAmount, ...]

    @property
    def parts(self) -> tuple[ShareAmount, ...]:
        """Of both sides."""
        return *self.master, *self.publishing

    def earned_by(self, holder: str) -> tuple[int, int]:
        """A holder's amounts of its master and of its publishing."""
        return (
            sum(part.amount for part in self.master if part.holder == holder),
            sum(part.amount for part in self.publishing if part.holder == holder),
        )


@dataclass(frozen=True, slots=True)
class DividedStem:
    """One stem's part: `lines` sum to `amount`, and those of the settlement's own income to `ms`."""

    stem: str
    ms: int
    amount: int
    lines: tuple[DividedLine, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """A period divided. Stems are sorted by id; every sum is exact.

    `sum(stem.amount) + unallocated == for_holders`, and the holders' amounts sum to the stems'.
    """

    funds: Funds
    total_ms: int
    """Of the placements that the settlement counts: of its own period, and late ones of earlier periods."""
    unallocated: int
    stems: tuple[DividedStem, ...]

    @property
    def period(self) -> Period:
        return self.funds.period

    @property
    def currency(self) -> str:
        return self.funds.currency

    @property
    def last(self) -> int:
        """The last entry that was read."""
        return self.funds.last

    @property
    def for_holders(self) -> int:
        return self.funds.for_holders

    @property
    def gross(self) -> int:
        return self.funds.gross

    @property
    def unearned_periods(self) -> list[str]:
        """The periods whose income nobody earned, because nothing was heard in them."""
        heard = {line.income_of for each in self.stems for line in each.lines if line.ms}
        divided = self.funds.divided_income
        return [each.period.text for each in divided if each.amount and each.period.text not in heard]

    @property
    def late_ms(self) -> int:
        """The part of `total_ms` that came too late for the settlement of its own period."""
        own = self.period.text
        lines = [line for each in self.stems for line in each.lines if line.income_of == own]
        return sum(line.ms for line in lines if line.period != own)

    @property
    def settled_stems(self) -> list[SettledStem]:
        """The list whose digest the settlement entry holds."""
        return [SettledStem(stem=each.stem, ms=each.ms, amount=each.amount) for each in self.stems]

    @property
    def settled_holders(self) -> list[SettledHolder]:
        """Each holder's master and publishing amounts over all stems; the list whose digest is settled."""
        sums: dict[str, list[int]] = {}
        for stem in self.stems:
            for line in stem.lines:
                for side, parts in enumerate((line.master, line.publishing)):
                    for part in parts:
                        sums.setdefault(part.holder, [0, 0])[side] += part.amount
        return [
            SettledHolder(holder=holder, master=master, publishing=publishing)
            for holder, (master, publishing) in sorted(sums.items())
        ]

    def of(self, holder: str) -> int:
        """What the division gives to `holder`, master and publishing together."""
        return sum(sum(line.earned_by(holder)) for stem in self.stems for line in stem.lines)

    def differences(self, entry: Settlement) -> list[str]:
        """What `entry` says otherwise than this division, one sentence each."""
        derived = {
            "gross": self.gross,
            "pool": self.for_holders,
            "total_ms": self.total_ms,
            "unallocated": self.unallocated,
        }
        digests = {
            "stems": canonical.digest(self.settled_stems),
            "holders": canonical.digest(self.settled_holders),
        }
        return [
            f"{name} is {getattr(entry, name)}, but the ledger gives {amount}"
            for name, amount in derived.items()
            if amount != getattr(entry, name)
        ] + [
            f"{name} and their amounts are not those that were settled: their digest differs"
            for name, digest in digests.items()
            if digest != getattr(entry, name)
        ]


def divide_period(usage: Usage, period: Period, currency: str, last: int) -> Division:
    """Divide the income of `period` in `currency`, as entries 0 to `last` have it.

    Raises as `Treasury.funds` and `divide` do.
    """
    funds = Treasury(usage.books).funds(period, currency, last)
    return divide(usage.books, funds, usage.time_in_play([each.windows for each in funds.divided_income]))


def divide(
    books: Books, funds: Funds, heard: Sequence[Sequence[TimeInPlay]], rule: Rule | None = None
) -> Division:
    """Divide each income of `funds` by its time in play; `heard` has the same order.

    `rule`: another one than that of milliseconds, for `simulate.py`. Raises VerificationFailed for a stem
    that is not in the ledger or whose shares do not sum to the whole.
    """
    lines: dict[str, list[DividedLine]] = {}
    ms: dict[str, int] = {}
    unallocated = 0
    for number, (income, found) in enumerate(zip(funds.divided_income, heard, strict=True)):
        stems = _by_stem(found)
        weights = [sum(each.ms for each in of_stem) for of_stem in stems.values()]
        amount = income.amount if any(weights) else 0
        unallocated += income.amount - amount
        if rule is None:
            amounts = largest_remainder(amount, weights, list(stems))
        else:
            given = rule(number, amount)
            amounts = [given.get(stem, 0) for stem in stems]
            assert sum(amounts) == amount
        for (stem, of_stem), part in zip(stems.items(), amounts, strict=True):
            lines.setdefault(stem, []).extend(_lines(books, income, of_stem, part))
        if number == 0:
            ms = dict(zip(stems, weights, strict=True))
    return Division(
        funds=funds,
        total_ms=sum(ms.values()),
        unallocated=unallocated,
        stems=tuple(
            DividedStem(stem, ms.get(stem, 0), sum(line.amount for line in each), tuple(each))
            for stem, each in sorted(lines.items())
        ),
    )


def _by_stem(heard: Sequence[TimeInPlay]) -> dict[str, list[TimeInPlay]]:
    """By id, in its order."""
    stems: dict[str, list[TimeInPlay]] = {}
    for each in sorted(heard, key=lambda each: each.stem):
        stems.setdefault(each.stem, []).append(each)
    return stems


def _lines(
    books: Books, income: DividedIncome, heard: Sequence[TimeInPlay], amount: int
) -> list[DividedLine]:
    """Divide a stem's amount of an income over the stem's time in play."""
    keys = [f"{Period.parse(each.period).start} {each.splits:020d}" for each in heard]
    # By another rule a stem may earn with no whole millisecond heard.
    weights = [each.ms for each in heard] if any(each.ms for each in heard) else [1] * len(heard)
    parts = largest_remainder(amount, weights, keys)
    return [
        _line(books, income, each, part)
        for _, each, part in sorted(zip(keys, heard, parts, strict=True), key=lambda line: line[0])
    ]


def _line(books: Books, income: DividedIncome, heard: TimeInPlay, amount: int) -> DividedLine:
    splits = books.rights.owned_by(heard.stem, heard.splits)
    owner = books.stems[heard.stem][1].holder
    master_ppm = income.terms.terms.master_ppm
    sides = largest_remainder(amount, (master_ppm, WHOLE_PPM - master_ppm), ("master", "publishing"))
    master, publishing = (
        _divide_side(heard.stem, side, splits.index, of_side, shares, owner)
        for side, of_side, shares in zip(
            ("master", "publishing"), sides, (splits.master, splits.publishing), strict=True
        )
    )
    return DividedLine(
        income.period.text, heard.period, splits.index, heard.ms, heard.placements, amount, master, publishing
    )


def silent_stem(books: Books, stem: str, division: Division) -> DividedStem:
    """A stem that was not heard in the period: its shares at the period's end, all with an amount of 0."""
    splits = books.rights.owned_before(stem, division.period.end, division.last)
    nothing = TimeInPlay(stem, division.period.text, splits.index, 0, 0)
    return DividedStem(stem, 0, 0, (_line(books, division.funds.divided_income[0], nothing, 0),))


def _divide_side(
    stem: str, side: str, index: int, amount: int, shares: Sequence[Share], owner: str
) -> tuple[ShareAmount, ...]:
    """Divide one side of a stem over its shares; without shares it belongs to `owner` alone."""
    ppm: dict[str, int] = {}
    for share in shares:
        ppm[share.holder] = ppm.get(share.holder, 0) + share.ppm
    if not ppm:
        ppm[owner] = WHOLE_PPM
    if sum(ppm.values()) != WHOLE_PPM:
        raise VerificationFailed(
            f"entry {index}: the {side} shares of {stem} sum to {sum(ppm.values())} parts per million, "
            f"not {WHOLE_PPM}"
        )
    holders = sorted(ppm)
    parts = largest_remainder(amount, [ppm[holder] for holder in holders], holders)
    return tuple(ShareAmount(holder, ppm[holder], part) for holder, part in zip(holders, parts, strict=True))


def rederive(usage: Usage, settlements: Sequence[tuple[Period, Settlement]]) -> list[Division]:
    """Divide settled periods again, each by the entries up to its own `last`.

    Raises VerificationFailed if a division is not, to the last micro-unit, what was settled.
    """
    books = usage.books
    treasury = Treasury(books)
    funds: list[Funds] = []
    for period, entry in settlements:
        try:
            funds.append(treasury.funds(period, entry.currency, entry.last))
        except NothingToSettle as error:
            raise _does_not_follow(entry, str(error)) from error
    divisions = []
    for (_, entry), each, heard in zip(settlements, funds, time_in_play_of(usage, funds), strict=True):
        division = divide(books, each, heard)
        if problems := division.differences(entry):
            raise _does_not_follow(entry, problems[0])
        divisions.append(division)
    return divisions


def time_in_play_of(usage: Usage, funds: Sequence[Funds]) -> Iterator[list[list[TimeInPlay]]]:
    """For each of `funds` the time in play of each of its incomes; the usage is asked once."""
    questions = [one.windows for each in funds for one in each.divided_income]
    answers = iter(usage.time_in_play(questions) if funds else ())
    for each in funds:
        yield [next(answers) for _ in each.divided_income]


def _does_not_follow(entry: Settlement, why: str) -> VerificationFailed:
    return VerificationFailed(
        f"the settlement of {entry.period} in {entry.currency} does not follow from the ledger: {why}; "
        "see 'stemloom ledger verify'"
    )
