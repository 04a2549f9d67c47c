"""`stemloom ledger` on logs and kept checkpoints: consistency, reconcile, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..script.problems import counted
from .options import FILE, LOG, VKEY
from .output import Console, picked

if TYPE_CHECKING:
    from ..ledger.tlog.note import Verifier
    from ..ledger.tlog.reader import TileReader


def _log(console: Console, copy: str | None, vkey: str | None) -> tuple[bytes, Verifier, TileReader]:
    """The checkpoint, the key and the tiles of the home's own log, or of a copy."""
    from ..ledger.errors import BadVkey, NoLedger
    from ..ledger.tlog.note import parse_vkey
    from ..ledger.tlog.reader import TileReader
    from ..ledger.tlog.source import FolderSource, source_of

    if copy is None:
        with console.log() as log:
            place, own, note = log.home / "ledger" / "log", log.vkey, log.checkpoint()
        source = FolderSource(place)
        return note, parse_vkey(vkey or own), TileReader(place, source.read)
    if vkey is None:
        raise BadVkey(f"to read a copy of a log, such as {copy}, name its verifier key (--vkey)")
    away = source_of(copy)
    try:
        note = away.checkpoint()
    except FileNotFoundError as error:
        raise NoLedger(f"there is no ledger at {copy}: it has no checkpoint") from error
    return note, parse_vkey(vkey), TileReader(Path(copy), away.read)


@click.command()
@click.argument("old", type=FILE)
@LOG
@VKEY
@click.pass_obj
def consistency(console: Console, old: Path, copy: str | None, vkey: str | None) -> None:
    """Show that the log extends OLD, a checkpoint that you kept. Exits 5 if it was rewritten."""
    import base64

    from ..ledger.tlog.consistency import check_continues

    note, log, tiles = _log(console, copy, vkey)
    shown = check_continues(old.read_bytes(), note, log, tiles)
    console.emit(
        {
            "ok": True,
            "origin": log.name,
            "old": {"size": shown.old.size, "root": shown.old.root.hex()},
            "new": {"size": shown.new.size, "root": shown.new.root.hex()},
            "proof": [base64.b64encode(each).decode() for each in shown.proof],
        },
        f"consistent: the {shown.new.size} entries of {log.name} begin with the {shown.old.size} of {old}, "
        f"by {len(shown.proof)} hashes",
    )


@click.command()
@click.option(
    "--trust", multiple=True, type=FILE, help="A checkpoint of this log that somebody kept; may repeat."
)
@LOG
@click.option("--yes", is_flag=True, help="Take the steps; by default they are only listed.")
@click.pass_obj
def reconcile(console: Console, trust: tuple[Path, ...], copy: str | None, yes: bool) -> None:
    """After a backup was put back: say whether this log may continue, and from where. Signs no checkpoint.

    Exits 5 if it may not: continuing would make two histories of one log.
    """
    from ..ledger.tlog.source import source_of
    from ..ledger.verify.reconcile import reconcile as look

    plan = look(
        console.folder,
        copy=None if copy is None else source_of(copy),
        copy_place=copy or "",
        kept=[path.read_bytes() for path in trust],
        do=yes,
    )
    lines = list(plan.found)
    if plan.steps:
        lines += [f"{'done' if plan.done else 'to do'}: {step}" for step in plan.steps]
        if not plan.done:
            lines.append("nothing was changed; --yes does it")
    else:
        lines.append("the log is what was signed last: there is nothing to do")
    console.emit(picked(plan, "found steps done"), "\n".join(lines))


@click.command()
@click.option(
    "--parquet",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to; an export that is there is brought up to date.",
)
@LOG
@VKEY
@click.pass_obj
def export(console: Console, folder: Path, copy: str | None, vkey: str | None) -> None:
    """Write the entries as Parquet, for DuckDB or Spark, after hashing them against the checkpoint."""
    from ..ledger.log.export import export_parquet

    note, log, tiles = _log(console, copy, vkey)
    with console.telling("exporting") as tell:
        made = export_parquet(tiles, note, log, folder, progress=tell)
    record = {"dir": folder} | picked(made, "origin size root")
    record |= {"files": [each.name for each in made.files]} | picked(made, "written kept")
    console.emit(
        record,
        f"{folder}: {made.size} entries in {counted(len(made.files), 'file')}, {len(made.kept)} unchanged",
    )
