"""The division of a period's income: from the books and the milliseconds to each holder's amount. Pure.

1. What there is to divide, and by which placements, is in the funds (`funds.py`): pools, each an amount.
2. A pool is divided over the stems by the ms of its placements, all tiers and uses alike. If it has none, all
   of it stays unallocated.
3. A stem's amount of a pool is parted over its lines by their ms: a line is what was heard in one period
   under the same splits. A placement goes by the splits that were in force when it started.
4. A line's amount is parted into master and publishing by the pool's terms, and each side over its shares. A
   side without shares belongs to the holder who brought the stem in.

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
from .funds import Funds, Pool
from .periods import Period
from .treasury import Treasury
from .usage import Heard, Usage

Parted = Callable[[int, int], Mapping[str, int]]
"""Another rule: how it parts an amount of the pool of this number over stems."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one party's share of one side of a stem comes to, in micro-units."""

    holder: str
    ppm: int
    amount: int


@dataclass(frozen=True, slots=True)
class Line:
    """What a stem earned of a pool with what was heard in `period` under the splits of the entry `splits`.

    `period` is another one than the settlement's where the placements came late, or the income did. `pool`
    is the period that the income is of; where it is not the settlement's, the line's placements were counted
    before, or are in another line. `master` and `publishing` sum to `amount`.
    """

    pool: str
    period: str
    splits: int
    ms: int
    placements: int
    amount: int
    master: tuple[Part, ...]
    publishing: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Of both sides."""
        return *self.master, *self.publishing

    def of(self, holder: str) -> tuple[int, int]:
        """What of it is a holder's: master, publishing."""
        return (
            sum(part.amount for part in self.master if part.holder == holder),
            sum(part.amount for part in self.publishing if part.holder == holder),
        )


@dataclass(frozen=True, slots=True)
class DividedStem:
    """One stem's part: `lines` sum to `amount`, and those of the settlement's own pool to `ms`."""

    stem: str
    ms: int
    amount: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """A period divided. Stems are sorted by id; every sum is exact.

    `sum(stem.amount) + unallocated == pool`, and the holders' amounts sum to the stems'.
    """

    funds: Funds
    total_ms: int
    """What the settlement counts: of its own period, and of earlier ones what came late."""
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
    def pool(self) -> int:
        return self.funds.pool

    @property
    def gross(self) -> int:
        return self.funds.gross

    @property
    def unheard(self) -> list[str]:
        """The periods of pools that nobody earned, for nothing was heard in them."""
        heard = {line.pool for each in self.stems for line in each.lines if line.ms}
        return [
            pool.period.text for pool in self.funds.pools if pool.amount and pool.period.text not in heard
        ]

    @property
    def late_ms(self) -> int:
        """What of `total_ms` came too late for the settlement of its own period."""
        own = self.period.text
        return sum(
            line.ms for each in self.stems for line in each.lines if line.pool == own and line.period != own
        )

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
        return sum(sum(line.of(holder)) for stem in self.stems for line in stem.lines)

    def differences(self, entry: Settlement) -> list[str]:
        """What `entry` says otherwise than this division, one sentence each."""
        sums = (
            ("gross", self.gross, entry.gross),
            ("pool", self.pool, entry.pool),
            ("total_ms", self.total_ms, entry.total_ms),
            ("unallocated", self.unallocated, entry.unallocated),
        )
        digests = (
            ("stems", canonical.digest(self.settled_stems), entry.stems),
            ("holders", canonical.digest(self.settled_holders), entry.holders),
        )
        return [
            f"{name} is {settled}, but the ledger gives {derived}"
            for name, derived, settled in sums
            if derived != settled
        ] + [
            f"{name} and their amounts are not those that were settled: their digest differs"
            for name, derived, settled in digests
            if derived != settled
        ]


def divide_period(usage: Usage, period: Period, currency: str, last: int) -> Division:
    """Divide the income of `period` in `currency`, as entries 0 to `last` have it.

    Raises as `Treasury.funds` and `divide` do.
    """
    funds = Treasury(usage.books).funds(period, currency, last)
    return divide(usage.books, funds, usage.heard([pool.windows for pool in funds.pools]))


