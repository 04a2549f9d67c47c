"""`stemloom vault consent`: grants, withdrawals, their list, and receipts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from ..ledger.clock import text_of
from .arguments import A_HOLDER, A_STEM, ALLOW, allowed_of, words_of
from .output import Console, picked, table

if TYPE_CHECKING:
    from ..vault.catalogue.catalogue import ConsentStatement
    from ..vault.vault import Vault


@click.group()
def consent() -> None:
    """Signed consent, for each stem and use."""


def until_of(text: str | None) -> str | None:
    """The time at which a consent ends; a date lasts to its last millisecond."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"--until is a date like 2027-12-31 or an RFC 3339 time, not '{text}'"
        ) from None
    if len(text) <= len("2027-12-31"):
        moment += timedelta(days=1)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return text_of(moment)


USES = click.option(
    "--use", "uses", multiple=True, required=True, metavar="USE", help="stream, live, export, sync."
)
_OF = click.option("--holder", metavar="H", shell_complete=A_HOLDER, help="All stems of this holder.")


@consent.command()
@click.argument("stems", metavar="STEM...", nargs=-1, shell_complete=A_STEM)
@_OF
@USES
@click.option("--until", metavar="DATE", help="Last day (UTC) or RFC 3339 time; without it, until withdrawn.")
@ALLOW
@click.pass_obj
def grant(
    console: Console,
    stems: tuple[str, ...],
    holder: str | None,
    uses: tuple[str, ...],
    until: str | None,
    allow: tuple[str, ...],
) -> None:
    """Clear stems for uses, signed by their holders.

    A grant lets the engine bring the sound to another tempo and key. Slices of it (`--allow stretch,chop`)
    and notes played with it (`--allow stretch,pitch`) need a word of their own.
    """
    ends, allowed = until_of(until), allowed_of(allow)
    _state(console, stems, holder, lambda opened, ids: opened.grant(ids, words_of(uses), ends, allowed))


@consent.command()
@click.argument("stems", metavar="STEM...", nargs=-1, shell_complete=A_STEM)
@_OF
@USES
@click.option("--by", metavar="H", help="Who withdraws, if not the holder: a party with a master share.")
@click.pass_obj
def withdraw(
    console: Console, stems: tuple[str, ...], holder: str | None, uses: tuple[str, ...], by: str | None
) -> None:
    """Withdraw consent, at once and without a reason."""
    _state(console, stems, holder, lambda opened, ids: opened.withdraw(ids, words_of(uses), by))
    console.note("for the last use in each session: stemloom vault consent receipt INDEX")


@consent.command()
@click.argument("withdrawal", type=int)
@click.pass_obj
def receipt(console: Console, withdrawal: int) -> None:
    """Write into the ledger when each session last used the stem of the WITHDRAWAL with that index."""
    with console.vault() as opened:
        index, made = opened.receipt(withdrawal)
    rows = [(use.session, use.until) for use in made.sessions]
    console.emit(
        {"index": index} | picked(made, "stem withdrawal sessions open"),
        "\n".join(
            [
                table(("session", "used it until"), rows) if rows else "no session had used it",
                *(f"{session} is not closed yet: ask again once it is" for session in made.open),
                f"in the ledger as entry {index}",
            ]
        ),
    )


@consent.command("list")
@click.argument("stem", required=False, shell_complete=A_STEM)
@click.pass_obj
def consent_list(console: Console, stem: str | None) -> None:
    """List the statements on a stem, or on all stems, in the ledger's order."""
    with console.vault() as opened:
        _show_statements(console, opened, opened.consents(stem))


def _state(
    console: Console,
    stems: tuple[str, ...],
    holder: str | None,
    act: Callable[[Vault, Sequence[str]], tuple[ConsentStatement, ...]],
) -> None:
    from ..vault.catalogue.snapshot import Condition

    if bool(stems) == (holder is not None):
        raise click.UsageError("name stems, or a holder with --holder")
    with console.vault() as opened:
        ids: Sequence[str] = stems
        if holder is not None:
            owner = opened.holder(holder)
            ids = [stem.stem for stem in opened.stems([Condition("holder", (owner.holder,))])]
            if not ids:
                from ..vault.errors import UnknownStem

                raise UnknownStem(f"{owner.name} has no stems in the vault")
        _show_statements(console, opened, act(opened, ids))


def _show_statements(console: Console, opened: Vault, statements: Sequence[ConsentStatement]) -> None:
    titles = {stem: f"{title} (removed)" for stem, (title, _) in opened.removed().items()}
    titles |= {stem.stem: stem.title for stem in opened.stems()}
    rows = [
        (s.index, s.time, s.action, ", ".join(s.uses), _allows(s), s.until or "", s.stem, titles[s.stem])
        for s in statements
    ]
    console.emit(
        {"consents": statements},
        table(("index", "time", "action", "uses", "allows", "until", "stem", "title"), rows, right=(0,))
        if rows
        else "no consents yet",
    )


def _allows(said: ConsentStatement) -> str:
    return "" if said.action == "withdraw" else ", ".join(said.allows) or "nothing"
