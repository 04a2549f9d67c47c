"""`stemloom royalty`: income, terms and settlements.

The rest: `statements.py`, `payouts.py` and `rules.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from . import payouts, rules, statements
from .options import AmountCommand, currency, engine
from .output import Console, picked, table
from .people import people_of

if TYPE_CHECKING:
    from ..ledger.division.terms import InForce
    from ..ledger.entries.entries import Source
    from ..ledger.royalties.engines import Engine
    from ..ledger.royalties.settle import SettledPeriod

_SOURCES = ("subscription", "enterprise", "export", "sync")


@click.group()
def royalty() -> None:
    """Income, settlements and statements.

    Periods are whole days, UTC: 2026-11, 2026-Q4, 2026 or 2026-11-01..2026-11-30.
    """


for command in (
    *(statements.statement, statements.statements, statements.balance, statements.recompute),
    *(payouts.pay, payouts.correct, payouts.beancount, rules.simulate, rules.fairness),
):
    royalty.add_command(command)


@royalty.command(cls=AmountCommand, short_help="Record income of a period.")
@click.argument("amount")
@click.option("--currency", metavar="CODE", required=True, help="ISO 4217, such as EUR.")
@click.option("--source", type=click.Choice(_SOURCES), default="subscription", show_default=True)
@click.option("--period", required=True, help="The period to which the income belongs.")
@click.option("--reference", required=True, metavar="TEXT", help="Such as the number of an invoice.")
@click.pass_obj
def income(console: Console, amount: str, currency: str, source: Source, period: str, reference: str) -> None:
    """Record income: royalty income 1000.00 --currency EUR --period 2026-11 --reference inv-1."""
    from ..ledger.division.money import money_text, parse_amount
    from ..ledger.royalties.record import record_income

    micro = parse_amount(amount)
    with console.log() as log:
        made = record_income(log, micro, currency.upper(), source, period, reference)
    index, entry, late, like = made.index, made.entry, made.late_of, made.like
    console.emit(
        {"index": index} | picked(entry, "amount currency source period reference time"),
        f"{money_text(entry.amount, entry.currency)} from {entry.source} for {entry.period} "
        f"recorded as entry {index}",
    )
    if late is not None:
        console.note(
            f"{late} was settled before: the next settlement in {entry.currency} divides it, by what was "
            f"heard in {late}"
        )
    if like is not None:
        console.note(
            f"entry {like} has the same reference, period and source; if this is the same money, take "
            f"it back with 'stemloom royalty correct {index} --to 0 --reason twice'"
        )


@royalty.group(invoke_without_command=True, short_help="Show or set how income is divided.")
@click.pass_context
def terms(ctx: click.Context) -> None:
    """Show or set the terms: the holders' part of income, and the division of a stem's money."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@terms.command()
@click.option("--period", help="Show the terms of this period instead of today's.")
@click.pass_obj
def show(console: Console, period: str | None = None) -> None:
    """Show the terms for periods that start today, or for a period."""
    from ..ledger.clock import SystemClock
    from ..ledger.division.periods import Period
    from ..ledger.division.terms import in_force
    from ..ledger.royalties.engines import books_of
    from ..ledger.royalties.money_lock import at_checkpoint

    today = SystemClock().now()[:10]
    of = Period.parse(period or f"{today}..{today}")
    with console.log() as log:
        books = books_of(log, at_checkpoint(log))
    _emit_terms(console, in_force(books, of, books.size - 1))


@terms.command(name="set")
@click.option(
    "--from", "effective", required=True, metavar="DATE", help="For periods that start then or later."
)
@click.option(
    "--pool",
    multiple=True,
    metavar="SOURCE=PERCENT",
    help="The part of a source's income that holders share.",
)
@click.option(
    "--master", metavar="PERCENT", help="The master part of a stem's money; the rest is publishing."
)
@click.option("--threshold", metavar="AMOUNT", help="The smallest amount that is paid out.")
@click.pass_obj
def set_(
    console: Console, effective: str, pool: tuple[str, ...], master: str | None, threshold: str | None
) -> None:
    """Write new terms: royalty terms set --from 2026-12-01 --pool subscription=70% --master 80%."""
    from ..ledger.division.money import parse_amount
    from ..ledger.division.terms import InForce
    from ..ledger.royalties.record import record_terms

    if not (pool or master or threshold):
        raise click.UsageError("say what to set: --pool, --master or --threshold")
    least = None if threshold is None else parse_amount(threshold, "a threshold", zero=True)
    shares = [_pool_share(text) for text in pool]
    if len(dict(shares)) < len(shares):
        raise click.UsageError("a source is named twice in --pool")
    with console.log() as log:
        index, entry = record_terms(
            log,
            f"{effective}T00:00:00.000Z",
            pool_ppm=dict(shares),
            master_ppm=None if master is None else _ppm(master),
            threshold=least,
        )
    _emit_terms(console, InForce(index, entry))


