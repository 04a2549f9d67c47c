"""The entries of money: terms, income, settlements, payouts and corrections."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .fields import (
    Bearer,
    Count,
    Currency,
    Digest,
    Id,
    InPlay,
    PeriodLength,
    Positive,
    Ppm,
    Record,
    Source,
    Time,
    Word,
)


class Terms(Record, frozen=True, kw_only=True, tag="terms"):
    """The rules of division, in force for periods that start at or after `effective`."""

    time: Time
    effective: Time
    pool_ppm: tuple[tuple[Source, Ppm], ...]
    """The share of each income source that goes to the holders."""
    master_ppm: Ppm
    """The master side's share of a stem's amount; the rest is publishing."""
    threshold: Count
    """Least payout, in micro-units."""
    periods: PeriodLength | UnsetType = UNSET
    """The length of the periods that begin in months which begin at or after `effective`. Left out before it
    was asked: a month."""
    borne_by: Bearer | UnsetType = UNSET
    """Who bears corrections of income, in every settlement that reads this. Left out before it was asked."""
    in_play: InPlay | UnsetType = UNSET
    """The rule by which sessions must count what is in play; left out where any will do."""


class Income(Record, frozen=True, kw_only=True, tag="income"):
    """Money that came in for a period."""

    time: Time
    source: Source
    currency: Currency
    amount: Positive
    period: Word
    """`2026-11`, `2026-Q4`, `2026` or `2026-11-01..2026-11-30`."""
    reference: Word


class SettledStem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    stem: Id
    ms: Count
    amount: Count


class SettledHolder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    holder: Id
    master: Count
    publishing: Count


class Settlement(Record, frozen=True, kw_only=True, tag="settlement"):
    """A period's income divided by milliseconds in play. Every sum is exact."""

    time: Time
    period: Word
    currency: Currency
    first: Count
    """Entries `first` to `last` of the log were read."""
    last: Count
    root: Digest
    """Merkle root of the log of `last` + 1 entries."""
    gross: Count
    """Income of the period, and late income of earlier ones."""
    pool: Count
    """What holders are given: the gross, less the operator's part by the terms and less corrections."""
    total_ms: Count
    unallocated: Count
    """The part of the pool that no placement earned: income for a period without placements."""
    stems: Digest
    """SHA-256 of the canonical JSON of the list of `SettledStem`, one for each stem heard, by id."""
    holders: Digest
    """SHA-256 of the canonical JSON of the list of `SettledHolder`, one for each of their owners, by id."""


class Payout(Record, frozen=True, kw_only=True, tag="payout"):
    """Money that was paid to a holder."""

    time: Time
    holder: Id
    currency: Currency
    amount: Positive
    reference: Word


class Correction(Record, frozen=True, kw_only=True, tag="correction"):
    """An income or a payout was entered wrongly: `amount` is added to it."""

    time: Time
    corrects: Count
    """Index of the entry."""
    amount: Annotated[int, Meta(ge=-(2**53 - 1), le=2**53 - 1)]
    reason: Word
    borne_by: Bearer | UnsetType = UNSET
    """Of income: as in terms. Left out of corrections of payouts, and before it was asked."""
