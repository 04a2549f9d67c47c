"""`stemloom ledger`: show, verify and prove what was heard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..script.problems import counted
from . import logs, witness
from .options import FILE, PATH, VKEY
from .output import Console, checked_output, picked, write_whole
from .witness import REQUIRE, WITNESSES, cosigned_lines, cosigners, policy_of

if TYPE_CHECKING:
    from ..ledger.entries.entries import Entry

_KINDS = (
    *("holder", "key", "stem", "declaration", "removal", "splits", "consent", "standing", "receipt"),
    *("session", "placement", "gap", "terms", "income", "settlement", "payout", "correction"),
)


def _entries(size: int) -> str:
    return "1 entry" if size == 1 else f"{size} entries"


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
            time = _time_of(entry)
            if not since <= time <= until:
                continue
            if console.json:
                click.echo(msgspec.json.encode({"index": index, "entry": entry}).decode())
            else:
                if not shown:
                    click.echo(f"{'index':>8}  {'time':<24}  {'kind':<10}  what")
                click.echo(f"{index:>8}  {time:<24}  {tag:<10}  {_summary(entry)}")
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
@WITNESSES
@REQUIRE
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
    from ..ledger.verify.verify import verify as verify_log

    console = ctx.find_object(Console)
    assert console is not None
    policy = policy_of(witnesses, require)
    with console.telling("verifying") as tell:
        report = verify_log(
            copy if copy is not None else console.folder,
            vkey=vkey,
            policy=policy,
            since=None if since is None else since.read_bytes(),
            workers=workers or cores(),
            progress=tell,
        )

    lines = [str(each) for each in report.problems]
    if report.ok:
        lines.append(f"verified: {_entries(report.size)}, root {report.root}")
        if policy is not None:
            lines.append(f"cosigned by at least {policy.required} of {len(policy.witnesses)} witnesses")
            lines += cosigned_lines(cosigners(report.witnesses))
    else:
        lines.append(f"NOT verified: {len(report.problems)} problem(s) in a log of {_entries(report.size)}")
    console.emit(
        picked(report, "ok size root problems warnings") | {"witnesses": cosigners(report.witnesses)},
        "\n".join(lines),
    )
    for each in report.warnings:
        console.note(f"note: {each}")
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
        click.echo(note, nl=False)


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
        click.echo(receipt, nl=False)
    else:
        console.note(f"the receipt for entry {index} is in {out}")


@ledger.command("check-receipt")
@click.argument("file", type=FILE)
@click.option("--vkey", metavar="K", required=True, help="The verifier key of the ledger it comes from.")
@WITNESSES
@REQUIRE
@click.pass_obj
def check_receipt(
    console: Console, file: Path, vkey: str, witnesses: tuple[str, ...], require: int | None
) -> None:
    """Check a receipt. No ledger is needed. Exits 5 if it proves nothing."""
    from ..ledger.log.inclusion_receipt import check_receipt as check

    proved = check(file.read_bytes(), vkey, policy=policy_of(witnesses, require))
    cosigned = cosigners(proved.cosignatures)
    console.emit(
        {"ok": True}
        | picked(proved, "index origin size")
        | {"root": proved.root.hex(), "entry": proved.entry, "witnesses": cosigned},
        f"proved: entry {proved.index} of {proved.origin}, which had {_entries(proved.size)}:\n"
        f"{_time_of(proved.entry)}  {proved.entry.__struct_config__.tag}  {_summary(proved.entry)}"
        + "".join(f"\n{line}" for line in cosigned_lines(cosigned)),
    )


for command in (
    *(logs.consistency, logs.reconcile, logs.export),
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


def _time_of(entry: Entry) -> str:
    from ..ledger.entries.entries import Placement

    return entry.start if isinstance(entry, Placement) else entry.time


def _summary(entry: Entry) -> str:
    from ..ledger.entries import entries
    from ..ledger.entries.wording import ending

    match entry:
        case entries.Placement():
            return (
                f"{entry.stem} {entry.ms} ms for {entry.use}, "
                f"{entry.section}/{entry.part} line {entry.line}, {entry.session} no. {entry.seq}"
            )
        case entries.Session():
            count = entry.placements
            sums = "" if count is None else f", {counted(count, 'placement')}, {entry.ms} ms"
            return f"{entry.session} {entry.state} for {entry.use}, {entry.tier}{sums}"
        case entries.Gap():
            lost = "records" if entry.placements is None else counted(entry.placements, "placement")
            return f"{lost} of {entry.session or 'a session'} lost: {entry.reason}"
        case entries.Consent() | entries.Standing():
            of = entry.stem if isinstance(entry, entries.Consent) else "stems to come"
            return f"{entry.holder} {entry.action}s {of} for {', '.join(entry.uses)}{ending(entry)}"
        case entries.Receipt():
            left = f", {counted(len(entry.open), 'session')} not closed" if entry.open else ""
            used = counted(len(entry.sessions), "session")
            return f"{entry.stem} is withdrawn by entry {entry.withdrawal}; {used} had used it{left}"
        case entries.Removal():
            return f"{entry.stem} leaves the vault; its recording is deleted"
        case entries.Key():
            return f"{entry.holder} has another key, kept by {entry.custody}"
        case entries.Stem():
            return f"{entry.stem} {entry.title!r}, {entry.role}, of {entry.holder}"
        case entries.Declaration():
            return f"{entry.stem} is declared {entry.title!r}, {entry.role}, {entry.shape}, by {entry.holder}"
        case entries.Splits():
            return f"{entry.stem}, {len(entry.master)} master and {len(entry.publishing)} publishing shares"
        case entries.Holder():
            return f"{entry.holder} joins, key kept by {entry.custody}"
        case entries.Income():
            of = f"from {entry.source} for {entry.period}, {entry.reference}"
            return f"{entry.amount} micro-{entry.currency} {of}"
        case entries.Terms():
            return f"from {entry.effective}, master {entry.master_ppm} ppm"
        case entries.Payout():
            return f"{entry.amount} micro-{entry.currency} to {entry.holder}, {entry.reference}"
        case entries.Correction():
            return f"entry {entry.corrects} is {entry.amount:+} micro-units: {entry.reason}"
        case entries.Settlement():
            return f"{entry.period}: {entry.pool} micro-{entry.currency} over {entry.total_ms} ms"
