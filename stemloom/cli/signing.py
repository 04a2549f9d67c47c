"""`stemloom vault` for holders who keep their keys: requests, signatures and standing consent."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import ALLOW, allowed_of, words_of
from .consent import USES, until_of
from .options import PATH
from .output import Console, clearance_record, picked, table, write_whole

if TYPE_CHECKING:
    from ..vault.records import Clearance
    from ..vault.rights.asking import Action
    from ..vault.rights.requests import SigningRequest

_UNTIL = click.option("--until", metavar="DATE", help="Last day (UTC) or RFC 3339 time.")
_WITHDRAW = click.option(
    "--withdraw", "withdrawn", is_flag=True, help="Withdraw consent instead of granting it."
)
_OUT = click.option("--out", type=PATH, required=True, help="The file that goes to the signer.")
_PUBLIC = click.option(
    "--public-key", required=True, metavar="KEY", help="The public half of their key: base64, or a PEM file."
)


@click.command()
@click.argument("file", type=PATH)
@click.pass_obj
def keygen(console: Console, file: Path) -> None:
    """Make a key that you keep yourself, in FILE. Its public half is printed; the rest stays there."""
    from ..ledger.tlog.keys import PrivateKey

    key = PrivateKey.generate()
    try:
        key.save(file)
    except FileExistsError:
        raise click.UsageError(f"{file} is there already, and a key is never written over") from None
    public = base64.b64encode(key.public).decode()
    console.emit({"key": str(file), "public_key": public}, f"kept in {file}; its public key is\n{public}")


@click.command("request")
@click.argument("name")
@_PUBLIC
@_OUT
@click.pass_obj
def holder_request(console: Console, name: str, public_key: str, out: Path) -> None:
    """Write a request to join with a key that the holder keeps themselves; then see `submit`."""
    with console.vault(create=True) as opened:
        write_request(console, opened.request_holder(name, _public(public_key)), out)


@click.command("key")
@click.argument("holder")
@click.option("--public-key", metavar="KEY", help="They keep it themselves: base64, or a PEM file.")
@click.option("--out", type=PATH, help="With --public-key: the file that goes to the signer.")
@click.pass_obj
def holder_key(console: Console, holder: str, public_key: str | None, out: Path | None) -> None:
    """Replace the key of HOLDER: by a new one made here, or by one that they keep themselves."""
    if (public_key is None) != (out is None):
        raise click.UsageError("--public-key and --out go together")
    with console.vault() as opened:
        if public_key is not None and out is not None:
            write_request(console, opened.request_key(holder, _public(public_key)), out)
            return
        found = opened.replace_key(holder)
    console.emit(
        picked(found, "holder name public_key custody"),
        f"{found.name} has a new key, kept by the {found.custody}",
    )


@click.command("request")
@click.argument("stems", metavar="STEM...", nargs=-1)
@click.option("--holder", metavar="H", help="All stems of this holder.")
@USES
@_UNTIL
@_WITHDRAW
@ALLOW
@click.option("--by", metavar="H", help="Who withdraws, if not the holder: a party with a master share.")
@_OUT
@click.pass_obj
def consent_request(
    console: Console,
    stems: tuple[str, ...],
    holder: str | None,
    uses: tuple[str, ...],
    until: str | None,
    withdrawn: bool,
    allow: tuple[str, ...],
    by: str | None,
    out: Path,
) -> None:
    """Write a request for a holder to sign a grant or a withdrawal; nothing changes before `submit`."""
    from ..vault.catalogue.snapshot import Condition

    if bool(stems) == (holder is not None):
        raise click.UsageError("name stems, or a holder with --holder")
    with console.vault() as opened:
        ids = list(stems)
        if holder is not None:
            ids = [stem.stem for stem in opened.stems([Condition("holder", (holder,))])]
        action: Action = "withdraw" if withdrawn else "grant"
        asked = words_of(uses), action, until_of(until), by, allowed_of(allow)
        write_request(console, opened.request_consent(ids, *asked), out)


@click.command()
@click.argument("holder")
@click.option("--use", "uses", multiple=True, metavar="USE", help="stream, live, export, sync.")
@_UNTIL
@_WITHDRAW
@ALLOW
@click.option("--out", type=PATH, help="To be signed elsewhere: the file that goes to the holder.")
@click.pass_obj
def standing(
    console: Console,
    holder: str,
    uses: tuple[str, ...],
    until: str | None,
    withdrawn: bool,
    allow: tuple[str, ...],
    out: Path | None,
) -> None:
    """Set the standing consent of HOLDER, for stems to come. Without --use: show it. It is off at first.

    A stem that is added while it is in force is cleared at once. It does not change stems that are here
    already, neither when it is granted nor when it is withdrawn.
    """
    with console.vault() as opened:
        if uses:
            action: Action = "withdraw" if withdrawn else "grant"
            asked = words_of(uses), action, until_of(until), allowed_of(allow)
            if out is not None:
                write_request(console, opened.request_standing(holder, *asked), out)
                return
            opened.stand(holder, *asked)
        found = opened.holder(holder)
        stands = opened.stands(found.holder)
    _show_standing(console, found.name, found.holder, stands)


@click.command()
@click.argument("request", type=PATH)
@click.option("--key", required=True, type=PATH, help="Your private key: PEM, as keygen or openssl make it.")
@click.pass_obj
def sign(console: Console, request: Path, key: Path) -> None:
    """Sign REQUEST with your key, in its own file. Read what it says first: that is what you sign."""
    from ..ledger.tlog.keys import PrivateKey

    signed = _read(request).signed(PrivateKey.load(key))
    write_whole(request, signed.encoded())
    _say(console, signed, request)


@click.command()
@click.argument("request", type=PATH)
@click.option("--signature", multiple=True, metavar="BASE64", help="A signature by another tool; may repeat.")
@click.pass_obj
def submit(console: Console, request: Path, signature: tuple[str, ...]) -> None:
    """Enter a signed REQUEST into the ledger, as a whole or not at all."""
    asked = _read(request)
    for each in signature:
        asked = asked.with_signature(each)
    with console.vault() as opened:
        indices = opened.submit(asked)
    rows = [(index, each.says) for index, each in zip(indices, asked.asked, strict=True)]
    console.emit(
        {"entries": [{"index": index, "says": says} for index, says in rows]},
        table(("index", "what is in the ledger now"), rows, right=(0,)),
    )


def write_request(console: Console, request: SigningRequest, out: Path) -> None:
    """Write a request to a new file, and print its statements."""
    if out.exists():
        raise click.UsageError(f"{out} is there already")
    write_whole(out, request.encoded())
    _say(console, request, out)


def _say(console: Console, request: SigningRequest, path: Path) -> None:
    """Print the statements of a request, and its signers."""
    record: dict[str, Any] = {
        "request": str(path),
        "statements": [
            {
                "says": each.says,
                "signatures": [
                    picked(one, "holder slot public_key message") | {"signed": one.signature is not None}
                    for one in each.signatures
                ],
            }
            for each in request.asked
        ],
    }
    lines = [f"- {each.says}" for each in request.asked]
    missing = sorted({one.holder for one in request.missing})
    lines.append(
        f"to be signed by {', '.join(missing)}: stemloom vault sign {path} --key FILE"
        if missing
        else f"signed by all: stemloom vault submit {path}"
    )
    console.emit(record, "\n".join(lines))


def _show_standing(console: Console, name: str, holder: str, stands: Mapping[str, Clearance]) -> None:
    from ..ledger.entries.wording import allowing

    uses = "; ".join(
        f"{use}{f' until {c.until}' if c.until else ''}, {allowing(sorted(c.allows))}"
        for use, c in stands.items()
    )
    record = {use: clearance_record(c) for use, c in stands.items()}
    console.emit(
        {"holder": holder, "name": name, "standing": record},
        f"stems of {name} to come are cleared for {uses or 'nothing'}",
    )


def _read(path: Path) -> SigningRequest:
    from ..vault.rights.requests import MOST_BYTES, read_request

    with open(path, "rb") as file:
        return read_request(file.read(MOST_BYTES + 1))


def _public(text: str) -> str:
    """A public key in base64, from itself or from a PEM file of it."""
    from ..ledger.tlog.keys import public_of_pem

    path = Path(text)
    if len(text) != 44 or path.exists():
        return base64.b64encode(public_of_pem(path)).decode()
    return text
