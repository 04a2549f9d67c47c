"""`stemloom royalty` for holders: statements, balances, and a statement derived again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FILE, PATH, currency, engine
from .output import Console, checked_output, picked, table, write_whole
from .people import holder_of, named, people_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from ..ledger.division.funds import LateMoney
    from ..ledger.royalties.engines import Engine
    from ..ledger.royalties.statement_schema import Statement


@click.command(short_help="Show what a holder earned in a period, and how.")
@click.argument("holder")
@click.argument("period")
@currency
@click.option("--html", type=PATH, help="Write it as one HTML file.")
@click.option("--out", type=PATH, help="Write it as a JSON file, which can be recomputed.")
@click.option("--csv", "sheet", type=PATH, help="Write its lines as CSV.")
@engine
@click.pass_obj
def statement(
    console: Console,
    holder: str,
    period: str,
    currency: str | None,
    html: Path | None,
    out: Path | None,
    sheet: Path | None,
    engine: Engine | None,
) -> None:
    """Show what a HOLDER (id or name) earned in a settled PERIOD, and how."""
    import msgspec

    from ..ledger.royalties.accounting_formats import statement_csv
    from ..ledger.royalties.statement import statement as make
    from ..ledger.royalties.statement_schema import to_bytes

    for path in (out, html, sheet):
        checked_output(path)
    people = people_of(console)
    who = holder_of(people, holder)
    with console.log() as log:
        made = make(log, who, period, named(console, people), currency.upper() if currency else None, engine)
    if out is not None:
        write_whole(out, to_bytes(made))
    if html is not None:
        from ..ledger.royalties.statement_page import statement_page

        write_whole(html, statement_page(made).encode())
    if sheet is not None:
        write_whole(sheet, statement_csv(made).encode())
    console.emit(msgspec.to_builtins(made), _statement_text(made))
    for path in (out, html, sheet):
        if path is not None:
            console.note(f"wrote {path}")


@click.command(short_help="Write the statements of all holders for a period.")
@click.argument("period")
@currency
@click.option("--out", type=PATH, required=True, help="The folder to write them into.")
@engine
@click.pass_obj
def statements(console: Console, period: str, currency: str | None, out: Path, engine: Engine | None) -> None:
    """Write the statements of all holders for a settled PERIOD: as HTML, JSON and CSV, by holder id."""
    from ..ledger.royalties.accounting_formats import statement_csv
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.money_lock import at_checkpoint
    from ..ledger.royalties.statement import Statements
    from ..ledger.royalties.statement_page import statement_page
    from ..ledger.royalties.statement_schema import to_bytes

    people = people_of(console)
    written: list[str] = []
    with console.log() as log, console.progress() as progress:
        seal = at_checkpoint(log)
        task = progress.add_task("adding up", total=None)
        with usage_of(log, seal, engine) as usage:
            made = Statements(
                usage,
                seal,
                log.origin,
                log.vkey,
                period,
                named(console, people),
                currency.upper() if currency else None,
            )
        out.mkdir(parents=True, exist_ok=True)
        progress.update(task, description="writing statements", total=len(made.holders))
        for holder in made.holders:
            each = made.of(holder)
            name = f"{holder}-{period}-{made.currency}"
            write_whole(out / f"{name}.json", to_bytes(each))
            write_whole(out / f"{name}.csv", statement_csv(each).encode())
            write_whole(out / f"{name}.html", statement_page(each).encode())
            written.append(name)
            progress.advance(task)
    console.emit(
        {"folder": str(out), "currency": made.currency, "statements": written},
        f"wrote {len(written)} statements into {out}, each as .html, .json and .csv",
    )


@click.command(short_help="Show what each holder is owed.")
@click.argument("holder", required=False)
@click.option("--csv", "sheet", type=PATH, help="Write them as CSV, in micro-units.")
@engine
@click.pass_obj
def balance(console: Console, holder: str | None, sheet: Path | None, engine: Engine | None) -> None:
    """Show what each holder, or HOLDER, is owed; and the time heard since in the settled periods."""
    import msgspec

    from ..ledger.clock import SystemClock
    from ..ledger.division.money import decimal_text
    from ..ledger.division.treasury import Treasury
    from ..ledger.royalties.accounting_formats import balances_csv
    from ..ledger.royalties.balance import balances, heard_since
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.money_lock import at_checkpoint

    checked_output(sheet)
    people = people_of(console)
    names = {each.holder: each.name for each in people}
    who = None if holder is None else holder_of(people, holder)
    with console.log() as log:
        seal = at_checkpoint(log)
        with usage_of(log, seal, engine) as usage:
            found = balances(usage, seal.size, SystemClock().now()[:10], who)
            since = heard_since(usage, seal.size)
            late = Treasury(usage.books).late_money(seal.size - 1)
    rows = [
        (
            names.get(each.holder, each.holder),
            each.currency,
            each.settlements,
            decimal_text(each.accrued + each.adjusted, 6),
            decimal_text(each.paid, 6),
            decimal_text(each.frozen, 6),
            decimal_text(each.closing, 6),
        )
        for each in found
    ]
    if sheet is not None:
        write_whole(sheet, balances_csv(found, names).encode())
    console.emit(
        {
            "balances": [{**msgspec.to_builtins(each), "name": names.get(each.holder)} for each in found],
            "heard_since": since,
            "waiting": late,
        },
        "\n".join(
            [
                table(
                    ("holder", "currency", "settlements", "earned", "paid", "frozen part", "balance"),
                    rows,
                    right=(2, 3, 4, 5, 6),
                )
                if rows
                else "nothing was settled yet",
                *(
                    f"{each.period} in {each.currency}, of all holders: {_since_text(each.ms)}"
                    for each in since
                    if each.ms
                ),
                *_waiting_text(late),
            ]
        ),
    )
    if sheet is not None:
        console.note(f"wrote {sheet}")


@click.command(short_help="Derive a statement again from the log alone.")
@click.argument("statement", type=FILE)
@click.option("--log", "place", metavar="LOG", help="A copy of the log: a folder or a web address.")
@click.option("--vkey", metavar="K", help="The ledger's key as you know it, instead of the statement's own.")
@click.option("--kept", type=FILE, help="A checkpoint that you kept: the log must extend it.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that hash; by default one a core.")
@click.pass_obj
def recompute(
    console: Console,
    statement: Path,
    place: str | None,
    vkey: str | None,
    kept: Path | None,
    workers: int | None,
) -> None:
    """Derive every number of STATEMENT (JSON) again from the log alone. Exits 5 on any difference.

    Needs no vault and no home: the log is hashed, its signatures are checked, and the settlement is divided
    again.
    """
    from ..ledger.division.money import money_text
    from ..ledger.royalties.recompute import recompute as derive

    with console.progress() as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.update(tasks[what], completed=done, total=total)

        made = derive(
            statement,
            place or console.folder,
            vkey=vkey,
            kept=None if kept is None else kept.read_bytes(),
            workers=workers or os.cpu_count() or 1,
            progress=tell,
        )
    said = made.statement
    trust = "your own copy of it" if made.trusted_own else "as the statement names it; --vkey names your own"
    console.emit(
        {"ok": True}
        | picked(said, "holder period currency amount closing")
        | {"vkey": made.vkey, "vkey_given": made.trusted_own, "size": made.size},
        f"the statement follows from the log, to the micro-unit: {said.payee.name or said.holder} earned "
        f"{money_text(said.amount, said.currency)} in {said.period}, and is owed "
        f"{money_text(said.closing, said.currency)}\n"
        f"key trusted: {made.vkey} ({trust})\n"
        "not in the log, and taken as the statement has them: the names of others, ISNI and IPI",
    )


def _waiting_text(found: tuple[LateMoney, ...]) -> Iterator[str]:
    from ..ledger.division.money import money_text

    for each in found:
        if each.late:
            yield (
                f"{money_text(each.late, each.currency)} came late and is not in these balances; the next "
                "settlement divides it"
            )
        if each.taken_back:
            yield (
                f"{money_text(each.taken_back, each.currency)} was given that corrections took away since; "
                "it stays given, and comes out of what is settled next"
            )


def _since_text(ms: int) -> str:
    from ..ledger.royalties.display_text import duration_text

    return f"{duration_text(ms)} heard since; the next settlement counts it"


def _statement_text(made: Statement) -> str:
    from ..ledger.division.money import decimal_text, money_text
    from ..ledger.royalties.display_text import duration_text, percent_text, period_text

    rows = [
        (
            each.title,
            duration_text(each.ms + each.late_ms),
            percent_text(each.ms + each.late_ms, made.total_ms),
            sum(line.placements for line in each.lines if line.pool == made.period),
            decimal_text(each.amount, 6),
            decimal_text(each.accrued + each.adjusted, 6),
        )
        for each in made.stems
    ]
    head = ("stem", "heard for", "share", "placements", "stem earned", f"yours, {made.currency}")
    since = made.since
    late = (
        f"{_since_text(since.total_ms)}; {duration_text(since.ms)} of it is of these stems\n"
        if since.total_ms
        else ""
    )
    if made.adjusted:
        late += f"{money_text(made.adjusted, made.currency)} of it for what missed an earlier settlement\n"
    if made.frozen:
        late += f"{money_text(made.frozen, made.currency)} is frozen: earned by stems now withdrawn\n"
    if made.since.paid:
        late += f"{money_text(made.since.paid, made.currency)} was paid after that settlement\n"
    return (
        f"{made.payee.name or made.holder}, {period_text(made.period)}: "
        f"{money_text(made.amount, made.currency)} earned, "
        + (f"{money_text(made.paid, made.currency)} paid, " if made.paid else "")
        + f"balance {money_text(made.closing, made.currency)}\n\n"
        f"{table(head, rows, right=(1, 2, 3, 4, 5))}\n\n{late}"
        f"from entries {made.first} to {made.last} of {made.origin}, settled at entry {made.settlement.index}"
    )
