"""`stemloom royalty` for accounting: payouts, corrections, and all money as beancount."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import PATH, AmountCommand, engine
from .output import Console, checked_output, picked, table, write_whole
from .people import holder_of, people_of

if TYPE_CHECKING:
    from ..ledger.royalties.engines import Engine


@click.command(cls=AmountCommand, short_help="Record that holders were paid.")
@click.argument("holder", required=False)
@click.argument("amount", required=False)
@click.option("--all", "everybody", is_flag=True, help="Pay all holders the amounts that are due.")
@click.option("--currency", metavar="CODE", required=True, help="ISO 4217, such as EUR.")
@click.option("--reference", required=True, metavar="TEXT", help="Such as the number of a transfer.")
@click.option(
    "--below-threshold", is_flag=True, help="Pay even if less is due than the threshold of the terms."
)
@engine
@click.pass_obj
def pay(
    console: Console,
    holder: str | None,
    amount: str | None,
    everybody: bool,
    currency: str,
    reference: str,
    below_threshold: bool,
    engine: Engine | None,
) -> None:
    """Record that HOLDER (id or name) was paid AMOUNT, or all that is due.

    This moves no money: it records that money was moved. Correct a mistake with 'royalty correct'.
    """
    from ..ledger.division.money import decimal_text, money_text, parse_amount
    from ..ledger.royalties.payouts import record_payouts

    if everybody == (holder is not None):
        raise click.UsageError("name a holder, or --all")
    people = people_of(console)
    names = {each.holder: each.name for each in people}
    with console.log() as log:
        paid = record_payouts(
            log,
            currency.upper(),
            reference,
            holder=None if holder is None else holder_of(people, holder),
            amount=None if amount is None else parse_amount(amount, "a payout"),
            below_threshold=below_threshold,
            engine=engine,
        )
    rows = [
        (
            names.get(each.entry.holder, each.entry.holder),
            decimal_text(each.entry.amount, 2),
            decimal_text(each.before.closing - each.entry.amount, 6),
            each.index,
        )
        for each in paid
    ]
    whole = money_text(sum(each.entry.amount for each in paid), currency.upper())
    console.emit(
        {
            "currency": currency.upper(),
            "reference": reference,
            "payouts": [
                {"index": each.index}
                | picked(each.entry, "holder amount")
                | {"closing": each.before.closing - each.entry.amount}
                for each in paid
            ],
        },
        f"{whole} paid\n\n{table(('holder', 'paid', 'balance now', 'entry'), rows, right=(1, 2, 3))}",
    )


@click.command(short_help="Correct an income or a payout that was recorded wrongly.")
@click.argument("index", type=click.IntRange(0))
@click.option("--to", "amount", metavar="AMOUNT", required=True, help="The right amount, or 0.")
@click.option("--reason", required=True, metavar="TEXT")
@click.option("--overpaid", is_flag=True, help="Allow a payout of more than the balance.")
@click.pass_obj
def correct(console: Console, index: int, amount: str, reason: str, overpaid: bool) -> None:
    """Record that the income or payout of entry INDEX should have been another amount.

    The entry stays as it is, and so do settlements: the next settlement has the difference.
    """
    from ..ledger.division.money import decimal_text, parse_amount
    from ..ledger.royalties.record import record_correction

    to = parse_amount(amount, "an amount", zero=True)
    with console.log() as log:
        at, entry, before = record_correction(log, index, to, reason, overpaid=overpaid)
    console.emit(
        {"index": at, "corrects": index, "by": entry.amount, "amount": to, "reason": reason},
        f"entry {index} was {decimal_text(before)} and is {decimal_text(to)} now, by entry {at}",
    )


@click.command(short_help="All money of the ledger as beancount text.")
@click.option("--out", type=PATH, required=True, help="The file to write, such as royalties.beancount.")
@engine
@click.pass_obj
def beancount(console: Console, out: Path, engine: Engine | None) -> None:
    """Write income, settlements, payouts and corrections as double-entry bookkeeping, for 'bean-check'."""
    from ..ledger.division.division import rederive
    from ..ledger.royalties.accounting_formats import beancount_text
    from ..ledger.royalties.balance import balances
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.money_lock import at_checkpoint

    checked_output(out)
    with console.log() as log:
        seal = at_checkpoint(log)
        with usage_of(log, seal, engine) as usage:
            books = usage.books
            divisions = rederive(usage, [(period, entry) for _, period, entry in books.settlements])
            owed = balances(usage, seal.size, log.clock.now()[:10])
    numbered = [(index, made) for (index, _, _), made in zip(books.settlements, divisions, strict=True)]
    write_whole(out, beancount_text(books, numbered, owed, seal.size).encode())
    console.emit({"out": str(out), "settlements": len(numbered)}, f"wrote {out}")
