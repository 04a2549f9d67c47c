"""`stemloom why`: the stems that sound at a moment, with their lines, holders and consents."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import SECONDS
from .output import Console, WrongPlace, picked, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..ledger.log.log import Log


@click.command()
@click.argument("session", metavar="TAKE|SESSION")
@click.option("--at", "at", type=SECONDS, required=True, help="The moment, as 83.5 or 1:23.5.")
@click.pass_obj
def why(console: Console, session: str, at: float) -> None:
    """Say what sounds at a moment of a session: line, role, stem, holder, consent, and what it has earned."""
    if session.endswith(".json"):
        from ..engine.play.earlier import read_take

        session = read_take(Path(session)).session
    with console.vault() as vault:
        names = {holder.holder: holder.name for holder in vault.holders()}
        stems = {stem.stem: stem for stem in vault.stems()}
        found = list(_sounding(vault.log, session, at))
        earned = _earned(vault.log, [entry.stem for _, entry in found])
    rows = [
        {
            "index": index,
            **picked(entry, "part role section line stem"),
            "title": stems[entry.stem].title if entry.stem in stems else entry.stem,
            "holder": names.get(stems[entry.stem].holder, "") if entry.stem in stems else "",
            "consent": entry.consent,
            "start_seconds": entry.start_frame / entry.rate,
            "ms": entry.ms,
            "earned": earned.get(entry.stem, {}),
        }
        for index, entry in found
    ]
    shown = [
        [
            row["part"],
            row["role"],
            f"{row['section']}, line {row['line']}",
            row["title"],
            row["holder"],
            row["consent"],
            f"{row['ms'] / 1000:.1f} s",
            ", ".join(row["earned"].values()) or "nothing settled",
        ]
        for row in rows
    ]
    head = ["part", "role", "placed by", "stem", "holder", "consent", "in play", "stem earned"]
    text = table(head, shown, right=(5, 6)) if rows else f"nothing sounds {at:g} s into {session}"
    console.emit({"session": session, "at": at, "sounds": rows}, text)


def _sounding(log: Log, session: str, at: float) -> Iterator[tuple[int, Any]]:
    """The entries of a session that sound at a moment. WrongPlace when the ledger has no such session."""
    from ..ledger.entries.entries import Placement, Session as SessionEntry

    known = False
    for index, entry in log.entries(0):
        if isinstance(entry, SessionEntry) and entry.session == session:
            known = True
        elif isinstance(entry, Placement) and entry.session == session:
            frame = int(Fraction(at) * entry.rate)
            if entry.start_frame <= frame < entry.start_frame + entry.frames:
                yield index, entry
    if not known:
        raise WrongPlace(
            f"the ledger has no session {session}; `stemloom ledger show --kind session` lists them"
        )


def _earned(log: Log, stems: list[str]) -> dict[str, dict[str, str]]:
    """The earnings of stems in all settled periods, by stem and period."""
    from ..ledger.division.division import rederive
    from ..ledger.division.money import money_text
    from ..ledger.royalties.engines import usage_of
    from ..ledger.royalties.money_lock import at_checkpoint

    with usage_of(log, at_checkpoint(log)) as usage:
        settlements = [(period, entry) for _, period, entry in usage.books.settlements]
        divisions = rederive(usage, settlements)
    earned = dict[str, dict[str, str]]()
    for (_, entry), division in zip(settlements, divisions, strict=True):
        for each in division.stems:
            if each.stem in stems:
                money = money_text(each.amount, entry.currency)
                earned.setdefault(each.stem, {})[entry.period] = f"{money} in {entry.period}"
    return earned
