"""Statements derived from the books, the usage and the divisions of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..division.books import Books
from ..division.division import DividedLine, Division, ShareAmount, rederive, silent_stem
from ..division.errors import NotSettled, SeveralCurrencies
from ..division.funds import IncomeLine
from ..division.money import check_currency
from ..division.periods import Period
from ..division.treasury import Treasury
from ..division.usage import Amount, StemUse, Usage
from ..division.windows import PlacementWindow
from ..entries.entries import Settlement
from ..entries.rights import lasts
from ..entries.signing import commitment
from ..errors import VerificationFailed
from . import statement_schema as schema
from .balance import check_holder, frozen_part, payable, payments
from .engines import Engine, usage_of
from .money_lock import CheckpointedLog, ReadableLog, at_checkpoint
from .recompute_steps import ROUNDING, recompute_steps


def statement(
    log: ReadableLog,
    holder: str,
    period: Period | str,
    names: schema.Names,
    currency: str | None = None,
    engine: Engine | None = None,
) -> schema.Statement:
    """The statement of one `holder` (full id) from a log as of now. Raises as `Statements` does."""
    seal = at_checkpoint(log)
    with usage_of(log, seal, engine) as usage:
        return Statements(usage, seal, log.origin, log.vkey, period, names, currency, holder).of(holder)


class Statements:
    """The statements of one settled period, for any of its holders: what they share is derived once."""

    def __init__(
        self,
        usage: Usage,
        seal: CheckpointedLog,
        origin: str,
        vkey: str,
        period: Period | str,
        names: schema.Names,
        currency: str | None = None,
        only: str | None = None,
    ) -> None:
        """`currency` may be left out if the period was settled in one alone. `only`: the id of a holder, if
        the statements of others are not asked for.

        Raises NotAHolder, BadPeriod, UnknownCurrency, NotSettled, SeveralCurrencies, and VerificationFailed
        if a settlement does not follow from the log.
        """
        period = Period.parse(period) if isinstance(period, str) else period
        self._books = books = usage.books
        self._seal, self._origin, self._vkey, self._names = seal, origin, vkey, names
        if only is not None:
            check_holder(books, only)
        self._index, period, self._entry = _settlement(books, period, currency)
        entry = self._entry
        earlier = books.settled_before(entry.currency, self._index - 1)
        self._before = max((index for index, _, _ in earlier), default=-1)
        settled = [*((of, each) for _, of, each in earlier), (period, entry)]
        uncounted = Treasury(books).uncounted(period, entry.currency, seal.size - 1)
        (late,) = usage.time_in_play([[uncounted]])
        self._late: dict[str, int] = {}
        for each in late:
            self._late[each.stem] = self._late.get(each.stem, 0) + each.ms
        self._divisions = rederive(usage, settled)
        self._division = self._divisions[-1]
        self._divided = {each.stem: each for each in self._division.stems}
        self._gone = self._earned_by_withdrawn()
        self._stems = self._stems_by_holder()
        wanted = None if only is None else set(self._stems.get(only, ()))
        self._uses = usage.uses(PlacementWindow(period, -1, entry.last), wanted)
        self._opening = self._earned(self._divisions[:-1])
        self._income = tuple(_source(line) for line in self._division.funds.income)
        self._late_ms = self._division.late_ms
        self._steps = recompute_steps(entry, self._index, self._division)

    @property
    def holders(self) -> list[str]:
        """The ids of those who have a share of a stem, or earned something before."""
        return sorted({*self._stems, *self._opening})

    @property
    def currency(self) -> str:
        """The currency of the settlement."""
        return self._entry.currency

    def of(self, holder: str) -> schema.Statement:
        """The statement of a holder (full id). Raises NotAHolder, VerificationFailed."""
        check_holder(self._books, holder)
        books, division, entry = self._books, self._division, self._entry
        ours = self._stems.get(holder, ())
        stems = [self._stem(holder, stem) for stem in ours]
        stems.sort(key=lambda each: (-each.accrued - each.adjusted, -each.ms - each.late_ms, each.stem))
        accrued, adjusted = sum(each.accrued for each in stems), sum(each.adjusted for each in stems)
        before = payments(books, holder, entry.currency, -1, self._before)
        paid = payments(books, holder, entry.currency, self._before, self._index)
        since = payments(books, holder, entry.currency, self._index, self._seal.size - 1)
        opening = self._opening.get(holder, 0) - sum(each.amount for each in before)
        out = sum(each.amount for each in paid)
        closing = opening + accrued + adjusted - out
        frozen = sum(each.frozen.amount for each in stems if each.frozen is not None)
        lines = [line for each in stems for line in each.lines]
        return schema.Statement(
            v=2,
            origin=self._origin,
            vkey=self._vkey,
            checkpoint=self._seal.checkpoint,
            holder=holder,
            payee=_payee(books, holder, self._names),
            period=entry.period,
            period_start=division.period.start,
            period_end=division.period.end,
            currency=entry.currency,
            unit=f"1 {entry.currency} = 1000000 micro-units",
            settlement=schema.SettledAt(index=self._index, time=entry.time),
            first=entry.first,
            last=entry.last,
            root=entry.root,
            terms=_terms(division),
            income=self._income,
            gross=division.gross,
            deducted=division.funds.deducted,
            taken_back=division.funds.taken_back,
            not_given=division.funds.not_given,
            carried_in=division.funds.carried_in,
            carried_out=division.funds.carried_out,
            pool=division.for_holders,
            unallocated=division.unallocated,
            total_ms=division.total_ms,
            late_ms=self._late_ms,
            ms=sum(each.ms for each in stems),
            since=schema.SinceSettlement(
                ms=sum(self._late.get(stem, 0) for stem in ours),
                total_ms=sum(self._late.values()),
                paid=sum(each.amount for each in since),
            ),
            opening=opening,
            master=sum(line.master_earned for line in lines),
            publishing=sum(line.publishing_earned for line in lines),
            accrued=accrued,
            adjusted=adjusted,
            amount=accrued + adjusted,
            payments=tuple(paid),
            paid=out,
            closing=closing,
            payable=payable(closing, entry.currency, division.funds.terms.terms.threshold),
            frozen=frozen_part(frozen, closing),
            stems=tuple(stems),
            rounding=ROUNDING,
            recompute=self._steps,
        )

    def _stems_by_holder(self) -> dict[str, list[str]]:
        """By holder, the stems that each brought in or has a share of, under the splits of the settlement.

        Withdrawn stems that earned a holder something before are among them.
        """
        books, division = self._books, self._division
        found: dict[str, set[str]] = {}
        for stem, (index, entry) in books.stems.items():
            if index > division.last:
                continue
            divided = self._divided.get(stem)
            if divided is None:
                splits = books.rights.owned_before(stem, division.period.end, division.last)
                parties = {share.holder for share in (*splits.master, *splits.publishing)}
            else:
                parties = {part.holder for line in divided.lines for part in line.parts}
            for party in {entry.holder, *parties}:
                found.setdefault(party, set()).add(stem)
        for stem, sums in self._gone.items():
            for party, amount in sums.items():
                if amount:
                    found.setdefault(party, set()).add(stem)
        return {holder: sorted(stems) for holder, stems in found.items()}

    def _earned_by_withdrawn(self) -> dict[str, dict[str, int]]:
        """By withdrawn stem and holder, the earnings up to this settlement."""
        found: dict[str, dict[str, int]] = {
            stem: {}
            for stem in self._books.stems
            if self._books.rights.withdrawn(stem, self._entry.last) is not None
        }
        for division in self._divisions:
            for each in division.stems:
                sums = found.get(each.stem)
                if sums is not None:
                    for part in (part for line in each.lines for part in line.parts):
                        sums[part.holder] = sums.get(part.holder, 0) + part.amount
        return found

    @staticmethod
    def _earned(divisions: Sequence[Division]) -> dict[str, int]:
        """The amounts of divisions, by holder."""
        sums: dict[str, int] = {}
        for division in divisions:
            for each in division.settled_holders:
                sums[each.holder] = sums.get(each.holder, 0) + each.master + each.publishing
        return sums

    def _stem(self, holder: str, stem: str) -> schema.StatementStem:
        books, entry, period = self._books, self._entry, self._division.period.text
        divided = self._divided.get(stem) or silent_stem(books, stem, self._division)
        use = self._uses.get(stem) or StemUse()
        _, of = books.stems[stem]
        lines = tuple(_line(line, holder, period, self._names) for line in divided.lines)
        own = [line for line in lines if not line.late]
        if use.whole.ms != sum(line.ms for line in own):
            raise VerificationFailed(
                f"{stem} was settled with {sum(line.ms for line in own)} ms, and its placements sum to "
                f"{use.whole.ms} ms"
            )
        return schema.StatementStem(
            stem=stem,
            title=of.title,
            role=of.role,
            shape=of.shape,
            pcm_sha256=of.pcm_sha256,
            isrc=of.isrc,
            iswc=None if isinstance(of.iswc, msgspec.UnsetType) else of.iswc,
            ms=use.whole.ms,
            placements=use.whole.placements,
            sessions=use.sessions,
            by_use=_used(use.by_use),
            by_tier=_used(use.by_tier),
            by_section=_used(use.by_section),
            by_role=_used(use.by_role),
            by_day=tuple(sorted(_used(use.by_day), key=lambda each: each.name)),
            first_use=None if use.first is None else schema.UsedAt(time=use.first[0], index=use.first[1]),
            last_use=None if use.last is None else schema.UsedAt(time=use.last[0], index=use.last[1]),
            late_ms=sum(line.ms for line in lines if line.late and line.pool == period),
            amount=divided.amount,
            lines=lines,
            accrued=sum(line.earned for line in own),
            adjusted=sum(line.earned for line in lines if line.late),
            consents=consents_in_force(books, stem, entry.time, entry.last),
            frozen=self._frozen(holder, stem),
        )

    def _frozen(self, holder: str, stem: str) -> schema.Frozen | None:
        gone = self._books.rights.withdrawn(stem, self._entry.last)
        if gone is None:
            return None
        return schema.Frozen(index=gone.index, time=gone.time, amount=self._gone.get(stem, {}).get(holder, 0))


def _settlement(books: Books, period: Period, currency: str | None) -> tuple[int, Period, Settlement]:
    if currency is not None:
        check_currency(currency)
    found = [
        (index, settled, entry)
        for index, settled, entry in books.settlements
        if settled.same_days(period) and currency in (None, entry.currency)
    ]
    if not found:
        within = f" in {currency}" if currency else ""
        raise NotSettled(
            f"{period.text} was never settled{within}; settle it with 'stemloom royalty settle {period.text}'"
        )
    if len(found) > 1:
        every = ", ".join(sorted(entry.currency for _, _, entry in found))
        raise SeveralCurrencies(f"{period.text} was settled in {every}; choose one with --currency")
    return found[0]


def _line(line: DividedLine, holder: str, period: str, names: schema.Names) -> schema.StatementLine:
    master, publishing = line.earned_by(holder)
    return schema.StatementLine(
        pool=line.income_of,
        period=line.period,
        late=line.period != period,
        splits_entry=line.splits,
        ms=line.ms,
        placements=line.placements,
        amount=line.amount,
        master=_side(line.master, names),
        publishing=_side(line.publishing, names),
        master_earned=master,
        publishing_earned=publishing,
        earned=master + publishing,
    )


def _source(line: IncomeLine) -> schema.SourceIncome:
    return schema.SourceIncome(
        source=line.source,
        late_of=line.late_of,
        gross=line.gross,
        deducted=line.gross - line.for_holders,
        pool=line.for_holders,
        pool_ppm=line.holders_ppm,
        entries=line.items,
    )


def consents_in_force(books: Books, stem: str, time: str, last: int) -> tuple[schema.Cleared, ...]:
    """Uses that `stem` is cleared for at `time` by entries 0 to `last`, each with its grant, by use."""
    return tuple(
        schema.Cleared(use=use, index=each.index, since=each.grant.since, until=each.grant.until)
        for use, each in sorted(books.rights.cleared(stem, last).items())
        if lasts(each.grant.until, time)
    )


def _used(amounts: Mapping[str, Amount]) -> tuple[schema.UseTotal, ...]:
    """Longest first, then by name."""
    return tuple(
        schema.UseTotal(name=name, ms=amount.ms, placements=amount.placements)
        for name, amount in sorted(amounts.items(), key=lambda each: (-each[1].ms, each[0]))
    )


def _side(parts: tuple[ShareAmount, ...], names: schema.Names) -> schema.Side:
    return schema.Side(
        amount=sum(part.amount for part in parts),
        shares=tuple(
            schema.PartyShare(
                holder=part.holder,
                name=names[part.holder].name if part.holder in names else None,
                ppm=part.ppm,
                amount=part.amount,
            )
            for part in parts
        ),
    )


def _payee(books: Books, holder: str, names: schema.Names) -> schema.Payee:
    _, entry = books.holders[holder]
    known = names.get(holder)
    if known is not None and not _opens(entry.name, known.name, known.salt):
        raise VerificationFailed(
            f"the name kept for {holder} is not the one that the ledger holds a commitment to"
        )
    name, salt, isni, ipi = known or (None, None, None, None)
    return schema.Payee(
        holder=holder,
        name=name,
        name_salt=salt,
        isni=isni,
        ipi=ipi,
        name_commitment=entry.name,
        public_key=entry.public_key,
        custody=entry.custody,
    )


def _opens(committed: str, name: str, salt: str) -> bool:
    try:
        return commitment(name, salt) == committed
    except ValueError:
        return False


def _terms(division: Division) -> schema.TermsUsed:
    used = division.funds.terms
    return schema.TermsUsed(
        index=used.index,
        effective=None if used.index is None else used.terms.effective,
        pool_ppm={line.source: line.holders_ppm for line in division.funds.income if line.late_of is None},
        master_ppm=used.terms.master_ppm,
        threshold=used.terms.threshold,
    )
