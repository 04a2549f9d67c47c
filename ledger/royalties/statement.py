"""A holder's statement for a period: every number that the payment follows from, and how to derive it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..entries import Consent, Settlement, Source, Standing
from ..errors import VerificationFailed
from ..statements import commitment
from .books import Books, gather
from .divide import ROUNDING
from .division import DividedStem, Division, Part, rederive
from .errors import NotAHolder, NotSettled, SeveralCurrencies
from .money import check_currency
from .periods import Period
from .turn import ReadableLog, Sealed, sealed
from .usage import Amount, Late, StemUse, Uses

Names = Mapping[str, tuple[str, str]]
"""Holder id to name and the salt of its commitment in the ledger."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Payee(_Record, frozen=True, kw_only=True):
    """Who is paid. The ledger holds SHA-256 commitments of names; `name_salt` opens this one."""

    holder: str
    name: str | None
    name_salt: str | None
    name_commitment: str
    public_key: str
    custody: str


class SettledAt(_Record, frozen=True, kw_only=True):
    """The ledger entry that seals the division."""

    index: int
    time: str


class Since(_Record, frozen=True, kw_only=True):
    """Milliseconds heard in the period that entered the ledger after the settlement, up to `checkpoint`.

    They are in no settlement yet. `ms` is of the statement's stems, `total_ms` of all.
    """

    ms: int
    total_ms: int


class TermsUsed(_Record, frozen=True, kw_only=True):
    """Terms of the period; `index` is null where the ledger held none and the default applied."""

    index: int | None
    effective: str | None
    pool_ppm: dict[Source, int]
    master_ppm: int
    threshold: int


class Received(_Record, frozen=True, kw_only=True):
    """One income entry; `reference` is what its recorder wrote beside it, such as an invoice number."""

    index: int
    period: str
    amount: int
    reference: str


class SourceIncome(_Record, frozen=True, kw_only=True):
    """Income from one source: `gross == deducted + pool`, and the amounts of `entries` sum to `gross`."""

    source: Source
    gross: int
    deducted: int
    pool: int
    entries: tuple[Received, ...]


class Used(_Record, frozen=True, kw_only=True):
    """Of one kind of use of a stem."""

    name: str
    ms: int
    placements: int


class Heard(_Record, frozen=True, kw_only=True):
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
    """Master or publishing of a stem: its amount, and how it parts over its shares."""

    amount: int
    shares: tuple[PartyShare, ...]


class Cleared(_Record, frozen=True, kw_only=True):
    """A consent in force when the period was settled; `index` is its grant, `until` null for no end."""

    use: str
    index: int
    since: str
    until: str | None


class StemStatement(_Record, frozen=True, kw_only=True):
    """One stem: how it was used, what it earned, and what of that is this holder's.

    `amount` is the whole stem's, `accrued` the holder's: the sum of `master_accrued` and
    `publishing_accrued`. `splits_entry` is the entry that set the shares, null for a stem without use.
    """

    stem: str
    title: str
    role: str
    shape: str
    pcm_sha256: str
    isrc: str | None
    ms: int
    placements: int
    sessions: int
    by_use: tuple[Used, ...]
    by_tier: tuple[Used, ...]
    by_section: tuple[Used, ...]
    by_role: tuple[Used, ...]
    by_day: tuple[Used, ...]
    first_use: Heard | None
    last_use: Heard | None
    amount: int
    splits_entry: int
    master: Side
    publishing: Side
    master_accrued: int
    publishing_accrued: int
    accrued: int
    consents: tuple[Cleared, ...]


