"""`stemloom ledger`: show, verify and prove what was heard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..ground.visible import visible
from . import evidence, logs, witness
from .console import escaped, give, say, say_painted
from .entry_lines import entries_in_words, summary, time_of
from .options import FILE, PATH, VKEY
from .output import Console, checked_output, picked, write_whole
from .witness import cosigned_lines, cosigners, policy_of, witnessing

if TYPE_CHECKING:
    from ..ledger.entries.entries import Entry

_KINDS = (
    *("holder", "key", "stem", "declaration", "removal", "splits", "consent", "standing", "receipt"),
    *("likeness", "distinct", "session", "placement", "gap"),
    *("terms", "income", "settlement", "payout", "correction"),
)


class _Index(click.ParamType):  # type: ignore[type-arg]
    """The index of an entry."""

    name = "index"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", str(value)):
            self.fail(f"{value!r} is not the index of an entry: write a whole number such as 3", param, ctx)
        return int(str(value))


@click.group()
def ledger() -> None:
    """Show, verify and prove what was heard."""


@ledger.command()
@click.option("--holder", metavar="H", help="Entries about a holder and their stems: id or name.")
@click.option("--stem", metavar="S", help="Entries about a stem: id or title.")
@click.option("--session", metavar="X", help="Entries about a session: id, or the start of it.")
@click.option("--kind", type=click.Choice(_KINDS), multiple=True, help="Entries of this kind.")
@click.option("--from", "first", metavar="TIME", help="From that day (2026-11-21) or time (UTC) on.")
@click.option("--to", "last", metavar="TIME", help="Up to and with that day or time.")
@click.pass_obj
def show(
    console: Console,
    holder: str | None,
    stem: str | None,
    session: str | None,
    kind: tuple[str, ...],
    first: str | None,
    last: str | None,
) -> None:
    """Show the entries of the ledger, in order; with --json one object a line."""
    import msgspec

    since = _moment(first, end=False) if first else ""
    until = _moment(last, end=True) if last else "9999"
    with console.log() as log:
        chosen: Iterator[tuple[int, Entry]] = log.entries()
        if holder is not None or stem is not None:
            holder_id, stem_id = _ids(console, holder, stem)
            if holder_id is not None:
                chosen = _of_holder(chosen, holder_id)
            if stem_id is not None:
                chosen = ((i, each) for i, each in chosen if getattr(each, "stem", None) == stem_id)
        shown = 0
        for index, entry in chosen:
            tag = str(entry.__struct_config__.tag)
            if kind and tag not in kind:
                continue
            if session is not None and not str(getattr(entry, "session", "")).startswith(session):
                continue
            time = time_of(entry)
            if not since <= time <= until:
                continue
            if console.json:
                say_painted(escaped(msgspec.json.encode({"index": index, "entry": entry}).decode()))
            else:
                if not shown:
                    say(f"{'index':>8}  {'time':<24}  {'kind':<10}  what")
                say(f"{index:>8}  {time:<24}  {tag:<10}  {visible(summary(entry))}")
            shown += 1
    if not shown:
        console.note("no entry of the ledger matches")


@ledger.command()
@click.option(
    "--log",
    "copy",
    metavar="LOG",
    help="A published copy of the log instead: a folder, or a web address (http://...).",
)
@VKEY
@click.option(
    "--from",
    "since",
    type=FILE,
    help="A checkpoint up to which you verified it before: report only problems after it.",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Number of processes; by default one a core.")
@witnessing
@click.pass_context
def verify(
    ctx: click.Context,
    copy: str | None,
    vkey: str | None,
    since: Path | None,
    workers: int | None,
    witnesses: tuple[str, ...],
    require: int | None,
) -> None:
    """Hash everything again, and check every signature and rule. Exits 5 if anything is wrong."""
    from ..ground.processes import cores
    from ..ledger.tlog.given_file import read_given
    from ..ledger.tlog.note import LARGEST_NOTE
    from ..ledger.verify.verify import verify as verify_log

    console = ctx.find_object(Console)
    assert console is not None
    policy = policy_of(witnesses, require)
    with console.telling("verifying") as tell:
        report = verify_log(
            copy if copy is not None else console.folder,
            vkey=vkey,
            policy=policy,
            since=None if since is None else read_given(since, LARGEST_NOTE),
            workers=workers or cores(),
            progress=tell,
        )

    lines = [str(each) for each in report.problems]
    if report.ok:
        lines.append(f"verified: {entries_in_words(report.size)}, root {report.root}")
        if policy is not None:
            lines.append(f"cosigned by at least {policy.required} of {len(policy.witnesses)} witnesses")
            lines += cosigned_lines(cosigners(report.witnesses))
    else:
        lines.append(
            f"NOT verified: {len(report.problems)} problem(s) in a log of {entries_in_words(report.size)}"
        )
    console.emit(
        picked(report, "ok size root problems warnings gaps weaker")
        | {"witnesses": cosigners(report.witnesses)},
        "\n".join(lines),
    )
    for each in report.warnings:
        console.note(f"note: {each}")
    for claim in report.weaker:
        console.note(f"weaker: {claim}")
    for gap in report.gaps:
        console.note(f"gap: {gap}")
    if not report.ok:
        ctx.exit(5)


@ledger.command()
@click.pass_obj
def key(console: Console) -> None:
    """Print the verifier key of the ledger: give it to those who will check receipts."""
    with console.log() as log:
        console.emit({"vkey": log.vkey, "origin": log.origin}, log.vkey)


@ledger.command()
@click.pass_obj
def checkpoint(console: Console) -> None:
    """Print the signed checkpoint, as it is published: keep one to notice a rewritten ledger."""
    with console.log() as log:
        note = log.checkpoint().decode()
        current = log.signed()
    if console.json:
        console.emit({"checkpoint": note, "size": current.size, "root": current.root.hex()})
    else:
        give(note)


@ledger.command()
@click.argument("index", type=_Index())
@click.option("--out", type=PATH, help="Write the receipt to that file.")
@click.pass_obj
def prove(console: Console, index: int, out: Path | None) -> None:
    """Make a receipt that entry INDEX is in the ledger; it can be checked without the ledger."""
    checked_output(out)
    with console.log() as log:
        receipt = log.prove(index)
    if out is not None:
        write_whole(out, receipt)
    if console.json:
        console.emit({"index": index, "receipt": receipt.decode()})
    elif out is None:
        give(receipt.decode())
    else:
        console.note(f"the receipt for entry {index} is in {out}")


for command in (
    *(evidence.check_receipt, evidence.check_take, logs.consistency, logs.reconcile, logs.export),
    *(witness.witness, witness.witness_key, witness.cosign),
):
    ledger.add_command(command)


def _moment(text: str, *, end: bool) -> str:
    """The time `text` in the form of entries; for a day its first moment, or its `end`."""
    from ..ledger.clock import text_of

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"{text!r} is not a day like 2026-11-21 or a time like 2026-11-21T18:30"
        ) from error
    if end and len(text) <= 10:
        moment += timedelta(days=1, milliseconds=-1)
    return text_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _ids(console: Console, holder: str | None, stem: str | None) -> tuple[str | None, str | None]:
    """The ids of a holder and a stem by name; with a ledger and no vault, only ids are known."""
    if not (console.folder / "vault").exists():
        return holder, stem
    with console.vault() as vault:
        return (
            vault.holder(holder).holder if holder is not None else None,
            vault.stem(stem).stem if stem is not None else None,
        )


def _of_holder(entries: Iterator[tuple[int, Entry]], holder: str) -> Iterator[tuple[int, Entry]]:
    """A holder's own entries, and those of the stems that they added or ever had a share in."""
    from ..ledger.entries.entries import Splits, Stem

    theirs: set[str] = set()
    for index, entry in entries:
        named = getattr(entry, "holder", None) == holder
        if isinstance(entry, Stem | Splits):
            named = named or any(share.holder == holder for share in (*entry.master, *entry.publishing))
            if named:
                theirs.add(entry.stem)
        if named or getattr(entry, "stem", None) in theirs:
            yield index, entry
