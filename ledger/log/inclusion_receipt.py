"""Receipts (C2SP tlog-proof): proof that an entry is in a log, which can be checked without the log.

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>
    index <index of the entry>
    <hash, base64>                 siblings from the leaf to the root
    ...
    <empty line>
    the signed checkpoint, verbatim

The format leaves `extra` to the application: ours carries the entry, so that one file is enough.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..entries.canonical import decode
from ..entries.entries import Entry
from ..errors import BadEntry, BadNote, BadReceipt
from ..tlog import merkle
from ..tlog.checkpoint import open_checkpoint
from ..tlog.cosignature import Cosignature
from ..tlog.note import decode_base64, parse_vkey
from ..tlog.policy import Policy

_HEAD = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A verified receipt: `entry` is at `index` in the tree of `size` entries of the log `origin`."""

    index: int
    origin: str
    size: int
    root: bytes
    entry: Entry
    cosignatures: tuple[Cosignature, ...] = ()
    """The cosignatures of the policy's witnesses."""


def make_receipt(index: int, proof: Sequence[bytes], checkpoint: bytes, entry: bytes) -> bytes:
    """The receipt's bytes, from a proof under the signed `checkpoint`."""
    lines = [_HEAD, f"extra {_coded(entry)}", f"index {index}", *(_coded(each) for each in proof), "", ""]
    return "\n".join(lines).encode() + checkpoint


def check_receipt(
    data: bytes, vkey: str, entry: bytes | None = None, policy: Policy | None = None
) -> VerifiedReceipt:
    """Verify a receipt under the verifier key `vkey`.

    `entry`: the canonical bytes of the entry that it must prove; needed if it carries none. `policy`: the
    witnesses that must have cosigned its checkpoint. Raises BadVkey for `vkey`, BadReceipt.
    """
    verifier = parse_vkey(vkey)
    head, blank, note = data.partition(b"\n\n")
    if not blank:
        raise BadReceipt("the receipt has no checkpoint below a blank line")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadReceipt("the receipt has other characters than ASCII above its checkpoint") from error
    if lines.pop(0) != _HEAD:
        raise BadReceipt(f"the receipt does not begin with {_HEAD}")
    carried: bytes | None = None
    if lines and lines[0].startswith("extra "):
        carried = _decoded(lines.pop(0).removeprefix("extra "))
    place = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines.pop(0)) if lines else None
    if place is None:
        raise BadReceipt("the receipt does not say which index it is for")
    index = int(place[1])
    proof = [_decoded(line) for line in lines]
    if any(len(each) != 32 for each in proof):
        raise BadReceipt("a hash of the receipt is not a SHA-256")
    try:
        checkpoint = open_checkpoint(note, verifier)
        cosignatures = policy.cosignatures(note) if policy else ()
    except BadNote as error:
        raise BadReceipt(f"the receipt's checkpoint is invalid: {error}") from error
    if entry is not None and carried is not None and carried != entry:
        raise BadReceipt("the receipt is for another entry")
    proved = entry if entry is not None else carried
    if proved is None:
        raise BadReceipt("the receipt does not carry its entry, and none was given")
    if not merkle.check_inclusion(proof, index, checkpoint.size, merkle.leaf_hash(proved), checkpoint.root):
        raise BadReceipt(
            f"the receipt does not prove that its entry is entry {index} of the log {checkpoint.origin}"
        )
    try:
        read = decode(proved)
    except BadEntry as error:
        raise BadReceipt(f"the receipt proves something that is not an entry: {error}") from error
    return VerifiedReceipt(index, checkpoint.origin, checkpoint.size, checkpoint.root, read, cosignatures)


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise BadReceipt(f"the receipt cannot be read: {error}") from error
