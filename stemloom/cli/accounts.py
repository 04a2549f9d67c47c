"""`stemloom royalty` beyond settling: payouts, corrections, recomputing, other rules, fairness."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from .ledger import write_whole
from .options import AmountCommand, engine
from .output import Door, checked_output, table

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ..ledger.log import Log
    from ..ledger.royalties.engines import Engine
    from ..ledger.royalties.fairness import Fairness, Spread
    from ..ledger.royalties.periods import Period
    from ..ledger.royalties.usage import Usage

_Made = TypeVar("_Made")
_CURRENCY = click.option("--currency", metavar="CODE", help="ISO 4217, such as EUR.")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OUT = click.Path(path_type=Path)


def register(royalty: click.Group) -> None:
    """Add the commands of this module to their group."""
    for command in (pay, correct, recompute, simulate, fairness, beancount):
        royalty.add_command(command)


@click.command(cls=AmountCommand, short_help="Write down that holders were paid.")
@click.argument("holder", required=False)
@click.argument("amount", required=False)
@click.option("--all", "everybody", is_flag=True, help="Everybody who is due, what is due.")
@click.option("--currency", metavar="CODE", required=True, help="ISO 4217, such as EUR.")
@click.option("--reference", required=True, metavar="TEXT", help="Such as the number of a transfer.")
@click.option("--below-threshold", is_flag=True, help="Though less is due than the terms pay out.")
@click.option("--despite-corrections", is_flag=True, help="Though the next settlement takes money back.")
@engine
@click.pass_obj
def pay(
    door: Door,
    holder: str | None,
    amount: str | None,
    everybody: bool,
    currency: str,
    reference: str,
    below_threshold: bool,
    despite_corrections: bool,
    engine: Engine | None,
) -> None:
    """Write down that HOLDER (id or name) was paid AMOUNT, or all that is due.

    No money moves: this is the entry that says it did. A mistake is mended with 'royalty correct'.
    """
    from ..ledger.royalties.money import decimal_text, money_text, parse_amount
    from ..ledger.royalties.record import record_payouts
    from .royalty import _find, _people

    if everybody == (holder is not None):
        raise click.UsageError("name a holder, or --all")
    people = _people(door)
    names = {each.holder: each.name for each in people}
    with door.log() as log:
        paid = record_payouts(
            log,
            currency.upper(),
            reference,
            holder=None if holder is None else _find(people, holder),
            amount=None if amount is None else parse_amount(amount, "a payout"),
            below_threshold=below_threshold,
            despite_corrections=despite_corrections,
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
    door.emit(
        {
            "currency": currency.upper(),
            "reference": reference,
            "payouts": [
                {
                    "index": each.index,
                    "holder": each.entry.holder,
                    "amount": each.entry.amount,
                    "closing": each.before.closing - each.entry.amount,
                }
                for each in paid
            ],
        },
        f"{whole} paid\n\n{table(('holder', 'paid', 'balance now', 'entry'), rows, right=(1, 2, 3))}",
    )


@click.command(short_help="Mend an income or a payout that was entered wrongly.")
@click.argument("index", type=click.IntRange(0))
@click.option("--to", "amount", metavar="AMOUNT", required=True, help="What it should have been, or 0.")
@click.option("--reason", required=True, metavar="TEXT")
@click.option("--overpaid", is_flag=True, help="Though a payout was of more than the balance.")
@click.pass_obj
def correct(door: Door, index: int, amount: str, reason: str, overpaid: bool) -> None:
    """Write that the income or payout of entry INDEX should have been another amount.

    The entry stays as it is. What was settled stays, too: the next settlement has the difference.
    """
    from ..ledger.royalties.money import decimal_text, parse_amount
    from ..ledger.royalties.record import record_correction

    to = (
        0
        if amount.strip("0.") == "" and amount.count(".") <= 1 and "0" in amount
        else parse_amount(amount, "an amount")
    )
    with door.log() as log:
        at, entry, before = record_correction(log, index, to, reason, overpaid=overpaid)
    door.emit(
        {"index": at, "corrects": index, "by": entry.amount, "amount": to, "reason": reason},
        f"entry {index} was {decimal_text(before)} and is {decimal_text(to)} now, by entry {at}",
    )


@click.command(short_help="Derive a statement again from the log alone.")
@click.argument("statement", type=_FILE)
@click.option("--log", "place", metavar="LOG", help="A copy of the log: a folder or a web address.")
@click.option("--vkey", metavar="K", help="The ledger's key as you know it, instead of the statement's own.")
@click.option("--kept", type=_FILE, help="A checkpoint that you kept: the log must go on from it.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that hash; by default one a core.")
@click.pass_obj
def recompute(
    door: Door, statement: Path, place: str | None, vkey: str | None, kept: Path | None, workers: int | None
) -> None:
    """Derive every number of STATEMENT (JSON) again from the log alone. Exits 5 on any difference.

    Needs no vault and no home: the log is hashed, its signatures checked, the settlement divided anew.
    """
    from ..ledger.royalties.money import money_text
    from ..ledger.royalties.recompute import recompute as derive

    with door.progress() as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.update(tasks[what], completed=done, total=total)

        made = derive(
            statement,
            place or door.folder,
            vkey=vkey,
            kept=None if kept is None else kept.read_bytes(),
            workers=workers or os.cpu_count() or 1,
            progress=tell,
        )
    said = made.statement
    trust = "your own copy of it" if made.trusted_own else "as the statement names it; --vkey names your own"
    door.emit(
        {
            "ok": True,
            "holder": said.holder,
            "period": said.period,
            "currency": said.currency,
            "amount": said.amount,
            "closing": said.closing,
            "vkey": made.vkey,
            "vkey_given": made.trusted_own,
            "size": made.size,
        },
        f"the statement follows from the log, to the micro-unit: {said.payee.name or said.holder} earned "
        f"{money_text(said.amount, said.currency)} in {said.period}, and is owed "
        f"{money_text(said.closing, said.currency)}\n"
        f"key trusted: {made.vkey} ({trust})\n"
        "not in the log, and taken as the statement has them: the names of others, ISNI and IPI",
    )


@click.command(short_help="What other rules would do to a period.")
@click.argument("period")
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    help="strict-ms, per-session, section-presence, floor:N.",
)
@_CURRENCY
@engine
@click.pass_obj
def simulate(
    door: Door, period: str, rules: tuple[str, ...], currency: str | None, engine: Engine | None
) -> None:
    """Divide a PERIOD by other rules, side by side with that of milliseconds. Nothing is written.

    strict-ms: by time in play, as settlements do. per-session: each session has an equal part of the pool.
    section-presence: by the sections a stem was heard in, however long. floor:500: each placement counts
    for 500 ms at the least. All of them, if none is named.
    """
    from ..ledger.royalties.money import decimal_text
    from ..ledger.royalties.simulate import STRICT, check_rule
    from ..ledger.royalties.simulate import simulate as divide
    from .royalty import _people

    wanted = [check_rule(rule) for rule in dict.fromkeys((STRICT, *rules))]
    if len(wanted) == 1:
        wanted += ["per-session", "section-presence", "floor:1000"]
    names = {each.holder: each.name for each in _people(door)}
    with door.log() as log:
        found, roles, code = _divided(
            log,
            period,
            currency,
            engine,
            lambda usage, of, code, last: divide(usage, of, code, last, wanted),
        )
    of_holders = {each.rule: each.by_holder() for each in found}
    of_roles = {each.rule: each.by_role(roles) for each in found}
    door.emit(
        {
            "period": period,
            "currency": code,
            "pool": found[0].division.pool,
            "rules": [
                {"rule": rule, "holders": of_holders[rule], "roles": of_roles[rule]} for rule in wanted
            ],
        },
        "\n\n".join(
            [
                f"{decimal_text(found[0].division.pool)} {code} of {period}, divided by other rules; "
                "nothing is written",
                _side_by_side("holder", of_holders, wanted, names),
                _side_by_side("role", of_roles, wanted, {}),
            ]
        ),
    )


def _divided(
    log: Log,
    period: str,
    currency: str | None,
    engine: Engine | None,
    do: Callable[[Usage, Period, str, int], _Made],
) -> tuple[_Made, dict[str, str], str]:
    """What `do` makes of a period, settled or not; the stems' roles; the currency."""
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.money import check_currency
    from ..ledger.royalties.periods import Period
    from ..ledger.royalties.settle import only_currency, refuse_future
    from ..ledger.royalties.turn import sealed

    of, seal = Period.parse(period), sealed(log)
    with usage_of(log, seal, engine) as usage:
        books = usage.books
        done = {entry.currency: entry.last for _, each, entry in books.settlements if each.same_days(of)}
        if currency is not None:
            code = check_currency(currency.upper())
        else:
            code = next(iter(done)) if len(done) == 1 else only_currency(books, of)
        if code not in done:
            refuse_future(of, log.clock.now())
        made = do(usage, of, code, done.get(code, seal.size - 1))
        return made, {stem: entry.role for stem, (_, entry) in books.stems.items()}, code