@royalty.command(short_help="Divide a period's income by time heard.")
@click.argument("period")
@currency
@click.option(
    "--early",
    is_flag=True,
    help="Settle before the period is over: later usage counts in the next settlement.",
)
@click.option(
    "--unallocated",
    is_flag=True,
    help="Settle even if nothing was heard: all of the income stays unallocated.",
)
@engine
@click.pass_obj
def settle(
    console: Console, period: str, currency: str | None, early: bool, unallocated: bool, engine: Engine | None
) -> None:
    """Divide a period's income by the milliseconds in which each stem was heard. This is final."""
    from ..ledger.royalties.settle import settle as settle_period

    people = () if console.json else people_of(console)
    with console.log() as log, console.telling("checking the ledger") as tell:
        settled = settle_period(
            log,
            period,
            currency.upper() if currency else None,
            early=early,
            unallocated=unallocated,
            progress=tell,
            engine=engine,
        )
    console.emit(settled.record(), _settled_text(settled, {each.holder: each.name for each in people}))
    if settled.terms_within:
        console.note(f"terms took effect within {period}: for all of it those of its start hold")
    if settled.entry.time < settled.division.period.end:
        console.note(
            f"{settled.entry.period} is not over: what is heard in it from now on counts in the next "
            "settlement"
        )


def _ppm(text: str) -> int:
    """Exact parts per million of a percentage with at most four decimal places."""
    found = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?\s*%?", text)
    if found is None or (ppm := int(found[1] + (found[2] or "").ljust(4, "0"))) > 1_000_000:
        raise click.UsageError(
            f"{text!r} is not a share; write a percentage from 0% to 100%, such as 33.3333%"
        )
    return ppm


def _pool_share(text: str) -> tuple[Source, int]:
    source, mark, share = text.partition("=")
    for known in _SOURCES:
        if mark and source == known:
            return known, _ppm(share)  # type: ignore[return-value]
    raise click.UsageError(f"{text!r} is not SOURCE=PERCENT with a source among {', '.join(_SOURCES)}")


def _emit_terms(console: Console, used: InForce) -> None:
    from ..ledger.division.money import decimal_text
    from ..ledger.royalties.display_text import ppm_text

    each = used.terms
    rows = [(f"shared of {source} income", ppm_text(ppm)) for source, ppm in each.pool_ppm]
    rows += [("master of a stem's money", ppm_text(each.master_ppm))]
    rows += [("least payout", decimal_text(each.threshold))]
    head = (
        "default terms: the ledger holds none for this time"
        if used.index is None
        else f"terms of entry {used.index}, for periods that start on {each.effective[:10]} or later"
    )
    effective = None if used.index is None else each.effective
    console.emit(
        {"index": used.index, "effective": effective, "pool_ppm": dict(each.pool_ppm)}
        | picked(each, "master_ppm threshold"),
        head + "\n" + "\n".join(f"  {name:32} {value:>12}" for name, value in rows),
    )


def _settled_text(settled: SettledPeriod, names: dict[str, str]) -> str:
    from ..ledger.division.money import decimal_text, money_text
    from ..ledger.royalties.display_text import duration_text, percent_text

    entry = settled.entry
    text = (
        f"{entry.period} settled as entry {settled.index}: {money_text(entry.pool, entry.currency)} of "
        f"{money_text(entry.gross, entry.currency)}, divided by {duration_text(entry.total_ms)} heard"
    )
    funds = settled.division.funds
    for late in funds.divided_income[1:]:
        text += (
            f"\nof it {money_text(late.amount, entry.currency)} came late for {late.period.text}, divided by "
            "what was heard then"
        )
    if funds.taken_back or funds.carried_in:
        back = money_text(funds.taken_back + funds.carried_in, entry.currency)
        text += f"\n{back} of earlier settlements was to be taken back by corrections"
    if funds.carried_out:
        text += f", {money_text(funds.carried_out, entry.currency)} of it in the next settlement"
    if entry.unallocated:
        text += (
            f"\nnothing was heard in {' or '.join(settled.division.unearned_periods)}: "
            f"{money_text(entry.unallocated, entry.currency)} stays unallocated"
        )
    if not settled.division.settled_holders:
        return text
    rows = [
        (
            names.get(each.holder, each.holder),
            decimal_text(each.master, 6),
            decimal_text(each.publishing, 6),
            decimal_text(each.master + each.publishing, 6),
            percent_text(each.master + each.publishing, entry.pool),
        )
        for each in settled.division.settled_holders
    ]
    head = ("holder", "master", "publishing", entry.currency, "part")
    return f"{text}\n\n{table(head, rows, right=(1, 2, 3, 4))}"
