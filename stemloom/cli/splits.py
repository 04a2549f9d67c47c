"""`stemloom vault split`: the owners of a stem."""

from __future__ import annotations

from pathlib import Path

import click

from .arguments import A_STEM
from .options import PATH
from .output import Console, table
from .people import names_in, shares_record
from .signing import write_request


@click.command()
@click.argument("stem", shell_complete=A_STEM)
@click.option("--master", multiple=True, metavar="HOLDER=PERCENT")
@click.option("--publishing", multiple=True, metavar="HOLDER=PERCENT")
@click.option(
    "--approve",
    multiple=True,
    metavar="HOLDER",
    help="A party that agrees to a lower share; its key is kept here.",
)
@click.option("--request", type=PATH, help="Write a request to this file, to be signed elsewhere.")
@click.pass_obj
def split(
    console: Console,
    stem: str,
    master: tuple[str, ...],
    publishing: tuple[str, ...],
    approve: tuple[str, ...],
    request: Path | None,
) -> None:
    """Set the owners of a stem from now on; each given side sums to 100 %. Without options: show them.

    Give a side as 'Ann=60%,Ben=40%', or with one option for each holder. A party whose share falls must sign
    as well.
    """
    from ..vault.rights.shares import parse_shares, percent

    sides: dict[str, dict[str, int] | None] = {}
    for side, given in (("master", master), ("publishing", publishing)):
        parts = parse_shares(given)
        if len({name.casefold() for name, _ in parts}) != len(parts):
            raise click.UsageError(f"a holder is named twice among the {side} shares")
        sides[side] = dict(parts) or None
    with console.vault() as opened:
        found = opened.stem(stem)
        if request is not None:
            write_request(
                console, opened.request_splits(found.stem, sides["master"], sides["publishing"]), request
            )
            return
        if master or publishing:
            shares = opened.split(found.stem, sides["master"], sides["publishing"], approve)
        else:
            shares = opened.shares(found.stem)
        names = names_in(opened)
    rows = [(side, names[h], percent(ppm)) for side, parts in shares.items() for h, ppm in parts.items()]
    console.emit(
        {"stem": found.stem} | shares_record(shares, names),
        f"{found.title} ({found.stem})\n" + table(("side", "holder", "share"), rows, right=(2,)),
    )