def _side_by_side(
    what: str, found: dict[str, dict[str, int]], rules: list[str], names: dict[str, str]
) -> str:
    """A line for each holder or role: what it has by each rule, and how that differs from the first."""
    from ..ledger.royalties.money import decimal_text

    first = found[rules[0]]
    rows = []
    every = {name for sums in found.values() for name in sums}
    for each in sorted(every, key=lambda name: (-first.get(name, 0), name)):
        row: list[object] = [names.get(each, each), decimal_text(first.get(each, 0), 6)]
        for rule in rules[1:]:
            amount, before = found[rule].get(each, 0), first.get(each, 0)
            change = f" ({100 * (amount - before) / before:+.1f} %)" if before else ""
            row.append(f"{decimal_text(amount, 6)}{change}")
        rows.append(tuple(row))
    return table((what, *rules), rows, right=tuple(range(1, len(rules) + 1)))


@click.command(short_help="How evenly time and income lie.")
@click.argument("period")
@_CURRENCY
@click.option("--html", type=_OUT, help="Write it as one HTML file, with pictures.")
@engine
@click.pass_obj
def fairness(door: Door, period: str, currency: str | None, html: Path | None, engine: Engine | None) -> None:
    """How evenly time and income of a PERIOD lie over holders, roles and stems; what time in play favours."""
    import msgspec

    from ..ledger.royalties.fairness import fairness as look
    from ..ledger.royalties.simulate import STRICT
    from ..ledger.royalties.simulate import simulate as divide
    from .royalty import _people

    checked_output(html)
    names = {each.holder: each.name for each in _people(door)}
    with door.log() as log:
        (made, titles), _, _ = _divided(
            log,
            period,
            currency,
            engine,
            lambda usage, of, code, last: (
                look(usage.books, divide(usage, of, code, last, [STRICT])[0].division),
                {stem: entry.title for stem, (_, entry) in usage.books.stems.items()},
            ),
        )
    if html is not None:
        from ..ledger.royalties.fairness_page import fairness_page

        write_whole(html, fairness_page(made, {**titles, **names}).encode())
    record = msgspec.to_builtins(made)
    record["bias"] = None if made.bias is None else round(float(made.bias), 6)
    door.emit(record, _fairness_text(made, {**titles, **names}))
    if html is not None:
        door.note(f"wrote {html}")


