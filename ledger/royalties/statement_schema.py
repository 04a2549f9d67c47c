"""A holder's statement for a period as a file: its fields and their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from ..division.funds import IncomeItem
from ..entries.entries import Source
from .balance import Payment


class Named(NamedTuple):
    """A holder's name and the salt of its commitment in the ledger; identifiers, which are not in it."""

    name: str
    salt: str
    isni: str | None = None
    ipi: str | None = None


Names = Mapping[str, Named]
"""By holder id."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Payee(_Record, frozen=True, kw_only=True):
    """Who is paid. The ledger holds SHA-256 commitments of names; `name_salt` opens this one.

    The operator knows ISNI and IPI; they are not in the ledger.
    """

    holder: str
    name: str | None
    name_salt: str | None
    isni: str | None
    ipi: str | None
    name_commitment: str
    public_key: str
    custody: str


class SettledAt(_Record, frozen=True, kw_only=True):
    """The ledger entry that seals the division."""

    index: int
    time: str


class SinceSettlement(_Record, frozen=True, kw_only=True):
    """Entries after the settlement, up to `checkpoint`.

    Milliseconds in play in the period, which the next settlement counts as late: `ms` of the statement's
    stems, `total_ms` of all stems. `paid`: to the holder, in micro-units.
    """

    ms: int
    total_ms: int
    paid: int


class TermsUsed(_Record, frozen=True, kw_only=True):
    """Terms of the period; `index` is None where the ledger held none and the default applied."""

    index: int | None
    effective: str | None
    pool_ppm: dict[Source, int]
    master_ppm: int
    threshold: int


class SourceIncome(_Record, frozen=True, kw_only=True):
    """Income from one source: `gross == deducted + pool`, and the amounts of `entries` sum to `gross`.

    It is negative where more was settled before than came in. `late_of`: the settled period for which it came
    too late; None for income of the statement's own period.
    """

    source: Source
    late_of: str | None
    gross: int
    deducted: int
    pool: int
    pool_ppm: int
    entries: tuple[IncomeItem, ...]


class UseTotal(_Record, frozen=True, kw_only=True):
    """Milliseconds and placements of one kind of use of a stem."""

    name: str
    ms: int
    placements: int


class UsedAt(_Record, frozen=True, kw_only=True):
    """An instant of use and the ledger entry that shows it."""

    time: str
    index: int


class PartyShare(_Record, frozen=True, kw_only=True):
    """One party's share of one side of a stem. `name` only where the caller's names have it."""

    holder: str
    name: str | None
    ppm: int
    amount: int


class Side(_Record, frozen=True, kw_only=True):
    """Master or publishing of a line: its amount, and how it parts over its shares."""

    amount: int
    shares: tuple[PartyShare, ...]


class StatementLine(_Record, frozen=True, kw_only=True):
    """A stem's time in play in `period` under one set of shares, and its earnings from the income of `pool`.

    `late`: the placements came too late for the settlement of their period, or the income did (then `pool` is
    that period); the line is an adjustment. `amount` is the whole line's, `earned` the holder's part of it.
    """

    pool: str
    period: str
    late: bool
    splits_entry: int
    ms: int
    placements: int
    amount: int
    master: Side
    publishing: Side
    master_earned: int
    publishing_earned: int
    earned: int


class Cleared(_Record, frozen=True, kw_only=True):
    """A consent in force when the period was settled; `index` is its grant, `until` None for no end."""

    use: str
    index: int
    since: str
    until: str | None


class Frozen(_Record, frozen=True, kw_only=True):
    """The stem may not be used any more, since `time`, by the entry `index`; `amount` is the holder's."""

    index: int
    time: str
    amount: int


class StatementStem(_Record, frozen=True, kw_only=True):
    """One stem: its use, its earnings, and this holder's part of them.

    Its use is that of the period alone; `late_ms` came too late for the settlement of earlier periods.
    `amount` is the whole stem's, of all `lines`; `accrued` is the holder's part for the period and `adjusted`
    the part for late entries. `frozen` is None for a stem that may be used.
    """

    stem: str
    title: str
    role: str
    shape: str
    pcm_sha256: str
    isrc: str | None
    iswc: str | None
    ms: int
    placements: int
    sessions: int
    by_use: tuple[UseTotal, ...]
    by_tier: tuple[UseTotal, ...]
    by_section: tuple[UseTotal, ...]
    by_role: tuple[UseTotal, ...]
    by_day: tuple[UseTotal, ...]
    first_use: UsedAt | None
    last_use: UsedAt | None
    late_ms: int
    amount: int
    lines: tuple[StatementLine, ...]
    accrued: int
    adjusted: int
    consents: tuple[Cleared, ...]
    frozen: Frozen | None


class Statement(_Record, frozen=True, kw_only=True):
    """All money is in micro-units of `currency`.

    `gross - deducted - taken_back + not_given - carried_in + carried_out == pool`. `gross`: the income;
    `deducted`: the part that the terms keep back; `taken_back`: by corrections of settled income;
    `not_given`: the part of that which had stayed unallocated; `carried_in`: not taken back by earlier
    settlements; `carried_out`: nor by this one. `opening + accrued + adjusted - paid == closing`.

    `accrued`: earned in the period; `adjusted`: earned by entries that came too late for earlier settlements;
    `amount`: both. `paid`: since the settlement before. `frozen`: the part of `closing` that stems earned
    which may not be used any more; it changes by late entries alone, and is paid last. `payable`: the part of
    `closing` that can be paid out under the terms. `stems` are those that the holder has a share in or
    brought in, used or not, by descending earnings, then time, then id. `total_ms` and `pool` are over all
    holders; `late_ms` of it was late. `first` to `last` are the ledger entries the settlement read, `root`
    (hex) their Merkle root; `checkpoint` is the log's newest signed one, under which the settlement entry
    lies too.
    """

    v: int
    origin: str
    vkey: str
    checkpoint: str
    holder: str
    payee: Payee
    period: str
    period_start: str
    period_end: str
    currency: str
    unit: str
    settlement: SettledAt
    first: int
    last: int
    root: str
    terms: TermsUsed
    income: tuple[SourceIncome, ...]
    gross: int
    deducted: int
    taken_back: int
    not_given: int
    carried_in: int
    carried_out: int
    pool: int
    unallocated: int
    total_ms: int
    late_ms: int
    ms: int
    since: SinceSettlement
    opening: int
    master: int
    publishing: int
    accrued: int
    adjusted: int
    amount: int
    payments: tuple[Payment, ...]
    paid: int
    closing: int
    payable: int
    frozen: int
    stems: tuple[StatementStem, ...]
    rounding: str
    recompute: tuple[str, ...]


def to_bytes(made: Statement) -> bytes:
    """The statement as a file: JSON that `recompute.py` derives again byte for byte."""
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