class Statement(_Record, frozen=True, kw_only=True):
    """All money is in micro-units of `currency`. `opening + amount == closing`, `amount == accrued`.

    `stems` are those that the holder has a share in or brought in, used or not, by descending `accrued`,
    then id. `total_ms` and `pool` are of the whole period, over all holders. `first` to `last` are the
    ledger entries the settlement read, `root` (hex) their Merkle root; `checkpoint` is the log's newest
    signed one, under which the settlement entry lies too.
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
    pool: int
    unallocated: int
    total_ms: int
    ms: int
    since: Since
    opening: int
    master: int
    publishing: int
    accrued: int
    amount: int
    closing: int
    stems: tuple[StemStatement, ...]
    rounding: str
    recompute: tuple[str, ...]


def statement(
    log: ReadableLog, holder: str, period: Period | str, names: Names, *, currency: str | None = None
) -> Statement:
    """The statement of `holder` (its full id) for a settled `period`.

    `currency` may be left out if the period was settled in one alone. Raises NotAHolder, BadPeriod,
    NotSettled, SeveralCurrencies, and VerificationFailed if the settlement does not follow from the log.
    """
    period = Period.parse(period) if isinstance(period, str) else period
    return compose(sealed(log), log.origin, log.vkey, holder, period, names, currency)


def compose(
    seal: Sealed,
    origin: str,
    vkey: str,
    holder: str,
    period: Period,
    names: Names,
    currency: str | None = None,
) -> Statement:
    """`statement` from the entries under one checkpoint. Reads them twice."""
    books = gather(seal.read())
    if holder not in books.holders:
        raise NotAHolder(f"the ledger has no holder {holder}; see 'stemloom vault holder list'")
    index, entry = _settlement(books, period, currency)
    earlier = [
        (of, settled)
        for at, of, settled in books.settlements
        if at < index and settled.currency == entry.currency
    ]
    ours = _stems_of(books, holder, period.end, entry.last)
    uses = Uses(period, entry.last, ours)
    late = Late(period, entry.last, seal.size - 1)
    _, (*before, division) = rederive(seal.read, [*earlier, (period, entry)], [uses, late])
    divided = {each.stem: each for each in division.stems}
    stems = [
        _stem(
            books,
            names,
            holder,
            divided.get(stem) or division.unheard(books, stem),
            uses.by_stem[stem],
            entry,
        )
        for stem in ours
    ]
    stems.sort(key=lambda each: (-each.accrued, -each.ms, each.stem))
    opening = sum(each.of(holder) for each in before)
    accrued = sum(each.accrued for each in stems)
    return Statement(
        v=1,
        origin=origin,
        vkey=vkey,
        checkpoint=seal.checkpoint,
        holder=holder,
        payee=_payee(books, holder, names),
        period=entry.period,
        period_start=period.start,
        period_end=period.end,
        currency=entry.currency,
        unit=f"1 {entry.currency} = 1000000 micro-units",
        settlement=SettledAt(index=index, time=entry.time),
        first=entry.first,
        last=entry.last,
        root=entry.root,
        terms=_terms(division),
        income=tuple(
            SourceIncome(
                source=line.source,
                gross=line.gross,
                deducted=line.gross - line.pool,
                pool=line.pool,
                entries=tuple(
                    Received(index=at, period=each.period, amount=each.amount, reference=each.reference)
                    for at, each in line.entries
                ),
            )
            for line in division.income
        ),
        gross=division.gross,
        deducted=division.gross - division.pool,
        pool=division.pool,
        unallocated=division.unallocated,
        total_ms=division.total_ms,
        ms=sum(each.ms for each in stems),
        since=Since(ms=sum(late.by_stem.get(stem, 0) for stem in ours), total_ms=sum(late.by_stem.values())),
        opening=opening,
        master=sum(each.master_accrued for each in stems),
        publishing=sum(each.publishing_accrued for each in stems),
        accrued=accrued,
        amount=accrued,
        closing=opening + accrued,
        stems=tuple(stems),
        rounding=ROUNDING,
        recompute=_how(entry, index, division),
    )


def _settlement(books: Books, period: Period, currency: str | None) -> tuple[int, Settlement]:
    if currency is not None:
        check_currency(currency)
    found = [
        (index, entry)
        for index, settled, entry in books.settlements
        if settled.same_days(period) and currency in (None, entry.currency)
    ]
    if not found:
        within = f" in {currency}" if currency else ""
        raise NotSettled(
            f"{period.text} was never settled{within}; settle it with 'stemloom royalty settle {period.text}'"
        )
    if len(found) > 1:
        every = ", ".join(sorted(entry.currency for _, entry in found))
        raise SeveralCurrencies(f"{period.text} was settled in {every}; choose one with --currency")
    return found[0]


def _stems_of(books: Books, holder: str, end: str, last: int) -> list[str]:
    """Stems that `holder` brought in or has a share of, by the splits that the settlement went by."""
    ours = []
    for stem, (index, entry) in books.stems.items():
        if index > last:
            continue
        splits = books.splits_at(stem, end, last)
        parties = {share.holder for share in (*splits.master, *splits.publishing)}
        if entry.holder == holder or holder in parties:
            ours.append(stem)
    return ours


def _stem(
    books: Books, names: Names, holder: str, divided: DividedStem, use: StemUse, entry: Settlement
) -> StemStatement:
    _, stem = books.stems[divided.stem]
    master = sum(part.amount for part in divided.master if part.holder == holder)
    publishing = sum(part.amount for part in divided.publishing if part.holder == holder)
    if use.whole.ms != divided.ms:
        raise VerificationFailed(
            f"{divided.stem} was settled with {divided.ms} ms, and its placements sum to {use.whole.ms} ms"
        )
    return StemStatement(
        stem=divided.stem,
        title=stem.title,
        role=stem.role,
        shape=stem.shape,
        pcm_sha256=stem.pcm_sha256,
        isrc=stem.isrc,
        ms=divided.ms,
        placements=use.whole.placements,
        sessions=len(use.sessions),
        by_use=_used(use.by_use),
        by_tier=_used(use.by_tier),
        by_section=_used(use.by_section),
        by_role=_used(use.by_role),
        by_day=tuple(sorted(_used(use.by_day), key=lambda each: each.name)),
        first_use=None if use.first is None else Heard(time=use.first[0], index=use.first[1]),
        last_use=None if use.last is None else Heard(time=use.last[0], index=use.last[1]),
        amount=divided.amount,
        splits_entry=divided.splits,
        master=_side(divided.master, names),
        publishing=_side(divided.publishing, names),
        master_accrued=master,
        publishing_accrued=publishing,
        accrued=master + publishing,
        consents=consents_in_force(books, divided.stem, entry.time, entry.last),
    )


def consents_in_force(books: Books, stem: str, time: str, last: int) -> tuple[Cleared, ...]:
    """Uses that `stem` is cleared for at `time` by entries 0 to `last`, each with its grant, by use."""
    grants: dict[str, tuple[int, Consent | Standing]] = {**books.entered.get(stem, {})}
    for index, consent in books.consents.get(stem, ()):
        if index > last:
            break
        for use in consent.uses:
            if consent.action == "grant":
                grants[use] = (index, consent)
            else:
                grants.pop(use, None)
    return tuple(
        Cleared(use=use, index=index, since=grant.since, until=grant.until)
        for use, (index, grant) in sorted(grants.items())
        if grant.until is None or time < grant.until
    )


def _used(amounts: Mapping[str, Amount]) -> tuple[Used, ...]:
    """Longest first, then by name."""
    return tuple(
        Used(name=name, ms=amount.ms, placements=amount.placements)
        for name, amount in sorted(amounts.items(), key=lambda each: (-each[1].ms, each[0]))
    )


def _side(parts: tuple[Part, ...], names: Names) -> Side:
    return Side(
        amount=sum(part.amount for part in parts),
        shares=tuple(
            PartyShare(
                holder=part.holder,
                name=names[part.holder][0] if part.holder in names else None,
                ppm=part.ppm,
                amount=part.amount,
            )
            for part in parts
        ),
    )


def _payee(books: Books, holder: str, names: Names) -> Payee:
    _, entry = books.holders[holder]
    name, salt = names.get(holder, (None, None))
    if name is not None and salt is not None and not _opens(entry.name, name, salt):
        raise VerificationFailed(
            f"the name kept for {holder} is not the one that the ledger holds a commitment to"
        )
    return Payee(
        holder=holder,
        name=name,
        name_salt=salt,
        name_commitment=entry.name,
        public_key=entry.public_key,
        custody=entry.custody,
    )


def _opens(committed: str, name: str, salt: str) -> bool:
    try:
        return commitment(name, salt) == committed
    except ValueError:
        return False


def _terms(division: Division) -> TermsUsed:
    used = division.terms
    return TermsUsed(
        index=used.index,
        effective=None if used.index is None else used.terms.effective,
        pool_ppm={line.source: used.pool_ppm(line.source) for line in division.income},
        master_ppm=used.terms.master_ppm,
        threshold=used.terms.threshold,
    )


def _how(entry: Settlement, index: int, division: Division) -> tuple[str, ...]:
    """Steps that lead from the log to the numbers, for a person or a program that trusts nothing else."""
    return (
        "Take a copy of the ledger's folder log/ and check it with your own copy of the ledger's key: "
        "'stemloom ledger verify' hashes every entry again and derives every settlement anew, this one at "
        f"entry {index} too.",
        f"By hand: in entries {entry.first} to {entry.last}, add up the ms of each stem over the placements "
        f"that start at {division.period.start} or later and before {division.period.end}. "
        f"Together they are {entry.total_ms} ms.",
        f"Add up the income in {entry.currency} for periods within {entry.period}. Of each source the terms' "
        "share goes to the pool; what is kept back is rounded down. "
        f"The pool is {entry.pool} micro-units.",
        "Divide the pool over the stems by their ms, each stem's amount into master and publishing by the "
        "terms, and each side over the shares last set before the end of the period, by the rounding rule.",
    )