def _fairness_text(made: Fairness, names: dict[str, str]) -> str:
    from ..ledger.royalties.money import decimal_text
    from ..ledger.royalties.words import duration_text, percent_text

    spreads = (("holders", made.holders), ("roles", made.roles), ("stems", made.stems))
    rows = [
        (
            name,
            len(each.members),
            each.unheard,
            f"{each.gini_ms:.3f}",
            f"{each.gini_amount:.3f}",
            f"{100 * each.top_tenth:.1f} %",
        )
        for name, each in spreads
    ]
    head = ("over", "there are", "not heard", "Gini of time", "Gini of income", "top tenth has")
    kinds = [
        (
            each.name,
            each.placements,
            duration_text(round(each.ms_each)),
            decimal_text(round(each.amount_each), 6),
            percent_text(each.amount, made.pool),
        )
        for each in made.shapes
    ]
    bias = (
        f"\nA placement of the longest-sounding shape earns {float(made.bias):.1f} times what one of a "
        "hit does: "
        "time in play favours what sounds long."
        if made.bias is not None
        else ""
    )
    return "\n\n".join(
        [
            f"{made.period}: {decimal_text(made.pool)} {made.currency} for {duration_text(made.total_ms)} "
            "heard",
            table(head, rows, right=(1, 2, 3, 4, 5)),
            _members("holder", made.holders, made, names),
            table(
                ("shape", "placements", "each heard for", f"each earned, {made.currency}", "of the pool"),
                kinds,
                right=(1, 2, 3, 4),
            )
            + bias,
        ]
    )


def _members(what: str, spread: Spread, made: Fairness, names: dict[str, str]) -> str:
    from ..ledger.royalties.money import decimal_text
    from ..ledger.royalties.words import duration_text, percent_text

    rows = [
        (
            names.get(each.id, each.id),
            duration_text(each.ms),
            percent_text(each.ms, made.total_ms),
            decimal_text(each.amount, 6),
            percent_text(each.amount, made.pool),
        )
        for each in spread.members[:20]
    ]
    return table((what, "heard for", "of time", made.currency, "of income"), rows, right=(1, 2, 3, 4))


@click.command(short_help="All money of the ledger as beancount text.")
@click.option("--out", type=_OUT, required=True, help="The file to write, such as royalties.beancount.")
@engine
@click.pass_obj
def beancount(door: Door, out: Path, engine: Engine | None) -> None:
    """Write income, settlements, payouts and corrections as double-entry bookkeeping, for 'bean-check'."""
    from ..ledger.royalties.accounts import beancount_text
    from ..ledger.royalties.balance import balances
    from ..ledger.royalties.division import rederive
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.turn import sealed

    checked_output(out)
    with door.log() as log:
        seal = sealed(log)
        with usage_of(log, seal, engine) as usage:
            books = usage.books
            divisions = rederive(usage, [(period, entry) for _, period, entry in books.settlements])
            owed = balances(usage, seal.size, log.clock.now()[:10])
    numbered = [(index, made) for (index, _, _), made in zip(books.settlements, divisions, strict=True)]
    write_whole(out, beancount_text(books, numbered, owed, seal.size).encode())
    door.emit({"out": str(out), "settlements": len(numbered)}, f"wrote {out}")
