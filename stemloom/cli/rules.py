"""`stemloom royalty` on rules: the result of other rules, and the evenness of the division."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from .options import PATH, currency, engine
from .output import Console, checked_output, table, write_whole
from .people import people_of

if TYPE_CHECKING:
    from ..ledger.division.periods import Period
    from ..ledger.division.usage import Usage
    from ..ledger.log.log import Log
    from ..ledger.royalties.engines import Engine
    from ..ledger.royalties.fairness import Fairness, Spread

_Made = TypeVar("_Made")


@click.command(short_help="Divide a period by other rules.")
@click.argument("period")
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    help="strict-ms, per-session, section-presence, floor:N.",
)
@currency
@engine
@click.pass_obj
def simulate(
    console: Console, period: str, rules: tuple[str, ...], currency: str | None, engine: Engine | None
) -> None:
    """Divide a PERIOD by other rules, beside the rule of milliseconds. Nothing is written.

    strict-ms: by time in play, as settlements do. per-session: each session has an equal part of the pool.
    section-presence: by the sections a stem was heard in, however long. floor:500: each placement counts
    for 500 ms at the least. All of them, if none is named.
    """
    from ..ledger.division.money import decimal_text
    from ..ledger.royalties.simulate import STRICT, check_rule, simulate as divide

    wanted = [check_rule(rule) for rule in dict.fromkeys((STRICT, *rules))]
    if len(wanted) == 1:
        wanted += ["per-session", "section-presence", "floor:1000"]
    names = {each.holder: each.name for each in people_of(console)}
    with console.log() as log:
        found, roles, code = _divided(
            log, period, currency, engine, lambda usage, of, code, last: divide(usage, of, code, last, wanted)
        )
    of_holders = {each.rule: each.by_holder() for each in found}
    of_roles = {each.rule: each.by_role(roles) for each in found}
    console.emit(
        {
            "period": period,
            "currency": code,
            "pool": found[0].division.for_holders,
            "rules": [
                {"rule": rule, "holders": of_holders[rule], "roles": of_roles[rule]} for rule in wanted
            ],
        },
        "\n\n".join(
            [
                f"{decimal_text(found[0].division.for_holders)} {code} of {period}, divided by other rules; "
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
    """The result of `do` for a period, settled or not; the stems' roles; the currency."""
    from ..ledger.division.money import check_currency
    from ..ledger.division.periods import Period
    from ..ledger.division.settlements import only_currency, refuse_future, refuse_settled
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.money_lock import at_checkpoint

    of, seal = Period.parse(period), at_checkpoint(log)
    with usage_of(log, seal, engine) as usage:
        books = usage.books
        done = {entry.currency: entry.last for _, each, entry in books.settlements if each.same_days(of)}
        if currency is not None:
            code = check_currency(currency.upper())
        else:
            code = next(iter(done)) if len(done) == 1 else only_currency(books, of)
        if code not in done:
            refuse_future(of, log.clock.now())
            refuse_settled(books, of, code)
        made = do(usage, of, code, done.get(code, seal.size - 1))
        return made, {stem: entry.role for stem, (_, entry) in books.stems.items()}, code


def _side_by_side(
    what: str, found: dict[str, dict[str, int]], rules: list[str], names: dict[str, str]
) -> str:
    """A line for each holder or role: its amount by each rule, and the difference from the first."""
    from ..ledger.division.money import decimal_text

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


@click.command(short_help="Show how evenly time and income are spread.")
@click.argument("period")
@currency
@click.option("--html", type=PATH, help="Write it as one HTML file, with pictures.")
@engine
@click.pass_obj
def fairness(
    console: Console, period: str, currency: str | None, html: Path | None, engine: Engine | None
) -> None:
    """Show how evenly time and income of a PERIOD are spread over holders, roles and stems."""
    import msgspec

    from ..ledger.royalties.fairness import fairness as look
    from ..ledger.royalties.simulate import STRICT, simulate as divide

    checked_output(html)
    names = {each.holder: each.name for each in people_of(console)}
    with console.log() as log:
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
    console.emit(record, _fairness_text(made, {**titles, **names}))
    if html is not None:
        console.note(f"wrote {html}")


def _fairness_text(made: Fairness, names: dict[str, str]) -> str:
    from ..ledger.division.money import decimal_text
    from ..ledger.royalties.display_text import duration_text, percent_text

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
    from ..ledger.division.money import decimal_text
    from ..ledger.royalties.display_text import duration_text, percent_text

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
