"""Checkpoints (C2SP tlog-checkpoint): a signed note that commits to a tree's size and root.

<origin>
<size, decimal>
<root, base64>
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from ..errors import BadNote
from .keys import PrivateKey
from .note import Verifier, decode_base64, open_note, sign_note


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement that its first `size` entries hash to `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(public: bytes) -> str:
    """The name of the log that a key makes: `stemloom/` and 20 hex digits of the key's SHA-256.

    It follows from the key, so no two logs share an origin and none can be renamed.
    """
    return "stemloom/" + hashlib.sha256(public).hexdigest()[:20]


def read_body(text: str) -> Checkpoint:
    """The checkpoint of a note's text. Raises BadNote.

    Extension lines below the root, which the format allows, are ignored.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise BadNote("the checkpoint does not have its three lines of origin, size and root")
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise BadNote(f"the checkpoint's size {lines[1]!r} is not a decimal number")
    try:
        root = decode_base64(lines[2])
    except ValueError as error:
        raise BadNote(f"the checkpoint's root cannot be read: {error}") from error
    if len(root) != 32:
        raise BadNote("the checkpoint's root is not a SHA-256")
    return Checkpoint(lines[0], int(lines[1]), root)


def sign_checkpoint(checkpoint: Checkpoint, key: PrivateKey) -> bytes:
    """The signed note of `checkpoint`."""
    return sign_note(checkpoint.body, checkpoint.origin, key)


def open_checkpoint(data: bytes, verifier: Verifier) -> Checkpoint:
    """The checkpoint in `data`, signed by `verifier`, whose name is the origin. Raises BadNote."""
    checkpoint = read_body(open_note(data, [verifier]).text)
    if checkpoint.origin != verifier.name:
        raise BadNote(f"the checkpoint is of the log {checkpoint.origin}, and the key is of {verifier.name}")
    return checkpoint
