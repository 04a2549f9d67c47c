"""`stemloom vault distinct`: end the likeness of two stems."""

from __future__ import annotations

import click

from .arguments import A_HOLDER
from .output import Console


@click.command()
@click.argument("entry", type=int)
@click.option("--asked", required=True, metavar="HOLDER", shell_complete=A_HOLDER, help="Who contested it.")
@click.option("--reason", required=True, metavar="TEXT", help="What was heard; it stands in the ledger.")
@click.pass_obj
def distinct(console: Console, entry: int, asked: str, reason: str) -> None:
    """Say that two stems are no one sound, though ENTRY of the ledger says so: from the next period on."""
    with console.vault() as opened:
        index = opened.alike.end(entry, asked, reason)
    console.emit(
        {"index": index, "likeness": entry},
        f"entry {index} ends entry {entry}: from the next period on each of the two stems counts for itself",
    )
