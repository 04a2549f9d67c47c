"""`stemloom ledger` on witnesses: to be one, to publish cosignatures, and to require them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import give
from .options import FILE, PATH
from .output import Console, checked_output, picked, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..ledger.tlog.cosignature import Cosignature
    from ..ledger.tlog.note import Verifier
    from ..ledger.tlog.policy import Policy
    from ..ledger.tlog.witness import Witness

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


def witnessing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --witness and --require, of which `policy_of` makes a policy."""
    return WITNESSES(REQUIRE(command))


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
@click.argument("log", metavar="[LOG]", required=False)
@click.option(
    "--vkey", "vkeys", metavar="K", required=True, multiple=True, help="The verifier key of that log."
)
@_DIR
@click.option("--name", metavar="NAME", help="Make a witness with this name if DIR holds none yet.")
@click.option("--out", type=PATH, help="Write the cosigned checkpoint to that file.")
@click.option(
    "--serve",
    "address",
    metavar="HOST:PORT",
    help="Answer the requests of the logs of --vkey, which may repeat.",
)
@click.pass_obj
def witness(
    console: Console,
    log: str | None,
    vkeys: tuple[str, ...],
    folder: Path,
    name: str | None,
    out: Path | None,
    address: str | None,
) -> None:
    """Cosign the checkpoint of another's log, LOG: a published copy of it, a folder or a web address.

    Only if it continues what this witness cosigned of that log before. Exits 5 if it does not. With --serve
    it does so for whoever asks by C2SP tlog-witness (POST /add-checkpoint), until it is interrupted.
    """
    from ..ledger.tlog.note import parse_vkey

    if (log is None) == (address is None):
        raise click.UsageError("name a LOG to cosign, or an address to answer on with --serve")
    if address is not None and out is not None:
        raise click.UsageError("--out is for the checkpoint of one LOG, and not for --serve")
    if log is not None and len(vkeys) > 1:
        raise click.UsageError("LOG has one key: name it once with --vkey")
    checked_output(out)
    known = [parse_vkey(each) for each in vkeys]
    if address is not None:
        place = _host_and_port(address)
        _serve(console, _opened(console, folder, name), place, known)
    elif log is not None:
        _cosign_once(console, log, known[0], lambda: _opened(console, folder, name), out)


def _opened(console: Console, folder: Path, name: str | None) -> Witness:
    from ..ledger.tlog.witness import Witness

    new = name is not None and not (folder / "witness.vkey").exists()
    opened = Witness.open(folder, name=name)
    if new:
        console.note(f"the witness {opened.name} is made; its verifier key is", opened.vkey)
    return opened


def _cosign_once(
    console: Console, log: str, verifier: Verifier, open_witness: Callable[[], Witness], out: Path | None
) -> None:
    from ..ledger.errors import NoLedger
    from ..ledger.tlog.reader import TileReader
    from ..ledger.tlog.source import source_of
    from ..ledger.tlog.witness import prover

    source = source_of(log)

    def checkpoint() -> bytes:
        try:
            return source.checkpoint()
        except FileNotFoundError:
            raise NoLedger(f"there is no checkpoint in {log}: name a log's folder `log` itself") from None

    note, tiles = checkpoint(), TileReader(Path(log), source.read)
    opened = open_witness()
    cosigned = opened.cosign(note, verifier, prover(tiles, checkpoint, verifier))
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
        give(cosigned.note.decode())
    else:
        console.note(f"the checkpoint of {current.origin} with {current.size} entries, cosigned, is in {out}")
    if cosigned.before is None:
        console.note(
            f"{opened.name} sees {current.origin} for the first time: its signature was checked, and what it "
            "signed before was not"
        )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise click.BadParameter(
            f"{address!r} is not HOST:PORT, such as 127.0.0.1:8420", param_hint="--serve"
        )
    return host, int(port)


def _serve(console: Console, opened: Witness, address: tuple[str, int], known: Sequence[Verifier]) -> None:
    from ..ledger.tlog.witness_server import PATH, WitnessServer

    logs = {each.name: each for each in known}
    if len(logs) < len(known):
        raise click.UsageError("two of the keys are of one log: name each log once")
    with WitnessServer(address, opened, logs, told=console.note) as server:
        host, port = server.server_address[:2]
        at = f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"
        console.note(f"{opened.name} answers on http://{at}{PATH}, for {', '.join(logs)}; Ctrl-C ends it")
        server.serve_forever()


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
    from ..ledger.tlog.given_file import read_given
    from ..ledger.tlog.note import LARGEST_NOTE

    known = [parse_witness_vkey(each) for each in witnesses]
    notes = [read_given(file, LARGEST_NOTE) for file in files]
    with console.log() as log:
        note = log.cosigned(notes, known)
        current = log.signed()
    found = cosigners(cosignatures_of(note, known))
    console.emit(
        {"size": current.size, "root": current.root.hex(), "witnesses": found, "checkpoint": note.decode()},
        "\n".join(cosigned_lines(found)),
    )
