"""`stemloom ledger` on witnesses: to be one, to publish cosignatures, and to require them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FILE, PATH
from .output import Console, checked_output, picked, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..ledger.tlog.cosignature import Cosignature
    from ..ledger.tlog.policy import Policy

_FOLDER = click.Path(path_type=Path, file_okay=False)
_DIR = click.option("--dir", "folder", required=True, type=_FOLDER, help="The witness's own folder.")

WITNESSES = click.option(
    "--witness", "witnesses", multiple=True, metavar="VKEY", help="A witness to trust; may repeat."
)
REQUIRE = click.option(
    "--require",
    type=click.IntRange(min=1),
    metavar="K",
    help="The number of them that must have cosigned; by default all.",
)


def policy_of(witnesses: tuple[str, ...], required: int | None) -> Policy | None:
    """The policy of `--witness` and `--require`; `None` without them."""
    if not witnesses:
        if required is not None:
            raise click.UsageError("--require needs witnesses: name each with --witness VKEY")
        return None
    from ..ledger.tlog.cosignature import parse_witness_vkey
    from ..ledger.tlog.policy import Policy

    count = len(witnesses) if required is None else required
    if count > len(witnesses):
        raise click.UsageError(
            f"--require {count} is more than the {len(witnesses)} witnesses that are named"
        )
    return Policy(tuple(parse_witness_vkey(each) for each in witnesses), count)


def when(time: int) -> str:
    """A cosignature's time (Unix seconds) as entries write theirs. It may be beyond any calendar."""
    from ..ledger.clock import text_of

    try:
        return text_of(datetime.fromtimestamp(time, UTC))
    except (ValueError, OverflowError, OSError):
        return f"{time} s after 1970"


def cosigners(found: Iterable[Cosignature]) -> list[dict[str, str]]:
    """The cosigners and their times, for JSON."""
    return [{"name": each.witness.name, "time": when(each.time)} for each in found]


def cosigned_lines(found: Iterable[dict[str, str]]) -> list[str]:
    """The cosigners and their times as text."""
    return [f"cosigned by {each['name']} at {each['time']}" for each in found]


@click.command()
@click.argument("log", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--vkey", metavar="K", required=True, help="The verifier key of that log.")
@_DIR
@click.option("--name", metavar="NAME", help="Make a witness with this name if DIR holds none yet.")
@click.option("--out", type=PATH, help="Write the cosigned checkpoint to that file.")
@click.pass_obj
def witness(console: Console, log: Path, vkey: str, folder: Path, name: str | None, out: Path | None) -> None:
    """Cosign the checkpoint of another's log, LOG: a published copy of its `log` folder.

    Only if it continues what this witness cosigned of that log before. Exits 5 if it does not.
    """
    from ..ledger.errors import NoLedger
    from ..ledger.tlog.file_view import read_regular
    from ..ledger.tlog.note import LARGEST_NOTE, parse_vkey
    from ..ledger.tlog.reader import TileReader
    from ..ledger.tlog.witness import Witness, prover

    checked_output(out)
    verifier = parse_vkey(vkey)

    def checkpoint() -> bytes:
        try:
            return read_regular(log / "checkpoint", LARGEST_NOTE)
        except FileNotFoundError:
            raise NoLedger(f"there is no checkpoint in {log}: name a log's folder `log` itself") from None

    note = checkpoint()
    new = name is not None and not (folder / "witness.vkey").exists()
    opened = Witness.open(folder, name=name)
    if new:
        console.note(f"the witness {opened.name} is made; its verifier key is\n{opened.vkey}")
    cosigned = opened.cosign(note, verifier, prover(TileReader(log), checkpoint, verifier))
    current = cosigned.checkpoint
    if out is not None:
        write_whole(out, cosigned.note)
    if console.json:
        console.emit(
            {
                **picked(current, "origin size"),
                "root": current.root.hex(),
                "time": when(cosigned.time),
                "vkey": opened.vkey,
                "checkpoint": cosigned.note.decode(),
                "first": cosigned.before is None,
            }
        )
    elif out is None:
        click.echo(cosigned.note, nl=False)
    else:
        console.note(f"the checkpoint of {current.origin} with {current.size} entries, cosigned, is in {out}")
    if cosigned.before is None:
        console.note(
            f"{opened.name} sees {current.origin} for the first time: its signature was checked, and what it "
            "signed before was not"
        )


@click.command("witness-key")
@_DIR
@click.pass_obj
def witness_key(console: Console, folder: Path) -> None:
    """Print the verifier key of the witness in DIR: give it to those who will require its cosignatures."""
    from ..ledger.tlog.witness import Witness

    opened = Witness.open(folder)
    console.emit({"vkey": opened.vkey, "name": opened.name}, opened.vkey)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="A witness whose cosignatures to publish; may repeat.",
)
@click.pass_obj
def cosign(console: Console, files: tuple[Path, ...], witnesses: tuple[str, ...]) -> None:
    """Publish the cosignatures in FILE..., copies of this ledger's checkpoint that witnesses cosigned.

    Receipts that are made from then on carry them. The next entry makes a new checkpoint, without them.
    """
    from ..ledger.tlog.cosignature import cosignatures_of, parse_witness_vkey
    from ..ledger.tlog.note import LARGEST_NOTE

    known = [parse_witness_vkey(each) for each in witnesses]
    notes = []
    for file in files:
        with open(file, "rb") as opened:
            notes.append(opened.read(LARGEST_NOTE + 1))
    with console.log() as log:
        note = log.cosigned(notes, known)
        current = log.signed()
    found = cosigners(cosignatures_of(note, known))
    console.emit(
        {"size": current.size, "root": current.root.hex(), "witnesses": found, "checkpoint": note.decode()},
        "\n".join(cosigned_lines(found)),
    )
