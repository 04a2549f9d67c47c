"""`stemloom vault holder`: rights-holders, their names and identifiers."""

from __future__ import annotations

from collections import Counter

import click

from .arguments import A_HOLDER
from .output import Console, picked, table


@click.group()
def holder() -> None:
    """Rights-holders and their keys."""


@holder.command("add")
@click.argument("name")
@click.option("--isni", help="ISNI of the person or band, such as 0000 0001 2103 2683.")
@click.option("--ipi", help="IPI name or base number, such as 00052210040.")
@click.pass_obj
def holder_add(console: Console, name: str, isni: str | None, ipi: str | None) -> None:
    """Register a rights-holder. Their key is made here and kept in HOME/keys."""
    from ..vault.sound import standard_codes

    # Checked before anything is entered.
    for check, text in ((standard_codes.isni, isni), (standard_codes.ipi, ipi)):
        if text:
            check(text)
    with console.vault(create=True) as opened:
        made = opened.add_holder(name)
        if isni or ipi:
            opened.keep_identifiers(made.holder, isni=isni, ipi=ipi)
    console.emit(
        {"holder": made.holder, "name": made.name, "public_key": made.public_key},
        f"{made.name} is {made.holder}; the key is kept in {console.folder / 'keys'}",
    )


@holder.command("list")
@click.pass_obj
def holder_list(console: Console) -> None:
    """List all rights-holders."""
    with console.vault() as opened:
        holders = opened.holders()
        counts = Counter(stem.holder for stem in opened.stems())
        known = {each.holder: opened.identifiers(each.holder) for each in holders}
    rows = [(h.holder, h.name, counts[h.holder], h.custody) for h in holders]
    console.emit(
        {
            "holders": [
                picked(h, "holder name public_key custody")
                | {"stems": counts[h.holder]}
                | picked(known[h.holder], "isni ipi")
                for h in holders
            ]
        },
        table(("holder", "name", "stems", "key kept by"), rows, right=(2,)) if rows else "no holders yet",
    )


@holder.command("identify")
@click.argument("who", metavar="HOLDER", shell_complete=A_HOLDER)
@click.option("--isni", help="ISNI of the person or band; '' for none.")
@click.option("--ipi", help="IPI name or base number; '' for none.")
@click.pass_obj
def holder_identify(console: Console, who: str, isni: str | None, ipi: str | None) -> None:
    """Set the identifiers of a rights-holder, for statements. They are kept here, and never in the ledger."""
    if isni is None and ipi is None:
        raise click.UsageError("say --isni or --ipi")
    with console.vault() as opened:
        found = opened.holder(who)
        made = opened.keep_identifiers(found.holder, isni=isni, ipi=ipi)
    console.emit(
        {"holder": found.holder, "isni": made.isni, "ipi": made.ipi},
        f"{found.name}: ISNI {made.isni or 'none'}, IPI {made.ipi or 'none'}",
    )


@holder.command("erase")
@click.argument("who", metavar="HOLDER", shell_complete=A_HOLDER)
@click.option("--yes", is_flag=True, help="Confirm it: it cannot be undone.")
@click.pass_obj
def holder_erase(console: Console, who: str, yes: bool) -> None:
    """Destroy a rights-holder's name. Their stems, consents and balance stay, under their id."""
    with console.vault() as opened:
        found = opened.holder(who)
        if not yes:
            raise click.UsageError(
                f"the name of {found.holder} ({found.name}) and its salt would be destroyed, here and for "
                "good: say --yes to do it"
            )
        made = opened.erase_name(found.holder)
    console.emit(
        {"holder": made.holder, "name": made.name},
        f"the name is gone: the ledger, which never had it, verifies as before, and {made.holder} is shown "
        "by that id; backups and statements that were given out still have the name",
    )