def divide(
    books: Books, funds: Funds, heard: Sequence[Sequence[Heard]], parted: Parted | None = None
) -> Division:
    """Divide each pool of `funds` by what its windows hold, which is `heard`, pool by pool.

    `parted`: another rule than that of milliseconds, to see what it would do (`simulate.py`). Raises
    VerificationFailed for a stem that is not in the ledger or whose shares are not whole.
    """
    lines: dict[str, list[Line]] = {}
    ms: dict[str, int] = {}
    unallocated = 0
    for number, (pool, found) in enumerate(zip(funds.pools, heard, strict=True)):
        stems = _by_stem(found)
        weights = [sum(each.ms for each in of_stem) for of_stem in stems.values()]
        amount = pool.amount if any(weights) else 0
        unallocated += pool.amount - amount
        if parted is None:
            amounts = largest_remainder(amount, weights, list(stems))
        else:
            given = parted(number, amount)
            amounts = [given.get(stem, 0) for stem in stems]
            assert sum(amounts) == amount
        for (stem, of_stem), part in zip(stems.items(), amounts, strict=True):
            lines.setdefault(stem, []).extend(_lines(books, pool, of_stem, part))
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


def _by_stem(heard: Sequence[Heard]) -> dict[str, list[Heard]]:
    """By id, in its order."""
    stems: dict[str, list[Heard]] = {}
    for each in sorted(heard, key=lambda each: each.stem):
        stems.setdefault(each.stem, []).append(each)
    return stems


def _lines(books: Books, pool: Pool, heard: Sequence[Heard], amount: int) -> list[Line]:
    """A stem's amount of a pool over what was heard of it."""
    keys = [f"{Period.parse(each.period).start} {each.splits:020d}" for each in heard]
    # By another rule a stem may earn with no whole millisecond heard.
    weights = [each.ms for each in heard] if any(each.ms for each in heard) else [1] * len(heard)
    parts = largest_remainder(amount, weights, keys)
    return [
        _line(books, pool, each, part)
        for _, each, part in sorted(zip(keys, heard, parts, strict=True), key=lambda line: line[0])
    ]


def _line(books: Books, pool: Pool, heard: Heard, amount: int) -> Line:
    splits = books.rights.owned_by(heard.stem, heard.splits)
    owner = books.stems[heard.stem][1].holder
    master_ppm = pool.terms.terms.master_ppm
    sides = largest_remainder(amount, (master_ppm, WHOLE_PPM - master_ppm), ("master", "publishing"))
    master, publishing = (
        _divide_side(heard.stem, side, splits.index, of_side, shares, owner)
        for side, of_side, shares in zip(
            ("master", "publishing"), sides, (splits.master, splits.publishing), strict=True
        )
    )
    return Line(
        pool.period.text, heard.period, splits.index, heard.ms, heard.placements, amount, master, publishing
    )


def unheard(books: Books, stem: str, division: Division) -> DividedStem:
    """A stem that was not heard in the period: its shares at the period's end, each of nothing."""
    splits = books.rights.owned_before(stem, division.period.end, division.last)
    nothing = Heard(stem, division.period.text, splits.index, 0, 0)
    return DividedStem(stem, 0, 0, (_line(books, division.funds.pools[0], nothing, 0),))


def _divide_side(
    stem: str, side: str, index: int, amount: int, shares: Sequence[Share], owner: str
) -> tuple[Part, ...]:
    """One side of a stem over its shares; without shares it is its holder's alone."""
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
    return tuple(Part(holder, ppm[holder], part) for holder, part in zip(holders, parts, strict=True))


def rederive(usage: Usage, settlements: Sequence[tuple[Period, Settlement]]) -> list[Division]:
    """Divide settled periods again, each as of its own `last`.

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
    for (_, entry), each, heard in zip(settlements, funds, heard_of(usage, funds), strict=True):
        division = divide(books, each, heard)
        if problems := division.differences(entry):
            raise _does_not_follow(entry, problems[0])
        divisions.append(division)
    return divisions


def heard_of(usage: Usage, funds: Sequence[Funds]) -> Iterator[list[list[Heard]]]:
    """What the pools of each hold, asked for all at once."""
    answers = iter(usage.heard([pool.windows for each in funds for pool in each.pools]) if funds else ())
    for each in funds:
        yield [next(answers) for _ in each.pools]


def _does_not_follow(entry: Settlement, why: str) -> VerificationFailed:
    return VerificationFailed(
        f"the settlement of {entry.period} in {entry.currency} does not follow from the ledger: {why}; "
        "see 'stemloom ledger verify'"
    )
