"""`stemloom user`: the users of sessions in the ledger, as long as the operator keeps their salts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import click

from ..script.problems import counted
from .output import Console, table

if TYPE_CHECKING:
    from ..ledger.entries.entries import Session
    from ..ledger.entries.salts import Salts


@click.group()
def user() -> None:
    """Users: their sessions, and how to erase them."""


@user.command("list")
@click.pass_obj
def list_users(console: Console) -> None:
    """List the known users, with the number of their sessions."""
    users = _salts(console).users()
    console.emit(
        {"users": [{"user": name, "sessions": count} for name, count in users.items()]},
        table(("user", "sessions"), list(users.items()), right=(1,)) if users else "no user is known",
    )


@user.command()
@click.argument("name", metavar="USER")
@click.pass_obj
def sessions(console: Console, name: str) -> None:
    """List the sessions of USER in the ledger, each with the salt that proves it."""
    from ..ledger.errors import NoLedger

    mine = {each.session: each for each in _salts(console).of_user(name)}
    if not mine:
        raise NoLedger(f"no session of {name!r} is known here")
    rows = []
    with console.log() as log:
        found: dict[str, dict[str, object]] = {}
        for _, entry in log.entries():
            if _is_session(entry) and entry.session in mine:
                found.setdefault(entry.session, {}).update(
                    {entry.state: entry.time, "use": entry.use, "tier": entry.tier, "ms": entry.ms}
                )
    for session, each in mine.items():
        if session in found:
            said = {"opened": None, "closed": None} | found[session]
            order = ("opened", "closed", "use", "tier", "ms")
            rows.append({"session": session, **{key: said[key] for key in order}, "salt": each.salt})
    cells = [(r["session"], r["opened"], r["use"], r["tier"], r["ms"], r["salt"]) for r in rows]
    console.emit(
        {"user": name, "sessions": rows},
        table(("session", "opened", "use", "tier", "ms", "salt"), cells, right=(4,)),
    )


@user.command()
@click.argument("session", metavar="SESSION")
@click.pass_obj
def disclose(console: Console, session: str) -> None:
    """Show the user of SESSION, and that the ledger's commitment agrees. Exits 5 if it does not."""
    from ..ledger.entries.signing import commitment
    from ..ledger.errors import NoLedger, VerificationFailed

    each = _salts(console).of_session(session)
    if each is None:
        raise NoLedger(f"the user of the session {session} is not known here, or was erased")
    with console.log() as log:
        entry = next((e for _, e in log.entries() if _is_session(e) and e.session == session), None)
    if entry is None:
        raise NoLedger(f"the ledger has no session {session}")
    if commitment(each.user, each.salt) != entry.user:
        raise VerificationFailed(
            f"the ledger's commitment of {session} is not to {each.user!r} with this salt"
        )
    console.emit(
        {"session": session, "user": each.user, "salt": each.salt, "commitment": entry.user},
        f"{session} was a session of {each.user!r}\nsalt        {each.salt}\ncommitment  {entry.user}\n"
        "It is SHA-256 over 'stemloom commitment v1', the salt and the name, each with a newline after it.",
    )


@user.command()
@click.argument("name", metavar="USER", required=False)
@click.option("--session", metavar="X", help="One session alone.")
@click.option("--yes", is_flag=True, help="Confirm it: it cannot be undone.")
@click.pass_obj
def erase(console: Console, name: str | None, session: str | None, yes: bool) -> None:
    """Destroy the salts that link sessions to USER. The ledger verifies as before."""
    from ..ledger.errors import NoLedger

    if (name is None) == (session is None):
        raise click.UsageError("say whose sessions, or which one with --session")
    salts = _salts(console)
    count = len(salts.of_user(name)) if name is not None else int(salts.of_session(session or "") is not None)
    if not count:
        raise NoLedger(f"no session of {name!r} is known here" if name else f"{session} is not known here")
    if not yes:
        raise click.UsageError(
            f"the salts of {counted(count, 'session')} would be destroyed, here and for good: "
            "say --yes to do it"
        )
    salts.erase(user=name, session=session)
    console.emit(
        {"erased": count},
        f"{counted(count, 'session')}: the user can no longer be found; the entries stay. "
        "Backups of HOME/private still have the salts: destroy them as well.",
    )


def _salts(console: Console) -> Salts:
    from ..ledger.entries.salts import Salts

    return Salts(console.folder)


def _is_session(entry: object) -> TypeGuard[Session]:
    from ..ledger.entries.entries import Session

    return isinstance(entry, Session)
